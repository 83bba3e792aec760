/* Record batch (magic 2): the unit that producers send, logs keep and consumers fetch.
 *
 * A batch is a header of 61 bytes and a payload of records, compressed as a whole or not. This room
 * reads headers, checks them, walks records and builds batches; compressing is done by who links
 * weir_kafka_compress (compress.h), so what only passes batches on does not need the compressors.
 *
 * Everything read is a view of the caller's bytes. Pure: any thread, one at a time per object. */
#ifndef WEIR_KAFKA_RECORD_BATCH_H
#define WEIR_KAFKA_RECORD_BATCH_H

#include "lib/base/buf.h"
#include "lib/base/bytes.h"

#include <stdbool.h>

enum {
    KP_BATCH_HEADER_BYTES = 61, /* up to the first record */
    KP_BATCH_PREFIX_BYTES = 12, /* base offset and length: what the length does not count */
    KP_BATCH_MAGIC = 2,
    KP_BATCH_CRC_FROM = 21, /* the CRC covers from here to the end */
};

enum kp_codec {
    KP_CODEC_NONE = 0,
    KP_CODEC_GZIP = 1,
    KP_CODEC_SNAPPY = 2,
    KP_CODEC_LZ4 = 3,
    KP_CODEC_ZSTD = 4,
};

/* Bits of attributes. */
enum {
    KP_BATCH_CODEC_MASK = 0x07,
    KP_BATCH_LOG_APPEND_TIME = 0x08,
    KP_BATCH_TRANSACTIONAL = 0x10,
    KP_BATCH_CONTROL = 0x20,
    KP_BATCH_DELETE_HORIZON = 0x40, /* base_timestamp is the horizon */
};

/* A header, read out. */
struct kp_batch {
    int64_t base_offset;
    size_t size; /* of the whole batch, prefix and header included */
    int32_t leader_epoch;
    int8_t magic;
    uint32_t crc;
    int16_t attributes;
    int32_t last_offset_delta;
    int64_t base_timestamp, max_timestamp; /* milliseconds since 1970; -1: none */
    int64_t producer_id;                   /* -1: none */
    int16_t producer_epoch;                /* -1: none */
    int32_t base_sequence;                 /* -1: none */
    int32_t record_count;
};

static inline enum kp_codec kp_batch_codec(const struct kp_batch *batch)
{
    return (enum kp_codec)(batch->attributes & KP_BATCH_CODEC_MASK);
}
static inline bool kp_batch_is_control(const struct kp_batch *batch)
{
    return (batch->attributes & KP_BATCH_CONTROL) != 0;
}
static inline bool kp_batch_is_transactional(const struct kp_batch *batch)
{
    return (batch->attributes & KP_BATCH_TRANSACTIONAL) != 0;
}
static inline int64_t kp_batch_last_offset(const struct kp_batch *batch)
{
    return batch->base_offset + batch->last_offset_delta;
}
const char *kp_codec_name(int codec); /* "none", "gzip", …; "unknown" */

/* CRC-32C as Kafka, iSCSI and ext4 compute it. */
uint32_t kp_crc32c(const void *ptr, size_t len);

/* Reads the header that starts at ptr. Of the batch only the header need be there (len >= 61, else
 * BS_ETRUNCATED). BS_EUNSUPPORTED: an older magic. BS_ECORRUPT: a length below the header's. */
int kp_batch_peek(const uint8_t *ptr, size_t len, struct kp_batch *ret_batch);
/* Reads and checks the batch at the start of bytes: it is there whole (BS_ETRUNCATED), its CRC is
 * right, counts and deltas are not negative (BS_ECORRUPT), its codec is known (BS_EUNSUPPORTED).
 * More may follow it: the next is at bytes.ptr + ret_batch->size. */
int kp_batch_check(struct bs_bytes bytes, struct kp_batch *ret_batch);
/* The records' bytes behind the header, as they are (compressed or not). */
static inline struct bs_bytes kp_batch_payload(const uint8_t *ptr, const struct kp_batch *batch)
{
    return bs_bytes(ptr + KP_BATCH_HEADER_BYTES, batch->size - KP_BATCH_HEADER_BYTES);
}

/* Setters on the bytes. The first two are outside the CRC; the others compute it anew. */
void kp_batch_set_base_offset(uint8_t *ptr, int64_t base_offset);
void kp_batch_set_leader_epoch(uint8_t *ptr, int32_t leader_epoch);
void kp_batch_set_append_time(uint8_t *ptr, size_t size, int64_t append_time_ms);
void kp_batch_set_max_timestamp(uint8_t *ptr, size_t size, int64_t max_timestamp_ms);

