/* Marker: the end of a transaction written to every partition it touched. Begins when the Prepare
 * record is durable; when all markers are durable the transaction becomes Complete. A partition
 * that is gone needs no marker; one whose disk failed is tried again until it works or the broker
 * stops: then the next start does it, because the state is still Prepare.
 *
 * A marker may be written twice (a crash between marker and Complete): the second one ends nothing
 * and is harmless. Loop thread; see shard.h. */
#include "broker/coordinator/shard_state.h"
#include "lib/kafka/errors.h"

#include <utlist.h>

enum { RETRY_MS = 500 };

struct bk_marker_write {
    struct bk_shards *shards;
    struct bk_effects kept; /* the job's memory */
    struct bs_bytes id;
    int64_t producer_id;
    int16_t epoch;
    bool commit;
    struct bk_topic_partition *left; /* not yet appended */
    size_t left_count;
    struct bk_wait_item *items; /* appended */
    size_t item_count;
    struct bk_wait *wait;
    bool retry, due;
    bk_step_done *done; /* NULL: told */
    void *ctx;
    struct bk_marker_write *prev, *next;
};

static void write_tell(struct bk_marker_write *write, int16_t error)
{
    bk_step_done *done = write->done;
    write->done = NULL;
    if (done)
        done(write->ctx, error);
}

static void write_free(struct bk_marker_write *write)
{
    write_tell(write, KP_ERR_COORDINATOR_NOT_AVAILABLE);
    DL_DELETE(write->shards->markers, write);
    if (write->wait)
        bk_wait_cancel(write->wait);
    for (size_t i = 0; i < write->item_count; i++)
        bk_partition_unref(write->items[i].partition);
    bs_free(write->items);
    bk_effects_deinit(&write->kept);
    bs_free(write);
}

static bool is_groups_topic(struct bs_bytes topic)
{
    return bs_bytes_is(topic, bk_shards_topic(BK_SHARD_GROUPS));
}

/* Pending offsets of the transaction are decided; who asks for them waits for the marker. */
static void tell_groups(struct bk_marker_write *write, int32_t index,
                        struct bk_partition *partition, int64_t last_offset)
{
    struct bk_shards *shards = write->shards;
    struct bk_step *step;
    if (shards->shard[BK_SHARD_GROUPS].state != BK_SHARD_READY)
        return; /* its replay will find the marker */
    bk_groups_marker(bk_shards_groups(shards), index, write->producer_id, write->commit);
    step = bk_step_begin(shards, BK_SHARD_GROUPS);
    bk_step_wait_for(step, partition, last_offset);
    bk_step_commit(step, NULL, NULL);
}

/* True: done with it, or nothing to do. False: try again later. */
static bool append_one(struct bk_marker_write *write, const struct bk_topic_partition *target)
{
    struct bk_marker marker = {.producer_id = write->producer_id,
                               .producer_epoch = write->epoch,
                               .commit = write->commit,
                               .coordinator_epoch = 0};
    struct bk_append append = {0};
    struct bk_partition *partition;
    int16_t error = 0;
    if (is_groups_topic(target->topic) &&
        write->shards->shard[BK_SHARD_GROUPS].state == BK_SHARD_LOADING)
        return false;
    partition = bk_partitions_get(write->shards->spec.partitions, (const char *)target->topic.ptr,
                                  target->topic.len, target->partition, &error);
    if (!partition)
        return error != KP_ERR_KAFKA_STORAGE_ERROR;
    marker.leader_epoch = bk_partition_leader_epoch(partition);
    error = bk_partition_append_marker(partition, &marker, &append);
    if (error == KP_ERR_KAFKA_STORAGE_ERROR)
        return false;
    if (error)
        return true; /* a newer epoch has written there: this transaction has ended long ago */
    write->items = bs_realloc(write->items, (write->item_count + 1) * sizeof *write->items);
    write->items[write->item_count++] = (struct bk_wait_item){
        .partition = bk_partition_ref(partition), .offset = append.last_offset};
    if (is_groups_topic(target->topic))
        tell_groups(write, target->partition, partition, append.last_offset);
    return true;
}

