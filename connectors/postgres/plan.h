/* Plan: how records of one kind (topic and schemas) become rows of one table: columns, where their
 * values come from, and the statements. Pure: no connection. */
#ifndef WEIR_CONNECTORS_POSTGRES_PLAN_H
#define WEIR_CONNECTORS_POSTGRES_PLAN_H

#include "connectors/postgres/type.h"

#include "connectors/postgres/expbuffer.h"

enum { CN_COLUMNS_MAX = 1600 }; /* PostgreSQL's own bound */

enum cn_key_mode { CN_KEY_NONE, CN_KEY_KAFKA, CN_KEY_RECORD_KEY, CN_KEY_RECORD_VALUE };

enum cn_from {
    CN_FROM_VALUE,     /* field `index` of the value */
    CN_FROM_KEY,       /* the key itself */
    CN_FROM_KEY_FIELD, /* field `index` of the key */
    CN_FROM_TOPIC,
    CN_FROM_PARTITION,
    CN_FROM_OFFSET,
};

struct cn_plan_column {
    char *name;
    enum cn_from from;
    size_t index;
    struct cn_pg_type type;
    bool typed; /* the type is known from a schema, not only from the table */
    bool key;
};

/* What of the options a plan needs. Lists are NULL-ended. */
struct cn_plan_rules {
    enum cn_key_mode key_mode;
    char **key_fields, **whitelist;
    bool upsert;
    const char *table_format; /* "${topic}" */
};

struct cn_plan {
    char *topic;
    const char *key_schema, *value_schema; /* as pointers: they identify the plan */
    char *shape;    /* without value schema: the names of the fields, each followed by a newline */
    bool tombstone; /* of records without a value: the key columns alone */
    char *table;    /* quoted, with schema: "public"."t" */
    struct cn_plan_column *columns;
    size_t count, key_count;
    char *insert_sql, *delete_sql; /* made by cn_plan_finish */
};

/* Columns and types from the record and its schemas. false: error says what is missing. */
bool cn_plan_init(struct cn_plan *plan, const struct cn_plan_rules *rules,
                  const struct cn_record *record, struct cn_error *error);
void cn_plan_deinit(struct cn_plan *plan); /* accepts a zeroed one */
bool cn_plan_matches(const struct cn_plan *plan, const struct cn_record *record);
/* The value of a column in a record; CN_NULL when it is absent. `own` gives room for values that
 * are made here. */
const struct cn_value *cn_plan_value(const struct cn_plan_column *column,
                                     const struct cn_record *record, struct cn_value *own);
/* After the columns' types are settled. */
void cn_plan_finish(struct cn_plan *plan, const struct cn_plan_rules *rules);
/* CREATE TABLE IF NOT EXISTS; false when a column has no type. */
bool cn_plan_create_sql(const struct cn_plan *plan, PQExpBuffer out);
void cn_plan_add_column_sql(const struct cn_plan *plan, const struct cn_plan_column *column,
                            PQExpBuffer out);
void cn_quote(PQExpBuffer out, const char *name); /* an identifier, always in quotes */

#endif
