/* Type: Avro → PostgreSQL.
 *
 *   boolean → boolean          string, enum → text       decimal → numeric(p,s)
 *   int → integer              bytes, fixed → bytea      date → date
 *   long → bigint              array → element[]         time-* → time
 *   float → real               map, record → jsonb       (local-)timestamp-* → timestamp (UTC)
 *   double → double precision  uuid → uuid               union with null → the other, nullable */
#include "connectors/postgres/type.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *avro, *pg;
} plain[] = {
    {"boolean", "boolean"},
    {"int", "integer"},
    {"long", "bigint"},
    {"float", "real"},
    {"double", "double precision"},
    {"string", "text"},
    {"enum", "text"},
    {"bytes", "bytea"},
    {"fixed", "bytea"},
    {"map", "jsonb"},
    {"record", "jsonb"},
};

static const struct {
    const char *avro, *pg;
    enum cn_form form;
    int64_t units;
} logical[] = {
    {"date", "date", CN_FORM_DATE, 0},
    {"time-millis", "time", CN_FORM_TIME, 1000},
    {"time-micros", "time", CN_FORM_TIME, 1000000},
    {"timestamp-millis", "timestamp", CN_FORM_TIMESTAMP, 1000},
    {"timestamp-micros", "timestamp", CN_FORM_TIMESTAMP, 1000000},
    {"timestamp-nanos", "timestamp", CN_FORM_TIMESTAMP, 1000000000},
    {"local-timestamp-millis", "timestamp", CN_FORM_TIMESTAMP, 1000},
    {"local-timestamp-micros", "timestamp", CN_FORM_TIMESTAMP, 1000000},
    {"local-timestamp-nanos", "timestamp", CN_FORM_TIMESTAMP, 1000000000},
    {"uuid", "uuid", CN_FORM_PLAIN, 0},
};

static void set_name(struct cn_pg_type *type, const char *name)
{
    snprintf(type->name, sizeof(type->name), "%s", name);
}

static const char *from_union(struct cn_pg_type *type, const json_t *avro)
{
    const json_t *only = NULL;
    size_t others = 0;
    for (size_t i = 0; i < json_array_size(avro); i++) {
        const json_t *branch = json_array_get(avro, i);
        const char *name = json_string_value(branch);
        if (name && !strcmp(name, "null")) {
            type->nullable = true;
        } else {
            only = branch;
            others++;
        }
    }
    if (others > 1) { /* several types: their JSON form */
        set_name(type, "jsonb");
        return NULL;
    }
    return only ? cn_pg_type_from_avro(type, only) : "null alone is no column type";
}

static bool from_logical(struct cn_pg_type *type, const json_t *avro, const char *base)
{
    const char *name = json_string_value(json_object_get(avro, "logicalType"));
    if (!name)
        return false;
    if (!strcmp(name, "decimal") && (!strcmp(base, "bytes") || !strcmp(base, "fixed"))) {
        int precision = (int)json_integer_value(json_object_get(avro, "precision"));
        type->scale = (int)json_integer_value(json_object_get(avro, "scale"));
        type->form = CN_FORM_DECIMAL;
        if (precision > 0 && precision <= 1000 && type->scale >= 0 && type->scale <= precision)
            snprintf(type->name, sizeof(type->name), "numeric(%d,%d)", precision, type->scale);
        else
            set_name(type, "numeric");
        return true;
    }
    bool number = !strcmp(base, "int") || !strcmp(base, "long");
    for (size_t i = 0; i < sizeof(logical) / sizeof(logical[0]); i++)
        if (!strcmp(name, logical[i].avro) && number == (logical[i].form != CN_FORM_PLAIN)) {
            set_name(type, logical[i].pg);
            type->form = logical[i].form;
            type->units = logical[i].units;
            return true;
        }
    return false;
}

const char *cn_pg_type_from_avro(struct cn_pg_type *type, const json_t *avro)
{
    if (json_is_array(avro))
        return from_union(type, avro);
    const json_t *inner = json_is_object(avro) ? json_object_get(avro, "type") : avro;
    const char *base = json_string_value(inner);
    if (!base) /* {"type": {…}} or {"type": […]} */
        return json_is_object(inner) || json_is_array(inner) ? cn_pg_type_from_avro(type, inner)
                                                             : "a type that cannot be read";
    if (json_is_object(avro) && from_logical(type, avro, base))
        return NULL;
    if (!strcmp(base, "array")) {
        struct cn_pg_type item = {0};
        const char *why = cn_pg_type_from_avro(&item, json_object_get(avro, "items"));
        if (why)
            return why;
        bool nested = strstr(item.name, "[]") != NULL || !strcmp(item.name, "jsonb");
        *type = (struct cn_pg_type){.nullable = type->nullable,
                                    .has_default = type->has_default,
                                    .form = item.form,
                                    .units = item.units,
                                    .scale = item.scale};
        if (nested) /* arrays in an array may differ in length: only JSON holds them */
            set_name(type, "jsonb");
        else
            snprintf(type->name, sizeof(type->name), "%.60s[]", item.name);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (!strcmp(base, plain[i].avro)) {
            set_name(type, plain[i].pg);
            return NULL;
        }
    set_name(type, "text"); /* a name defined before: an enum, fixed or record used again */
    return "a named type that is used a second time is not supported as a column";
}

void cn_pg_type_from_value(struct cn_pg_type *type, const struct cn_value *value)
{
    *type = (struct cn_pg_type){0};
    set_name(type, value->type == CN_INT64    ? "bigint"
                   : value->type == CN_DOUBLE ? "double precision"
                   : value->type == CN_FLOAT  ? "real"
                   : value->type == CN_BOOL   ? "boolean"
                   : value->type == CN_BYTES  ? "bytea"
                   : value->type == CN_STRING ? "text"
                                              : "jsonb");
}

void cn_pg_type_fit(struct cn_pg_type *type, const char *name)
{
    bool date = !strncmp(name, "date", 4), time = !strncmp(name, "time", 4) && name[4] != 's',
         stamp = !strncmp(name, "timestamp", 9);
    if ((type->form == CN_FORM_DATE && !date && !stamp) || (type->form == CN_FORM_TIME && !time) ||
        (type->form == CN_FORM_TIMESTAMP && !stamp && !date))
        type->form = CN_FORM_PLAIN;
    set_name(type, name);
}

bool cn_pg_type_by_text(const char *name)
{
    return strstr(name, "[]") != NULL || !strncmp(name, "json", 4);
}
