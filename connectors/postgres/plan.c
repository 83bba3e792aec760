/* Plan: columns and statements of one table, from options, schemas and a first record.
 *
 * Key columns come first, then the value's fields in their order; a name that is already there is
 * not taken twice. A batch is one statement: arrays, one per column, unfolded by unnest, so its
 * text does not depend on the number of rows and one round trip writes them all. Columns that
 * unnest would flatten (arrays) and JSON go as text and are cast behind it. */
#include "connectors/postgres/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool listed(char **list, const char *name)
{
    for (; list && *list; list++)
        if (!strcmp(*list, name))
            return true;
    return false;
}

static bool fail(struct cn_error *error, const struct cn_plan *plan, const char *name,
                 const char *text)
{
    snprintf(error->text, sizeof(error->text), "topic %s: %s%s%s", plan->topic, name,
             *name ? ": " : "", text);
    return false;
}

void cn_quote(PQExpBuffer out, const char *name)
{
    appendPQExpBufferChar(out, '"');
    for (; *name; name++) {
        if (*name == '"')
            appendPQExpBufferChar(out, '"');
        appendPQExpBufferChar(out, *name);
    }
    appendPQExpBufferChar(out, '"');
}

/* "audit.${topic}" → "audit"."orders": a dot of the format parts schema and table, a dot of the
 * topic's name does not. */
static char *table_name(const char *format, const char *topic)
{
    PQExpBufferData part, out;
    initPQExpBuffer(&part);
    initPQExpBuffer(&out);
    for (const char *p = format; *p;) {
        if (!strncmp(p, "${topic}", 8)) {
            appendPQExpBufferStr(&part, topic);
            p += 8;
        } else if (*p == '.') {
            cn_quote(&out, part.data);
            appendPQExpBufferChar(&out, '.');
            resetPQExpBuffer(&part);
            p++;
        } else {
            appendPQExpBufferChar(&part, *p++);
        }
    }
    cn_quote(&out, part.data);
    char *name = strdup(out.data);
    termPQExpBuffer(&part);
    termPQExpBuffer(&out);
    return name;
}

static struct cn_plan_column *add(struct cn_plan *plan, const char *name, size_t len,
                                  enum cn_from from, size_t index, bool key)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strlen(plan->columns[i].name) == len && !strncmp(plan->columns[i].name, name, len))
            return NULL;
    if (plan->count == CN_COLUMNS_MAX)
        return NULL;
    struct cn_plan_column *column = &plan->columns[plan->count++];
    *column = (struct cn_plan_column){
        .name = strndup(name, len), .from = from, .index = index, .key = key};
    plan->key_count += key;
    return column;
}

static void set_plain(struct cn_plan_column *column, const char *type)
{
    snprintf(column->type.name, sizeof(column->type.name), "%s", type);
    column->typed = true;
}

static bool add_kafka(struct cn_plan *plan, const struct cn_plan_rules *rules)
{
    static const char *const names[] = {"__connect_topic", "__connect_partition",
                                        "__connect_offset"};
    static const char *const types[] = {"text", "integer", "bigint"};
    for (size_t i = 0; i < 3; i++) {
        const char *name =
            rules->key_fields && rules->key_fields[0] ? rules->key_fields[i] : names[i];
        struct cn_plan_column *column =
            add(plan, name, strlen(name), CN_FROM_TOPIC + (enum cn_from)i, 0, true);
        if (column)
            set_plain(column, types[i]);
    }
    return true;
}

