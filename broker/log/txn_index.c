/* Txn index: the aborted transactions whose marker is in one segment. File .txnindex (Kafka's
 * format), only if there are any; 34 bytes each, big endian: int16 version 0, int64 producer id,
 * int64 first offset, int64 last offset (the marker's), int64 last stable offset at that time.
 * Written and synced before the segment's .index, whose presence vouches for it. */
#include "broker/log/log_state.h"

#include "lib/base/mem.h"

enum { TXN_ROW = 34, TXN_FILE_MAX = 1 << 28 };

void bk_log_note_aborted(struct bk_log *log, const struct bk_aborted_entry *entry)
{
    if (log->aborted_count == log->aborted_cap) {
        log->aborted_cap = log->aborted_cap ? log->aborted_cap * 2 : 16;
        log->aborted = bs_realloc(log->aborted, log->aborted_cap * sizeof *log->aborted);
    }
    log->aborted[log->aborted_count++] = *entry;
}

int bk_txn_index_load(struct bk_log *log, const struct bk_segment *segment, struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    char *path = bk_segment_path(log->dir, segment->base_offset, "txnindex");
    char *text = NULL;
    size_t len = 0;
    int rc = io_files_read_all(files, path, TXN_FILE_MAX, &text, &len, err);
    if (rc == BS_ENOTFOUND) {
        rc = 0;
        goto done;
    }
    if (rc)
        goto done;
    const uint8_t *data = (const uint8_t *)text;
    if (len % TXN_ROW)
        rc = bs_error_set(err, BS_ECORRUPT, "%s does not hold whole rows", path);
    for (size_t at = 0; at < len && !rc; at += TXN_ROW) {
        struct bk_aborted_entry entry = {
            .producer_id = (int64_t)bs_load_u64(data + at + 2),
            .first_offset = (int64_t)bs_load_u64(data + at + 10),
            .last_offset = (int64_t)bs_load_u64(data + at + 18),
            .last_stable = (int64_t)bs_load_u64(data + at + 26),
        };
        bk_log_note_aborted(log, &entry);
    }
done:
    bs_free(text);
    bs_free(path);
    return rc;
}

int bk_txn_index_save(const struct bk_log *log, const struct bk_segment *segment,
                      struct bs_error *err)
{
    struct bs_buf buf = BS_BUF_INIT;
    int rc = 0;
    for (size_t i = 0; i < log->aborted_count; i++) {
        const struct bk_aborted_entry *e = &log->aborted[i];
        if (e->last_offset < segment->base_offset || e->last_offset >= segment->next_offset)
            continue;
        bs_buf_put_u16(&buf, 0);
        bs_buf_put_u64(&buf, (uint64_t)e->producer_id);
        bs_buf_put_u64(&buf, (uint64_t)e->first_offset);
        bs_buf_put_u64(&buf, (uint64_t)e->last_offset);
        bs_buf_put_u64(&buf, (uint64_t)e->last_stable);
    }
    if (buf.len > 0) {
        char *path = bk_segment_path(log->dir, segment->base_offset, "txnindex");
        rc = io_files_write_all(log->ports.files, log->dir, path, buf.data, buf.len, err);
        bs_free(path);
    }
    bs_buf_deinit(&buf);
    return rc;
}

int bk_log_aborted(struct bk_log *log, int64_t from, int64_t to, struct bk_aborted **ret,
                   size_t *ret_count, struct bs_error *err)
{
    (void)err;
    size_t low = 0, high = log->aborted_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (log->aborted[mid].last_offset < from)
            low = mid + 1;
        else
            high = mid;
    }
    size_t count = 0, cap = 0;
    *ret = NULL;
    for (size_t i = low; i < log->aborted_count; i++) {
        const struct bk_aborted_entry *e = &log->aborted[i];
        if (e->first_offset < to) {
            if (count == cap) {
                cap = cap ? cap * 2 : 8;
                *ret = bs_realloc(*ret, cap * sizeof **ret);
            }
            (*ret)[count++] = (struct bk_aborted){e->producer_id, e->first_offset};
        }
        if (e->last_stable >= to)
            break; /* whatever was aborted later began at or behind `to` */
    }
    *ret_count = count;
    return 0;
}
