/* Partition: append, read and watermarks of one partition.
 *
 * Under weir.flush=ack the high watermark is what a sync has covered: appends of one turn of the
 * loop, and all that come while a sync is under way, share the next one. Under interval it is the
 * log end. Invariant: last stable <= high watermark <= log end; both only rise. Once a sync has
 * failed the partition is offline for good: what the disk holds is unknown until a restart reads
 * it. Owner: the loop thread. */
#include "broker/partition/partition_state.h"

#include "broker/cluster/topic_config.h"
#include "lib/base/mem.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/record_batch.h"

#include <inttypes.h>
#include <stdio.h>

static const struct bs_event event_offline = {"broker.partition_offline", BS_LOG_ERROR,
                                              "A partition's log cannot be used; clients get "
                                              "KAFKA_STORAGE_ERROR for it. Check the disk, then "
                                              "restart the broker."};

static const struct bs_event event_read = {
    "broker.read_failed", BS_LOG_ERROR,
    "A partition could not be read at some place: the disk failed or has changed a batch, which is "
    "never given out. Check the disk; the place is in the sentence."};

enum { READ_SAY_MS = 10000 };

struct bk_partition *bk_partition_new(struct bk_partitions *table, const struct bk_topic *topic,
                                      int32_t index)
{
    struct bk_partition *p = bs_new(struct bk_partition);
    p->table = table;
    p->topic = bk_topic_ref(topic);
    p->index = index;
    p->leader_epoch = topic->partitions[index].leader_epoch;
    p->refs = 1;
    return p;
}

struct bk_partition *bk_partition_ref(struct bk_partition *partition)
{
    partition->refs++;
    return partition;
}

void bk_partition_unref(struct bk_partition *partition)
{
    if (!partition || --partition->refs > 0)
        return;
    bk_log_close(partition->log);
    bs_free(partition->gone);
    bk_topic_unref(partition->topic);
    bs_free(partition);
}

void bk_partition_offline(struct bk_partition *partition, const char *why)
{
    if (partition->error)
        return;
    partition->error = KP_ERR_KAFKA_STORAGE_ERROR;
    bs_log(&event_offline, "%s-%" PRId32 ": %s", partition->topic->name, partition->index, why);
    bk_waiter_moved(partition);
}

/* Moves both watermarks; `bytes` is what was ever appended below `high`. */
static void partition_advance(struct bk_partition *p, int64_t high, int64_t bytes)
{
    if (high < p->high_watermark)
        return;
    p->high_watermark = high;
    p->high_bytes = bytes;
    int64_t before = p->last_stable;
    p->last_stable = bk_log_stable(p->log, high);
    if (p->last_stable == high) {
        p->stable_bytes = p->high_bytes > p->stable_bytes ? p->high_bytes : p->stable_bytes;
    } else if (p->last_stable > before) {
        int64_t span = bk_log_end(p->log) - bk_log_start(p->log);
        int64_t about = span > 0 ? (int64_t)((double)(p->last_stable - before) *
                                             (double)bk_log_bytes(p->log) / (double)span)
                                 : 0;
        p->stable_bytes += about > 0 ? about : 1;
    }
    bk_waiter_moved(p);
}

void bk_partition_start(struct bk_partition *p, const char *dir)
{
    struct bs_error err = {0};
    struct bk_log_config config = bk_topic_config_log(p->topic, bk_partitions_config(p->table));
    if (bk_log_open(dir, &config, bk_partitions_ports(p->table), &p->log, NULL, &err) != 0) {
        bk_partition_offline(p, err.text);
        return;
    }
    p->high_watermark = bk_log_end(p->log);
    p->last_stable = bk_log_stable(p->log, p->high_watermark);
}

void bk_partition_update(struct bk_partition *p, const struct bk_topic *topic)
{
    bk_topic_unref(p->topic);
    p->topic = bk_topic_ref(topic);
    p->leader_epoch = topic->partitions[p->index].leader_epoch;
    if (p->log) {
        struct bk_log_config config = bk_topic_config_log(topic, bk_partitions_config(p->table));
        bk_log_set_config(p->log, &config);
    }
}

/* ---- sync ------------------------------------------------------------------------------------ */

static bool partition_acks_sync(const struct bk_partition *p)
{
    return bk_log_config(p->log)->flush == BK_FLUSH_ACK;
}

static void partition_synced(void *ctx, int result)
{
    struct bk_partition *p = ctx;
    p->syncing = false;
    if (result) {
        char why[128];
        snprintf(why, sizeof why, "sync failed: %s", bs_strerror(result));
        bk_partition_offline(p, why);
    } else if (!p->error && partition_acks_sync(p)) {
        partition_advance(p, p->sync_end, p->sync_bytes);
        if (bk_log_end(p->log) > p->sync_end)
            bk_partition_sync(p); /* what came meanwhile shares this one */
    }
    bk_partitions_synced(p->table, p);
    bk_partition_unref(p);
}

