/* Compatibility of Avro schemas: can data of a writer be read by a reader, and if not, why. Pure.
 *
 * The answers and their order are those of Avro Java's SchemaCompatibility 1.12, the texts those of
 * Confluent's registry, because people and tools know them. */
#ifndef WEIR_SR_COMPAT_AVRO_H
#define WEIR_SR_COMPAT_AVRO_H

#include "lib/serde/schema.h"
#include "schema-registry/level.h"

enum sr_problem_type {
    SR_TYPE_MISMATCH,
    SR_NAME_MISMATCH,
    SR_FIXED_SIZE_MISMATCH,
    SR_MISSING_ENUM_SYMBOLS,
    SR_MISSING_UNION_BRANCH,
    SR_READER_FIELD_MISSING_DEFAULT_VALUE,
    SR_UNDECIDED, /* cannot be checked: too large, or a field that matches twice */
};

struct sr_problem {
    enum sr_problem_type type;
    const char *path; /* JSON pointer into the reader, "/" for the root */
    const char *info;
};

struct sr_problems {
    struct sr_problem *items;
    size_t count, cap;
};

/* All problems, in the reader's order; none: compatible. Texts are in the arena. */
void sr_compat_avro(const struct sd_schema *reader, const struct sd_schema *writer,
                    struct bs_arena *arena, struct sr_problems *ret);
const char *sr_problem_name(enum sr_problem_type type);

/* One version of a subject to be compared with. */
struct sr_compat_old {
    const struct sd_schema *schema;
    int version; /* 0: not printed */
};

/* A schema against versions, newest first, under a level; stops at the first that has problems.
 * Messages (as `messages` of a verbose check) are in the arena; returns true when compatible. */
bool sr_compat_check(const struct sd_schema *schema, const struct sr_compat_old *olds,
                     size_t old_count, enum sr_level level, struct bs_arena *arena,
                     const char ***ret_messages, size_t *ret_count);

#endif
