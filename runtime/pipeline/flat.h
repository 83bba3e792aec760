/* Flat: the runtime's own encoding of values: what internal topics, stores and Lua views hold.
 * Self-describing, compact, types survive. The format is docs/formats/internal-values.md.
 *
 * Readers trust nothing: every length is checked, depth is bounded. */
#ifndef WEIR_RUNTIME_PIPELINE_FLAT_H
#define WEIR_RUNTIME_PIPELINE_FLAT_H

#include "lib/serde/schema.h"

enum rt_tag {
    RT_TAG_NULL,
    RT_TAG_FALSE,
    RT_TAG_TRUE,
    RT_TAG_LONG,   /* zigzag varlong */
    RT_TAG_FLOAT,  /* 4 bytes */
    RT_TAG_DOUBLE, /* 8 bytes */
    RT_TAG_STRING, /* uvarlong length, bytes */
    RT_TAG_BYTES,
    RT_TAG_ARRAY,  /* u32 length of the rest, u32 count, values */
    RT_TAG_MAP,    /* u32 length of the rest, u32 count, (uvarlong length, name, value)… */
    RT_TAG_RECORD, /* as MAP */
    RT_TAG_BRANCH, /* uvarlong length, name of the union branch, value */
    RT_TAG_AVRO,   /* u32 schema id, Avro binary to the end; only as the outermost value */
    RT_TAG_COUNT
};

enum { RT_FLAT_DEPTH_MAX = 200, RT_FLAT_CONTAINER_SIZE = 8 };

/* Writing. Containers: begin gives a mark, end fills length and count in. */
void rt_flat_put_long(struct bs_buf *out, int64_t value);
void rt_flat_put_double(struct bs_buf *out, double value);
void rt_flat_put_text(struct bs_buf *out, enum rt_tag tag, struct bs_bytes text);
void rt_flat_put_name(struct bs_buf *out, struct bs_bytes name);
size_t rt_flat_begin(struct bs_buf *out, enum rt_tag tag);
void rt_flat_end(struct bs_buf *out, size_t mark, size_t count);
void rt_flat_put_value(struct bs_buf *out, const struct sd_value *value);
/* Decodes one Avro value at the cursor. */
int rt_flat_put_avro(struct bs_buf *out, const struct sd_node *node, struct bs_cursor *at,
                     unsigned depth);

/* Reading. */
int rt_flat_skip(struct bs_cursor *at);
/* The slice of one value at the cursor, tag included; moves behind it. */
int rt_flat_slice(struct bs_cursor *at, struct bs_bytes *ret);
/* Enters a container: `ret_body` is what follows the count. */
int rt_flat_open(struct bs_bytes value, struct bs_cursor *ret_body, size_t *ret_count);
int rt_flat_name(struct bs_cursor *at, struct bs_bytes *ret);
/* A field of a map or record: 0, or BS_ENOTFOUND, or BS_ECORRUPT. */
int rt_flat_field(struct bs_bytes map, struct bs_bytes name, struct bs_bytes *ret);
int rt_flat_get_value(struct bs_cursor *at, struct bs_arena *arena, struct sd_value *ret,
                      unsigned depth);
/* Steps over a branch tag, if there is one. */
int rt_flat_unwrap(struct bs_bytes *value);

#endif