/* Fields of an Avro record schema as columns. `only`: NULL or the names to take. */
static bool add_schema(struct cn_plan *plan, const char *schema, enum cn_from from, char **only,
                       char **keys, bool all_keys, struct cn_error *error)
{
    json_error_t where;
    json_t *root = json_loads(schema, JSON_DECODE_ANY, &where);
    const json_t *fields = json_object_get(root, "fields");
    bool ok = true;
    if (!json_is_array(fields)) {
        ok = fail(error, plan, from == CN_FROM_VALUE ? "value" : "key",
                  "its schema is not a record; only records have columns");
        goto done;
    }
    for (size_t i = 0; ok && i < json_array_size(fields); i++) {
        const json_t *field = json_array_get(fields, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        bool key = all_keys || listed(keys, name ? name : "");
        if (!name || (only && *only && !listed(only, name) && !key))
            continue;
        struct cn_plan_column *column = add(plan, name, strlen(name), from, i, key);
        if (!column)
            continue;
        column->type.has_default = json_object_get(field, "default") != NULL;
        column->typed = true;
        const char *why = cn_pg_type_from_avro(&column->type, json_object_get(field, "type"));
        if (why)
            ok = fail(error, plan, name, why);
    }
done:
    json_decref(root);
    return ok;
}

static void add_fields(struct cn_plan *plan, const struct cn_value *map, enum cn_from from,
                       char **only, char **keys, bool all_keys)
{
    for (size_t i = 0; i < map->map.count; i++) {
        char *name = strndup(map->map.fields[i].name.ptr, map->map.fields[i].name.len);
        bool key = all_keys || listed(keys, name);
        if (!only || !*only || key || listed(only, name))
            add(plan, name, strlen(name), from, i, key);
        free(name);
    }
}

static bool add_key(struct cn_plan *plan, const struct cn_plan_rules *rules,
                    const struct cn_record *record, struct cn_error *error)
{
    char **names = rules->key_fields;
    bool all = !names || !names[0];
    if (record->key.type == CN_NULL)
        return fail(error, plan, "pk.mode=record_key", "the record has no key");
    if (record->key.type == CN_MAP) {
        if (record->key_schema)
            return add_schema(plan, record->key_schema, CN_FROM_KEY_FIELD, names, names, all,
                              error);
        add_fields(plan, &record->key, CN_FROM_KEY_FIELD, names, names, all);
        return true;
    }
    if (all || names[1])
        return fail(error, plan, "pk.fields",
                    "the key is a single value, so it must be exactly one name");
    struct cn_plan_column *column = add(plan, names[0], strlen(names[0]), CN_FROM_KEY, 0, true);
    json_t *schema =
        record->key_schema ? json_loads(record->key_schema, JSON_DECODE_ANY, NULL) : NULL;
    if (!schema || cn_pg_type_from_avro(&column->type, schema))
        cn_pg_type_from_value(&column->type, &record->key);
    column->typed = true;
    json_decref(schema);
    return true;
}

static char *shape_of(const struct cn_value *map)
{
    PQExpBufferData text;
    initPQExpBuffer(&text);
    for (size_t i = 0; i < map->map.count; i++) {
        appendBinaryPQExpBuffer(&text, map->map.fields[i].name.ptr, map->map.fields[i].name.len);
        appendPQExpBufferChar(&text, '\n');
    }
    char *shape = strdup(text.data);
    termPQExpBuffer(&text);
    return shape;
}

static bool has_shape(const char *shape, const struct cn_value *map)
{
    for (size_t i = 0; i < map->map.count; i++) {
        size_t len = map->map.fields[i].name.len;
        if (strncmp(shape, map->map.fields[i].name.ptr, len) != 0 || shape[len] != '\n')
            return false;
        shape += len + 1;
    }
    return *shape == 0;
}

static bool check_keys(struct cn_plan *plan, const struct cn_plan_rules *rules,
                       struct cn_error *error)
{
    if (rules->key_mode == CN_KEY_RECORD_VALUE || rules->key_mode == CN_KEY_RECORD_KEY)
        for (char **name = rules->key_fields; name && *name; name++) {
            bool there = false;
            for (size_t i = 0; i < plan->count; i++)
                there |= plan->columns[i].key && !strcmp(plan->columns[i].name, *name);
            if (!there)
                return fail(error, plan, *name,
                            rules->key_mode == CN_KEY_RECORD_VALUE
                                ? "pk.fields names it, but the record's value has no such field"
                                : "pk.fields names it, but the record's key has no such field");
        }
    if (!plan->count)
        return fail(error, plan, "", "no column is left to write");
    return true;
}

bool cn_plan_init(struct cn_plan *plan, const struct cn_plan_rules *rules,
                  const struct cn_record *record, struct cn_error *error)
{
    *plan = (struct cn_plan){
        .topic = strdup(record->topic),
        .key_schema = record->key_schema,
        .value_schema = record->value_schema,
        .tombstone = record->value.type == CN_NULL,
        .table = table_name(rules->table_format, record->topic),
        .columns = calloc(CN_COLUMNS_MAX, sizeof(struct cn_plan_column)),
    };
    if (!plan->tombstone && record->value.type != CN_MAP)
        return fail(error, plan, "value",
                    "is a single value, not a record with fields; is value.converter right?");
    if (rules->key_mode == CN_KEY_KAFKA)
        add_kafka(plan, rules);
    if (rules->key_mode == CN_KEY_RECORD_KEY && !add_key(plan, rules, record, error))
        return false;
    if (!plan->tombstone) {
        char **keys = rules->key_mode == CN_KEY_RECORD_VALUE ? rules->key_fields : NULL;
        bool all = rules->key_mode == CN_KEY_RECORD_VALUE && (!keys || !keys[0]);
        if (!record->value_schema) {
            plan->shape = shape_of(&record->value);
            add_fields(plan, &record->value, CN_FROM_VALUE, rules->whitelist, keys, all);
        } else if (!add_schema(plan, record->value_schema, CN_FROM_VALUE, rules->whitelist, keys,
                               all, error)) {
            return false;
        }
    }
    if (!check_keys(plan, rules, error))
        return false;
    struct cn_plan_column *fitting = realloc(plan->columns, plan->count * sizeof(*fitting));
    plan->columns = fitting ? fitting : plan->columns;
    return true;
}

void cn_plan_deinit(struct cn_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->columns[i].name);
    free(plan->columns);
    free(plan->topic);
    free(plan->shape);
    free(plan->table);
    free(plan->insert_sql);
    free(plan->delete_sql);
    *plan = (struct cn_plan){0};
}