void bk_partition_sync(struct bk_partition *p)
{
    if (p->syncing || p->error || !p->log)
        return;
    p->syncing = true;
    p->unsynced_messages = 0;
    p->sync_end = bk_log_end(p->log);
    p->sync_bytes = bk_log_bytes_total(p->log);
    bk_partition_ref(p);
    bk_log_sync_start(p->log, partition_synced, p);
}

/* ---- append ---------------------------------------------------------------------------------- */

static void partition_appended(struct bk_partition *p, const struct bk_append *append)
{
    const struct bk_log_config *config = bk_log_config(p->log);
    if (config->flush == BK_FLUSH_ACK) {
        bk_partitions_queue_sync(p->table, p);
        return;
    }
    p->unsynced_messages += append->last_offset - append->base_offset + 1;
    if (p->unsynced_messages >= config->flush_messages || bk_log_rolled_dirty(p->log))
        bk_partitions_queue_sync(p->table, p);
    else if (config->flush_ms < INT64_MAX)
        bk_partitions_sync_by(p->table, p, config->flush_ms);
    partition_advance(p, bk_log_end(p->log), bk_log_bytes_total(p->log));
}

static int16_t partition_append_end(struct bk_partition *p, struct bk_append *append, int rc,
                                    const struct bs_error *err)
{
    if (rc == BS_ENOSPC) {
        bk_partitions_full(p->table, err->text);
        append->error = KP_ERR_KAFKA_STORAGE_ERROR;
        snprintf(append->error_text, sizeof append->error_text, "the broker's disk is full");
    } else if (rc) {
        bk_partition_offline(p, err->text);
        append->error = KP_ERR_KAFKA_STORAGE_ERROR;
        snprintf(append->error_text, sizeof append->error_text, "the log cannot be written");
    } else if (!append->error && !append->duplicate) {
        partition_appended(p, append);
    }
    return append->error;
}

static int16_t partition_append_refuse(const struct bk_partition *p, struct bk_append *append)
{
    append->error = p->error;
    append->error_text[0] = '\0';
    append->duplicate = false;
    append->base_offset = append->last_offset = append->append_time_ms = -1;
    return p->error;
}

int16_t bk_partition_append(struct bk_partition *p, struct bk_append *append)
{
    struct bs_error err = {0};
    if (p->error)
        return partition_append_refuse(p, append);
    append->leader_epoch = p->leader_epoch;
    int rc = bk_log_append(p->log, append, &err);
    return partition_append_end(p, append, rc, &err);
}

int16_t bk_partition_append_marker(struct bk_partition *p, const struct bk_marker *marker,
                                   struct bk_append *ret_append)
{
    struct bs_error err = {0};
    struct bk_marker stamped = *marker;
    if (p->error)
        return partition_append_refuse(p, ret_append);
    stamped.leader_epoch = p->leader_epoch;
    int rc = bk_log_append_marker(p->log, &stamped, ret_append, &err);
    return partition_append_end(p, ret_append, rc, &err);
}

int64_t bk_partition_open_txn(const struct bk_partition *p, int64_t producer_id,
                              int16_t producer_epoch)
{
    return p->log ? bk_log_open_txn(p->log, producer_id, producer_epoch) : -1;
}

/* ---- read ------------------------------------------------------------------------------------ */

static int16_t partition_read_error(struct bk_partition *p, int rc, const struct bs_error *err)
{
    if (rc == 0)
        return 0;
    if (rc == BS_ERANGE)
        return KP_ERR_OFFSET_OUT_OF_RANGE;
    int64_t now_ms = io_clock_mono_ms(bk_partitions_ports(p->table)->clock);
    if (p->read_said_ms == 0 || now_ms - p->read_said_ms > READ_SAY_MS) {
        p->read_said_ms = now_ms; /* clients ask again and again */
        bs_log(&event_read, "%s-%" PRId32 ": %s", p->topic->name, p->index, err->text);
    }
    return rc == BS_ECORRUPT ? KP_ERR_CORRUPT_MESSAGE : KP_ERR_KAFKA_STORAGE_ERROR;
}

static int64_t partition_limit(const struct bk_partition *p, enum bk_isolation isolation)
{
    return isolation == BK_READ_ALL         ? bk_log_end(p->log)
           : isolation == BK_READ_COMMITTED ? p->last_stable
                                            : p->high_watermark;
}

/* Offset behind the batches in bytes. */
static int64_t batches_end(const uint8_t *bytes, size_t len, int64_t start)
{
    struct kp_batch batch;
    for (size_t at = 0; at < len && kp_batch_peek(bytes + at, len - at, &batch) == 0;
         at += batch.size)
        start = kp_batch_last_offset(&batch) + 1;
    return start;
}

