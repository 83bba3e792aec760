/* Shard: see shard.h. Each of the two has a queue of steps in the order they were committed; a step
 * is released when it and all before it are durable. Invariant: a step's records are appended when
 * it is put in the queue, so the order in the log is the order of the steps.
 *
 * Loop thread. */
#include "broker/coordinator/shard_state.h"
#include "lib/base/log.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/partitioner.h"
#include "lib/kafka/record_batch.h"

#include <utlist.h>

enum { RELOAD_AFTER_MS = 1000, ACK_TIMEOUT_MS = INT32_MAX, MARKER_RETRY_MS = 500 };
/* A record set larger than this goes in several batches. */
enum { BATCH_BYTES = 262144 };

static const struct bs_event FAILED = {
    "broker.coordinator.failed", BS_LOG_ERROR,
    "A coordinator could not write its topic; it answers COORDINATOR_NOT_AVAILABLE and loads its "
    "state again. See the disk's error before this line."};

static void release(struct bk_shard *shard);
static void tick(void *ctx);

static const char *const TOPICS[] = {
    [BK_SHARD_GROUPS] = "__consumer_offsets", [BK_SHARD_TXNS] = "__transaction_state"};

const char *bk_shards_topic(enum bk_shard_kind kind)
{
    return TOPICS[kind];
}

struct bk_time bk_shards_now(const struct bk_shards *shards)
{
    return (struct bk_time){.mono_ms = io_clock_mono_ms(shards->spec.clock),
                            .wall_ms = io_clock_wall_ms(shards->spec.clock)};
}

struct bk_groups *bk_shards_groups(struct bk_shards *shards)
{
    return shards->shard[BK_SHARD_GROUPS].groups;
}

struct bk_txns *bk_shards_txns(struct bk_shards *shards)
{
    return shards->shard[BK_SHARD_TXNS].txns;
}

int32_t bk_shards_partition(struct bk_shards *shards, enum bk_shard_kind kind, struct bs_bytes id)
{
    return kp_partition_for_id(id, shards->shard[kind].partition_count);
}

int16_t bk_shards_check(struct bk_shards *shards, enum bk_shard_kind kind)
{
    switch (shards->shard[kind].state) {
    case BK_SHARD_READY:
        return 0;
    case BK_SHARD_LOADING:
        return KP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    default:
        return KP_ERR_COORDINATOR_NOT_AVAILABLE;
    }
}

struct bk_partition *bk_shard_partition(struct bk_shard *shard, int32_t index, int16_t *ret_error)
{
    const char *topic = TOPICS[shard->kind];
    return bk_partitions_get(shard->owner->spec.partitions, topic, strlen(topic), index, ret_error);
}

/* --- steps --- */

struct bk_step *bk_step_begin(struct bk_shards *shards, enum bk_shard_kind kind)
{
    struct bk_step *step = bs_new(struct bk_step);
    step->shard = &shards->shard[kind];
    bk_effects_init(&step->fx);
    return step;
}

struct bk_effects *bk_step_effects(struct bk_step *step)
{
    return &step->fx;
}

static void step_free(struct bk_step *step)
{
    bk_effects_deinit(&step->fx);
    bs_free(step->items);
    bs_free(step);
}

/* Tells everyone who waits for this step. */
static void step_tell(struct bk_step *step, int16_t error)
{
    struct bk_shards *shards = step->shard->owner;
    struct bk_join_reply *join = step->fx.joins, *next_join;
    struct bk_sync_reply *sync = step->fx.syncs, *next_sync;
    for (; join; join = next_join) {
        next_join = join->next;
        if (error)
            *join = (struct bk_join_reply){.call = join->call,
                                           .error = error,
                                           .generation = -1,
                                           .leader = bs_bytes("", 0),
                                           .member_id = bs_bytes("", 0)};
        shards->spec.joined(join);
    }
    for (; sync; sync = next_sync) {
        next_sync = sync->next;
        if (error)
            *sync = (struct bk_sync_reply){.call = sync->call, .error = error};
        shards->spec.synced(sync);
    }
    if (step->done)
        step->done(step->ctx, error);
}

