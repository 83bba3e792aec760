/* Type: what an Avro type becomes in PostgreSQL, and the text form of its values. */
#ifndef WEIR_CONNECTORS_POSTGRES_TYPE_H
#define WEIR_CONNECTORS_POSTGRES_TYPE_H

#include "connectors/api/connector.h"

#include <jansson.h>
#include <stdbool.h>

/* How an integer or bytes value is written. */
enum cn_form {
    CN_FORM_PLAIN,
    CN_FORM_DATE,      /* days since 1970 */
    CN_FORM_TIME,      /* units since midnight */
    CN_FORM_TIMESTAMP, /* units since 1970, UTC */
    CN_FORM_DECIMAL,   /* big-endian two's complement */
};

struct cn_pg_type {
    char name[64]; /* "integer", "text[]": for CREATE TABLE and casts */
    enum cn_form form;
    int64_t units; /* per second: 1000, 1000000, 1000000000 */
    int scale;     /* decimal */
    bool nullable;
    bool has_default;
};

/* From one Avro type (a branch of a union with null included). NULL, or a static text of why it
 * cannot be a column. */
const char *cn_pg_type_from_avro(struct cn_pg_type *type, const json_t *avro);
/* For a primitive key without a schema. */
void cn_pg_type_from_value(struct cn_pg_type *type, const struct cn_value *value);
/* The type of an existing column decides how a value is written: a timestamp stays a number in a
 * bigint column. `name` as PostgreSQL's format_type gives it. */
void cn_pg_type_fit(struct cn_pg_type *type, const char *name);
/* A column that unnest cannot take directly: arrays, JSON, and what has input syntax of its own. */
bool cn_pg_type_by_text(const char *name);

#endif