bool cn_plan_matches(const struct cn_plan *plan, const struct cn_record *record)
{
    return plan->value_schema == record->value_schema && plan->key_schema == record->key_schema &&
           plan->tombstone == (record->value.type == CN_NULL) &&
           !strcmp(plan->topic, record->topic) &&
           (!plan->shape ||
            (record->value.type == CN_MAP && has_shape(plan->shape, &record->value)));
}

static const struct cn_value *field_of(const struct cn_plan_column *column,
                                       const struct cn_value *map, struct cn_value *own)
{
    size_t len = strlen(column->name);
    if (map->type == CN_MAP) {
        const struct cn_field *fields = map->map.fields;
        if (column->index < map->map.count && fields[column->index].name.len == len &&
            !memcmp(fields[column->index].name.ptr, column->name, len))
            return &fields[column->index].value;
        for (size_t i = 0; i < map->map.count; i++)
            if (fields[i].name.len == len && !memcmp(fields[i].name.ptr, column->name, len))
                return &fields[i].value;
    }
    own->type = CN_NULL;
    return own;
}

const struct cn_value *cn_plan_value(const struct cn_plan_column *column,
                                     const struct cn_record *record, struct cn_value *own)
{
    switch (column->from) {
    case CN_FROM_VALUE:
        return field_of(column, &record->value, own);
    case CN_FROM_KEY_FIELD:
        return field_of(column, &record->key, own);
    case CN_FROM_KEY:
        return &record->key;
    case CN_FROM_TOPIC:
        *own = (struct cn_value){.type = CN_STRING, .text = {record->topic, strlen(record->topic)}};
        return own;
    case CN_FROM_PARTITION:
        *own = (struct cn_value){.type = CN_INT64, .integer = record->partition};
        return own;
    default:
        *own = (struct cn_value){.type = CN_INT64, .integer = record->offset};
        return own;
    }
}

/* "a", "b" of the columns that are keys, or of all; with `before` in front of each. */
static void put_names(const struct cn_plan *plan, bool keys, PQExpBuffer out)
{
    const char *comma = "";
    for (size_t i = 0; i < plan->count; i++) {
        if (keys && !plan->columns[i].key)
            continue;
        appendPQExpBufferStr(out, comma);
        cn_quote(out, plan->columns[i].name);
        comma = ", ";
    }
}

