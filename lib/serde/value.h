/* Value: the one model of data between formats: what JSON, Avro and Lua share.
 *
 * A value is a tree in an arena: it lives as long as the arena, points to its own copies of
 * strings, and is never changed once handed on (share freely). Field order is kept. */
#ifndef WEIR_SERDE_VALUE_H
#define WEIR_SERDE_VALUE_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

enum sd_type {
    SD_NULL,
    SD_BOOL,
    SD_LONG,  /* Avro int, long and their logical types; JSON number without fraction or exponent */
    SD_FLOAT, /* Avro float; kept apart so that it prints shortest as a float */
    SD_DOUBLE, /* Avro double; any other JSON number */
    SD_STRING, /* UTF-8 by Avro and JSON, not checked here; enum symbols too */
    SD_BYTES,  /* Avro bytes, fixed */
    SD_ARRAY,
    SD_MAP,    /* names in order: Avro map, JSON object, Lua table */
    SD_RECORD, /* as SD_MAP, from an Avro record */
};

struct sd_value {
    uint8_t type;       /* enum sd_type */
    const char *branch; /* union branch by full name where the value alone is ambiguous, or NULL */
    union {
        bool boolean;
        int64_t number;
        double real;
        struct bs_bytes bytes; /* SD_STRING, SD_BYTES */
        struct {
            struct sd_value *items;
            size_t count;
        } array;
        struct {
            struct sd_field *fields;
            size_t count;
        } map; /* SD_MAP, SD_RECORD */
    };
};

struct sd_field {
    struct bs_bytes name;
    struct sd_value value;
};

/* Text names of types for messages: "null", "boolean", "long", … */
const char *sd_type_name(enum sd_type type);
/* First field of that name, or NULL. */
const struct sd_value *sd_value_get(const struct sd_value *map, struct bs_bytes name);
/* Deep: numbers by value (1 equals 1.0 never: types must match), maps in any order. */
bool sd_value_equal(const struct sd_value *a, const struct sd_value *b);
struct sd_value *sd_value_copy(struct bs_arena *arena, const struct sd_value *value);

#endif
