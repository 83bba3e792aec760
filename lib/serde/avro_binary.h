/* Avro binary: what the files of lib/serde that read and write it share. */
#ifndef WEIR_SERDE_AVRO_BINARY_H
#define WEIR_SERDE_AVRO_BINARY_H

#include "lib/serde/avro.h"
#include "lib/serde/path.h"
#include "lib/serde/schema_model.h"

/* Items that take no bytes cannot be bounded by the bytes that are left. */
enum { SD_EMPTY_ITEMS_MAX = 65536 };

struct sd_avro_reader {
    struct bs_cursor at;
    struct bs_arena *arena;
    bool borrow;      /* strings are slices of what the cursor walks over: it lives in the arena */
    size_t arena_max; /* bs_arena_used beyond it: BS_ELIMIT */
    struct bs_error *err;
};

void sd_avro_reader_init(struct sd_avro_reader *r, struct bs_cursor at, struct bs_arena *arena,
                         bool borrow, struct bs_error *err);
int sd_avro_too_large(const struct sd_avro_reader *r, const struct sd_path *path);

int sd_avro_fail(struct bs_error *err, const struct sd_path *path, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Zigzag varint of at most 64 bits. */
static inline int sd_get_long(struct bs_cursor *c, int64_t *ret)
{
    const uint8_t *p = c->at;
    uint64_t v = 0;
    if (p < c->end && *p < 0x80) { /* most of them */
        c->at = p + 1;
        *ret = bs_unzigzag(*p);
        return 0;
    }
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (p == c->end)
            return BS_ETRUNCATED;
        v |= (uint64_t)(*p & 0x7f) << shift;
        if (*p++ < 0x80) {
            c->at = p;
            *ret = bs_unzigzag(v);
            return 0;
        }
    }
    return BS_ECORRUPT;
}

int sd_avro_get_value(struct sd_avro_reader *r, const struct sd_node *node,
                      const struct sd_path *path, unsigned depth, struct sd_value *ret);
int sd_avro_skip_value(const struct sd_node *node, struct bs_cursor *at, unsigned depth);
/* Length-prefixed bytes as a view of the cursor's memory. */
int sd_avro_get_slice(struct sd_avro_reader *r, const struct sd_path *path, struct bs_bytes *ret);
struct bs_bytes sd_avro_keep(const struct sd_avro_reader *r, struct bs_bytes view);
/* A block of an array or map. */
struct sd_avro_block {
    size_t count;       /* 0: there is none any more */
    const uint8_t *end; /* where its size in bytes says it ends; NULL: it has none */
};

/* The block behind `block`, which was read to its end (zeroed: the first one); `total` items came
 * before. */
int sd_avro_get_block(struct sd_avro_reader *r, const struct sd_path *path, bool empty_items,
                      size_t total, struct sd_avro_block *block);

/* The items of an array or map as they come, one behind the other in the reader's arena. */
struct sd_avro_list {
    size_t size;      /* of an item in memory */
    bool empty_items; /* they take no bytes in the data */
    void *items;
    size_t count, cap;          /* count: the reader of the items keeps it */
    struct sd_avro_block block; /* whose items have room behind the others */
};

int sd_avro_next_block(struct sd_avro_reader *r, const struct sd_path *path,
                       struct sd_avro_list *list);

#endif
