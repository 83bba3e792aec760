/* Reading: finds the batch that holds an offset or a timestamp, and copies whole batches out.
 * Owner: the loop thread. */
#include "broker/log/log_state.h"
#include "broker/log/records.h"

#include "lib/base/mem.h"

#include <inttypes.h>

enum { LOCATE_CHUNK = 8 << 10, TIME_CHUNK = 64 << 10 };

/* Position of the first batch whose last offset is >= offset; 1: none in this segment. */
static int read_locate(struct bk_log *log, struct bk_segment *segment, int64_t offset,
                       int64_t *ret_position, struct bs_error *err)
{
    for (size_t i = 0; i < BK_LOG_HINTS; i++)
        if (log->hints[i].offset == offset && log->hints[i].segment_base == segment->base_offset &&
            log->hints[i].position < segment->bytes) {
            *ret_position = log->hints[i].position;
            return 0;
        }
    int64_t position = 0;
    int rc = bk_segment_index(segment, log->dir, err);
    if (rc)
        return rc;
    if (offset > segment->base_offset)
        position = bk_index_find(&segment->index, (uint32_t)(offset - segment->base_offset));
    struct bk_scan scan;
    struct kp_batch batch;
    bk_scan_init(&scan, segment, position, LOCATE_CHUNK);
    while ((rc = bk_scan_next(&scan, false, &batch, NULL, err)) == 0)
        if (batch.base_offset + batch.last_offset_delta >= offset) {
            *ret_position = scan.at;
            break;
        }
    bk_scan_deinit(&scan);
    return rc;
}

/* Length of the whole batches below limit at the start of bytes, up to the first whose CRC is
 * wrong: a damaged batch is never given out. *ret_first is the size of the first one even if it is
 * not whole here, 0 when it is damaged or not below limit. *ret_next: the offset behind them. */
static size_t read_trim(const uint8_t *bytes, size_t len, int64_t limit, size_t *ret_first,
                        int64_t *ret_next)
{
    size_t at = 0;
    struct kp_batch batch;
    *ret_first = 0;
    while (len - at >= KP_BATCH_HEADER_BYTES && kp_batch_peek(bytes + at, len - at, &batch) == 0) {
        if (batch.base_offset >= limit)
            break;
        bool whole = batch.size <= len - at;
        if (whole &&
            kp_crc32c(bytes + at + KP_BATCH_CRC_FROM, batch.size - KP_BATCH_CRC_FROM) != batch.crc)
            break;
        if (at == 0)
            *ret_first = batch.size;
        if (!whole)
            break;
        at += batch.size;
        *ret_next = batch.base_offset + batch.last_offset_delta + 1;
    }
    return at;
}

static int read_segment(struct bk_log *log, struct bk_segment *segment, int64_t position,
                        int64_t limit, size_t bytes_max, bool at_least_one, struct bs_buf *out,
                        struct bs_error *err)
{
    struct io_files *files = log->ports.files;
    struct io_file *file = NULL;
    int rc = bk_fd_get(&segment->fd, &file, err);
    size_t want = bytes_max > KP_BATCH_HEADER_BYTES ? bytes_max : KP_BATCH_HEADER_BYTES;
    for (int pass = 0; pass < 2 && !rc; pass++) {
        if ((int64_t)want > segment->bytes - position)
            want = (size_t)(segment->bytes - position);
        uint8_t *to = bs_buf_reserve(out, want);
        size_t got = 0, first = 0;
        int64_t next = 0;
        rc = files->read_at(files, file, to, want, position, &got, err);
        if (rc)
            break;
        size_t whole = read_trim(to, got, limit, &first, &next);
        if (got < want || (whole == 0 && got >= KP_BATCH_HEADER_BYTES && first == 0 &&
                           bs_load_u64(to) < (uint64_t)limit))
            return bs_error_set(err, BS_ECORRUPT,
                                "%s: no batch, or one with a wrong CRC, at byte %" PRId64
                                "; the disk changed it, restore the file from a copy",
                                segment->fd.path, position);
        if (whole > bytes_max && !at_least_one)
            whole = 0;
        if (whole > 0) {
            out->len += whole;
            log->hints[log->hint_next++ % BK_LOG_HINTS] =
                (struct bk_hint){.offset = next,
                                 .segment_base = segment->base_offset,
                                 .position = position + (int64_t)whole};
            return 0;
        }
        if (!at_least_one || first <= want)
            return 0;
        want = first; /* the first batch is larger than what was asked for: all of it */
    }
    return rc;
}

