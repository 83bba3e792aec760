/* Log: open, append, roll, sync, seal. See log.h; layout of the folder:
 *
 *   %020d.log         batches (segment.h)         %020d.txnindex   aborted (txn_index.c)
 *   %020d.index       sparse positions            %020d.snapshot   producers (producers.h)
 *   %020d.timeindex   sparse timestamps           leader-epoch-checkpoint, log-start
 *
 * Invariants: segments' base offsets rise, none overlaps; `end` is behind the last whole batch; a
 * segment's .index is on disk only while every byte of its .log is. Owner: the loop thread. */
#include "broker/log/control.h"
#include "broker/log/log_state.h"
#include "broker/log/records.h"

#include "lib/base/mem.h"
#include "lib/kafka/errors.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

const struct bs_event bk_event_log_truncated = {
    "broker.log_truncated", BS_LOG_WARN,
    "A log had bytes at its end that are no whole batch, as a crash leaves them; they were cut. "
    "Nothing acknowledged is lost under weir.flush=ack."};
const struct bs_event bk_event_log_failed = {
    "broker.log_failed", BS_LOG_ERROR,
    "A log could not be read, written or synced; its partition is offline until the broker is "
    "restarted. Check the disk."};
const struct bs_event bk_event_log_full = {
    "broker.disk_full", BS_LOG_ERROR,
    "A produce was refused because the disk is full; reads go on and writes resume when there is "
    "space. Free space, lower retention, or delete topics."};
const struct bs_event bk_event_log_rebuilt = {
    "broker.log_recovered", BS_LOG_INFO,
    "A log was read and checked after a stop that was not in order."};

struct bk_segment *bk_log_add_segment(struct bk_log *log, int64_t base_offset)
{
    struct bk_segment *segment = bk_segment_new(log->ports.fds, log->dir, base_offset);
    segment->created_ms = io_clock_wall_ms(log->ports.clock);
    if (log->count == log->cap) {
        log->cap = log->cap ? log->cap * 2 : 4;
        log->segments = bs_realloc(log->segments, log->cap * sizeof *log->segments);
    }
    log->segments[log->count++] = segment;
    return segment;
}

static void log_draw_jitter(struct bk_log *log)
{
    int64_t most = log->config.segment_jitter_ms;
    log->roll_jitter_ms =
        most > 0 ? (int64_t)(io_random_u64(log->ports.random) % (uint64_t)most) : 0;
}

int bk_log_open(const char *dir, const struct bk_log_config *config,
                const struct bk_log_ports *ports, struct bk_log **ret_log,
                struct bk_recovery *ret_recovery, struct bs_error *err)
{
    struct bk_recovery recovery = {0};
    struct bk_log *log = bs_new(struct bk_log);
    log->dir = bs_strdup(dir);
    log->config = *config;
    log->ports = *ports;
    log->producers = bk_producers_new();
    log_draw_jitter(log);
    int rc = ports->files->mkdir(ports->files, dir, err);
    if (!rc)
        rc = bk_log_recover(log, &recovery, err);
    if (rc) {
        bk_log_close(log);
        return rc;
    }
    if (ret_recovery)
        *ret_recovery = recovery;
    *ret_log = log;
    return 0;
}

void bk_log_close(struct bk_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->count; i++)
        bk_segment_free(log->segments[i]);
    bs_free(log->segments);
    bk_producers_free(log->producers);
    bk_epochs_deinit(&log->epochs);
    bs_free(log->aborted);
    bs_free(log->dir);
    bs_free(log);
}

void bk_log_set_config(struct bk_log *log, const struct bk_log_config *config)
{
    log->config = *config;
    log_draw_jitter(log);
}

const struct bk_log_config *bk_log_config(const struct bk_log *log)
{
    return &log->config;
}

const char *bk_log_dir(const struct bk_log *log)
{
    return log->dir;
}

/* ---- append ---------------------------------------------------------------------------------- */

static int16_t append_refuse(struct bk_append *append, int16_t error, const char *text)
{
    append->error = error;
    snprintf(append->error_text, sizeof append->error_text, "%s", text);
    return error;
}