void bk_step_wait_for(struct bk_step *step, struct bk_partition *partition, int64_t last_offset)
{
    for (size_t i = 0; i < step->item_count; i++) {
        if (step->items[i].partition == partition) {
            step->items[i].offset = last_offset;
            return;
        }
    }
    step->items = bs_realloc(step->items, (step->item_count + 1) * sizeof *step->items);
    step->items[step->item_count++] =
        (struct bk_wait_item){.partition = partition, .offset = last_offset};
}

/* The run of records that can go in one batch: same partition, same producer. */
static struct bk_record *append_run(struct bk_step *step, struct bk_record *record, int64_t wall_ms,
                                    int16_t *ret_error)
{
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    struct kp_batch_builder builder;
    const struct bk_record *first = record;
    struct bk_partition *partition = bk_shard_partition(step->shard, first->partition, ret_error);
    struct bk_append append = {.origin = BK_ORIGIN_COORDINATOR};
    struct bs_bytes batch;
    if (!partition)
        return NULL;
    options.producer_id = first->producer_id;
    options.producer_epoch = first->producer_epoch;
    options.transactional = first->producer_id >= 0;
    kp_batch_builder_init(&builder, &options);
    for (;
         record && record->partition == first->partition &&
         record->producer_id == first->producer_id && kp_batch_builder_size(&builder) < BATCH_BYTES;
         record = record->next)
        kp_batch_builder_append(&builder, wall_ms, record->key, record->value, NULL, 0);
    if (kp_batch_builder_finish(&builder, &batch)) {
        *ret_error = KP_ERR_UNKNOWN_SERVER_ERROR;
    } else {
        append.records = (uint8_t *)batch.ptr; /* the builder's own memory */
        append.len = batch.len;
        *ret_error = bk_partition_append(partition, &append);
        if (*ret_error == 0) {
            bk_step_wait_for(step, partition, append.last_offset);
            bk_shard_count_bytes(step->shard, first->partition, batch.len);
        }
    }
    kp_batch_builder_deinit(&builder);
    return record;
}

static int16_t append_records(struct bk_step *step)
{
    struct bk_record *record = step->fx.records;
    int64_t wall_ms = io_clock_wall_ms(step->shard->owner->spec.clock);
    int16_t error = 0;
    while (record && !error)
        record = append_run(step, record, wall_ms, &error);
    return error;
}

static void drop_call(void *ctx, void *call, bool is_join)
{
    struct bk_shard *shard = ctx;
    struct bk_sync_reply sync = {.call = call, .error = KP_ERR_COORDINATOR_NOT_AVAILABLE};
    struct bk_join_reply reply = {.call = call,
                                  .error = KP_ERR_COORDINATOR_NOT_AVAILABLE,
                                  .generation = -1,
                                  .leader = bs_bytes("", 0),
                                  .member_id = bs_bytes("", 0)};
    if (is_join)
        shard->owner->spec.joined(&reply);
    else
        shard->owner->spec.synced(&sync);
}

/* Everybody who waits is told; the state machine goes. */
void bk_shard_fail(struct bk_shard *shard)
{
    struct bk_step *queue = shard->queue, *step, *next;
    shard->queue = NULL;
    shard->state = BK_SHARD_FAILED;
    DL_FOREACH_SAFE (queue, step, next) {
        DL_DELETE(queue, step);
        if (step->wait)
            bk_wait_cancel(step->wait);
        step_tell(step, KP_ERR_COORDINATOR_NOT_AVAILABLE);
        step_free(step);
    }
    if (shard->groups)
        bk_groups_drain(shard->groups, drop_call, shard);
    bk_groups_free(shard->groups);
    shard->groups = NULL;
    bk_txns_free(shard->txns);
    shard->txns = NULL;
    bk_markers_drop(shard);
}

