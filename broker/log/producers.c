/* Producers: see producers.h. A hash by producer id; open transactions in order of their first
 * offset; ended ones stay in `unstable` until their marker is below the high watermark, because
 * the last stable offset may not pass them before. */
#include "broker/log/producers.h"

#include "lib/base/mem.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/record_batch.h"

#include <limits.h>
#include <uthash.h>

enum { SNAPSHOT_VERSION = 1, SNAPSHOT_ROW = 46, SNAPSHOT_FILE_MAX = 1 << 30 };

struct bk_producer {
    int64_t id;
    int16_t epoch;
    int32_t coordinator_epoch;
    int64_t last_timestamp_ms;
    int64_t txn_first; /* -1: no open transaction */
    struct bk_sent sent[BK_PRODUCER_BATCHES];
    int sent_count; /* the newest is sent[sent_count - 1] */
    UT_hash_handle hh;
};

struct txn_span {
    int64_t producer_id, first, last;
};

struct bk_producers {
    struct bk_producer *by_id;
    struct txn_span *open; /* rising first */
    size_t open_count, open_cap;
    struct txn_span *unstable; /* rising last */
    size_t unstable_count, unstable_cap;
};

struct bk_producers *bk_producers_new(void)
{
    return bs_new(struct bk_producers);
}

void bk_producers_reset(struct bk_producers *producers)
{
    struct bk_producer *p, *next;
    HASH_ITER (hh, producers->by_id, p, next) {
        HASH_DEL(producers->by_id, p);
        bs_free(p);
    }
    producers->open_count = producers->unstable_count = 0;
}

void bk_producers_free(struct bk_producers *producers)
{
    if (!producers)
        return;
    bk_producers_reset(producers);
    bs_free(producers->open);
    bs_free(producers->unstable);
    bs_free(producers);
}

static struct bk_producer *producers_find(const struct bk_producers *producers, int64_t id)
{
    struct bk_producer *p = NULL;
    HASH_FIND(hh, producers->by_id, &id, sizeof id, p);
    return p;
}

static struct bk_producer *producers_make(struct bk_producers *producers, int64_t id)
{
    struct bk_producer *p = producers_find(producers, id);
    if (p)
        return p;
    p = bs_new(struct bk_producer);
    p->id = id;
    p->epoch = -1;
    p->coordinator_epoch = -1;
    p->txn_first = -1;
    HASH_ADD(hh, producers->by_id, id, sizeof p->id, p);
    return p;
}

static void span_push(struct txn_span **spans, size_t *count, size_t *cap, struct txn_span span)
{
    if (*count == *cap) {
        *cap = *cap ? *cap * 2 : 8;
        *spans = bs_realloc(*spans, *cap * sizeof **spans);
    }
    (*spans)[(*count)++] = span;
}

static int32_t sequence_back(int32_t last, int32_t delta)
{
    return last >= delta ? last - delta : (int32_t)((int64_t)last - delta + INT32_MAX + 1);
}

