/* Codec: reads and writes Kafka's messages by tables that generate.lua makes of schemata/.
 *
 * The generated headers (generated/lib/kafka/produce.h, …) hold the structs and typed functions;
 * they are what a caller uses. The rules, the same for every message:
 *
 *  - strings, bytes and records are struct bs_bytes; ptr NULL is null. Decoded ones are views of
 * the input, encoded ones are read during the call only.
 *  - an array `topics` is a pointer and `topic_count`; count -1 is null. Decoded arrays and structs
 *    that may be null live in the arena, and are bounded by the bytes that are there to fill them.
 *  - decode sets what the version lacks to its default, skips unknown tagged fields, leaves what
 *    follows the message in the cursor, and moves the cursor only when it succeeds. 0,
 *    BS_EUNSUPPORTED (version), BS_ETRUNCATED, BS_ECORRUPT.
 *  - encode appends. A null where no version of the field knows null is written as empty.
 *    BS_EUNSUPPORTED: the version is not known, or cannot say what the struct says (a field that is
 *    not its default and not ignorable; a null). BS_ERANGE: a string over 32767 bytes. On failure
 * out is as it was.
 *
 * Pure: any thread. */
#ifndef WEIR_KAFKA_CODEC_H
#define WEIR_KAFKA_CODEC_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kp_uuid {
    uint8_t bytes[16]; /* all 0: none */
};

enum kp_type {
    KP_BOOL,
    KP_INT8,
    KP_INT16,
    KP_UINT16,
    KP_INT32,
    KP_UINT32,
    KP_INT64,
    KP_UUID,
    KP_STRING,
    KP_BYTES,
    KP_RECORDS,
    KP_STRUCT,
};

struct kp_range {
    int16_t min, max; /* min > max: never */
};

static inline bool kp_range_has(struct kp_range range, int16_t version)
{
    return version >= range.min && version <= range.max;
}

struct kp_field {
    const char *name;
    const struct kp_struct *members; /* of KP_STRUCT */
    uint32_t offset;                 /* in its struct: the value, or the array's pointer */
    uint32_t count_offset;           /* of an array's count */
    struct kp_range versions, nullable;
    int16_t tag; /* -1: not tagged */
    uint8_t type;
    bool array, ignorable;
    bool rigid;     /* keeps the old length form in flexible versions */
    bool ever_null; /* some version knows null; a struct is then a pointer */
};

struct kp_struct {
    const struct kp_field *fields; /* those in the body in order, then the tagged by tag */
    uint16_t field_count, plain_count;
    uint32_t size;
    const void *defaults; /* one struct with every field at its default */
};

enum kp_kind { KP_REQUEST, KP_RESPONSE, KP_HEADER, KP_DATA, KP_KEY, KP_VALUE, KP_METADATA };

struct kp_message {
    const char *name;
    const struct kp_struct *root;
    struct kp_range versions;
    int16_t flexible; /* first version with compact lengths and tagged fields; 32767: none */
    int16_t key;      /* API key, or the type of a record; -1: neither */
    enum kp_kind kind;
};

/* All messages, for tests and tools. */
extern const struct kp_message *const kp_messages[];
extern const size_t kp_message_count;

/* Records taken out of an encoding, so that they need not be copied into it: the bytes to send are
 * out's up to items[0].at, items[0].bytes, out's on to items[1].at, and so on. */
struct kp_piece {
    size_t at; /* in out->data */
    struct bs_bytes bytes;
};

enum { KP_PIECE_MIN_BYTES = 4096 }; /* shorter records are copied */

struct kp_pieces {
    struct kp_piece *items;
    size_t count, cap;
    size_t byte_count; /* of all pieces: the message is out->len + byte_count long */
};

void kp_pieces_deinit(struct kp_pieces *pieces); /* accepts a zeroed one; leaves it zeroed */

static inline void kp_struct_init(const struct kp_struct *type, void *ret)
{
    memcpy(ret, type->defaults, type->size);
}
int kp_message_decode(const struct kp_message *message, struct bs_cursor *in, int16_t version,
                      struct bs_arena *arena, void *ret);
int kp_message_encode(const struct kp_message *message, const void *from, int16_t version,
                      struct bs_buf *out);
/* As encode; records of KP_PIECE_MIN_BYTES and more are appended to pieces instead of copied and
 * must live as long as it. A length that goes before the message counts pieces->byte_count too. */
int kp_message_encode_pieces(const struct kp_message *message, const void *from, int16_t version,
                             struct bs_buf *out, struct kp_pieces *pieces);

#endif
