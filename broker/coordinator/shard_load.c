/* Shard load: a coordinator's topic is made when it is first needed, and read back at start and
 * after a failure: every record goes through the state machine's replay, in pieces, so that the
 * loop serves others in between. Loop thread; see shard.h. */
#include "broker/coordinator/shard_state.h"
#include "lib/base/log.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/record_batch.h"

#include <inttypes.h>

enum { CHUNK_BYTES = 1 << 20 };

static const struct bs_event UNREADABLE = {
    "broker.coordinator.unreadable", BS_LOG_ERROR,
    "A record of a coordinator's topic could not be read and was passed over: what it said about a "
    "group or a transaction is lost."};
static const struct bs_event LOADED = {"broker.coordinator.loaded", BS_LOG_DEBUG,
                                       "A coordinator has read its topic and is ready."};

static void load_some(void *ctx);

static void post(struct bk_shard *shard)
{
    shard->load_posted = true;
    io_loop_post(shard->owner->spec.loop, load_some, shard);
}

void bk_shard_tell_ready(struct bk_shard *shard)
{
    struct bk_ready_wait *wait = shard->waiting, *next;
    int16_t error = bk_shards_check(shard->owner, shard->kind);
    shard->waiting = NULL;
    for (; wait; wait = next) {
        next = wait->next;
        wait->ready(wait->ctx, error);
        bs_free(wait);
    }
}

static void uuid(void *ctx, uint8_t out[16])
{
    struct bk_shards *shards = ctx;
    io_random_uuid(shards->spec.random, out);
}

static int new_producer_id(void *ctx, int64_t *ret)
{
    struct bk_shards *shards = ctx;
    return bk_metadata_producer_id(shards->spec.metadata, ret);
}

static void make_machine(struct bk_shard *shard)
{
    struct bk_shards *shards = shard->owner;
    const struct bs_config *config = shards->spec.config;
    if (shard->kind == BK_SHARD_GROUPS) {
        struct bk_groups_config c = {
            .partition_count = shard->partition_count,
            .session_min_ms = bs_config_int(config, "group.min.session.timeout.ms"),
            .session_max_ms = bs_config_int(config, "group.max.session.timeout.ms"),
            .initial_delay_ms = bs_config_int(config, "group.initial.rebalance.delay.ms"),
            .offsets_retention_ms = bs_config_int(config, "offsets.retention.minutes") * 60000,
            .group_size_max = (int32_t)bs_config_int(config, "group.max.size"),
            .metadata_bytes_max = (int32_t)bs_config_int(config, "offset.metadata.max.bytes"),
            .uuid = uuid,
            .ctx = shards};
        shard->groups = bk_groups_new(&c);
    } else {
        struct bk_txns_config c = {
            .partition_count = shard->partition_count,
            .timeout_max_ms = bs_config_int(config, "transaction.max.timeout.ms"),
            .id_expiration_ms = bs_config_int(config, "transactional.id.expiration.ms"),
            .new_producer_id = new_producer_id,
            .ctx = shards};
        shard->txns = bk_txns_new(&c);
    }
}

void bk_shard_load(struct bk_shard *shard)
{
    struct bk_shards *shards = shard->owner;
    const char *name = bk_shards_topic(shard->kind);
    const struct bk_topic *topic =
        bk_image_topic(bk_metadata_image(shards->spec.metadata), name, strlen(name));
    if (!topic) {
        shard->state = BK_SHARD_ABSENT;
        bk_shard_tell_ready(shard);
        return;
    }
    shard->partition_count = topic->partition_count;
    shard->state = BK_SHARD_LOADING;
    shard->load_partition = 0;
    shard->load_offset = -1;
    shard->load_count = 0;
    bs_free(shard->rewrites);
    shard->rewrites = NULL;
    make_machine(shard);
    if (!shard->load_posted)
        post(shard);
}

/* --- replay --- */

