/* Schema model: what stands behind the public nodes of schema.h; for the files of lib/serde only.
 *
 * Every sd_node is the head of an sd_node_more. All of it lives in the schema's arena and is never
 * changed once the schema is handed out. */
#ifndef WEIR_SERDE_SCHEMA_MODEL_H
#define WEIR_SERDE_SCHEMA_MODEL_H

#include "lib/serde/schema.h"

#include <stdatomic.h>

enum {
    SD_SCHEMA_TEXT_MAX = 1 << 20,
    SD_SCHEMA_SOURCES_MAX = 8 << 20,
    SD_SCHEMA_DEPTH_MAX = 200,
    SD_SCHEMA_NODES_MAX = 100000,
    SD_SCHEMA_FIXED_MAX = 2147483639, /* as Java: the largest array */
    SD_DEPTH_MAX = 200,               /* of data */
};

enum sd_order { SD_ORDER_ASCENDING, SD_ORDER_DESCENDING, SD_ORDER_IGNORE };

struct sd_field_more {
    struct bs_bytes name, doc; /* doc.ptr NULL: none */
    enum sd_order order;
    struct sd_field *attributes; /* all other members, in the order of the text */
    size_t attribute_count;
    struct bs_bytes encoded; /* default as Avro binary; ptr NULL: none, or not valid */
};

struct sd_node_more {
    struct sd_node node;
    const char *space;   /* namespace of a named type; "" for none */
    const char *base;    /* its name without the namespace */
    uint32_t name_id;    /* equal for equal full names */
    bool foreign;        /* comes from a referenced schema: texts only name it */
    bool is_error;       /* RECORD spelled "error" */
    bool empty;          /* every value of it takes no bytes */
    bool ambiguous;      /* UNION with more than one branch that is not null */
    bool complete;       /* RECORD: its fields are parsed */
    bool logical_listed; /* logicalType is valid: normalized texts put it first */
    struct bs_bytes doc;
    struct sd_field *attributes;
    size_t attribute_count;
    struct sd_field_more *more;   /* RECORD: one per field */
    struct bs_bytes *symbol_text; /* ENUM: symbols with their length */
    uint32_t *table;              /* RECORD, ENUM: index + 1 by name hash; NULL when small */
    size_t table_cap;
};

struct sd_schema {
    _Atomic unsigned refs; /* the one shared cell: schemas are handed from thread to thread */
    struct bs_arena arena;
    struct sd_node *root;
    struct sd_node_more **nodes; /* by index */
    size_t node_count, name_count;
    struct bs_bytes *sources; /* texts in the order they were read: references first, own last */
    size_t source_count;
};

static inline const struct sd_node_more *sd_more(const struct sd_node *node)
{
    return (const struct sd_node_more *)node;
}

const char *sd_avro_name(enum sd_avro kind); /* "int", "record", … */
uint32_t sd_name_hash(struct bs_bytes name);
int sd_node_symbol(const struct sd_node *node, struct bs_bytes symbol); /* index or -1 */

/* schema_default.c. `budget` counts steps down; below zero gives up. */
bool sd_default_valid(const struct sd_node *node, const struct sd_value *json, long *budget,
                      unsigned depth);
/* Avro binary of a default; BS_EINVAL when it does not fit the type. */
int sd_default_encode(const struct sd_node *node, const struct sd_value *json, struct bs_buf *out,
                      long *budget, unsigned depth);

/* schema_text.c: the canonical text of one named type; the named types inside it by name only. */
void sd_node_text(const struct sd_schema *schema, const struct sd_node *node, struct bs_buf *out);

/* An attribute that is written instead of the one of that name, or is left out (value NULL). */
struct sd_instead {
    uint32_t node; /* index */
    int field;     /* of that record, or -1: of the type itself */
    const struct sd_value *value;
};

/* The canonical text with `name` instead; `list` is sorted by node and field. */
void sd_schema_text_with(const struct sd_schema *schema, const char *name,
                         const struct sd_instead *list, size_t count, struct bs_buf *out);

#endif
