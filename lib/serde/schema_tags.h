/* Schema tags: the attribute "confluent:tags" of records and their fields: who reads a schema finds
 * there what its data is, "PII" for example. Pure.
 *
 * A path is a record's full name, for a field with the field's name behind it: "x.Order.email". It
 * may begin with a dot, and may leave the namespace out. */
#ifndef WEIR_SERDE_SCHEMA_TAGS_H
#define WEIR_SERDE_SCHEMA_TAGS_H

#include "lib/serde/schema.h"

enum { SD_RETAGS_MAX = 1000, SD_TAGS_MAX = 1000 /* of one record or field */ };

struct sd_tagged {
    const char *path;
    bool field;                  /* else a record */
    const struct sd_value *tags; /* list of strings */
};

struct sd_retag {
    const char *path;
    bool field;
    const struct sd_value *add, *remove; /* lists of strings, or NULL */
};

/* All that have tags, in the order of the schema, those of referenced types too. */
void sd_schema_tags(const struct sd_schema *schema, struct bs_arena *arena, struct sd_tagged **ret,
                    size_t *ret_count);
/* The canonical text with changed tags; all additions are made before removals. BS_ENOTFOUND: a
 * path is not in the schema's own text (with `lenient` it is passed over). BS_ELIMIT. */
int sd_schema_retag(const struct sd_schema *schema, const struct sd_retag *changes, size_t count,
                    bool lenient, struct bs_buf *out, struct bs_error *err);

#endif
