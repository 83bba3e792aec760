/* Record batch: reading and checking; see record_batch.h. record_build.c builds. Pure.
 *
 *   0 base offset i64 | 8 length i32 | 12 leader epoch i32 | 16 magic i8 | 17 crc u32 |
 *  21 attributes i16 | 23 last offset delta i32 | 27 base timestamp i64 | 35 max timestamp i64 |
 *  43 producer id i64 | 51 producer epoch i16 | 53 base sequence i32 | 57 record count i32 | 61 …
 */
#include "lib/kafka/record_batch.h"

#include "lib/base/err.h"

#include <isa-l/crc.h>

enum { CONTROL_KEY_BYTES = 4, MARKER_VALUE_BYTES = 6, RECORD_BYTES_MIN = 6, HEADER_BYTES_MIN = 2 };

uint32_t kp_crc32c(const void *ptr, size_t len)
{
    /* isa-l leaves both inversions to the caller and counts in int: go in steps below 2 GiB. Its
     * parameter is not const, but it only reads. */
    uint32_t crc = UINT32_MAX;
    const uint8_t *at = ptr;
    while (len > 0) {
        int step = len > 1 << 30 ? 1 << 30 : (int)len;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, step, crc);
        at += step;
        len -= (size_t)step;
    }
    return ~crc;
}

const char *kp_codec_name(int codec)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    return codec >= 0 && codec < (int)(sizeof names / sizeof *names) ? names[codec] : "unknown";
}

int kp_batch_peek(const uint8_t *ptr, size_t len, struct kp_batch *ret_batch)
{
    if (len < KP_BATCH_HEADER_BYTES)
        return BS_ETRUNCATED;
    int32_t length = (int32_t)bs_load_u32(ptr + 8);
    *ret_batch = (struct kp_batch){
        .base_offset = (int64_t)bs_load_u64(ptr),
        .size = length < 0 ? 0 : (size_t)length + KP_BATCH_PREFIX_BYTES,
        .leader_epoch = (int32_t)bs_load_u32(ptr + 12),
        .magic = (int8_t)ptr[16],
        .crc = bs_load_u32(ptr + 17),
        .attributes = (int16_t)bs_load_u16(ptr + 21),
        .last_offset_delta = (int32_t)bs_load_u32(ptr + 23),
        .base_timestamp = (int64_t)bs_load_u64(ptr + 27),
        .max_timestamp = (int64_t)bs_load_u64(ptr + 35),
        .producer_id = (int64_t)bs_load_u64(ptr + 43),
        .producer_epoch = (int16_t)bs_load_u16(ptr + 51),
        .base_sequence = (int32_t)bs_load_u32(ptr + 53),
        .record_count = (int32_t)bs_load_u32(ptr + 57),
    };
    if (ret_batch->magic != KP_BATCH_MAGIC)
        return ret_batch->magic >= 0 && ret_batch->magic < KP_BATCH_MAGIC ? BS_EUNSUPPORTED
                                                                          : BS_ECORRUPT;
    return ret_batch->size < KP_BATCH_HEADER_BYTES ? BS_ECORRUPT : 0;
}

int kp_batch_check(struct bs_bytes bytes, struct kp_batch *ret_batch)
{
    int rc = kp_batch_peek(bytes.ptr, bytes.len, ret_batch);
    if (rc)
        return rc;
    if (ret_batch->size > bytes.len)
        return BS_ETRUNCATED;
    if (ret_batch->crc !=
        kp_crc32c(bytes.ptr + KP_BATCH_CRC_FROM, ret_batch->size - KP_BATCH_CRC_FROM))
        return BS_ECORRUPT;
    if (ret_batch->record_count < 0 || ret_batch->last_offset_delta < 0)
        return BS_ECORRUPT;
    return kp_batch_codec(ret_batch) > KP_CODEC_ZSTD ? BS_EUNSUPPORTED : 0;
}

/* ---- setters ----------------------------------------------------------------------------------
 */

static void seal(uint8_t *ptr, size_t size)
{
    bs_store_u32(ptr + 17, kp_crc32c(ptr + KP_BATCH_CRC_FROM, size - KP_BATCH_CRC_FROM));
}

void kp_batch_set_base_offset(uint8_t *ptr, int64_t base_offset)
{
    bs_store_u64(ptr, (uint64_t)base_offset);
}

void kp_batch_set_leader_epoch(uint8_t *ptr, int32_t leader_epoch)
{
    bs_store_u32(ptr + 12, (uint32_t)leader_epoch);
}

void kp_batch_set_append_time(uint8_t *ptr, size_t size, int64_t append_time_ms)
{
    bs_store_u16(ptr + 21, bs_load_u16(ptr + 21) | KP_BATCH_LOG_APPEND_TIME);
    bs_store_u64(ptr + 35, (uint64_t)append_time_ms);
    seal(ptr, size);
}