int bk_log_read(struct bk_log *log, int64_t offset, int64_t limit, size_t bytes_max,
                bool at_least_one, struct bs_buf *out, struct bs_error *err)
{
    if (offset < log->start || offset > log->end)
        return bs_error_set(err, BS_ERANGE,
                            "%s: offset %" PRId64 " is not in %" PRId64 "..%" PRId64, log->dir,
                            offset, log->start, log->end);
    if (limit > log->end)
        limit = log->end;
    if (offset >= limit)
        return 0;
    for (size_t i = bk_log_find_segment(log, offset); i < log->count; i++) {
        int64_t position = 0;
        int rc = read_locate(log, log->segments[i], offset, &position, err);
        if (rc == 0)
            return read_segment(log, log->segments[i], position, limit, bytes_max, at_least_one,
                                out, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- by time --------------------------------------------------------------------------------- */

static int time_in_segment(struct bk_log *log, struct bk_segment *segment, int64_t timestamp_ms,
                           int64_t limit, struct bk_offset_time *ret, struct bs_error *err)
{
    struct bk_scan scan;
    struct kp_batch batch;
    const uint8_t *bytes = NULL;
    int rc = bk_segment_index(segment, log->dir, err);
    if (rc)
        return rc;
    uint32_t delta = bk_index_find_time(&segment->index, timestamp_ms);
    bk_scan_init(&scan, segment, bk_index_find(&segment->index, delta), TIME_CHUNK);
    while ((rc = bk_scan_next(&scan, false, &batch, NULL, err)) == 0) {
        if (batch.base_offset >= limit) {
            rc = 1;
            break;
        }
        if (batch.max_timestamp < timestamp_ms ||
            batch.base_offset + batch.last_offset_delta < log->start)
            continue;
        scan.next = scan.at;
        rc = bk_scan_next(&scan, true, &batch, &bytes, err);
        if (!rc)
            rc = bk_records_find_time(bytes, &batch, timestamp_ms, log->start, &ret->offset,
                                      &ret->timestamp_ms);
        ret->leader_epoch = batch.leader_epoch;
        if (rc != 1)
            break; /* found, or broken; 1: a record below the log start had it */
    }
    bk_scan_deinit(&scan);
    return rc;
}

int bk_log_offset_for_time(struct bk_log *log, int64_t timestamp_ms, int64_t limit,
                           struct bk_offset_time *ret, struct bs_error *err)
{
    *ret = (struct bk_offset_time){.offset = -1, .timestamp_ms = -1, .leader_epoch = -1};
    for (size_t i = bk_log_find_segment(log, log->start); i < log->count; i++) {
        if (log->segments[i]->max_timestamp_ms < timestamp_ms)
            continue;
        int rc = time_in_segment(log, log->segments[i], timestamp_ms, limit, ret, err);
        if (rc <= 0) {
            if (rc == 0 && ret->offset >= limit)
                *ret = (struct bk_offset_time){-1, -1, -1};
            return rc;
        }
        *ret = (struct bk_offset_time){-1, -1, -1};
    }
    return 0;
}

int bk_log_offset_for_max_time(struct bk_log *log, int64_t limit, struct bk_offset_time *ret,
                               struct bs_error *err)
{
    int64_t most = -1;
    for (size_t i = bk_log_find_segment(log, log->start); i < log->count; i++)
        if (log->segments[i]->max_timestamp_ms > most)
            most = log->segments[i]->max_timestamp_ms;
    if (most < 0) {
        *ret = (struct bk_offset_time){-1, -1, -1};
        return 0;
    }
    return bk_log_offset_for_time(log, most, limit, ret, err);
}
