/* Metadata: what people say about a schema: tags of its parts, properties, and which properties are
 * sensitive. Pure.
 *
 *   {"tags":{path:[tag]},"properties":{key:value},"sensitive":[key]}
 *
 * Sorted by name; lists are sets. The registry itself adds the property "confluent:version" to
 * versions whose number was asked for. */
#ifndef WEIR_SR_METADATA_H
#define WEIR_SR_METADATA_H

#include "lib/serde/value.h"

#define SR_METADATA_VERSION  "confluent:version"
#define SR_METADATA_RESERVED "confluent:reserved" /* names of fields, with commas */

/* Sorted; numbers and booleans as texts where texts are wanted, as Confluent's registry reads them.
 * BS_EINVAL says which member has a wrong type. */
int sr_metadata_read(const struct sd_value *json, struct bs_arena *arena,
                     const struct sd_value **ret, struct bs_error *err);
/* `old` with `new` over it, by key. Either may be NULL. Both were read. */
const struct sd_value *sr_metadata_merge(const struct sd_value *old, const struct sd_value *new,
                                         struct bs_arena *arena);
/* With that property, or without it (value NULL). */
const struct sd_value *sr_metadata_with(const struct sd_value *metadata, const char *name,
                                        const char *value, struct bs_arena *arena);
/* The value of a property, or a NULL ptr. `metadata` may be NULL. */
struct bs_bytes sr_metadata_property(const struct sd_value *metadata, const char *name);

#endif
