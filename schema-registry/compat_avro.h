/* Compatibility of a schema with the versions of a subject, under a level. Pure.
 *
 * What is a problem is lib/serde's answer; the texts are those of Confluent's registry, because
 * tools parse them. */
#ifndef WEIR_SR_COMPAT_AVRO_H
#define WEIR_SR_COMPAT_AVRO_H

#include "lib/serde/compat.h"
#include "schema-registry/level.h"

/* One version of a subject to be compared with. */
struct sr_compat_old {
    const struct sd_schema *schema;
    int version; /* 0: not printed */
};

/* A schema against versions, newest first, under a level; stops at the first that has problems.
 * *steps bounds all comparisons of a request, see sd_compat_within; none left: undecided.
 * Messages (as `messages` of a verbose check) are in the arena; returns true when compatible. */
bool sr_compat_check(const struct sd_schema *schema, const struct sr_compat_old *olds,
                     size_t old_count, enum sr_level level, enum sd_compat_rules rules,
                     size_t *steps, struct bs_arena *arena, const char ***ret_messages,
                     size_t *ret_count);

#endif