static int16_t append_check_time(struct bk_log *log, struct bk_append *append,
                                 const struct kp_batch *batch)
{
    int64_t now = io_clock_wall_ms(log->ports.clock), t = batch->max_timestamp;
    if (log->config.log_append_time || t < 0)
        return 0;
    /* Differences of the two could overflow; the bounds cannot. */
    if (log->config.timestamp_after_ms < INT64_MAX - now &&
        t > now + log->config.timestamp_after_ms)
        return append_refuse(append, KP_ERR_INVALID_TIMESTAMP,
                             "timestamp is further ahead than message.timestamp.after.max.ms");
    if (log->config.timestamp_before_ms < now &&
        batch->base_timestamp < now - log->config.timestamp_before_ms)
        return append_refuse(append, KP_ERR_INVALID_TIMESTAMP,
                             "timestamp is older than message.timestamp.before.max.ms");
    return 0;
}

/* Walks the records: only for compacted topics, where a record without a key has no place. */
static int16_t append_check_keys(struct bk_append *append, const struct kp_batch *batch)
{
    int rc = bk_records_check_keys(append->records, batch);
    if (rc == BS_ENOTFOUND)
        return append_refuse(append, KP_ERR_INVALID_RECORD,
                             "a compacted topic takes no records without a key");
    if (rc)
        return append_refuse(append, KP_ERR_CORRUPT_MESSAGE, "records cannot be decoded");
    return 0;
}

static int16_t append_check_client(struct bk_log *log, struct bk_append *append,
                                   const struct kp_batch *batch)
{
    if ((int64_t)append->len > log->config.message_bytes_max)
        return append_refuse(append, KP_ERR_MESSAGE_TOO_LARGE,
                             "batch is larger than max.message.bytes");
    if (batch->attributes & KP_BATCH_CONTROL)
        return append_refuse(append, KP_ERR_INVALID_RECORD, "clients write no control batches");
    if (batch->record_count <= 0 || batch->record_count != batch->last_offset_delta + 1)
        return append_refuse(append, KP_ERR_INVALID_RECORD,
                             "record count and last offset delta do not match");
    if (batch->producer_id >= 0 && (batch->producer_epoch < 0 || batch->base_sequence < 0))
        return append_refuse(append, KP_ERR_INVALID_RECORD,
                             "a producer id needs an epoch and a sequence");
    if ((batch->attributes & KP_BATCH_TRANSACTIONAL) && batch->producer_id < 0)
        return append_refuse(append, KP_ERR_INVALID_RECORD,
                             "a transactional batch needs a producer id");
    if (log->config.compact && append_check_keys(append, batch))
        return append->error;
    return append_check_time(log, append, batch);
}

static struct bk_batch_ids append_ids(const struct kp_batch *batch, int64_t base_offset)
{
    int64_t last = (int64_t)batch->base_sequence + batch->last_offset_delta;
    return (struct bk_batch_ids){
        .producer_id = batch->producer_id,
        .base_offset = base_offset,
        .last_offset = base_offset + batch->last_offset_delta,
        .timestamp_ms = batch->max_timestamp,
        .producer_epoch = batch->producer_epoch,
        .base_sequence = batch->base_sequence,
        .last_sequence = batch->base_sequence < 0 ? -1
                         : last > INT32_MAX       ? (int32_t)(last - INT32_MAX - 1)
                                                  : (int32_t)last,
        .transactional = batch->attributes & KP_BATCH_TRANSACTIONAL,
    };
}

/* Everything that can be wrong with what the client sent. */
static int16_t append_check(struct bk_log *log, struct bk_append *append, struct kp_batch *batch)
{
    int rc = kp_batch_peek(append->records, append->len, batch);
    if (rc == BS_EUNSUPPORTED)
        return append_refuse(append, KP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
                             "only record batches of version 2 are taken");
    if (rc || batch->size != append->len)
        return append_refuse(append, KP_ERR_CORRUPT_MESSAGE, "not exactly one whole record batch");
    if (kp_crc32c(append->records + KP_BATCH_CRC_FROM, append->len - KP_BATCH_CRC_FROM) !=
        batch->crc)
        return append_refuse(append, KP_ERR_CORRUPT_MESSAGE, "CRC of the batch does not match");
    if (append->origin == BK_ORIGIN_CLIENT && append_check_client(log, append, batch))
        return append->error;
    if (append->origin != BK_ORIGIN_CLIENT || batch->producer_id < 0)
        return 0;
    struct bk_batch_ids ids = append_ids(batch, log->end);
    int64_t duplicate = -1;
    int16_t error =
        bk_producers_check(log->producers, &ids, append->sequence_from_zero, &duplicate);
    if (error)
        return append_refuse(append, error,
                             error == KP_ERR_INVALID_PRODUCER_EPOCH
                                 ? "producer epoch is older than the one known here"
                                 : "sequence does not follow the last one of this producer");
    if (duplicate >= 0) {
        append->duplicate = true;
        append->base_offset = duplicate;
        append->last_offset = duplicate + batch->last_offset_delta;
    }
    return 0;
}

