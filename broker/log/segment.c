/* Segment: see segment.h. */
#include "broker/log/segment.h"

#include "lib/base/mem.h"

#include <inttypes.h>

enum { SCAN_HEADER_CHUNK = 64 << 10 };

char *bk_segment_path(const char *dir, int64_t base_offset, const char *suffix)
{
    return bs_asprintf("%s/%020" PRId64 ".%s", dir, base_offset, suffix);
}

struct bk_segment *bk_segment_new(struct bk_fd_cache *fds, const char *dir, int64_t base_offset)
{
    struct bk_segment *segment = bs_new(struct bk_segment);
    segment->base_offset = segment->next_offset = base_offset;
    segment->max_timestamp_ms = segment->max_timestamp_offset = -1;
    segment->first_timestamp_ms = -1;
    bk_fd_init(&segment->fd, fds, bk_segment_path(dir, base_offset, "log"));
    return segment;
}

void bk_segment_free(struct bk_segment *segment)
{
    if (!segment)
        return;
    bk_fd_deinit(&segment->fd);
    bk_index_deinit(&segment->index);
    bs_free(segment);
}

void bk_segment_note(struct bk_segment *segment, const struct kp_batch *batch, int64_t position,
                     int64_t index_interval_bytes)
{
    uint32_t delta = (uint32_t)(batch->base_offset - segment->base_offset);
    if (batch->max_timestamp > segment->max_timestamp_ms) {
        segment->max_timestamp_ms = batch->max_timestamp;
        segment->max_timestamp_offset = batch->base_offset;
    }
    if (segment->first_timestamp_ms < 0)
        segment->first_timestamp_ms = batch->max_timestamp;
    if (segment->index_gap > index_interval_bytes) {
        bk_index_add(&segment->index, delta, (uint32_t)position);
        bk_index_add_time(&segment->index, segment->max_timestamp_ms,
                          (uint32_t)(segment->max_timestamp_offset - segment->base_offset));
        segment->index_gap = 0;
    }
    segment->index_gap += (int64_t)batch->size;
    segment->next_offset = batch->base_offset + batch->last_offset_delta + 1;
}

/* Reads the whole segment's headers again: its index was missing or suspect. */
static int segment_rebuild(struct bk_segment *segment, struct bs_error *err)
{
    struct bk_scan scan;
    struct kp_batch batch;
    bk_index_deinit(&segment->index);
    segment->index_gap = 0;
    bk_scan_init(&scan, segment, 0, SCAN_HEADER_CHUNK);
    int rc;
    while ((rc = bk_scan_next(&scan, false, &batch, NULL, err)) == 0)
        bk_segment_note(segment, &batch, scan.at, 4096);
    bk_scan_deinit(&scan);
    if (rc != 1)
        return bs_error_wrap(err, "rebuild the index of %s", segment->fd.path);
    segment->indexed = true;
    return 0;
}

int bk_segment_index(struct bk_segment *segment, const char *dir, struct bs_error *err)
{
    if (segment->indexed)
        return 0;
    char *index_path = bk_segment_path(dir, segment->base_offset, "index");
    char *time_path = bk_segment_path(dir, segment->base_offset, "timeindex");
    int rc = bk_index_load(&segment->index, bk_fd_cache_files(segment->fd.cache), index_path,
                           time_path, segment->bytes, NULL);
    if (rc) {
        rc = segment_rebuild(segment, err);
        if (!rc && segment->sealed) /* the .index of another would vouch for it */
            bk_index_save(&segment->index, bk_fd_cache_files(segment->fd.cache), index_path,
                          time_path, NULL); /* only spares the next rebuild */
    }
    segment->indexed = rc == 0;
    bs_free(index_path);
    bs_free(time_path);
    return rc;
}

int bk_segment_seal(struct bk_segment *segment, const char *dir, struct bs_error *err)
{
    if (segment->sealed)
        return 0;
    if (segment->max_timestamp_ms >= 0)
        bk_index_add_time(&segment->index, segment->max_timestamp_ms,
                          (uint32_t)(segment->max_timestamp_offset - segment->base_offset));
    char *index_path = bk_segment_path(dir, segment->base_offset, "index");
    char *time_path = bk_segment_path(dir, segment->base_offset, "timeindex");
    int rc = bk_index_save(&segment->index, bk_fd_cache_files(segment->fd.cache), index_path,
                           time_path, err);
    segment->sealed = rc == 0;
    bs_free(index_path);
    bs_free(time_path);
    return rc;
}

static int segment_unlink(struct bk_segment *segment, const char *dir, const char *suffix,
                          struct bs_error *err)
{
    struct io_files *files = bk_fd_cache_files(segment->fd.cache);
    char *path = bk_segment_path(dir, segment->base_offset, suffix);
    int rc = files->unlink(files, path, err);
    bs_free(path);
    return rc == BS_ENOTFOUND ? 0 : rc;
}

