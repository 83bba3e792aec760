/* Envelope: translation of schemas between Connect's JSON form and Avro, kept by text so that each
 * is done once.
 *
 *   int8 int16 int32 ↔ int     float ↔ float      bytes ↔ bytes      map ↔ map (string keys)
 *   int64 ↔ long               double ↔ double    array ↔ array      struct ↔ record
 *   optional ↔ union with null */
#include "runtime/connect/envelope.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"
#include "runtime/connect/tree.h"

#include <jansson.h>
#include <string.h>

#include <uthash.h>

enum { SEEN_MAX = 1000 };

struct seen {
    UT_hash_handle hh;
    char *from, *to;
};

struct rt_envelopes {
    struct seen *read;    /* Connect's text → Avro text */
    struct seen *written; /* Avro text → Connect's text */
    struct bs_buf text;
    size_t names; /* records without a name get one */
};

struct rt_envelopes *rt_envelopes_new(void)
{
    return bs_new(struct rt_envelopes);
}

static void drop(struct seen **table)
{
    struct seen *at, *next;
    HASH_ITER (hh, *table, at, next) {
        HASH_DEL(*table, at);
        bs_free(at->from);
        bs_free(at->to);
        bs_free(at);
    }
}

void rt_envelopes_free(struct rt_envelopes *envelopes)
{
    if (!envelopes)
        return;
    drop(&envelopes->read);
    drop(&envelopes->written);
    bs_buf_deinit(&envelopes->text);
    bs_free(envelopes);
}

static const char *keep(struct seen **table, const char *from, json_t *to)
{
    char *text = json_dumps(to, JSON_COMPACT | JSON_ENCODE_ANY);
    struct seen *entry = bs_new(struct seen);
    entry->from = bs_strdup(from);
    entry->to = bs_strdup(text);
    free(text);
    HASH_ADD_KEYPTR(hh, *table, entry->from, strlen(entry->from), entry);
    return entry->to;
}

static const struct {
    const char *connect, *avro;
} scalars[] = {
    {"int32", "int"},       {"int64", "long"},    {"float", "float"}, {"double", "double"},
    {"boolean", "boolean"}, {"string", "string"}, {"bytes", "bytes"}, {"int8", "int"},
    {"int16", "int"},       {"string", "enum"},   {"bytes", "fixed"},
};

/* ---- Avro → Connect ---- */

static json_t *to_connect(const json_t *avro, bool optional, int depth)
{
    if (depth > 64)
        return NULL;
    if (json_is_array(avro)) {
        const json_t *only = NULL;
        for (size_t i = 0; i < json_array_size(avro); i++) {
            const char *name = json_string_value(json_array_get(avro, i));
            if (name && !strcmp(name, "null"))
                optional = true;
            else if (only)
                return NULL;
            else
                only = json_array_get(avro, i);
        }
        return only ? to_connect(only, optional, depth + 1) : NULL;
    }
    const json_t *type = json_is_object(avro) ? json_object_get(avro, "type") : avro;
    const char *name = json_string_value(type);
    if (!name)
        return type ? to_connect(type, optional, depth + 1) : NULL;
    for (size_t i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++)
        if (!strcmp(scalars[i].avro, name))
            return json_pack("{s:s, s:b}", "type", scalars[i].connect, "optional", optional);
    if (!strcmp(name, "array")) {
        json_t *items = to_connect(json_object_get(avro, "items"), false, depth + 1);
        return items ? json_pack("{s:s, s:o, s:b}", "type", "array", "items", items, "optional",
                                 optional)
                     : NULL;
    }
    if (!strcmp(name, "map")) {
        json_t *values = to_connect(json_object_get(avro, "values"), false, depth + 1);
        return values ? json_pack("{s:s, s:{s:s, s:b}, s:o, s:b}", "type", "map", "keys", "type",
                                  "string", "optional", 0, "values", values, "optional", optional)
                      : NULL;
    }
    const json_t *fields = json_object_get(avro, "fields");
    if (strcmp(name, "record") != 0 || !fields)
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *field = json_array_get(fields, i);
        json_t *one = to_connect(json_object_get(field, "type"), false, depth + 1);
        if (!one) {
            json_decref(list);
            return NULL;
        }
        json_object_set(one, "field", json_object_get(field, "name"));
        json_array_append_new(list, one);
    }
    return json_pack("{s:s, s:o, s:b, s:O}", "type", "struct", "fields", list, "optional", optional,
                     "name", json_object_get(avro, "name"));
}

const char *rt_envelope_schema(struct rt_envelopes *envelopes, const struct cn_value *value,
                               const char *avro, struct bs_error *err)
{
    static const char *const singles[] = {
        [CN_BOOL] = "{\"type\":\"boolean\",\"optional\":false}",
        [CN_INT64] = "{\"type\":\"int64\",\"optional\":false}",
        [CN_FLOAT] = "{\"type\":\"float\",\"optional\":false}",
        [CN_DOUBLE] = "{\"type\":\"double\",\"optional\":false}",
        [CN_STRING] = "{\"type\":\"string\",\"optional\":false}",
        [CN_BYTES] = "{\"type\":\"bytes\",\"optional\":false}",
    };
    struct seen *entry;
    if (!avro)
        return value->type != CN_NULL && value->type <= CN_BYTES ? singles[value->type] : "null";
    HASH_FIND(hh, envelopes->written, avro, strlen(avro), entry);
    if (entry)
        return entry->to;
    json_t *from = json_loads(avro, JSON_DECODE_ANY, NULL);
    json_t *to = to_connect(from, false, 0);
    const char *text = to ? keep(&envelopes->written, avro, to) : NULL;
    if (!to)
        bs_error_set(err, BS_EUNSUPPORTED,
                     "the Avro schema has a type that Connect's JSON schema cannot say (a union of "
                     "several types, or a named type used twice); set schemas.enable=false");
    json_decref(from);
    json_decref(to);
    return text;
}