int16_t bk_producers_check(const struct bk_producers *producers, const struct bk_batch_ids *ids,
                           bool sequence_from_zero, int64_t *ret_duplicate)
{
    const struct bk_producer *p = producers_find(producers, ids->producer_id);
    *ret_duplicate = -1;
    if (!p || p->epoch < 0)
        return sequence_from_zero && ids->base_sequence != 0 ? KP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER
                                                             : 0;
    if (ids->producer_epoch < p->epoch)
        return KP_ERR_INVALID_PRODUCER_EPOCH;
    if (ids->producer_epoch > p->epoch)
        return ids->base_sequence == 0 ? 0 : KP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    for (int i = 0; i < p->sent_count; i++)
        if (p->sent[i].last_sequence == ids->last_sequence &&
            sequence_back(p->sent[i].last_sequence, p->sent[i].offset_delta) ==
                ids->base_sequence) {
            *ret_duplicate = p->sent[i].last_offset - p->sent[i].offset_delta;
            return 0;
        }
    int32_t next = 0;
    if (p->sent_count > 0) {
        int32_t last = p->sent[p->sent_count - 1].last_sequence;
        next = last == INT32_MAX ? 0 : last + 1;
    }
    return ids->base_sequence == next ? 0 : KP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

static void producer_sent(struct bk_producer *p, const struct bk_sent *sent)
{
    if (p->sent_count == BK_PRODUCER_BATCHES) {
        memmove(p->sent, p->sent + 1, (BK_PRODUCER_BATCHES - 1) * sizeof *p->sent);
        p->sent_count--;
    }
    p->sent[p->sent_count++] = *sent;
}

void bk_producers_appended(struct bk_producers *producers, const struct bk_batch_ids *ids)
{
    struct bk_producer *p = producers_make(producers, ids->producer_id);
    if (ids->producer_epoch != p->epoch) {
        p->epoch = ids->producer_epoch;
        p->sent_count = 0;
    }
    p->last_timestamp_ms = ids->timestamp_ms;
    /* Records of the broker's own coordinators carry an id but no sequence. */
    if (ids->base_sequence >= 0) {
        struct bk_sent sent = {
            .last_sequence = ids->last_sequence,
            .offset_delta = (int32_t)(ids->last_offset - ids->base_offset),
            .last_offset = ids->last_offset,
            .timestamp_ms = ids->timestamp_ms,
        };
        producer_sent(p, &sent);
    }
    if (ids->transactional && p->txn_first < 0) {
        p->txn_first = ids->base_offset;
        span_push(&producers->open, &producers->open_count, &producers->open_cap,
                  (struct txn_span){.producer_id = p->id, .first = ids->base_offset, .last = -1});
    }
}

int16_t bk_producers_check_marker(const struct bk_producers *producers,
                                  const struct bk_marker *marker)
{
    const struct bk_producer *p = producers_find(producers, marker->producer_id);
    if (!p)
        return 0;
    if (marker->producer_epoch < p->epoch)
        return KP_ERR_INVALID_PRODUCER_EPOCH;
    if (marker->coordinator_epoch < p->coordinator_epoch)
        return KP_ERR_TRANSACTION_COORDINATOR_FENCED;
    return 0;
}

bool bk_producers_ended(struct bk_producers *producers, const struct bk_marker *marker,
                        int64_t offset, int64_t timestamp_ms, struct bk_aborted_entry *ret)
{
    struct bk_producer *p = producers_make(producers, marker->producer_id);
    if (marker->producer_epoch > p->epoch) {
        p->epoch = marker->producer_epoch;
        p->sent_count = 0;
    }
    if (marker->coordinator_epoch > p->coordinator_epoch)
        p->coordinator_epoch = marker->coordinator_epoch;
    p->last_timestamp_ms = timestamp_ms;
    if (p->txn_first < 0)
        return false;
    int64_t first = p->txn_first;
    p->txn_first = -1;
    size_t i = 0;
    while (i < producers->open_count && producers->open[i].producer_id != p->id)
        i++;
    memmove(&producers->open[i], &producers->open[i + 1],
            (producers->open_count - i - 1) * sizeof *producers->open);
    producers->open_count--;
    span_push(&producers->unstable, &producers->unstable_count, &producers->unstable_cap,
              (struct txn_span){.producer_id = p->id, .first = first, .last = offset});
    *ret = (struct bk_aborted_entry){
        .producer_id = p->id,
        .first_offset = first,
        .last_offset = offset,
        .last_stable = producers->open_count ? producers->open[0].first : offset + 1,
    };
    return !marker->commit;
}

int64_t bk_producers_stable(struct bk_producers *producers, int64_t limit)
{
    size_t drop = 0;
    while (drop < producers->unstable_count && producers->unstable[drop].last < limit)
        drop++;
    if (drop) {
        memmove(producers->unstable, producers->unstable + drop,
                (producers->unstable_count - drop) * sizeof *producers->unstable);
        producers->unstable_count -= drop;
    }
    int64_t stable = limit;
    if (producers->open_count && producers->open[0].first < stable)
        stable = producers->open[0].first;
    for (size_t i = 0; i < producers->unstable_count; i++)
        if (producers->unstable[i].first < stable)
            stable = producers->unstable[i].first;
    return stable;
}

int64_t bk_producers_open_txn(const struct bk_producers *producers, int64_t producer_id,
                              int16_t producer_epoch)
{
    const struct bk_producer *p = producers_find(producers, producer_id);
    return p && p->epoch == producer_epoch ? p->txn_first : -1;
}

void bk_producers_visit(const struct bk_producers *producers, bk_producer_visit *visit, void *ctx)
{
    for (const struct bk_producer *p = producers->by_id; p; p = p->hh.next) {
        struct bk_producer_info info = {
            .producer_id = p->id,
            .producer_epoch = p->epoch,
            .last_sequence = p->sent_count ? p->sent[p->sent_count - 1].last_sequence : -1,
            .coordinator_epoch = p->coordinator_epoch,
            .last_timestamp_ms = p->last_timestamp_ms,
            .txn_first_offset = p->txn_first,
        };
        visit(ctx, &info);
    }
}

void bk_producers_expire(struct bk_producers *producers, int64_t before_ms)
{
    struct bk_producer *p, *next;
    HASH_ITER (hh, producers->by_id, p, next)
        if (p->txn_first < 0 && p->last_timestamp_ms < before_ms) {
            HASH_DEL(producers->by_id, p);
            bs_free(p);
        }
}

size_t bk_producers_count(const struct bk_producers *producers)
{
    return HASH_COUNT(producers->by_id);
}

/* ---- snapshot ------------------------------------------------------------------------------ */

static void snapshot_row(struct bs_buf *buf, const struct bk_producer *p,
                         const struct bk_sent *sent)
{
    bs_buf_put_u64(buf, (uint64_t)p->id);
    bs_buf_put_u16(buf, (uint16_t)p->epoch);
    bs_buf_put_u32(buf, (uint32_t)(sent ? sent->last_sequence : -1));
    bs_buf_put_u64(buf, (uint64_t)(sent ? sent->last_offset : -1));
    bs_buf_put_u32(buf, (uint32_t)(sent ? sent->offset_delta : 0));
    bs_buf_put_u64(buf, (uint64_t)(sent ? sent->timestamp_ms : p->last_timestamp_ms));
    bs_buf_put_u32(buf, (uint32_t)p->coordinator_epoch);
    bs_buf_put_u64(buf, (uint64_t)p->txn_first);
}

int bk_producers_save(const struct bk_producers *producers, struct io_files *files,
                      const char *path, struct bs_error *err)
{
    struct bs_buf buf = BS_BUF_INIT;
    uint32_t rows = 0;
    bs_buf_put_u16(&buf, SNAPSHOT_VERSION);
    bs_buf_put_u32(&buf, 0); /* CRC, below */
    bs_buf_put_u32(&buf, 0); /* count, below */
    for (const struct bk_producer *p = producers->by_id; p; p = p->hh.next) {
        for (int i = 0; i < p->sent_count; i++, rows++)
            snapshot_row(&buf, p, &p->sent[i]);
        if (p->sent_count == 0) {
            snapshot_row(&buf, p, NULL);
            rows++;
        }
    }
    bs_store_u32(buf.data + 6, rows);
    bs_store_u32(buf.data + 2, kp_crc32c(buf.data + 6, buf.len - 6));
    struct io_file *file = NULL;
    struct iovec vec = {.iov_base = buf.data, .iov_len = buf.len};
    int rc =
        files->open(files, path, IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_TRUNCATE, &file, err);
    if (!rc)
        rc = files->write_at(files, file, &vec, 1, 0, err);
    if (file)
        files->close(files, file);
    bs_buf_deinit(&buf);
    return rc;
}

static int span_compare(const void *a, const void *b)
{
    int64_t x = ((const struct txn_span *)a)->first, y = ((const struct txn_span *)b)->first;
    return (x > y) - (x < y);
}

static void snapshot_take(struct bk_producers *producers, const uint8_t *row)
{
    struct bk_producer *p = producers_make(producers, (int64_t)bs_load_u64(row));
    int16_t epoch = (int16_t)bs_load_u16(row + 8);
    struct bk_sent sent = {
        .last_sequence = (int32_t)bs_load_u32(row + 10),
        .last_offset = (int64_t)bs_load_u64(row + 14),
        .offset_delta = (int32_t)bs_load_u32(row + 22),
        .timestamp_ms = (int64_t)bs_load_u64(row + 26),
    };
    int64_t txn_first = (int64_t)bs_load_u64(row + 38);
    if (p->epoch != epoch)
        p->sent_count = 0;
    p->epoch = epoch;
    p->coordinator_epoch = (int32_t)bs_load_u32(row + 34);
    p->last_timestamp_ms = sent.timestamp_ms;
    if (sent.last_sequence >= 0)
        producer_sent(p, &sent);
    if (txn_first >= 0 && p->txn_first < 0)
        span_push(&producers->open, &producers->open_count, &producers->open_cap,
                  (struct txn_span){.producer_id = p->id, .first = txn_first, .last = -1});
    p->txn_first = txn_first;
}

int bk_producers_load(struct bk_producers *producers, struct io_files *files, const char *path,
                      struct bs_error *err)
{
    char *text = NULL;
    size_t len = 0;
    bk_producers_reset(producers);
    int rc = io_files_read_all(files, path, SNAPSHOT_FILE_MAX, &text, &len, err);
    if (rc)
        return rc;
    const uint8_t *data = (const uint8_t *)text;
    if (len < 10 || bs_load_u16(data) != SNAPSHOT_VERSION ||
        bs_load_u32(data + 2) != kp_crc32c(data + 6, len - 6) ||
        (uint64_t)bs_load_u32(data + 6) * SNAPSHOT_ROW != len - 10) {
        rc = bs_error_set(err, BS_ECORRUPT, "%s is not a whole producer snapshot", path);
        goto done;
    }
    for (size_t at = 10; at < len; at += SNAPSHOT_ROW)
        snapshot_take(producers, data + at);
    if (producers->open_count)
        qsort(producers->open, producers->open_count, sizeof *producers->open, span_compare);
done:
    bs_free(text);
    return rc;
}