static void fail_and_reload(struct bk_shard *shard, int16_t error)
{
    bs_log(&FAILED, "%s: %s", TOPICS[shard->kind], kp_error_name(error));
    bk_shard_fail(shard);
    if (!shard->owner->stopping)
        io_timer_start(shard->timer, RELOAD_AFTER_MS);
}

static void durable(void *ctx, enum bk_wait_end end)
{
    struct bk_step *step = ctx;
    struct bk_shard *shard = step->shard;
    step->wait = NULL;
    if (end != BK_WAIT_MET) {
        fail_and_reload(shard, KP_ERR_KAFKA_STORAGE_ERROR);
        return;
    }
    step->durable = true;
    release(shard);
}

static void release(struct bk_shard *shard)
{
    while (shard->queue && shard->queue->durable) {
        struct bk_step *step = shard->queue;
        DL_DELETE(shard->queue, step);
        bk_step_done *done = NULL;
        /* Who ended a transaction is answered when it is Complete, a sync later: answered now, a
         * client's next transaction would meet CONCURRENT_TRANSACTIONS and pause for its retry. */
        if (step->fx.markers && !step->fx.markers->next) {
            done = step->done;
            step->done = NULL;
        }
        for (struct bk_marker_job *job = step->fx.markers; job; job = job->next)
            bk_markers_start(shard->owner, job, done, step->ctx);
        step_tell(step, 0);
        step_free(step);
        if (shard->state != BK_SHARD_READY)
            return;
    }
}

