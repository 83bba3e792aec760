/* Bytes: a borrowed slice, and a bounded cursor over one.
 *
 * A cursor's get functions return 0 or BS_ETRUNCATED / BS_ECORRUPT and move only when they succeed;
 * what they give is a view of the cursor's memory, valid as long as that is. Integers are big
 * endian unless the name says le; varints are the Kafka/Protobuf ones (7 bits a byte, low group
 * first), `varint`/`varlong` zigzag, `uvarint` plain. */
#ifndef WEIR_BASE_BYTES_H
#define WEIR_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bs_bytes {
    const uint8_t *ptr; /* NULL means "no value" where a format knows null */
    size_t len;
};

static inline struct bs_bytes bs_bytes(const void *ptr, size_t len)
{
    return (struct bs_bytes){.ptr = ptr, .len = len};
}
static inline struct bs_bytes bs_bytes_text(const char *text)
{
    return bs_bytes(text, text ? strlen(text) : 0);
}
bool bs_bytes_equal(struct bs_bytes a, struct bs_bytes b);
int bs_bytes_compare(struct bs_bytes a, struct bs_bytes b); /* unsigned, shorter first */
bool bs_bytes_is(struct bs_bytes a, const char *text);
bool bs_utf8_valid(struct bs_bytes text); /* RFC 3629: no surrogates, no overlong forms */

struct bs_cursor {
    const uint8_t *at, *end;
};

static inline struct bs_cursor bs_cursor(struct bs_bytes bytes)
{
    return (struct bs_cursor){.at = bytes.ptr,
                              .end = bytes.len ? bytes.ptr + bytes.len : bytes.ptr};
}
static inline size_t bs_cursor_left(const struct bs_cursor *c)
{
    return (size_t)(c->end - c->at);
}
int bs_get_bytes(struct bs_cursor *c, size_t len, struct bs_bytes *ret);
int bs_get_u8(struct bs_cursor *c, uint8_t *ret);
int bs_get_u16(struct bs_cursor *c, uint16_t *ret);
int bs_get_u32(struct bs_cursor *c, uint32_t *ret);
int bs_get_u64(struct bs_cursor *c, uint64_t *ret);
int bs_get_uvarint(struct bs_cursor *c, uint32_t *ret);
int bs_get_uvarlong(struct bs_cursor *c, uint64_t *ret);
int bs_get_varint(struct bs_cursor *c, int32_t *ret);
int bs_get_varlong(struct bs_cursor *c, int64_t *ret);

static inline uint16_t bs_load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t bs_load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t bs_load_u64(const uint8_t *p)
{
    return (uint64_t)bs_load_u32(p) << 32 | bs_load_u32(p + 4);
}
static inline void bs_store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void bs_store_u32(uint8_t *p, uint32_t v)
{
    bs_store_u16(p, (uint16_t)(v >> 16));
    bs_store_u16(p + 2, (uint16_t)v);
}
static inline void bs_store_u64(uint8_t *p, uint64_t v)
{
    bs_store_u32(p, (uint32_t)(v >> 32));
    bs_store_u32(p + 4, (uint32_t)v);
}

/* Bytes written (1..10). `out` has room for 10. */
size_t bs_put_uvarlong(uint8_t *out, uint64_t v);
static inline uint64_t bs_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}
static inline int64_t bs_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

#endif
