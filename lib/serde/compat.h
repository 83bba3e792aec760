/* Compatibility of Avro schemas: can data of a writer be read by a reader, and if not, why. Pure.
 *
 * The answers and their order are those of Avro Java's SchemaCompatibility 1.12, because people and
 * tools know them. A registry judges subjects by it, a serializer what it is told to write with. */
#ifndef WEIR_SERDE_COMPAT_H
#define WEIR_SERDE_COMPAT_H

#include "lib/serde/schema.h"

enum sd_problem_type {
    SD_TYPE_MISMATCH,
    SD_NAME_MISMATCH,
    SD_FIXED_SIZE_MISMATCH,
    SD_MISSING_ENUM_SYMBOLS,
    SD_MISSING_UNION_BRANCH,
    SD_READER_FIELD_MISSING_DEFAULT_VALUE,
    SD_UNDECIDED, /* cannot be checked: too large, or a field that matches twice */
    /* by SD_COMPAT_LOGICAL only */
    SD_DECIMAL_MISMATCH,
    SD_LOGICAL_TYPE_MISMATCH,
};

struct sd_problem {
    enum sd_problem_type type;
    const char *path; /* JSON pointer into the reader, "/" for the root */
    const char *info;
};

struct sd_problems {
    struct sd_problem *items;
    size_t count, cap;
    size_t steps; /* taken to find them */
};

enum sd_compat_rules {
    SD_COMPAT_AVRO,    /* logical types do not count, as in Avro Java */
    SD_COMPAT_LOGICAL, /* in addition types must have the same logical type, and decimals the same
                          precision and scale: a value keeps its meaning */
};

/* Bounds. What is beyond is SD_UNDECIDED, which counts as incompatible. */
enum {
    SD_COMPAT_STEPS_MAX = 2000000, /* pairs of types, fields, symbols and aliases looked at,
                                      problems kept, and their texts in proportion */
    SD_COMPAT_PAIRS_MAX = 100000,  /* pairs of types remembered */
    SD_COMPAT_PROBLEMS_MAX = 1000,
    SD_COMPAT_TEXT_MAX = 4 << 20, /* of all paths and infos together */
    SD_COMPAT_INFO_MAX = 10240,   /* of one info */
};

/* All problems, in the reader's order; none: compatible. Texts are in the arena. */
void sd_compat(const struct sd_schema *reader, const struct sd_schema *writer,
               enum sd_compat_rules rules, struct bs_arena *arena, struct sd_problems *ret);
/* As sd_compat, for one of several comparisons that share a bound: takes *steps at most, too, and
 * subtracts what it took. */
void sd_compat_within(const struct sd_schema *reader, const struct sd_schema *writer,
                      enum sd_compat_rules rules, size_t *steps, struct bs_arena *arena,
                      struct sd_problems *ret);
const char *sd_problem_name(enum sd_problem_type type);

#endif