static bool log_must_roll(const struct bk_log *log, const struct kp_batch *batch)
{
    const struct bk_segment *active = bk_log_active(log);
    if (active->bytes == 0)
        return false;
    if (active->bytes + (int64_t)batch->size > log->config.segment_bytes)
        return true;
    if ((int64_t)(active->index.count + 1) * 8 > log->config.index_bytes)
        return true;
    if (log->end + batch->last_offset_delta - active->base_offset > INT32_MAX)
        return true;
    int64_t age_ms = batch->max_timestamp >= 0 && active->first_timestamp_ms >= 0
                         ? batch->max_timestamp - active->first_timestamp_ms
                         : io_clock_wall_ms(log->ports.clock) - active->created_ms;
    return age_ms > log->config.segment_ms - log->roll_jitter_ms;
}

int bk_log_snapshot(struct bk_log *log, struct bs_error *err)
{
    char *path = bk_segment_path(log->dir, log->end, "snapshot");
    int rc = bk_producers_save(log->producers, log->ports.files, path, err);
    bs_free(path);
    return rc;
}

int bk_log_roll(struct bk_log *log, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    struct bk_segment *full = bk_log_active(log);
    int rc = bk_log_snapshot(log, err);
    if (rc)
        return rc;
    struct bk_segment *segment = bk_log_add_segment(log, log->end);
    struct io_file *file = NULL;
    rc = bk_fd_get(&segment->fd, &file, err);
    if (!rc)
        rc = files->truncate(files, file, 0, err); /* a leftover of a failed roll */
    if (rc) {
        log->count--;
        bk_segment_free(segment);
        return rc;
    }
    segment->indexed = true;
    log->dir_dirty = true;
    log_draw_jitter(log);
    /* On disk already; else the sync that covers it seals it. */
    if (!full->dirty && !(log->syncing && log->sync_segment == full))
        rc = bk_log_seal_segment(log, full, err);
    return rc;
}

/* Writes behind the active segment; a failed write is taken back. */
static int log_write(struct bk_log *log, const uint8_t *bytes, size_t len, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    struct bk_segment *active = bk_log_active(log);
    struct io_file *file = NULL;
    int rc = 0;
    if (active->sealed) {
        rc = bk_segment_index(active, log->dir, err);
        if (!rc)
            rc = bk_segment_unseal(active, log->dir, err);
    }
    if (!rc)
        rc = bk_fd_get(&active->fd, &file, err);
    if (!rc && log->dir_dirty) { /* the file's name must last as long as what is acknowledged */
        rc = files->sync_dir(files, log->dir, err);
        log->dir_dirty = rc != 0;
    }
    if (!rc && active->torn) {
        /* Else a crash may bring back what was refused: its bytes, completed by what lies behind.
         */
        rc = files->sync(files, file, err);
        active->torn = rc != 0;
    }
    if (rc)
        return rc;
    struct iovec vec = {.iov_base = (void *)bytes, .iov_len = len};
    rc = files->write_at(files, file, &vec, 1, active->bytes, err);
    if (rc == 0) {
        active->dirty = true;
        return 0;
    }
    struct bs_error undo = {0};
    active->dirty = active->torn = true; /* the cut must be on disk before what comes later */
    if (files->truncate(files, file, active->bytes, &undo) != 0)
        rc = bs_error_set(err, BS_EIO, "%s; and the part written could not be cut", undo.text);
    return rc;
}

int bk_log_apply(struct bk_log *log, const struct kp_batch *batch, const uint8_t *bytes,
                 bool note_aborted, struct bs_error *err)
{
    bk_epochs_note(&log->epochs, batch->leader_epoch, batch->base_offset);
    if (batch->producer_id < 0)
        return 0;
    if (!(batch->attributes & KP_BATCH_CONTROL)) {
        struct bk_batch_ids ids = append_ids(batch, batch->base_offset);
        bk_producers_appended(log->producers, &ids);
        return 0;
    }
    struct bk_marker marker = {0};
    struct bk_aborted_entry aborted;
    int rc = bk_control_read(bytes, batch, &marker);
    if (rc < 0)
        return bs_error_set(err, rc, "%s: control batch at offset %" PRId64 " has no marker",
                            log->dir, batch->base_offset);
    if (rc == 0 &&
        bk_producers_ended(log->producers, &marker, batch->base_offset, batch->max_timestamp,
                           &aborted) &&
        note_aborted)
        bk_log_note_aborted(log, &aborted);
    return 0;
}

