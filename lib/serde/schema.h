/* Avro schema: parsed, resolved, immutable, counted. Avro specification 1.12.
 *
 * The node tree is public because readers, compatibility and the Lua views walk it. Named types are
 * nodes reached again through `SD_AVRO_REF`-free direct pointers: recursion makes the graph cyclic,
 * so walkers bound their depth. */
#ifndef WEIR_SERDE_SCHEMA_H
#define WEIR_SERDE_SCHEMA_H

#include "lib/serde/value.h"

enum sd_avro {
    SD_AVRO_NULL,
    SD_AVRO_BOOLEAN,
    SD_AVRO_INT,
    SD_AVRO_LONG,
    SD_AVRO_FLOAT,
    SD_AVRO_DOUBLE,
    SD_AVRO_BYTES,
    SD_AVRO_STRING,
    SD_AVRO_RECORD, /* and error */
    SD_AVRO_ENUM,
    SD_AVRO_ARRAY,
    SD_AVRO_MAP,
    SD_AVRO_UNION,
    SD_AVRO_FIXED,
};

enum sd_logical {
    SD_LOGICAL_NONE,
    SD_LOGICAL_DECIMAL,
    SD_LOGICAL_UUID,
    SD_LOGICAL_DATE,
    SD_LOGICAL_TIME_MILLIS,
    SD_LOGICAL_TIME_MICROS,
    SD_LOGICAL_TIMESTAMP_MILLIS,
    SD_LOGICAL_TIMESTAMP_MICROS,
    SD_LOGICAL_TIMESTAMP_NANOS,
    SD_LOGICAL_LOCAL_TIMESTAMP_MILLIS,
    SD_LOGICAL_LOCAL_TIMESTAMP_MICROS,
    SD_LOGICAL_LOCAL_TIMESTAMP_NANOS,
    SD_LOGICAL_DURATION,
};

struct sd_schema_field {
    const char *name;
    const char *doc; /* or NULL */
    struct sd_node *type;
    const struct sd_value *default_value; /* as JSON value, or NULL: none */
    const char *const *aliases;
    size_t alias_count;
};

struct sd_node {
    enum sd_avro kind;
    enum sd_logical logical; /* only when valid on this kind */
    int precision, scale;    /* decimal */
    const char *name;        /* RECORD, ENUM, FIXED: full name; else NULL */
    const char *doc;
    const char *const *aliases; /* full names */
    size_t alias_count;
    struct sd_schema_field *fields; /* RECORD */
    size_t field_count;
    const char *const *symbols; /* ENUM */
    size_t symbol_count;
    const char *enum_default;  /* or NULL */
    struct sd_node **branches; /* UNION */
    size_t branch_count;
    struct sd_node *items; /* ARRAY items, MAP values */
    size_t size;           /* FIXED */
    uint32_t index;        /* unique within its schema, from 0: for visited sets and plans */
};

struct sd_schema; /* counted */

/* A schema that others refer to by name (registry references). */
struct sd_reference {
    const char *name;
    const struct sd_schema *schema; /* or NULL: */
    struct bs_bytes text;           /* its text alone; what that refers to is in the list too */
};

/* `strict` as for a newly registered schema: names and defaults are checked; else as one already
 * stored. Bounds: 1 MiB of text, 8 MiB with what is referred to, depth 200, 100,000 nodes →
 * BS_ELIMIT.
 * BS_ESYNTAX / BS_EINVAL say where (JSON path) and why. */
int sd_schema_parse(struct bs_bytes text, bool strict, const struct sd_reference *refs,
                    size_t ref_count, struct sd_schema **ret, struct bs_error *err);
struct sd_schema *sd_schema_ref(struct sd_schema *schema);
void sd_schema_unref(struct sd_schema *schema); /* accepts NULL */
const struct sd_node *sd_schema_root(const struct sd_schema *schema);
/* The text that a registry stores (canonical) and, with `normalize`, the normalized one. */
void sd_schema_text(const struct sd_schema *schema, bool normalize, struct bs_buf *out);
/* The canonical text with the referenced types written out where they are met first: needs no
 * references. BS_ELIMIT: nested too deeply to be written so. */
int sd_schema_resolved(const struct sd_schema *schema, struct bs_buf *out);
/* Avro Parsing Canonical Form and its Rabin fingerprint. */
void sd_schema_pcf(const struct sd_schema *schema, struct bs_buf *out);
uint64_t sd_fingerprint64(struct bs_bytes pcf);
size_t sd_schema_memory(const struct sd_schema *schema); /* bytes, about */
/* Index of a record's field by name, or -1. Hashed for large records. */
int sd_node_field(const struct sd_node *record, struct bs_bytes name);

#endif