/* ---- Connect → Avro ---- */

static json_t *to_avro(struct rt_envelopes *envelopes, const json_t *connect, int depth);

static json_t *struct_to_avro(struct rt_envelopes *envelopes, const json_t *connect, int depth)
{
    const json_t *fields = json_object_get(connect, "fields");
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(fields); i++) {
        const json_t *field = json_array_get(fields, i);
        json_t *type = to_avro(envelopes, field, depth + 1);
        if (!type || !json_is_string(json_object_get(field, "field"))) {
            json_decref(type);
            json_decref(list);
            return NULL;
        }
        json_array_append_new(
            list, json_pack("{s:O, s:o}", "name", json_object_get(field, "field"), "type", type));
    }
    char *name = bs_asprintf("Struct%zu", ++envelopes->names);
    json_t *record = json_pack("{s:s, s:s, s:o}", "type", "record", "name", name, "fields", list);
    bs_free(name);
    return record;
}

static json_t *logical_to_avro(const json_t *connect)
{
    static const char prefix[] = "org.apache.kafka.connect.data.";
    const char *name = json_string_value(json_object_get(connect, "name"));
    if (!name || strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    name += sizeof(prefix) - 1;
    if (!strcmp(name, "Date"))
        return json_pack("{s:s, s:s}", "type", "int", "logicalType", "date");
    if (!strcmp(name, "Time"))
        return json_pack("{s:s, s:s}", "type", "int", "logicalType", "time-millis");
    if (!strcmp(name, "Timestamp"))
        return json_pack("{s:s, s:s}", "type", "long", "logicalType", "timestamp-millis");
    return NULL;
}

static json_t *to_avro(struct rt_envelopes *envelopes, const json_t *connect, int depth)
{
    const char *type = json_string_value(json_object_get(connect, "type"));
    json_t *avro = depth > 64 || !type ? NULL : logical_to_avro(connect);
    for (size_t i = 0; type && !avro && i < sizeof(scalars) / sizeof(scalars[0]); i++)
        if (!strcmp(scalars[i].connect, type))
            avro = json_string(scalars[i].avro);
    if (!avro && type && depth <= 64) {
        if (!strcmp(type, "struct"))
            avro = struct_to_avro(envelopes, connect, depth);
        json_t *inner = NULL;
        if (!strcmp(type, "array"))
            inner = to_avro(envelopes, json_object_get(connect, "items"), depth + 1);
        if (!strcmp(type, "map"))
            inner = to_avro(envelopes, json_object_get(connect, "values"), depth + 1);
        if (inner)
            avro = json_pack("{s:s, s:o}", "type", type, *type == 'a' ? "items" : "values", inner);
    }
    if (avro && json_is_true(json_object_get(connect, "optional")))
        avro = json_pack("[s, o]", "null", avro);
    return avro;
}

static const char *avro_of(struct rt_envelopes *envelopes, const struct sd_value *schema,
                           struct bs_error *err)
{
    struct seen *entry;
    bs_buf_reset(&envelopes->text);
    if (sd_json_write(schema, false, &envelopes->text, err) < 0)
        return NULL;
    const char *from = bs_buf_text(&envelopes->text);
    HASH_FIND(hh, envelopes->read, from, strlen(from), entry);
    if (entry)
        return entry->to;
    if (HASH_COUNT(envelopes->read) >= SEEN_MAX) {
        bs_error_set(err, BS_ELIMIT, "more than %d different schemas in the records", SEEN_MAX);
        return NULL;
    }
    json_t *connect = json_loads(from, 0, NULL);
    json_t *avro = to_avro(envelopes, connect, 0);
    const char *text = avro ? keep(&envelopes->read, from, avro) : NULL;
    if (!avro)
        bs_error_set(err, BS_EINVAL, "the envelope's schema cannot be read: %.200s", from);
    json_decref(connect);
    json_decref(avro);
    return text;
}

int rt_envelope_open(struct rt_envelopes *envelopes, const struct sd_value *envelope,
                     struct bs_arena *arena, struct cn_value *ret, const char **ret_schema,
                     struct bs_error *err)
{
    const struct sd_value *schema = NULL, *payload = NULL;
    if (envelope->type == SD_MAP && envelope->map.count == 2) {
        schema = sd_value_get(envelope, bs_bytes_text("schema"));
        payload = sd_value_get(envelope, bs_bytes_text("payload"));
    }
    if (!schema || !payload)
        return bs_error_set(err, BS_EINVAL,
                            "JsonConverter with schemas.enable requires \"schema\" and \"payload\" "
                            "fields and may not contain additional fields; for plain JSON set "
                            "schemas.enable=false");
    if (schema->type != SD_NULL && !(*ret_schema = avro_of(envelopes, schema, err)))
        return err ? err->code : BS_EINVAL;
    rt_tree_from_serde(payload, arena, ret);
    return 0;
}
