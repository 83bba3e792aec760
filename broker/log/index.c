/* Index: see index.h for the format. Owner: the log's thread. */
#include "broker/log/index.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

enum { ENTRY_BYTES = 8, TIME_BYTES = 12, INDEX_FILE_MAX = 1 << 28 };

void bk_index_deinit(struct bk_index *index)
{
    bs_free(index->entries);
    bs_free(index->times);
    *index = (struct bk_index){0};
}

void bk_index_add(struct bk_index *index, uint32_t offset_delta, uint32_t position)
{
    if (index->count == index->cap) {
        index->cap = index->cap ? index->cap * 2 : 64;
        index->entries = bs_realloc(index->entries, index->cap * sizeof *index->entries);
    }
    index->entries[index->count++] =
        (struct bk_index_entry){.offset_delta = offset_delta, .position = position};
}

void bk_index_add_time(struct bk_index *index, int64_t timestamp_ms, uint32_t offset_delta)
{
    if (timestamp_ms < 0)
        return;
    if (index->time_count > 0 && index->times[index->time_count - 1].timestamp_ms >= timestamp_ms)
        return;
    if (index->time_count == index->time_cap) {
        index->time_cap = index->time_cap ? index->time_cap * 2 : 64;
        index->times = bs_realloc(index->times, index->time_cap * sizeof *index->times);
    }
    index->times[index->time_count++] =
        (struct bk_time_entry){.timestamp_ms = timestamp_ms, .offset_delta = offset_delta};
}

uint32_t bk_index_find(const struct bk_index *index, uint32_t offset_delta)
{
    size_t low = 0, high = index->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (index->entries[mid].offset_delta <= offset_delta)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? index->entries[low - 1].position : 0;
}

uint32_t bk_index_find_time(const struct bk_index *index, int64_t timestamp_ms)
{
    size_t low = 0, high = index->time_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (index->times[mid].timestamp_ms < timestamp_ms)
            low = mid + 1;
        else
            high = mid;
    }
    return low ? index->times[low - 1].offset_delta : 0;
}

static int index_suspect(const char *path, struct bs_error *err)
{
    return bs_error_set(err, BS_ECORRUPT, "%s does not fit its segment", path);
}

int bk_index_load(struct bk_index *index, struct io_files *files, const char *index_path,
                  const char *time_path, int64_t segment_bytes, struct bs_error *err)
{
    char *data = NULL;
    size_t len = 0;
    bk_index_deinit(index);
    int rc = io_files_read_all(files, index_path, INDEX_FILE_MAX, &data, &len, err);
    if (rc)
        goto done;
    if (len % ENTRY_BYTES) {
        rc = index_suspect(index_path, err);
        goto done;
    }
    const uint8_t *at = (const uint8_t *)data;
    for (size_t i = 0; i < len; i += ENTRY_BYTES) {
        uint32_t delta = bs_load_u32(at + i), position = bs_load_u32(at + i + 4);
        const struct bk_index_entry *last = index->count ? &index->entries[index->count - 1] : NULL;
        if ((last && (delta <= last->offset_delta || position <= last->position)) ||
            position >= (uint64_t)segment_bytes) {
            rc = index_suspect(index_path, err);
            goto done;
        }
        bk_index_add(index, delta, position);
    }
    bs_free(data);
    data = NULL;
    rc = io_files_read_all(files, time_path, INDEX_FILE_MAX, &data, &len, err);
    if (rc)
        goto done;
    at = (const uint8_t *)data;
    for (size_t i = 0; i + TIME_BYTES <= len && !rc; i += TIME_BYTES) {
        size_t before = index->time_count;
        bk_index_add_time(index, (int64_t)bs_load_u64(at + i), bs_load_u32(at + i + 8));
        if (index->time_count == before)
            rc = index_suspect(time_path, err);
    }
    if (!rc && len % TIME_BYTES)
        rc = index_suspect(time_path, err);
done:
    bs_free(data);
    if (rc)
        bk_index_deinit(index);
    return rc;
}

static int index_write(struct io_files *files, const char *path, const struct bs_buf *buf,
                       struct bs_error *err)
{
    struct io_file *file = NULL;
    int rc =
        files->open(files, path, IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_TRUNCATE, &file, err);
    struct iovec vec = {.iov_base = buf->data, .iov_len = buf->len};
    if (!rc && buf->len > 0)
        rc = files->write_at(files, file, &vec, 1, 0, err);
    if (file)
        files->close(files, file);
    return rc;
}

int bk_index_save(const struct bk_index *index, struct io_files *files, const char *index_path,
                  const char *time_path, struct bs_error *err)
{
    struct bs_buf buf = BS_BUF_INIT;
    for (size_t i = 0; i < index->time_count; i++) {
        bs_buf_put_u64(&buf, (uint64_t)index->times[i].timestamp_ms);
        bs_buf_put_u32(&buf, index->times[i].offset_delta);
    }
    int rc = index_write(files, time_path, &buf, err);
    bs_buf_reset(&buf);
    for (size_t i = 0; i < index->count; i++) {
        bs_buf_put_u32(&buf, index->entries[i].offset_delta);
        bs_buf_put_u32(&buf, index->entries[i].position);
    }
    /* Not synced: the segment is on disk by now, and a half-written index is found out on load. */
    if (!rc)
        rc = index_write(files, index_path, &buf, err);
    bs_buf_deinit(&buf);
    return rc;
}