int16_t bk_partition_read(struct bk_partition *p, struct bk_read *read, struct bs_buf *out)
{
    struct bs_error err = {0};
    size_t before = out->len;
    read->len = 0;
    read->aborted = NULL;
    read->aborted_count = 0;
    read->error = p->error;
    read->high_watermark = p->error ? -1 : p->high_watermark;
    read->last_stable = p->error ? -1 : p->last_stable;
    read->log_start = p->error ? -1 : bk_log_start(p->log);
    if (p->error)
        return p->error;
    int rc = bk_log_read(p->log, read->offset, partition_limit(p, read->isolation), read->bytes_max,
                         read->at_least_one, out, &err);
    read->len = out->len - before;
    if (!rc && read->isolation == BK_READ_COMMITTED && read->len > 0)
        rc = bk_log_aborted(p->log, read->offset,
                            batches_end(out->data + before, read->len, read->offset),
                            &read->aborted, &read->aborted_count, &err);
    return read->error = partition_read_error(p, rc, &err);
}

int16_t bk_partition_list_offset(struct bk_partition *p, int64_t timestamp_ms,
                                 enum bk_isolation isolation, struct bk_offset_time *ret)
{
    struct bs_error err = {0};
    *ret = (struct bk_offset_time){.offset = -1, .timestamp_ms = -1, .leader_epoch = -1};
    if (p->error)
        return p->error;
    int64_t limit = partition_limit(p, isolation);
    int rc = 0;
    switch (timestamp_ms) {
    case BK_TIME_LATEST:
        ret->offset = limit;
        ret->leader_epoch = p->leader_epoch;
        return 0;
    case BK_TIME_EARLIEST:
    case BK_TIME_EARLIEST_LOCAL:
        ret->offset = bk_log_start(p->log);
        ret->leader_epoch = bk_log_first_epoch(p->log);
        return 0;
    case BK_TIME_MAX:
        rc = bk_log_offset_for_max_time(p->log, limit, ret, &err);
        break;
    default:
        if (timestamp_ms < 0)
            return 0; /* -5, the last offset in remote storage: there is none */
        rc = bk_log_offset_for_time(p->log, timestamp_ms, limit, ret, &err);
    }
    return partition_read_error(p, rc, &err);
}

void bk_partition_epoch_end(const struct bk_partition *p, int32_t epoch, int32_t *ret_epoch,
                            int64_t *ret_end_offset)
{
    *ret_epoch = -1;
    *ret_end_offset = -1;
    if (p->error)
        return;
    if (epoch == p->leader_epoch) { /* begun, even if nothing was written in it yet */
        *ret_epoch = epoch;
        *ret_end_offset = bk_log_end(p->log);
        return;
    }
    bk_log_epoch_end(p->log, epoch, ret_epoch, ret_end_offset);
}

int16_t bk_partition_delete_records(struct bk_partition *p, int64_t offset, int64_t *ret_log_start)
{
    struct bs_error err = {0};
    *ret_log_start = -1;
    if (p->error)
        return p->error;
    const struct bk_log_config *config = bk_log_config(p->log);
    /* A coordinator deletes what it has written anew; clients are refused by the handler. */
    if (config->compact && !config->remove && !p->topic->internal)
        return KP_ERR_POLICY_VIOLATION;
    int rc = bk_log_delete_before(p->log, offset == -1 ? p->high_watermark : offset,
                                  p->high_watermark, &err);
    if (!rc)
        *ret_log_start = bk_log_start(p->log);
    return partition_read_error(p, rc, &err);
}

/* ---- plain answers ------------------------------------------------------------------------------
 */

const struct bk_topic *bk_partition_topic(const struct bk_partition *p)
{
    return p->topic;
}

int32_t bk_partition_index(const struct bk_partition *p)
{
    return p->index;
}

int32_t bk_partition_leader_epoch(const struct bk_partition *p)
{
    return p->leader_epoch;
}

int16_t bk_partition_error(const struct bk_partition *p)
{
    return p->error;
}

int64_t bk_partition_log_start(const struct bk_partition *p)
{
    return p->log ? bk_log_start(p->log) : -1;
}

int64_t bk_partition_log_end(const struct bk_partition *p)
{
    return p->log ? bk_log_end(p->log) : -1;
}

int64_t bk_partition_high_watermark(const struct bk_partition *p)
{
    return p->high_watermark;
}

int64_t bk_partition_last_stable(const struct bk_partition *p)
{
    return p->last_stable;
}

int64_t bk_partition_bytes(const struct bk_partition *p)
{
    return p->log ? bk_log_bytes(p->log) : 0;
}

int16_t bk_partition_check_epoch(const struct bk_partition *p, int32_t epoch)
{
    if (epoch < 0 || epoch == p->leader_epoch)
        return 0;
    return epoch < p->leader_epoch ? KP_ERR_FENCED_LEADER_EPOCH : KP_ERR_UNKNOWN_LEADER_EPOCH;
}

void bk_partition_producers(const struct bk_partition *p, bk_producer_visit *visit, void *ctx)
{
    if (p->log)
        bk_log_producers(p->log, visit, ctx);
}
