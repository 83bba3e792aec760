/* Record batch: building; see record_batch.h. The header's room stands before the records from the
 * start, so that an uncompressed batch is never copied. */
#include "lib/kafka/record_batch.h"

#include "lib/base/err.h"

void kp_batch_builder_init(struct kp_batch_builder *builder, const struct kp_batch_options *options)
{
    *builder = (struct kp_batch_builder){.options = *options};
    kp_batch_builder_reset(builder, options);
}

void kp_batch_builder_deinit(struct kp_batch_builder *builder)
{
    if (!builder)
        return;
    bs_buf_deinit(&builder->records);
    bs_buf_deinit(&builder->packed);
}

void kp_batch_builder_reset(struct kp_batch_builder *builder,
                            const struct kp_batch_options *options)
{
    if (options)
        builder->options = *options;
    bs_buf_reset(&builder->records);
    bs_buf_reset(&builder->packed);
    bs_buf_reserve(&builder->records, KP_BATCH_HEADER_BYTES);
    builder->records.len = KP_BATCH_HEADER_BYTES;
    builder->count = 0;
    builder->last_offset_delta = -1;
    builder->base_timestamp_ms = -1;
    builder->max_timestamp_ms = -1;
}

static size_t varlong_bytes(int64_t v)
{
    uint8_t out[10];
    return bs_put_uvarlong(out, bs_zigzag(v));
}

static size_t slice_bytes(struct bs_bytes bytes)
{
    return bytes.ptr ? varlong_bytes((int64_t)bytes.len) + bytes.len : 1;
}

static void put_slice(struct bs_buf *out, struct bs_bytes bytes)
{
    bs_buf_put_varlong(out, bytes.ptr ? (int64_t)bytes.len : -1);
    if (bytes.ptr)
        bs_buf_put(out, bytes.ptr, bytes.len);
}

void kp_batch_builder_append(struct kp_batch_builder *builder, int64_t timestamp_ms,
                             struct bs_bytes key, struct bs_bytes value,
                             const struct kp_header *headers, int32_t header_count)
{
    kp_batch_builder_append_at(builder, builder->last_offset_delta + 1, timestamp_ms, key, value,
                               headers, header_count);
}

void kp_batch_builder_append_at(struct kp_batch_builder *builder, int32_t offset_delta,
                                int64_t timestamp_ms, struct bs_bytes key, struct bs_bytes value,
                                const struct kp_header *headers, int32_t header_count)
{
    if (builder->count == 0)
        builder->base_timestamp_ms = timestamp_ms;
    if (builder->count == 0 || timestamp_ms > builder->max_timestamp_ms)
        builder->max_timestamp_ms = timestamp_ms;
    int64_t delta_ms = timestamp_ms - builder->base_timestamp_ms;
    size_t len = 1 + varlong_bytes(delta_ms) + varlong_bytes(offset_delta) + slice_bytes(key) +
                 slice_bytes(value) + varlong_bytes(header_count);
    for (int32_t i = 0; i < header_count; i++)
        len += slice_bytes(headers[i].key) + slice_bytes(headers[i].value);
    struct bs_buf *out = &builder->records;
    bs_buf_reserve(out, len + 10);
    bs_buf_put_varlong(out, (int64_t)len);
    bs_buf_put_u8(out, 0);
    bs_buf_put_varlong(out, delta_ms);
    bs_buf_put_varlong(out, offset_delta);
    put_slice(out, key);
    put_slice(out, value);
    bs_buf_put_varlong(out, header_count);
    for (int32_t i = 0; i < header_count; i++) {
        put_slice(out, headers[i].key);
        put_slice(out, headers[i].value);
    }
    builder->count++;
    builder->last_offset_delta = offset_delta;
}

void kp_batch_builder_append_marker(struct kp_batch_builder *builder, int64_t timestamp_ms,
                                    enum kp_control type, int32_t coordinator_epoch)
{
    uint8_t key[4], value[6];
    bs_store_u16(key, 0);
    bs_store_u16(key + 2, (uint16_t)type);
    bs_store_u16(value, 0);
    bs_store_u32(value + 2, (uint32_t)coordinator_epoch);
    kp_batch_builder_append(builder, timestamp_ms, bs_bytes(key, sizeof key),
                            bs_bytes(value, sizeof value), NULL, 0);
}

size_t kp_batch_builder_size(const struct kp_batch_builder *builder)
{
    return builder->records.len;
}

static void put_header(const struct kp_batch_builder *builder, uint8_t *ptr, size_t size)
{
    const struct kp_batch_options *o = &builder->options;
    uint16_t attributes = (uint16_t)o->codec;
    attributes |= o->append_time ? KP_BATCH_LOG_APPEND_TIME : 0;
    attributes |= o->transactional ? KP_BATCH_TRANSACTIONAL : 0;
    attributes |= o->control ? KP_BATCH_CONTROL : 0;
    bs_store_u64(ptr, (uint64_t)o->base_offset);
    bs_store_u32(ptr + 8, (uint32_t)(size - KP_BATCH_PREFIX_BYTES));
    bs_store_u32(ptr + 12, (uint32_t)o->leader_epoch);
    ptr[16] = KP_BATCH_MAGIC;
    bs_store_u16(ptr + 21, attributes);
    bs_store_u32(ptr + 23, (uint32_t)(builder->count ? builder->last_offset_delta : 0));
    bs_store_u64(ptr + 27, (uint64_t)builder->base_timestamp_ms);
    bs_store_u64(ptr + 35, (uint64_t)builder->max_timestamp_ms);
    bs_store_u64(ptr + 43, (uint64_t)o->producer_id);
    bs_store_u16(ptr + 51, (uint16_t)o->producer_epoch);
    bs_store_u32(ptr + 53, (uint32_t)o->base_sequence);
    bs_store_u32(ptr + 57, (uint32_t)builder->count);
    bs_store_u32(ptr + 17, kp_crc32c(ptr + KP_BATCH_CRC_FROM, size - KP_BATCH_CRC_FROM));
}

int kp_batch_builder_finish(struct kp_batch_builder *builder, struct bs_bytes *ret_batch)
{
    struct bs_buf *whole = &builder->records;
    if (builder->options.codec != KP_CODEC_NONE) {
        if (!builder->options.compress)
            return BS_EUNSUPPORTED;
        whole = &builder->packed;
        bs_buf_reset(whole);
        bs_buf_reserve(whole, KP_BATCH_HEADER_BYTES);
        whole->len = KP_BATCH_HEADER_BYTES;
        int rc = builder->options.compress(builder->options.codec,
                                           bs_bytes(builder->records.data + KP_BATCH_HEADER_BYTES,
                                                    builder->records.len - KP_BATCH_HEADER_BYTES),
                                           whole);
        if (rc)
            return rc;
    }
    if (whole->len > INT32_MAX)
        return BS_ELIMIT;
    put_header(builder, whole->data, whole->len);
    *ret_batch = bs_buf_bytes(whole);
    return 0;
}