static void replay_marker(struct bk_shard *shard, const struct kp_batch *batch,
                          const struct kp_record *record)
{
    int16_t type;
    if (shard->groups && kp_control_key_decode(record->key, &type) == 0 &&
        (type == KP_CONTROL_ABORT || type == KP_CONTROL_COMMIT))
        bk_groups_marker(shard->groups, shard->load_partition, batch->producer_id,
                         type == KP_CONTROL_COMMIT);
}

static int replay_record(struct bk_shard *shard, const struct kp_batch *batch,
                         const struct kp_record *record, struct bk_time now)
{
    if (kp_batch_is_control(batch)) {
        replay_marker(shard, batch, record);
        return 0;
    }
    if (shard->groups)
        return bk_groups_replay(shard->groups, shard->load_partition, record->key, record->value,
                                kp_batch_is_transactional(batch) ? batch->producer_id : -1, now);
    return bk_txns_replay(shard->txns, record->key, record->value, now);
}

/* One batch; gives its size, 0 when it cannot be read. */
static size_t replay_batch(struct bk_shard *shard, struct bs_bytes bytes, struct bk_time now)
{
    struct kp_batch batch;
    struct kp_record_reader reader;
    struct kp_record record;
    int rc;
    if (kp_batch_peek(bytes.ptr, bytes.len, &batch) || batch.size > bytes.len)
        return 0;
    if (kp_batch_codec(&batch) != KP_CODEC_NONE) {
        bs_log(&UNREADABLE, "%s-%d offset %" PRId64 ": compressed", bk_shards_topic(shard->kind),
               shard->load_partition, batch.base_offset);
        shard->load_offset = kp_batch_last_offset(&batch) + 1;
        return batch.size;
    }
    kp_record_reader_init(&reader, &batch, kp_batch_payload(bytes.ptr, &batch));
    while ((rc = kp_record_reader_next(&reader, &record)) == 0) {
        if (replay_record(shard, &batch, &record, now) == 0)
            continue;
        bs_log(&UNREADABLE, "%s-%d offset %" PRId64, bk_shards_topic(shard->kind),
               shard->load_partition, record.offset);
    }
    shard->load_count += batch.record_count;
    shard->load_offset = kp_batch_last_offset(&batch) + 1;
    return rc == 1 ? batch.size : 0;
}

/* A piece of the partition under way. 1: it is read whole, 0: more, < 0 it cannot be read. */
static int load_piece(struct bk_shard *shard, struct bk_partition *partition, struct bs_buf *buf)
{
    struct bk_time now = bk_shards_now(shard->owner);
    struct bk_read read = {.offset = shard->load_offset,
                           .bytes_max = CHUNK_BYTES,
                           .at_least_one = true,
                           .isolation = BK_READ_ALL};
    if (shard->load_offset < 0)
        read.offset = shard->load_offset = bk_partition_log_start(partition);
    if (shard->load_offset >= bk_partition_log_end(partition))
        return 1;
    if (bk_partition_read(partition, &read, buf))
        return BS_EIO;
    bs_free(read.aborted);
    bk_shard_count_bytes(shard, shard->load_partition, buf->len);
    if (buf->len == 0)
        return 1;
    for (size_t at = 0; at < buf->len;) {
        size_t size = replay_batch(shard, bs_bytes(buf->data + at, buf->len - at), now);
        if (size == 0)
            return BS_ECORRUPT;
        at += size;
    }
    return 0;
}

static void finish_load(struct bk_shard *shard)
{
    struct bk_shards *shards = shard->owner;
    struct bk_time now = bk_shards_now(shards);
    struct bk_effects fx;
    bk_effects_init(&fx);
    shard->state = BK_SHARD_READY;
    if (shard->groups) {
        bk_groups_replayed(shard->groups, now);
        shard->expire_due_ms = now.mono_ms + shards->expire_every_ms;
    } else {
        bk_txns_replayed(shard->txns, now, &fx);
        shard->txns_due_ms = bk_txns_due_ms(shard->txns);
    }
    bs_log(&LOADED, "%s: %" PRId64 " records", bk_shards_topic(shard->kind), shard->load_count);
    for (struct bk_marker_job *job = fx.markers; job; job = job->next)
        bk_markers_start(shards, job, NULL, NULL);
    bk_effects_deinit(&fx);
    bk_step_commit(bk_step_begin(shards, shard->kind), NULL, NULL); /* starts the timer */
    bk_shard_tell_ready(shard);
}