int bk_segment_unseal(struct bk_segment *segment, const char *dir, struct bs_error *err)
{
    struct io_files *files = bk_fd_cache_files(segment->fd.cache);
    int rc = segment_unlink(segment, dir, "index", err);
    if (!rc)
        rc = segment_unlink(segment, dir, "timeindex", err);
    if (!rc)
        rc = segment_unlink(segment, dir, "txnindex", err);
    if (!rc)
        rc = files->sync_dir(files, dir, err);
    if (!rc)
        segment->sealed = false;
    return rc;
}

int bk_segment_remove(struct bk_segment *segment, const char *dir, struct bs_error *err)
{
    if (segment->fd.file) { /* close first: the space is free only then */
        char *path = bs_strdup(segment->fd.path);
        struct bk_fd_cache *cache = segment->fd.cache;
        bk_fd_deinit(&segment->fd);
        bk_fd_init(&segment->fd, cache, path);
    }
    struct io_files *files = bk_fd_cache_files(segment->fd.cache);
    char *gone = bs_asprintf("%s.deleted", segment->fd.path);
    int rc = files->rename(files, segment->fd.path, gone, err);
    if (!rc)
        files->remove_later(files, gone);
    bs_free(gone);
    static const char *const suffixes[] = {"index", "timeindex", "txnindex"};
    for (size_t i = 0; i < 3 && !rc; i++)
        rc = segment_unlink(segment, dir, suffixes[i], err);
    return rc;
}

/* ---- scan ------------------------------------------------------------------------------------ */

void bk_scan_init(struct bk_scan *scan, struct bk_segment *segment, int64_t position,
                  size_t chunk_bytes)
{
    *scan = (struct bk_scan){
        .segment = segment,
        .at = position,
        .next = position,
        .buf_at = position,
        .chunk = chunk_bytes,
    };
}

void bk_scan_deinit(struct bk_scan *scan)
{
    bs_buf_deinit(&scan->buf);
}

/* Makes [scan->next, +len) readable; gives how much of it there is. */
static int scan_fill(struct bk_scan *scan, size_t len, const uint8_t **ret_ptr, size_t *ret_len,
                     struct bs_error *err)
{
    int64_t off = scan->next - scan->buf_at;
    if (off >= 0 && (uint64_t)off + len <= scan->buf.len) {
        *ret_ptr = scan->buf.data + off;
        *ret_len = len;
        return 0;
    }
    struct io_files *files = bk_fd_cache_files(scan->segment->fd.cache);
    struct io_file *file = NULL;
    int rc = bk_fd_get(&scan->segment->fd, &file, err);
    if (rc)
        return rc;
    size_t want = len > scan->chunk ? len : scan->chunk;
    int64_t left = scan->segment->bytes - scan->next;
    if ((int64_t)want > left)
        want = left > 0 ? (size_t)left : 0;
    bs_buf_reset(&scan->buf);
    uint8_t *to = bs_buf_reserve(&scan->buf, want ? want : 1);
    size_t got = 0;
    rc = files->read_at(files, file, to, want, scan->next, &got, err);
    if (rc)
        return rc;
    scan->buf.len = got;
    scan->buf_at = scan->next;
    *ret_ptr = scan->buf.data;
    *ret_len = got < len ? got : len;
    return 0;
}

int bk_scan_next(struct bk_scan *scan, bool whole, struct kp_batch *ret_batch,
                 const uint8_t **ret_bytes, struct bs_error *err)
{
    if (scan->next >= scan->segment->bytes)
        return 1;
    const uint8_t *ptr = NULL;
    size_t len = 0;
    int rc = scan_fill(scan, KP_BATCH_HEADER_BYTES, &ptr, &len, err);
    if (rc)
        return rc;
    if (len < KP_BATCH_HEADER_BYTES || kp_batch_peek(ptr, len, ret_batch) != 0 ||
        (int64_t)ret_batch->size > scan->segment->bytes - scan->next ||
        ret_batch->base_offset < scan->segment->base_offset)
        return bs_error_set(err, BS_ECORRUPT, "%s: no whole batch at byte %" PRId64,
                            scan->segment->fd.path, scan->next);
    if (whole) {
        rc = scan_fill(scan, ret_batch->size, &ptr, &len, err);
        if (rc)
            return rc;
        if (len < ret_batch->size)
            return bs_error_set(err, BS_ECORRUPT, "%s: batch at byte %" PRId64 " ends too early",
                                scan->segment->fd.path, scan->next);
        if (ret_bytes)
            *ret_bytes = ptr;
    }
    scan->at = scan->next;
    scan->next += (int64_t)ret_batch->size;
    return 0;
}