static void log_hint(struct bk_log *log, int64_t offset, int64_t segment_base, int64_t position)
{
    log->hints[log->hint_next++ % BK_LOG_HINTS] =
        (struct bk_hint){.offset = offset, .segment_base = segment_base, .position = position};
}

int bk_log_append(struct bk_log *log, struct bk_append *append, struct bs_error *err)
{
    struct kp_batch batch;
    append->error = 0;
    append->error_text[0] = '\0';
    append->duplicate = false;
    append->base_offset = append->last_offset = append->append_time_ms = -1;
    if (append_check(log, append, &batch) || append->duplicate)
        return 0;
    if (log->config.log_append_time) {
        append->append_time_ms = io_clock_wall_ms(log->ports.clock);
        kp_batch_set_append_time(append->records, append->len, append->append_time_ms);
        kp_batch_peek(append->records, append->len, &batch);
    }
    if (log_must_roll(log, &batch)) {
        int rc = bk_log_roll(log, err);
        if (rc)
            return rc;
    }
    batch.base_offset = log->end;
    batch.leader_epoch = append->leader_epoch;
    kp_batch_set_base_offset(append->records, batch.base_offset);
    kp_batch_set_leader_epoch(append->records, batch.leader_epoch);
    int rc = log_write(log, append->records, append->len, err);
    if (rc)
        return rc;
    struct bk_segment *active = bk_log_active(log);
    bk_segment_note(active, &batch, active->bytes, log->config.index_interval_bytes);
    log_hint(log, batch.base_offset, active->base_offset, active->bytes);
    active->bytes += (int64_t)append->len;
    log->bytes += (int64_t)append->len;
    log->bytes_total += (int64_t)append->len;
    log->end = batch.base_offset + batch.last_offset_delta + 1;
    append->base_offset = batch.base_offset;
    append->last_offset = log->end - 1;
    return bk_log_apply(log, &batch, append->records, true, err);
}

int bk_log_append_marker(struct bk_log *log, const struct bk_marker *marker,
                         struct bk_append *ret_append, struct bs_error *err)
{
    struct kp_batch_builder builder;
    struct bs_bytes bytes = {0};
    int rc = bk_control_write(marker, io_clock_wall_ms(log->ports.clock), &builder, &bytes);
    *ret_append = (struct bk_append){.records = (uint8_t *)bytes.ptr, /* in the builder's memory */
                                     .len = bytes.len,
                                     .origin = BK_ORIGIN_COORDINATOR,
                                     .leader_epoch = marker->leader_epoch,
                                     .base_offset = -1,
                                     .last_offset = -1,
                                     .append_time_ms = -1};
    int16_t error = bk_producers_check_marker(log->producers, marker);
    if (error)
        append_refuse(ret_append, error, "the marker is older than what is known of its producer");
    else if (!rc)
        rc = bk_log_append(log, ret_append, err);
    kp_batch_builder_deinit(&builder);
    ret_append->records = NULL;
    ret_append->len = 0;
    return rc;
}

/* ---- sync ------------------------------------------------------------------------------------ */

int bk_log_seal_segment(struct bk_log *log, struct bk_segment *segment, struct bs_error *err)
{
    if (segment->sealed)
        return 0;
    char *epochs = bs_asprintf("%s/leader-epoch-checkpoint", log->dir);
    int rc = bk_txn_index_save(log, segment, err);
    if (!rc)
        rc = bk_epochs_save(&log->epochs, log->ports.files, log->dir, epochs, err);
    if (!rc)
        rc = bk_segment_seal(segment, log->dir, err);
    bs_free(epochs);
    return rc;
}

static void log_sync_next(struct bk_log *log);

static void log_sync_finish(struct bk_log *log, int result)
{
    io_sync_done *done = log->sync_done;
    void *ctx = log->sync_ctx;
    log->syncing = false;
    log->sync_segment = log->sync_until = NULL;
    done(ctx, result);
}

