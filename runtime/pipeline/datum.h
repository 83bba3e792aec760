/* Datum: a key or value on its way between operators: decoded as little as possible.
 *
 * Bytes are borrowed from the message, the task's arena, or a Lua view that is kept in the slot; a
 * datum lives for one record. */
#ifndef WEIR_RUNTIME_PIPELINE_DATUM_H
#define WEIR_RUNTIME_PIPELINE_DATUM_H

#include "runtime/pipeline/flat.h"

enum rt_form {
    RT_NULL,
    RT_BOOL,
    RT_LONG,
    RT_DOUBLE,
    RT_STRING,
    RT_BYTES,
    RT_TREE, /* a flat container, tag included */
    RT_AVRO, /* Avro binary with its schema */
    RT_JSON, /* JSON text, not parsed yet */
};

/* A schema as the registry knows it, or a reader's. Lives as long as the pipeline. */
struct rt_avro {
    int32_t id;  /* negative: a reader's, which the registry need not know */
    bool reader; /* data has been resolved to it: its bytes are not those of the message */
    struct sd_schema *schema;
    const struct sd_node *root;
};

struct rt_datum {
    uint8_t form;  /* enum rt_form */
    bool windowed; /* keys only: start and stop hold */
    int slot;      /* where the Lua side keeps its view; 0: none made yet */
    const struct rt_avro *avro;
    union {
        bool boolean;
        int64_t number;
        double real;
        struct bs_bytes bytes;
    };
    int64_t start, stop; /* window: [start, stop) */
};

static inline bool rt_datum_null(const struct rt_datum *datum)
{
    return datum->form == RT_NULL;
}
/* What users call the form: "a string", "an integer", … */
const char *rt_datum_kind(const struct rt_datum *datum);
/* Appends the flat form (RT_TAG_AVRO for an Avro datum). */
int rt_datum_put(const struct rt_datum *datum, struct bs_arena *arena, struct bs_buf *out,
                 struct bs_error *err);
/* Value tree; strings may point into the datum's bytes. */
int rt_datum_value(const struct rt_datum *datum, struct bs_arena *arena, struct sd_value *ret,
                   struct bs_error *err);
/* Parses RT_JSON into RT_TREE or a scalar, in the arena; other forms stay. */
int rt_datum_parse(struct rt_datum *datum, struct bs_arena *arena, struct bs_error *err);
/* From one flat value that is a scalar or container (no RT_TAG_AVRO); borrows it. */
int rt_datum_from_flat(struct bs_bytes flat, struct rt_datum *ret);
bool rt_datum_equal(const struct rt_datum *a, const struct rt_datum *b, struct bs_arena *arena);
/* JSON text of it, cut to `max` bytes, for messages. */
void rt_datum_show(const struct rt_datum *datum, struct bs_arena *arena, size_t max,
                   struct bs_buf *out);

#endif