/* ---- records ----------------------------------------------------------------------------------
 */

struct kp_header {
    struct bs_bytes key;   /* UTF-8, never null */
    struct bs_bytes value; /* ptr NULL: null */
};

struct kp_record {
    int64_t offset;
    int64_t timestamp_ms; /* the append time in a LogAppendTime batch */
    int32_t offset_delta;
    struct bs_bytes key, value; /* ptr NULL: null */
    int32_t header_count;
    struct bs_bytes headers; /* encoded; walk with kp_headers_next */
};

struct kp_record_reader {
    struct kp_batch batch;
    struct bs_cursor in;
    int32_t left;
};

/* payload: the batch's records, decompressed; it outlives the reader and what it gives. */
void kp_record_reader_init(struct kp_record_reader *reader, const struct kp_batch *batch,
                           struct bs_bytes payload);
/* 0: *ret is the next record. 1: no more, and nothing is left over. BS_ETRUNCATED, BS_ECORRUPT. */
int kp_record_reader_next(struct kp_record_reader *reader, struct kp_record *ret);
/* `in` starts as bs_cursor(record.headers). 0, or 1 at the end: what kp_record_reader_next gave was
 * checked, so there is no error. */
int kp_headers_next(struct bs_cursor *in, struct kp_header *ret);

/* The key of a record in a control batch: what it says. BS_ECORRUPT, BS_EUNSUPPORTED (version). */
enum kp_control {
    KP_CONTROL_ABORT = 0,
    KP_CONTROL_COMMIT = 1
}; /* others exist: leader change, … */
int kp_control_key_decode(struct bs_bytes key, int16_t *ret_type);
/* The value of a commit or abort record. */
int kp_control_value_decode(struct bs_bytes value, int32_t *ret_coordinator_epoch);

/* ---- building ---------------------------------------------------------------------------------
 */

/* Appends in's compressed form to out; kp_compress (compress.h) is one. */
typedef int kp_compressor(int codec, struct bs_bytes in, struct bs_buf *out);

struct kp_batch_options {
    int64_t base_offset; /* 0 in what a producer sends */
    int32_t leader_epoch;
    enum kp_codec codec;
    kp_compressor *compress; /* needed when codec is not none */
    bool transactional, control, append_time;
    int64_t producer_id; /* -1 without */
    int16_t producer_epoch;
    int32_t base_sequence;
};

#define KP_BATCH_OPTIONS_INIT                                                            \
    {                                                                                    \
        .leader_epoch = -1, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1 \
    }

struct kp_batch_builder {
    struct kp_batch_options options;
    struct bs_buf records; /* header's room, then the records, uncompressed */
    struct bs_buf packed;  /* the same compressed */
    int32_t count, last_offset_delta;
    int64_t base_timestamp_ms, max_timestamp_ms;
};

void kp_batch_builder_init(struct kp_batch_builder *builder,
                           const struct kp_batch_options *options);
void kp_batch_builder_deinit(struct kp_batch_builder *builder);
/* For the next batch; keeps the memory. options NULL: as before. */
void kp_batch_builder_reset(struct kp_batch_builder *builder,
                            const struct kp_batch_options *options);
void kp_batch_builder_append(struct kp_batch_builder *builder, int64_t timestamp_ms,
                             struct bs_bytes key, struct bs_bytes value,
                             const struct kp_header *headers, int32_t header_count);
/* As append with an offset of the caller's choice (compaction leaves gaps); it rises. */
void kp_batch_builder_append_at(struct kp_batch_builder *builder, int32_t offset_delta,
                                int64_t timestamp_ms, struct bs_bytes key, struct bs_bytes value,
                                const struct kp_header *headers, int32_t header_count);
/* The record of a transaction's end; options.control and .transactional are set. */
void kp_batch_builder_append_marker(struct kp_batch_builder *builder, int64_t timestamp_ms,
                                    enum kp_control type, int32_t coordinator_epoch);
/* Uncompressed size by now, header included. */
size_t kp_batch_builder_size(const struct kp_batch_builder *builder);
/* The whole batch, valid until the next call on builder. BS_E… of the compressor. */
int kp_batch_builder_finish(struct kp_batch_builder *builder, struct bs_bytes *ret_batch);

#endif
