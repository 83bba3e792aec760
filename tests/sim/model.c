/* Model: see model.h. */
#include "tests/sim/model.h"

#include "lib/base/mem.h"
#include "lib/kafka/record_batch.h"

#include <inttypes.h>
#include <stdio.h>

void model_deinit(struct model *model)
{
    bs_free(model->list);
    *model = (struct model){0};
}

void model_add(struct model *model, const struct model_batch *batch)
{
    if (model->count == model->cap) {
        model->cap = model->cap ? model->cap * 2 : 64;
        model->list = bs_realloc(model->list, model->cap * sizeof *model->list);
    }
    model->list[model->count++] = *batch;
}

int64_t model_end(const struct model *model)
{
    return model->count ? model->list[model->count - 1].last_offset + 1 : 0;
}

void model_cut(struct model *model, int64_t end_offset)
{
    while (model->count && model->list[model->count - 1].last_offset >= end_offset)
        model->count--;
}

void model_producer(const struct model *model, int64_t producer_id, int16_t *ret_epoch,
                    int32_t *ret_next_sequence)
{
    *ret_epoch = -1;
    *ret_next_sequence = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_batch *b = &model->list[i];
        if (b->producer_id != producer_id)
            continue;
        if (b->epoch > *ret_epoch) {
            *ret_epoch = b->epoch;
            *ret_next_sequence = 0;
        }
        if (!b->control)
            *ret_next_sequence = b->sequence + (int32_t)(b->last_offset - b->base_offset) + 1;
    }
}

const struct model_batch *model_recent(const struct model *model, int64_t producer_id, int nth)
{
    int16_t epoch = -1;
    int32_t next = 0;
    model_producer(model, producer_id, &epoch, &next);
    for (size_t i = model->count; i-- > 0;) {
        const struct model_batch *b = &model->list[i];
        if (b->producer_id == producer_id && !b->control && b->epoch == epoch && nth-- == 0)
            return b;
    }
    return NULL;
}

/* First offset of the transaction that the marker at list[at] ends; -1: it ends none. */
static int64_t txn_first(const struct model *model, size_t at)
{
    int64_t first = -1;
    for (size_t i = at; i-- > 0;) {
        const struct model_batch *b = &model->list[i];
        if (b->producer_id != model->list[at].producer_id)
            continue;
        if (b->control)
            break;
        if (b->transactional)
            first = b->base_offset;
    }
    return first;
}

int64_t model_stable(const struct model *model, int64_t limit)
{
    int64_t stable = limit;
    for (size_t i = 0; i < model->count; i++) {
        const struct model_batch *b = &model->list[i];
        bool ended = false;
        if (!b->transactional || b->control || b->base_offset >= stable)
            continue;
        for (size_t k = i + 1; k < model->count && !ended; k++)
            ended = model->list[k].control && model->list[k].producer_id == b->producer_id &&
                    model->list[k].base_offset < limit;
        if (!ended)
            stable = b->base_offset;
    }
    return stable;
}

size_t model_aborted(const struct model *model, int64_t from, int64_t to, struct bk_aborted *out,
                     size_t cap)
{
    size_t count = 0;
    for (size_t i = 0; i < model->count && count < cap; i++) {
        const struct model_batch *b = &model->list[i];
        if (!b->control || b->commit || b->base_offset < from)
            continue;
        int64_t first = txn_first(model, i);
        if (first >= 0 && first < to)
            out[count++] =
                (struct bk_aborted){.producer_id = b->producer_id, .first_offset = first};
    }
    return count;
}

/* ---- compare
 * ---------------------------------------------------------------------------------------- */

static bool batch_equal(const struct model_batch *want, const uint8_t *bytes,
                        const struct kp_batch *have)
{
    if (have->base_offset != want->base_offset || kp_batch_last_offset(have) != want->last_offset ||
        have->producer_id != want->producer_id || have->base_sequence != want->sequence ||
        kp_batch_is_control(have) != want->control ||
        kp_batch_is_transactional(have) != want->transactional)
        return false;
    if (want->control)
        return true;
    struct kp_record_reader reader;
    struct kp_record record;
    int64_t id = want->id;
    kp_record_reader_init(&reader, have, kp_batch_payload(bytes, have));
    int rc;
    while ((rc = kp_record_reader_next(&reader, &record)) == 0)
        if (record.value.len < 8 || (int64_t)bs_load_u64(record.value.ptr) != id++)
            return false;
    return rc == 1;
}

int64_t model_compare(const struct model *model, struct bk_partition *partition, char *why,
                      size_t why_len)
{
    struct bs_buf buf = BS_BUF_INIT;
    struct bk_read read = {.bytes_max = 4096, .at_least_one = true, .isolation = BK_READ_ALL};
    int64_t end = bk_partition_log_end(partition), result = -1;
    size_t i = 0;
    while (read.offset < end) {
        bs_buf_reset(&buf);
        int16_t error = bk_partition_read(partition, &read, &buf);
        if (error || read.len == 0) {
            snprintf(why, why_len, "read at %" PRId64 " of %" PRId64 ": error %d, %zu bytes",
                     read.offset, end, error, read.len);
            goto done;
        }
        for (size_t at = 0; at < read.len;) {
            struct kp_batch batch;
            int rc = kp_batch_check(bs_bytes(buf.data + at, read.len - at), &batch);
            if (rc || i == model->count || !batch_equal(&model->list[i], buf.data + at, &batch)) {
                snprintf(why, why_len,
                         "batch %zu of %zu at offset %" PRId64 "-%" PRId64 " of %" PRId64
                         " sequence %" PRId32 " is not what was appended, %" PRId64 "-%" PRId64
                         " of %" PRId64 " sequence %" PRId32 " (%d)",
                         i, model->count, batch.base_offset, kp_batch_last_offset(&batch),
                         batch.producer_id, batch.base_sequence,
                         i < model->count ? model->list[i].base_offset : -1,
                         i < model->count ? model->list[i].last_offset : -1,
                         i < model->count ? model->list[i].producer_id : -1,
                         i < model->count ? model->list[i].sequence : -1, rc);
                goto done;
            }
            i++;
            at += batch.size;
            read.offset = kp_batch_last_offset(&batch) + 1;
        }
    }
    if (end < model->acked_end)
        snprintf(why, why_len, "log ends at %" PRId64 ", %" PRId64 " was acknowledged", end,
                 model->acked_end);
    else
        result = end;
done:
    bs_buf_deinit(&buf);
    return result;
}
