/* Retention: drops whole segments from the front. Never one that is dirty, never at or behind the
 * limit (the high watermark), and by time or size only when cleanup.policy has `delete`: a
 * compacted topic keeps everything above its log start. Owner: the loop thread. */
#include "broker/log/log_state.h"

#include "lib/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int log_save_start(struct bk_log *log, struct bs_error *err)
{
    char *path = bs_asprintf("%s/log-start", log->dir);
    char *text = bs_asprintf("0\n%" PRId64 "\n", log->start);
    int rc = io_files_write_all(log->ports.files, log->dir, path, text, strlen(text), err);
    bs_free(text);
    bs_free(path);
    return rc;
}

int bk_log_delete_before(struct bk_log *log, int64_t offset, int64_t limit, struct bs_error *err)
{
    if (offset > limit || offset < 0)
        return bs_error_set(err, BS_ERANGE, "%s: offset %" PRId64 " is behind %" PRId64, log->dir,
                            offset, limit);
    if (offset <= log->start)
        return 0;
    int64_t before = log->start;
    log->start = offset;
    int rc = log_save_start(log, err);
    if (rc)
        log->start = before;
    else
        bk_epochs_advance(&log->epochs, log->start);
    return rc;
}

static bool retain_expired(const struct bk_log *log, const struct bk_segment *segment,
                           int64_t now_ms)
{
    if (!log->config.remove || log->config.retention_ms < 0 || segment->bytes == 0)
        return false;
    int64_t newest =
        segment->max_timestamp_ms >= 0 ? segment->max_timestamp_ms : segment->created_ms;
    return now_ms - newest > log->config.retention_ms;
}

static bool retain_too_large(const struct bk_log *log, const struct bk_segment *segment)
{
    return log->config.remove && log->config.retention_bytes >= 0 &&
           log->bytes - segment->bytes >= log->config.retention_bytes;
}

static int retain_drop_first(struct bk_log *log, struct bs_error *err)
{
    struct bk_segment *first = log->segments[0];
    int64_t next = log->segments[1]->base_offset, bytes = first->bytes;
    int rc = bk_segment_remove(first, log->dir, err);
    if (rc)
        return rc;
    log->bytes -= bytes;
    bk_segment_free(first);
    memmove(log->segments, log->segments + 1, (log->count - 1) * sizeof *log->segments);
    log->count--;
    if (log->start < next)
        log->start = next;
    bk_epochs_advance(&log->epochs, log->start);
    size_t drop = 0;
    while (drop < log->aborted_count && log->aborted[drop].last_offset < log->start)
        drop++;
    if (drop)
        memmove(log->aborted, log->aborted + drop,
                (log->aborted_count - drop) * sizeof *log->aborted);
    log->aborted_count -= drop;
    return 0;
}

/* Snapshots older than the second newest go with their segments. */
struct retain_snapshots {
    int64_t newest[2];
    const char *dir;
    struct io_files *files;
    bool remove;
};

static int retain_snapshot(void *ctx, const char *name)
{
    struct retain_snapshots *r = ctx;
    int64_t offset = 0;
    int n = 0;
    if (sscanf(name, "%20" SCNd64 ".snapshot%n", &offset, &n) != 1 || n != 29 || name[n])
        return 0;
    if (!r->remove) {
        if (offset > r->newest[0]) {
            r->newest[1] = r->newest[0];
            r->newest[0] = offset;
        } else if (offset > r->newest[1]) {
            r->newest[1] = offset;
        }
    } else if (offset < r->newest[1]) {
        char *path = bs_asprintf("%s/%s", r->dir, name);
        r->files->unlink(r->files, path, NULL); /* tried again next time */
        bs_free(path);
    }
    return 0;
}

int bk_log_retain(struct bk_log *log, int64_t limit, int64_t *ret_freed_bytes, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    int64_t now_ms = io_clock_wall_ms(log->ports.clock), before = log->bytes;
    size_t segments_before = log->count;
    int rc = 0;
    bk_producers_expire(log->producers, now_ms - log->config.producer_expiration_ms);
    while (!rc) {
        struct bk_segment *first = log->segments[0];
        if (first->dirty || first == log->sync_segment || first == log->sync_until ||
            first->next_offset > limit)
            break;
        bool below = log->count > 1 && log->segments[1]->base_offset <= log->start;
        if (!below && !retain_expired(log, first, now_ms) &&
            !(log->count > 1 && retain_too_large(log, first)))
            break;
        if (log->count == 1)
            rc = bk_log_roll(log, err);
        if (!rc)
            rc = retain_drop_first(log, err);
    }
    if (!rc && log->count != segments_before) {
        struct retain_snapshots r = {.newest = {-1, -1}, .dir = log->dir, .files = files};
        files->list(files, log->dir, retain_snapshot, &r, NULL);
        r.remove = true;
        files->list(files, log->dir, retain_snapshot, &r, NULL);
        rc = files->sync_dir(files, log->dir, err);
    }
    *ret_freed_bytes = before - log->bytes;
    return rc;
}
