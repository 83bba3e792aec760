/* Recovery: what opening a log does. Segments up to the first without an .index are taken as they
 * are; the rest is read in full, CRC by CRC, and cut at the first byte that is no whole batch; a
 * segment that does not begin where the one before ends goes, with everything behind. Producer
 * state is the newest snapshot plus a replay of what follows it. Doing it again, also after a crash
 * in the middle, gives the same log. Owner: the loop thread. */
#include "broker/log/log_state.h"

#include "lib/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCAN_CHUNK = 1 << 20, HEADER_CHUNK = 64 << 10, CUT_LOOK = 8 << 20 };

static const struct bs_event event_damaged = {
    "broker.log_damaged", BS_LOG_ERROR,
    "A log is damaged before its end: whole batches follow the damage. What was cut is kept in a "
    "file beside it. After a power loss under weir.flush=interval this can happen; else the disk "
    "changed acknowledged records: check it."};

struct folder {
    int64_t *logs, *indexes, *snapshots;
    size_t log_count, index_count, snapshot_count, log_cap, index_cap, snapshot_cap;
    char **leftovers; /* names to remove */
    size_t leftover_count, leftover_cap;
};

static void offsets_push(int64_t **list, size_t *count, size_t *cap, int64_t offset)
{
    if (*count == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        *list = bs_realloc(*list, *cap * sizeof **list);
    }
    (*list)[(*count)++] = offset;
}

static int folder_entry(void *ctx, const char *name)
{
    struct folder *f = ctx;
    int n = 0;
    int64_t offset = 0;
    const char *dot = strrchr(name, '.');
    if (sscanf(name, "%20" SCNd64 "%n", &offset, &n) == 1 && n == 20 && name[n] == '.') {
        const char *suffix = name + n + 1;
        if (strcmp(suffix, "log") == 0)
            offsets_push(&f->logs, &f->log_count, &f->log_cap, offset);
        else if (strcmp(suffix, "index") == 0)
            offsets_push(&f->indexes, &f->index_count, &f->index_cap, offset);
        else if (strcmp(suffix, "snapshot") == 0)
            offsets_push(&f->snapshots, &f->snapshot_count, &f->snapshot_cap, offset);
    }
    if (dot && (strcmp(dot, ".tmp") == 0 || strcmp(dot, ".deleted") == 0 ||
                strcmp(dot, ".cleaned") == 0)) {
        if (f->leftover_count == f->leftover_cap) {
            f->leftover_cap = f->leftover_cap ? f->leftover_cap * 2 : 8;
            f->leftovers = bs_realloc(f->leftovers, f->leftover_cap * sizeof *f->leftovers);
        }
        f->leftovers[f->leftover_count++] = bs_strdup(name);
    }
    return 0;
}

static void folder_deinit(struct folder *f)
{
    bs_free(f->logs);
    bs_free(f->indexes);
    bs_free(f->snapshots);
    for (size_t i = 0; i < f->leftover_count; i++)
        bs_free(f->leftovers[i]);
    bs_free(f->leftovers);
}

static int offset_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void offsets_sort(int64_t *list, size_t count)
{
    if (count)
        qsort(list, count, sizeof *list, offset_compare);
}

static bool offsets_have(const int64_t *list, size_t count, int64_t offset)
{
    return count && bsearch(&offset, list, count, sizeof *list, offset_compare);
}

static int folder_read(struct bk_log *log, struct folder *f, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    int rc = files->list(files, log->dir, folder_entry, f, err);
    for (size_t i = 0; i < f->leftover_count && !rc; i++) {
        char *path = bs_asprintf("%s/%s", log->dir, f->leftovers[i]);
        rc = files->unlink(files, path, err);
        bs_free(path);
    }
    offsets_sort(f->logs, f->log_count);
    offsets_sort(f->indexes, f->index_count);
    offsets_sort(f->snapshots, f->snapshot_count);
    return rc;
}

static int segment_measure(struct bk_log *log, struct bk_segment *segment, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    struct io_file *file = NULL;
    int rc = bk_fd_get(&segment->fd, &file, err);
    return rc ? rc : files->size(files, file, &segment->bytes, err);
}

/* Takes the end of a sealed segment from the batches behind its last index entry. 1: they do not
 * fit the file, so it has to be read in full. */