void kp_batch_set_max_timestamp(uint8_t *ptr, size_t size, int64_t max_timestamp_ms)
{
    bs_store_u16(ptr + 21, (uint16_t)(bs_load_u16(ptr + 21) & ~KP_BATCH_LOG_APPEND_TIME));
    bs_store_u64(ptr + 35, (uint64_t)max_timestamp_ms);
    seal(ptr, size);
}

/* ---- records ----------------------------------------------------------------------------------
 */

void kp_record_reader_init(struct kp_record_reader *reader, const struct kp_batch *batch,
                           struct bs_bytes payload)
{
    *reader = (struct kp_record_reader){
        .batch = *batch, .in = bs_cursor(payload), .left = batch->record_count};
}

/* A length, then as many bytes; -1: null. */
static int get_slice(struct bs_cursor *in, bool nullable, struct bs_bytes *ret)
{
    int32_t len = 0;
    int rc = bs_get_varint(in, &len);
    if (rc)
        return rc;
    if (len < 0) {
        *ret = bs_bytes(NULL, 0);
        return nullable && len == -1 ? 0 : BS_ECORRUPT;
    }
    return bs_get_bytes(in, (size_t)len, ret);
}

static int get_headers(struct bs_cursor *in, struct kp_record *ret)
{
    int rc = bs_get_varint(in, &ret->header_count);
    if (rc)
        return rc;
    if (ret->header_count < 0 || (size_t)ret->header_count > bs_cursor_left(in) / HEADER_BYTES_MIN)
        return BS_ECORRUPT;
    const uint8_t *from = in->at;
    for (int32_t i = 0; i < ret->header_count; i++) {
        struct bs_bytes key, value;
        rc = get_slice(in, false, &key);
        rc = rc ? rc : get_slice(in, true, &value);
        if (rc)
            return rc;
    }
    ret->headers = bs_bytes(from, (size_t)(in->at - from));
    return 0;
}

static int get_record(struct bs_cursor *in, const struct kp_batch *batch, struct kp_record *ret)
{
    uint8_t attributes;
    int64_t timestamp_delta = 0;
    int rc = bs_get_u8(in, &attributes); /* none is in use */
    rc = rc ? rc : bs_get_varlong(in, &timestamp_delta);
    rc = rc ? rc : bs_get_varint(in, &ret->offset_delta);
    rc = rc ? rc : get_slice(in, true, &ret->key);
    rc = rc ? rc : get_slice(in, true, &ret->value);
    rc = rc ? rc : get_headers(in, ret);
    if (rc)
        return rc;
    if (bs_cursor_left(in) > 0)
        return BS_ECORRUPT;
    /* The sums may wrap in a batch made to harm: say so without undefined behaviour. */
    ret->offset = (int64_t)((uint64_t)batch->base_offset + (uint64_t)(int64_t)ret->offset_delta);
    ret->timestamp_ms =
        batch->attributes & KP_BATCH_LOG_APPEND_TIME
            ? batch->max_timestamp
            : (int64_t)((uint64_t)batch->base_timestamp + (uint64_t)timestamp_delta);
    return 0;
}

int kp_record_reader_next(struct kp_record_reader *reader, struct kp_record *ret)
{
    if (reader->left <= 0)
        return bs_cursor_left(&reader->in) == 0 ? 1 : BS_ECORRUPT;
    int32_t len = 0;
    struct bs_bytes body;
    int rc = bs_get_varint(&reader->in, &len);
    if (rc)
        return rc;
    if (len < RECORD_BYTES_MIN)
        return BS_ECORRUPT;
    rc = bs_get_bytes(&reader->in, (size_t)len, &body);
    if (rc)
        return rc;
    struct bs_cursor in = bs_cursor(body);
    if (get_record(&in, &reader->batch, ret) != 0)
        return BS_ECORRUPT; /* the record's bytes are there, whatever is wrong in them */
    reader->left--;
    return 0;
}

int kp_headers_next(struct bs_cursor *in, struct kp_header *ret)
{
    if (bs_cursor_left(in) == 0)
        return 1;
    return get_slice(in, false, &ret->key) || get_slice(in, true, &ret->value) ? 1 : 0;
}

int kp_control_key_decode(struct bs_bytes key, int16_t *ret_type)
{
    if (!key.ptr || key.len < CONTROL_KEY_BYTES)
        return BS_ECORRUPT;
    if ((int16_t)bs_load_u16(key.ptr) < 0)
        return BS_EUNSUPPORTED; /* later versions begin as version 0 does */
    *ret_type = (int16_t)bs_load_u16(key.ptr + 2);
    return 0;
}

int kp_control_value_decode(struct bs_bytes value, int32_t *ret_coordinator_epoch)
{
    if (!value.ptr || value.len < MARKER_VALUE_BYTES)
        return BS_ECORRUPT;
    if ((int16_t)bs_load_u16(value.ptr) < 0)
        return BS_EUNSUPPORTED;
    *ret_coordinator_epoch = (int32_t)bs_load_u32(value.ptr + 2);
    return 0;
}