static void complete(struct bk_marker_write *write)
{
    struct bk_shards *shards = write->shards;
    struct bk_step *step = bk_step_begin(shards, BK_SHARD_TXNS);
    if (shards->shard[BK_SHARD_TXNS].txns)
        bk_txns_markers_done(shards->shard[BK_SHARD_TXNS].txns, write->id, write->producer_id,
                             write->epoch, bk_shards_now(shards), bk_step_effects(step));
    write_tell(write, 0);
    write_free(write);
    bk_step_commit(step, NULL, NULL);
}

static void try_later(struct bk_marker_write *write)
{
    write->retry = true;
    write_tell(write, 0);
    if (!write->shards->stopping)
        io_timer_start(write->shards->marker_timer, RETRY_MS);
}

static void durable(void *ctx, enum bk_wait_end end)
{
    struct bk_marker_write *write = ctx;
    write->wait = NULL;
    /* LOST: a topic was deleted meanwhile, or its disk failed. What was written counts as written:
     * a disk that failed is read back at the next start, with the state still Prepare. */
    if (end == BK_WAIT_LOST) {
        for (size_t i = 0; i < write->item_count; i++) {
            if (bk_partition_error(write->items[i].partition) == KP_ERR_KAFKA_STORAGE_ERROR) {
                try_later(write);
                return;
            }
        }
    }
    complete(write);
}

static void write_on(struct bk_marker_write *write)
{
    struct bk_wait_spec spec = {
        .kind = BK_WAIT_ACKS, .timeout_ms = INT32_MAX, .done = durable, .ctx = write};
    enum bk_wait_end end = BK_WAIT_MET;
    size_t kept = 0;
    write->retry = false;
    for (size_t i = 0; i < write->left_count; i++)
        if (!append_one(write, &write->left[i]))
            write->left[kept++] = write->left[i];
    write->left_count = kept;
    if (kept) {
        try_later(write);
        return;
    }
    spec.items = write->items;
    spec.count = write->item_count;
    write->wait = bk_waiter_park(bk_partitions_waiter(write->shards->spec.partitions), &spec, &end);
    if (!write->wait)
        durable(write, end);
}

void bk_markers_start(struct bk_shards *shards, const struct bk_marker_job *job, bk_step_done *done,
                      void *ctx)
{
    struct bk_marker_write *write = bs_new(struct bk_marker_write);
    write->shards = shards;
    bk_effects_init(&write->kept);
    write->id = bk_effects_dup(&write->kept, job->transactional_id);
    write->producer_id = job->producer_id;
    write->epoch = job->producer_epoch;
    write->commit = job->commit;
    write->done = done;
    write->ctx = ctx;
    write->left_count = job->partition_count;
    write->left = bs_arena_array(&write->kept.arena, job->partition_count + 1, sizeof *write->left);
    for (size_t i = 0; i < job->partition_count; i++) {
        write->left[i].topic = bk_effects_dup(&write->kept, job->partitions[i].topic);
        write->left[i].partition = job->partitions[i].partition;
    }
    DL_APPEND(shards->markers, write);
    write_on(write);
}

void bk_markers_retry(void *ctx)
{
    struct bk_shards *shards = ctx;
    struct bk_marker_write *write, *due = NULL;
    DL_FOREACH (shards->markers, write) {
        write->due = write->retry;
        write->retry = false;
    }
    /* Going on with one may end it and start others: look anew each time. */
    do {
        due = NULL;
        DL_FOREACH (shards->markers, write)
            if (write->due)
                due = write;
        if (due) {
            due->due = false;
            write_on(due);
        }
    } while (due);
}

void bk_markers_drop(struct bk_shard *shard)
{
    if (shard->kind != BK_SHARD_TXNS)
        return;
    while (shard->owner->markers)
        write_free(shard->owner->markers);
}