static int segment_trust(struct bk_log *log, struct bk_segment *segment, struct bs_error *err)
{
    int rc = bk_segment_index(segment, log->dir, err);
    if (rc)
        return rc == BS_ECORRUPT ? 1 : rc;
    struct bk_scan scan;
    struct kp_batch batch;
    int64_t from =
        segment->index.count ? segment->index.entries[segment->index.count - 1].position : 0;
    bk_scan_init(&scan, segment, from, HEADER_CHUNK);
    while ((rc = bk_scan_next(&scan, false, &batch, NULL, err)) == 0) {
        segment->next_offset = batch.base_offset + batch.last_offset_delta + 1;
        if (batch.max_timestamp > segment->max_timestamp_ms) {
            segment->max_timestamp_ms = batch.max_timestamp;
            segment->max_timestamp_offset = batch.base_offset;
        }
        segment->index_gap = scan.next - from;
    }
    bk_scan_deinit(&scan);
    if (rc == 1 && segment->index.time_count) {
        const struct bk_time_entry *last = &segment->index.times[segment->index.time_count - 1];
        if (last->timestamp_ms > segment->max_timestamp_ms) {
            segment->max_timestamp_ms = last->timestamp_ms;
            segment->max_timestamp_offset = segment->base_offset + last->offset_delta;
        }
    }
    if (rc == 1) { /* first timestamp, for segment.ms */
        bk_scan_init(&scan, segment, 0, KP_BATCH_HEADER_BYTES);
        if (bk_scan_next(&scan, false, &batch, NULL, NULL) == 0)
            segment->first_timestamp_ms = batch.max_timestamp;
        bk_scan_deinit(&scan);
        segment->sealed = true;
        return bk_txn_index_load(log, segment, err);
    }
    return rc == BS_ECORRUPT ? 1 : rc;
}

/* Whether a whole batch with a right CRC follows the place where reading broke off: then it is not
 * just the end that a crash has torn. */
static int cut_holds_batch(struct bk_segment *segment, int64_t from, bool *ret,
                           struct bs_error *err)
{
    struct io_files *files = bk_fd_cache_files(segment->fd.cache);
    struct io_file *file = NULL;
    struct bs_buf buf = BS_BUF_INIT;
    struct kp_batch batch;
    size_t want = segment->bytes - from < CUT_LOOK ? (size_t)(segment->bytes - from) : CUT_LOOK;
    uint8_t *bytes = bs_buf_reserve(&buf, want + 1);
    int rc = bk_fd_get(&segment->fd, &file, err);
    if (!rc)
        rc = files->read_at(files, file, bytes, want, from, &want, err);
    *ret = false;
    for (size_t at = 1; !rc && !*ret && at + KP_BATCH_HEADER_BYTES <= want; at++)
        *ret =
            bytes[at + 16] == KP_BATCH_MAGIC && kp_batch_peek(bytes + at, want - at, &batch) == 0 &&
            batch.size <= want - at && batch.base_offset >= segment->next_offset &&
            kp_crc32c(bytes + at + KP_BATCH_CRC_FROM, batch.size - KP_BATCH_CRC_FROM) == batch.crc;
    bs_buf_deinit(&buf);
    return rc;
}

/* Copies what is going to be cut to a file beside it. */
static int cut_keep(struct bk_log *log, struct bk_segment *segment, int64_t from,
                    struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    struct io_file *file = NULL, *copy = NULL;
    struct bs_buf buf = BS_BUF_INIT;
    uint8_t *bytes = bs_buf_reserve(&buf, SCAN_CHUNK);
    char *path =
        bs_asprintf("%s/%020" PRId64 ".cut-%" PRId64, log->dir, segment->base_offset, from);
    int rc =
        files->open(files, path, IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_TRUNCATE, &copy, err);
    for (int64_t at = from; !rc && at < segment->bytes;) {
        size_t got = 0;
        rc = bk_fd_get(&segment->fd, &file, err);
        if (!rc)
            rc = files->read_at(files, file, bytes, SCAN_CHUNK, at, &got, err);
        struct iovec vec = {.iov_base = bytes, .iov_len = got};
        if (!rc)
            rc = files->write_at(files, copy, &vec, 1, at - from, err);
        if (got == 0)
            break;
        at += (int64_t)got;
    }
    if (!rc)
        rc = files->sync(files, copy, err);
    if (copy)
        files->close(files, copy);
    if (!rc)
        rc = files->sync_dir(files, log->dir, err);
    if (rc)
        bs_error_wrap(err, "keep the damaged end of %s", segment->fd.path);
    else
        bs_log(&event_damaged,
               "%s: whole batches follow the damage at byte %" PRId64 "; kept as %s",
               segment->fd.path, from, path);
    bs_free(path);
    bs_buf_deinit(&buf);
    return rc;
}

static int segment_cut(struct bk_log *log, struct bk_segment *segment, int64_t bytes,
                       struct bk_recovery *recovery, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    struct io_file *file = NULL;
    bool keep = false;
    int rc = cut_holds_batch(segment, bytes, &keep, err);
    if (!rc && keep)
        rc = cut_keep(log, segment, bytes, err);
    if (!rc)
        rc = bk_fd_get(&segment->fd, &file, err);
    if (!rc)
        rc = files->truncate(files, file, bytes, err);
    if (rc)
        return rc;
    bs_log(&bk_event_log_truncated, "%s: %" PRId64 " bytes behind byte %" PRId64 " were cut",
           segment->fd.path, segment->bytes - bytes, bytes);
    recovery->truncated_bytes += segment->bytes - bytes;
    segment->bytes = bytes;
    return 0;
}