/* SELECT c1, c2::jsonb FROM unnest($1::integer[], $2::text[]) AS u(c1, c2) */
static void put_unnest(const struct cn_plan *plan, bool keys, PQExpBuffer out)
{
    const char *comma = "";
    int n = 0;
    appendPQExpBufferStr(out, "SELECT ");
    for (size_t i = 0; i < plan->count; i++) {
        const char *type = plan->columns[i].type.name;
        if (keys && !plan->columns[i].key)
            continue;
        appendPQExpBuffer(out, "%sc%d", comma, ++n);
        if (cn_pg_type_by_text(type))
            appendPQExpBuffer(out, "::%s", type);
        comma = ", ";
    }
    appendPQExpBufferStr(out, " FROM unnest(");
    n = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const char *type = plan->columns[i].type.name;
        if (keys && !plan->columns[i].key)
            continue;
        appendPQExpBuffer(out, "%s$%d::%s[]", n ? ", " : "", n + 1,
                          cn_pg_type_by_text(type) ? "text" : type);
        n++;
    }
    appendPQExpBufferStr(out, ") AS u(");
    for (int i = 1; i <= n; i++)
        appendPQExpBuffer(out, "%sc%d", i > 1 ? ", " : "", i);
    appendPQExpBufferStr(out, ")");
}

void cn_plan_finish(struct cn_plan *plan, const struct cn_plan_rules *rules)
{
    PQExpBufferData sql;
    initPQExpBuffer(&sql);
    free(plan->insert_sql);
    free(plan->delete_sql);
    plan->insert_sql = plan->delete_sql = NULL;
    if (plan->tombstone) {
        appendPQExpBuffer(&sql, "DELETE FROM %s WHERE (", plan->table);
        put_names(plan, true, &sql);
        appendPQExpBufferStr(&sql, ") IN (");
        put_unnest(plan, true, &sql);
        appendPQExpBufferStr(&sql, ")");
        plan->delete_sql = strdup(sql.data);
        termPQExpBuffer(&sql);
        return;
    }
    appendPQExpBuffer(&sql, "INSERT INTO %s (", plan->table);
    put_names(plan, false, &sql);
    appendPQExpBufferStr(&sql, ") ");
    put_unnest(plan, false, &sql);
    if (rules->upsert) {
        const char *comma = "";
        appendPQExpBufferStr(&sql, " ON CONFLICT (");
        put_names(plan, true, &sql);
        appendPQExpBufferStr(&sql,
                             plan->key_count < plan->count ? ") DO UPDATE SET " : ") DO NOTHING");
        for (size_t i = 0; i < plan->count; i++) {
            if (plan->columns[i].key)
                continue;
            appendPQExpBufferStr(&sql, comma);
            cn_quote(&sql, plan->columns[i].name);
            appendPQExpBufferStr(&sql, "=EXCLUDED.");
            cn_quote(&sql, plan->columns[i].name);
            comma = ", ";
        }
    }
    plan->insert_sql = strdup(sql.data);
    termPQExpBuffer(&sql);
}

bool cn_plan_create_sql(const struct cn_plan *plan, PQExpBuffer out)
{
    appendPQExpBuffer(out, "CREATE TABLE IF NOT EXISTS %s (", plan->table);
    for (size_t i = 0; i < plan->count; i++) {
        const struct cn_plan_column *column = &plan->columns[i];
        if (!column->typed)
            return false;
        appendPQExpBufferStr(out, i ? ", " : "");
        cn_quote(out, column->name);
        appendPQExpBuffer(out, " %s%s", column->type.name,
                          column->type.nullable && !column->key ? "" : " NOT NULL");
    }
    if (plan->key_count) {
        appendPQExpBufferStr(out, ", PRIMARY KEY (");
        put_names(plan, true, out);
        appendPQExpBufferStr(out, ")");
    }
    appendPQExpBufferStr(out, ")");
    return true;
}

void cn_plan_add_column_sql(const struct cn_plan *plan, const struct cn_plan_column *column,
                            PQExpBuffer out)
{
    appendPQExpBuffer(out, "ALTER TABLE %s ADD COLUMN IF NOT EXISTS ", plan->table);
    cn_quote(out, column->name);
    appendPQExpBuffer(out, " %s", column->type.name);
}
