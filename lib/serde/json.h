/* JSON text ↔ value (RFC 8259). Own reader and writer: number text, member order and repeated
 * members matter to schemas, floats print shortest, and records are read without a second tree. A
 * repeated member: the last value wins. */
#ifndef WEIR_SERDE_JSON_H
#define WEIR_SERDE_JSON_H

#include "lib/serde/value.h"

/* Reads exactly one JSON text. BS_ESYNTAX with line and column; BS_ELIMIT past 512 levels.
 * Integers beyond 64 bits are BS_ERANGE. */
int sd_json_read(struct bs_bytes text, struct bs_arena *arena, struct sd_value *ret,
                 struct bs_error *err);

/* As sd_json_read, for texts from outside whose length alone does not bound what they take:
 * "[0,0,…" of 10 MB is 5 million values. BS_ELIMIT past values_max. */
int sd_json_read_few(struct bs_bytes text, size_t values_max, struct bs_arena *arena,
                     struct sd_value *ret, struct bs_error *err);

/* Compact, one line. NaN and infinities are refused (BS_EINVAL with the path). SD_BYTES and strings
 * that are not UTF-8 are refused unless base64 is true (then they are written base64). */
int sd_json_write(const struct sd_value *value, bool base64, struct bs_buf *out,
                  struct bs_error *err);

#endif