/* Reads a segment in full and cuts what is no whole batch. */
static int segment_scan(struct bk_log *log, struct bk_segment *segment, int64_t replay_from,
                        struct bk_recovery *recovery, struct bs_error *err)
{
    struct bk_scan scan;
    struct kp_batch batch;
    const uint8_t *bytes = NULL;
    int rc = bk_segment_unseal(segment, log->dir, err);
    if (rc)
        return rc;
    bk_index_deinit(&segment->index);
    segment->index_gap = 0;
    segment->next_offset = segment->base_offset;
    segment->max_timestamp_ms = segment->max_timestamp_offset = -1;
    segment->indexed = true;
    bk_scan_init(&scan, segment, 0, SCAN_CHUNK);
    while ((rc = bk_scan_next(&scan, true, &batch, &bytes, err)) == 0) {
        if (kp_crc32c(bytes + KP_BATCH_CRC_FROM, batch.size - KP_BATCH_CRC_FROM) != batch.crc ||
            batch.base_offset < segment->next_offset || batch.last_offset_delta < 0) {
            scan.next = scan.at;
            rc = BS_ECORRUPT;
            break;
        }
        bk_segment_note(segment, &batch, scan.at, log->config.index_interval_bytes);
        if (batch.base_offset < replay_from)
            bk_epochs_note(&log->epochs, batch.leader_epoch, batch.base_offset);
        else if ((rc = bk_log_apply(log, &batch, bytes, true, err)) != 0)
            break;
    }
    recovery->scanned_bytes += scan.next;
    int64_t good = scan.next;
    bk_scan_deinit(&scan);
    if (rc == BS_ECORRUPT)
        rc = segment_cut(log, segment, good, recovery, err);
    else if (rc == 1)
        rc = 0;
    /* What is offered from now on must not vanish in the next crash. */
    segment->dirty = true;
    return rc;
}

/* Replays a sealed segment's batches from an offset on into producer state: headers, and the few
 * control batches in full. Its aborted transactions are in its .txnindex. */
static int segment_replay(struct bk_log *log, struct bk_segment *segment, int64_t from,
                          struct bs_error *err)
{
    struct bk_scan scan;
    struct kp_batch batch;
    const uint8_t *bytes = NULL;
    uint32_t position = 0;
    int rc = bk_segment_index(segment, log->dir, err);
    if (rc)
        return rc;
    if (from > segment->base_offset)
        position = bk_index_find(&segment->index, (uint32_t)(from - segment->base_offset));
    bk_scan_init(&scan, segment, position, HEADER_CHUNK);
    while ((rc = bk_scan_next(&scan, false, &batch, NULL, err)) == 0) {
        if (batch.base_offset < from)
            continue;
        if (batch.attributes & KP_BATCH_CONTROL) {
            scan.next = scan.at;
            rc = bk_scan_next(&scan, true, &batch, &bytes, err);
            if (rc)
                break;
        }
        rc = bk_log_apply(log, &batch, bytes, false, err);
        if (rc)
            break;
    }
    bk_scan_deinit(&scan);
    return rc == 1 ? 0 : rc;
}

/* Loads the newest good snapshot at or below limit; gives its offset, or the log's first. */
static int64_t recover_snapshot(struct bk_log *log, const struct folder *f, int64_t limit)
{
    struct io_files *files = log->ports.files;
    int64_t found = log->segments[0]->base_offset;
    for (size_t i = f->snapshot_count; i-- > 0;) {
        if (f->snapshots[i] > limit)
            continue;
        char *path = bk_segment_path(log->dir, f->snapshots[i], "snapshot");
        int rc = bk_producers_load(log->producers, files, path, NULL);
        bs_free(path);
        if (rc == 0) {
            found = f->snapshots[i];
            break;
        }
    }
    return found;
}

/* Snapshots that no longer fit: above the end, or older than the two newest. */
static int recover_drop_snapshots(struct bk_log *log, const struct folder *f, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    size_t kept = 0;
    int rc = 0;
    for (size_t i = f->snapshot_count; i-- > 0 && !rc;) {
        if (f->snapshots[i] <= log->end && kept < 2) {
            kept++;
            continue;
        }
        char *path = bk_segment_path(log->dir, f->snapshots[i], "snapshot");
        rc = files->unlink(files, path, err);
        bs_free(path);
        log->dir_dirty = true; /* one above the end must not come back once the log is longer */
    }
    return rc;
}

