/* Member: one of a JSON object by its name, as the type that is wanted. Pure.
 *
 * Scalars are taken for each other as Confluent's registry takes them (Jackson's defaults): a
 * number or a boolean where a text is wanted, "1" and 1.0 where an integer is, "true" and 1 (any
 * integer but 0) where a boolean is; a blank text or "null" there counts as left out. */
#ifndef WEIR_SR_MEMBER_H
#define WEIR_SR_MEMBER_H

#include "lib/serde/value.h"

/* `ret` is of `type` (SD_STRING, SD_LONG, SD_BOOL, SD_ARRAY, SD_MAP), or SD_NULL where the member
 * is left out or null. BS_EINVAL: err says what it is and what is wanted. */
int sr_member_read(const struct sd_value *object, const char *name, enum sd_type type,
                   struct bs_arena *arena, struct sd_value *ret, struct bs_error *err);
/* The same of a value; false: it cannot be taken for that type. */
bool sr_member_take(const struct sd_value *from, enum sd_type type, struct bs_arena *arena,
                    struct sd_value *ret);
/* A list of texts; false: it is none. */
bool sr_member_take_texts(const struct sd_value *from, struct bs_arena *arena,
                          struct sd_value *ret);
/* "a number", "an object": in the words of JSON. */
const char *sr_member_type(const struct sd_value *value);

#endif