static void load_some(void *ctx)
{
    struct bk_shard *shard = ctx;
    struct bs_buf buf = BS_BUF_INIT;
    struct bk_partition *partition;
    int16_t error;
    int rc;
    shard->load_posted = false;
    if (shard->state != BK_SHARD_LOADING)
        return;
    /* Transactions write markers for groups: they are ready behind the groups. */
    if (shard->kind == BK_SHARD_TXNS &&
        shard->owner->shard[BK_SHARD_GROUPS].state == BK_SHARD_LOADING) {
        post(shard);
        return;
    }
    partition = bk_shard_partition(shard, shard->load_partition, &error);
    rc = partition ? load_piece(shard, partition, &buf) : BS_EIO;
    bs_buf_deinit(&buf);
    if (rc < 0) {
        bs_log(&UNREADABLE, "%s-%d: %s", bk_shards_topic(shard->kind), shard->load_partition,
               bs_strerror(rc));
        bk_shard_fail(shard);
        bk_shard_tell_ready(shard);
        io_timer_start(shard->timer, 5000);
        return;
    }
    if (rc == 1) {
        shard->load_partition++;
        shard->load_offset = -1;
    }
    if (shard->load_partition == shard->partition_count)
        finish_load(shard);
    else
        post(shard);
}

/* --- creation --- */

static void created(void *ctx, int16_t error)
{
    struct bk_shard *shard = ctx;
    shard->creating = false;
    if (shard->owner->stopping || error)
        bk_shard_tell_ready(shard);
    else
        bk_shard_load(shard);
}

static int16_t create(struct bk_shard *shard)
{
    struct bk_shards *shards = shard->owner;
    bool groups = shard->kind == BK_SHARD_GROUPS;
    /* Old records go by rewrite.c, never by age; small segments, so that they go soon. */
    struct bk_setting settings[] = {{"cleanup.policy", "compact"},
                                    {"compression.type", "producer"},
                                    {"segment.bytes", "16777216"}};
    struct bk_topic_spec spec = {
        .name = bk_shards_topic(shard->kind),
        .partition_count = (int32_t)bs_config_int(shards->spec.config,
                                                  groups ? "offsets.topic.num.partitions"
                                                         : "transaction.state.log.num.partitions"),
        .replication_factor = -1,
        .settings = settings,
        .setting_count = sizeof settings / sizeof settings[0],
        .internal = true};
    int rc = bk_metadata_create_topic(shards->spec.metadata, &spec, created, shard, NULL);
    if (rc)
        return KP_ERR_COORDINATOR_NOT_AVAILABLE;
    shard->creating = true;
    return 0;
}

void bk_shards_prepare(struct bk_shards *shards, enum bk_shard_kind kind, bk_shard_ready *ready,
                       void *ctx)
{
    struct bk_shard *shard = &shards->shard[kind];
    struct bk_ready_wait *wait;
    int16_t error;
    if (shard->state == BK_SHARD_READY || shard->state == BK_SHARD_FAILED || shards->stopping) {
        ready(ctx, bk_shards_check(shards, kind));
        return;
    }
    if (shard->state == BK_SHARD_ABSENT && !shard->creating) {
        error = create(shard);
        if (error) {
            ready(ctx, error);
            return;
        }
    }
    wait = bs_new(struct bk_ready_wait);
    wait->ready = ready;
    wait->ctx = ctx;
    wait->next = shard->waiting;
    shard->waiting = wait;
}