static int recover_start(struct bk_log *log, struct bs_error *err)
{
    char *path = bs_asprintf("%s/log-start", log->dir);
    char *text = NULL;
    size_t len = 0;
    int64_t start = -1;
    int rc = io_files_read_all(log->ports.files, path, 64, &text, &len, err);
    if (rc == BS_ENOTFOUND)
        rc = 0;
    else if (!rc && sscanf(text, "0\n%" SCNd64, &start) != 1)
        rc = bs_error_set(err, BS_ECORRUPT, "%s: expected version 0 and an offset", path);
    log->start = log->segments[0]->base_offset;
    if (start > log->start)
        log->start = start < log->end ? start : log->end;
    bs_free(text);
    bs_free(path);
    return rc;
}

/* Drops segments from `keep` on: they follow a cut. */
static int recover_drop_segments(struct bk_log *log, size_t keep, struct bk_recovery *recovery,
                                 struct bs_error *err)
{
    int rc = 0;
    while (log->count > keep && !rc) {
        struct bk_segment *last = bk_log_active(log);
        recovery->truncated_bytes += last->bytes;
        bs_log(&bk_event_log_truncated, "%s does not follow on and was set aside", last->fd.path);
        if (last->bytes > 0)
            rc = cut_keep(log, last, 0, err);
        if (!rc)
            rc = bk_segment_remove(last, log->dir, err);
        log->dir_dirty = true;
        if (!rc) {
            log->count--;
            bk_segment_free(last);
        }
    }
    return rc;
}

static int recover_scan(struct bk_log *log, size_t first, const struct folder *f,
                        struct bk_recovery *recovery, struct bs_error *err)
{
    int64_t scan_base = first < log->count ? log->segments[first]->base_offset : INT64_MAX;
    int64_t sealed_end = first > 0 ? log->segments[first - 1]->next_offset : scan_base;
    int64_t from = recover_snapshot(log, f, sealed_end < scan_base ? sealed_end : scan_base);
    int rc = 0;
    for (size_t i = 0; i < first && !rc; i++)
        if (log->segments[i]->next_offset > from)
            rc = segment_replay(log, log->segments[i], from, err);
    for (size_t i = first; i < log->count && !rc; i++) {
        /* A name may outlast the data before it: what does not follow on is not ours to offer. */
        if (i > 0 && log->segments[i]->base_offset != log->segments[i - 1]->next_offset) {
            rc = recover_drop_segments(log, i, recovery, err);
            break;
        }
        rc = segment_scan(log, log->segments[i], from, recovery, err);
    }
    if (!rc && first < log->count)
        rc = bk_log_sync(log, err);
    return rc;
}

int bk_log_recover(struct bk_log *log, struct bk_recovery *recovery, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    struct folder f = {0};
    size_t first = 0; /* segments before it are whole for certain */
    char *epochs = bs_asprintf("%s/leader-epoch-checkpoint", log->dir);
    int rc = folder_read(log, &f, err);
    if (!rc)
        rc = bk_epochs_load(&log->epochs, files, epochs, err);
    if (!rc && f.log_count == 0) {
        struct io_file *file = NULL;
        rc = bk_fd_get(&bk_log_add_segment(log, 0)->fd, &file, err);
        log->dir_dirty = true;
    }
    for (size_t i = 0; i < f.log_count && !rc; i++)
        rc = segment_measure(log, bk_log_add_segment(log, f.logs[i]), err);
    while (!rc && first < f.log_count && offsets_have(f.indexes, f.index_count, f.logs[first])) {
        struct bk_segment *segment = log->segments[first];
        int trust = segment_trust(log, segment, err);
        if (trust < 0)
            rc = trust;
        if (trust != 0)
            break;
        if (first + 1 < f.log_count) {
            bk_index_deinit(&segment->index); /* read again when somebody reads there */
            segment->indexed = false;
        }
        first++;
    }
    if (!rc && f.log_count > 0 && first < f.log_count)
        bk_epochs_truncate(&log->epochs, f.logs[first]);
    if (!rc)
        rc = recover_scan(log, first, &f, recovery, err);
    if (rc)
        goto done;
    bk_log_active(log)->indexed = true;
    log->end = bk_log_active(log)->next_offset;
    for (size_t i = 0; i < log->count; i++)
        log->bytes += log->segments[i]->bytes;
    recovery->segment_count = (int64_t)log->count;
    recovery->clean = recovery->scanned_bytes == 0 && recovery->truncated_bytes == 0;
    rc = recover_drop_snapshots(log, &f, err);
    if (!rc)
        rc = recover_start(log, err);
    if (!rc && !recovery->clean)
        bs_log(&bk_event_log_rebuilt, "%s: read %" PRId64 " bytes, cut %" PRId64 ", end %" PRId64,
               log->dir, recovery->scanned_bytes, recovery->truncated_bytes, log->end);
done:
    bs_free(epochs);
    folder_deinit(&f);
    return rc;
}