static void arm(struct bk_shard *shard)
{
    int64_t due_ms = INT64_MAX, now_ms = io_clock_mono_ms(shard->owner->spec.clock);
    if (shard->state != BK_SHARD_READY)
        return;
    if (shard->groups) {
        due_ms = bk_groups_due_ms(shard->groups);
        if (shard->expire_due_ms < due_ms)
            due_ms = shard->expire_due_ms;
    } else if (shard->txns) {
        due_ms = shard->txns_due_ms;
    }
    if (due_ms == shard->armed_ms)
        return;
    shard->armed_ms = due_ms;
    if (due_ms == INT64_MAX)
        io_timer_stop(shard->timer);
    else
        io_timer_start(shard->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

void bk_step_commit(struct bk_step *step, bk_step_done *done, void *ctx)
{
    struct bk_shard *shard = step->shard;
    struct bk_shards *shards = shard->owner;
    int16_t error;
    step->done = done;
    step->ctx = ctx;
    if (shard->state != BK_SHARD_READY) {
        step_tell(step, KP_ERR_COORDINATOR_NOT_AVAILABLE);
        step_free(step);
        return;
    }
    error = append_records(step);
    DL_APPEND(shard->queue, step);
    if (error) {
        fail_and_reload(shard, error);
        return;
    }
    /* A transaction that began may be due before anything else is. */
    if (shard->txns && step->fx.records)
        shard->txns_due_ms = bk_txns_due_ms(shard->txns);
    arm(shard);
    step->durable = true;
    if (step->item_count) {
        struct bk_wait_spec spec = {.kind = BK_WAIT_ACKS,
                                    .items = step->items,
                                    .count = step->item_count,
                                    .timeout_ms = ACK_TIMEOUT_MS,
                                    .done = durable,
                                    .ctx = step};
        enum bk_wait_end end = BK_WAIT_MET;
        step->wait = bk_waiter_park(bk_partitions_waiter(shards->spec.partitions), &spec, &end);
        if (!step->wait && end != BK_WAIT_MET) {
            fail_and_reload(shard, KP_ERR_KAFKA_STORAGE_ERROR);
            return;
        }
        step->durable = step->wait == NULL;
    }
    release(shard);
}

/* --- time --- */

static void tick(void *ctx)
{
    struct bk_shard *shard = ctx;
    struct bk_shards *shards = shard->owner;
    struct bk_time now = bk_shards_now(shards);
    struct bk_step *step;
    shard->armed_ms = -1;
    if (shard->state == BK_SHARD_FAILED) {
        bk_shard_load(shard);
        return;
    }
    if (shard->state != BK_SHARD_READY)
        return;
    step = bk_step_begin(shards, shard->kind);
    if (shard->groups) {
        bk_groups_tick(shard->groups, now, &step->fx);
        if (now.mono_ms >= shard->expire_due_ms) {
            bk_groups_expire_offsets(shard->groups, now, &step->fx);
            shard->expire_due_ms = now.mono_ms + shards->expire_every_ms;
        }
    } else {
        bk_txns_tick(shard->txns, now, &step->fx);
        shard->txns_due_ms = bk_txns_due_ms(shard->txns);
    }
    bk_step_commit(step, NULL, NULL);
}

/* --- life --- */

static void topic_changed(void *ctx, const struct bk_topic *before, const struct bk_topic *after)
{
    struct bk_shards *shards = ctx;
    struct bk_step *step;
    if (after || !before || before->internal ||
        shards->shard[BK_SHARD_GROUPS].state != BK_SHARD_READY)
        return;
    step = bk_step_begin(shards, BK_SHARD_GROUPS);
    bk_groups_topic_deleted(bk_shards_groups(shards), bs_bytes_text(before->name), &step->fx);
    bk_step_commit(step, NULL, NULL);
}

static const struct bk_metadata_observer OBSERVER = {.topic_changed = topic_changed};

struct bk_shards *bk_shards_open(const struct bk_shards_spec *spec)
{
    struct bk_shards *shards = bs_new(struct bk_shards);
    shards->spec = *spec;
    shards->expire_every_ms = bs_config_int(spec->config, "offsets.retention.check.interval.ms");
    shards->rewrite_bytes = bs_config_int(spec->config, "weir.coordinator.rewrite.bytes");
    for (int i = 0; i < 2; i++) {
        struct bk_shard *shard = &shards->shard[i];
        shard->owner = shards;
        shard->kind = (enum bk_shard_kind)i;
        shard->armed_ms = -1;
        shard->txns_due_ms = shard->expire_due_ms = INT64_MAX;
        shard->timer = io_timer_new(spec->loop, tick, shard);
        shard->state = BK_SHARD_ABSENT;
    }
    shards->marker_timer = io_timer_new(spec->loop, bk_markers_retry, shards);
    /* Transactions decided before the stop write markers to the groups' topic: groups first. */
    for (int i = 0; i < 2; i++)
        if (bk_image_topic(bk_metadata_image(spec->metadata), TOPICS[i], strlen(TOPICS[i])))
            bk_shard_load(&shards->shard[i]);
    bk_metadata_observe(spec->metadata, &OBSERVER, shards);
    return shards;
}

bool bk_shards_loading(const struct bk_shards *shards)
{
    return shards->shard[0].state == BK_SHARD_LOADING || shards->shard[1].state == BK_SHARD_LOADING;
}

void bk_shards_stop(struct bk_shards *shards)
{
    shards->stopping = true;
    for (int i = 1; i >= 0; i--) {
        io_timer_stop(shards->shard[i].timer);
        bk_shard_fail(&shards->shard[i]);
        /* While its topic is being made, `created` tells them: nobody stops with a change under
         * way. */
        if (!shards->shard[i].creating)
            bk_shard_tell_ready(&shards->shard[i]);
    }
    io_timer_stop(shards->marker_timer);
}

void bk_shards_close(struct bk_shards *shards)
{
    if (!shards)
        return;
    for (int i = 0; i < 2; i++) {
        io_timer_free(shards->shard[i].timer);
        bs_free(shards->shard[i].rewrites);
    }
    io_timer_free(shards->marker_timer);
    bs_free(shards);
}