static void log_synced(void *ctx, int result)
{
    struct bk_log *log = ctx;
    struct bk_segment *segment = log->sync_segment;
    struct bs_error err = {0};
    segment->fd.pins--;
    if (result == 0 && !log->abandoned && segment != bk_log_active(log) && !segment->dirty &&
        bk_log_seal_segment(log, segment, &err) != 0)
        bs_log(&bk_event_log_failed, "index of a full segment not written, a restart reads it: %s",
               err.text);
    if (result != 0 || log->abandoned || segment == log->sync_until)
        log_sync_finish(log, result);
    else
        log_sync_next(log);
}

/* Starts on the oldest dirty segment, at the latest on sync_until. */
static void log_sync_next(struct bk_log *log)
{
    struct io_files *files = log->ports.files;
    struct io_file *file = NULL;
    size_t i = log->count - 1;
    while (i > 0 && log->segments[i] != log->sync_until)
        i--;
    while (i > 0 && log->segments[i - 1]->dirty)
        i--;
    log->sync_segment = log->segments[i];
    if (bk_fd_get(&log->sync_segment->fd, &file, NULL) != 0) {
        log_sync_finish(log, BS_EIO);
        return;
    }
    log->sync_segment->fd.pins++;
    log->sync_segment->dirty = false;
    files->sync_start(files, file, log_synced, log);
}

void bk_log_abandon(struct bk_log *log)
{
    log->abandoned = true;
}

void bk_log_sync_start(struct bk_log *log, io_sync_done *done, void *ctx)
{
    log->syncing = true;
    log->sync_done = done;
    log->sync_ctx = ctx;
    log->sync_until = bk_log_active(log);
    log_sync_next(log);
}

int bk_log_sync(struct bk_log *log, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    for (size_t i = 0; i < log->count; i++) {
        struct bk_segment *segment = log->segments[i];
        struct io_file *file = NULL;
        if (!segment->dirty)
            continue;
        int rc = bk_fd_get(&segment->fd, &file, err);
        if (!rc)
            rc = files->sync(files, file, err);
        if (rc)
            return rc;
        segment->dirty = false;
        if (i + 1 < log->count) {
            rc = bk_log_seal_segment(log, segment, err);
            if (rc)
                return rc;
        }
    }
    return 0;
}

bool bk_log_rolled_dirty(const struct bk_log *log)
{
    return log->count > 1 && log->segments[log->count - 2]->dirty;
}

int bk_log_seal(struct bk_log *log, struct bs_error *err)
{
    int rc = bk_log_sync(log, err);
    if (!rc && !bk_log_active(log)->sealed)
        rc = bk_log_snapshot(log, err);
    for (size_t i = 0; i < log->count && !rc; i++)
        rc = bk_log_seal_segment(log, log->segments[i], err);
    if (!rc)
        rc = log->ports.files->sync_dir(log->ports.files, log->dir, err);
    return rc;
}

/* ---- positions ------------------------------------------------------------------------------- */

int64_t bk_log_start(const struct bk_log *log)
{
    return log->start;
}

int64_t bk_log_end(const struct bk_log *log)
{
    return log->end;
}

int64_t bk_log_bytes(const struct bk_log *log)
{
    return log->bytes;
}

int64_t bk_log_bytes_total(const struct bk_log *log)
{
    return log->bytes_total;
}

int64_t bk_log_stable(struct bk_log *log, int64_t limit)
{
    return bk_producers_stable(log->producers, limit);
}

int64_t bk_log_open_txn(const struct bk_log *log, int64_t producer_id, int16_t producer_epoch)
{
    return bk_producers_open_txn(log->producers, producer_id, producer_epoch);
}

void bk_log_epoch_end(const struct bk_log *log, int32_t epoch, int32_t *ret_epoch,
                      int64_t *ret_end_offset)
{
    bk_epochs_end(&log->epochs, epoch, log->end, ret_epoch, ret_end_offset);
}

int32_t bk_log_last_epoch(const struct bk_log *log)
{
    return log->epochs.count ? log->epochs.entries[log->epochs.count - 1].epoch : -1;
}

int32_t bk_log_first_epoch(const struct bk_log *log)
{
    return bk_epochs_at(&log->epochs, log->start);
}

void bk_log_producers(const struct bk_log *log, bk_producer_visit *visit, void *ctx)
{
    bk_producers_visit(log->producers, visit, ctx);
}

size_t bk_log_find_segment(const struct bk_log *log, int64_t offset)
{
    size_t low = 0, high = log->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (log->segments[mid]->base_offset <= offset)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? low - 1 : 0;
}
