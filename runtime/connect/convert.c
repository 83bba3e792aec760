/* Converter: string, json, avro, bytes, and auto (what begins with the registry's magic byte 0,
 * which no JSON text can, is Avro; the rest is JSON).
 *
 * Schemas are kept by id and by (topic, schema text pointer): a task sees few of them, and the
 * tables are dropped with the task. JSON with schemas.enable=true wraps as Connect's JsonConverter
 * does; what it reads is translated into an Avro schema, so sinks know one kind of schema only. */
#include "runtime/connect/convert.h"

#include "lib/base/mem.h"
#include "lib/serde/avro.h"
#include "lib/serde/json.h"
#include "runtime/connect/config.h"
#include "runtime/connect/envelope.h"
#include "runtime/connect/tree.h"

#include <stdio.h>
#include <string.h>

#include <uthash.h>

enum kind { KIND_STRING, KIND_JSON, KIND_AVRO, KIND_BYTES, KIND_AUTO };

/* Schemas that were read, by id. */
struct by_id {
    UT_hash_handle hh;
    int32_t id;
    struct sd_schema *schema;
    char *text;
};

/* Schemas that are written, by topic and text pointer. */
struct by_text {
    struct by_text *next;
    char *topic;
    const char *text;
    struct sd_schema *schema;
    int32_t id;
};

struct rt_converter {
    enum kind kind;
    bool schemas; /* JSON in Connect's envelope */
    const char *which;
    struct rc_client *registry;
    struct by_id *ids;
    struct by_text *texts; /* the last used one first */
    struct rt_envelopes *envelopes;
};

static const struct {
    const char *name;
    enum kind kind;
} names[] = {
    {"string", KIND_STRING},
    {"json", KIND_JSON},
    {"avro", KIND_AVRO},
    {"bytes", KIND_BYTES},
    {"auto", KIND_AUTO},
    {"org.apache.kafka.connect.storage.StringConverter", KIND_STRING},
    {"org.apache.kafka.connect.json.JsonConverter", KIND_JSON},
    {"io.confluent.connect.avro.AvroConverter", KIND_AVRO},
    {"org.apache.kafka.connect.converters.ByteArrayConverter", KIND_BYTES},
};

static int kind_of(const char *name, enum kind *ret, bool *ret_class, struct bs_error *err)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *dot = strrchr(names[i].name, '.');
        if (!strcmp(names[i].name, name) || (dot && !strcmp(dot + 1, name))) {
            *ret = names[i].kind;
            *ret_class = dot != NULL;
            return 0;
        }
    }
    return bs_error_set(
        err, BS_EINVAL,
        "Invalid value %s: Class %s could not be found; converters are string, json, "
        "avro, bytes, auto, and Connect's StringConverter, JsonConverter, "
        "AvroConverter, ByteArrayConverter",
        name, name);
}

int rt_converter_check(const char *name, struct bs_error *err)
{
    enum kind kind;
    bool is_class;
    return kind_of(name, &kind, &is_class, err);
}

int rt_converter_new(const struct cn_config *config, const char *which, const char *otherwise,
                     struct rc_client *registry, struct rt_converter **ret, struct bs_error *err)
{
    char option[64];
    enum kind kind;
    bool is_class;
    snprintf(option, sizeof(option), "%s.converter", which);
    const char *name = rt_config_option(config, option);
    int result = kind_of(name ? name : otherwise, &kind, &is_class, err);
    if (result < 0)
        return bs_error_wrap(err, "option %s", option);
    if (kind == KIND_AVRO && !registry)
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "%s is avro, but the worker has no schema registry; start it with "
                            "--registry",
                            option);
    snprintf(option, sizeof(option), "%s.converter.schemas.enable", which);
    const char *schemas = rt_config_option(config, option);
    struct rt_converter *converter = bs_new(struct rt_converter);
    converter->kind = kind;
    converter->which = which;
    converter->registry = registry;
    converter->schemas = kind == KIND_JSON && (schemas ? !strcasecmp(schemas, "true") : is_class);
    converter->envelopes = rt_envelopes_new();
    *ret = converter;
    return 0;
}

void rt_converter_free(struct rt_converter *converter)
{
    struct by_id *id, *next_id;
    if (!converter)
        return;
    HASH_ITER (hh, converter->ids, id, next_id) {
        HASH_DEL(converter->ids, id);
        sd_schema_unref(id->schema);
        bs_free(id->text);
        bs_free(id);
    }
    while (converter->texts) {
        struct by_text *next = converter->texts->next;
        sd_schema_unref(converter->texts->schema);
        bs_free(converter->texts->topic);
        bs_free(converter->texts);
        converter->texts = next;
    }
    rt_envelopes_free(converter->envelopes);
    bs_free(converter);
}

/* ---- writing ---- */

static int text_schema(struct rt_converter *converter, const char *topic, const char *text,
                       struct by_text **ret, struct bs_error *err)
{
    for (struct by_text **at = &converter->texts; *at; at = &(*at)->next)
        if ((*at)->text == text && !strcmp((*at)->topic, topic)) {
            *ret = *at;
            return 0;
        }
    struct sd_schema *schema = NULL;
    int32_t id = 0;
    int version, result;
    char *subject = bs_asprintf("%s-%s", topic, converter->which);
    if (text) {
        result = sd_schema_parse(bs_bytes_text(text), true, NULL, 0, &schema, err);
        if (result == 0)
            result =
                rc_schema_register(converter->registry, subject, bs_bytes_text(text), &id, err);
    } else {
        result = rc_schema_latest(converter->registry, subject, &id, &version, &schema, err);
        if (result == BS_ENOTFOUND)
            bs_error_set(err, result,
                         "no schema: the connector gives none and the registry has no subject %s; "
                         "set schema.file or register one",
                         subject);
    }
    bs_free(subject);
    if (result < 0) {
        sd_schema_unref(schema);
        return result;
    }
    struct by_text *entry = bs_new(struct by_text);
    *entry = (struct by_text){.next = converter->texts,
                              .topic = bs_strdup(topic),
                              .text = text,
                              .schema = schema,
                              .id = id};
    converter->texts = *ret = entry;
    return 0;
}

static int write_avro(struct rt_converter *converter, const char *topic,
                      const struct cn_value *value, const char *schema, struct bs_arena *arena,
                      struct bs_buf *out, struct bs_error *err)
{
    struct by_text *entry;
    struct sd_value tree;
    int result = text_schema(converter, topic, schema, &entry, err);
    if (result < 0)
        return result;
    rt_tree_to_serde(value, arena, &tree);
    sd_envelope_put(out, entry->id);
    return sd_avro_write(sd_schema_root(entry->schema), &tree, out, err);
}

static int write_json(struct rt_converter *converter, const struct cn_value *value,
                      const char *schema, struct bs_arena *arena, struct bs_buf *out,
                      struct bs_error *err)
{
    struct sd_value tree;
    rt_tree_to_serde(value, arena, &tree);
    if (!converter->schemas)
        return sd_json_write(&tree, true, out, err);
    const char *text = rt_envelope_schema(converter->envelopes, value, schema, err);
    if (!text)
        return BS_EINVAL;
    bs_buf_printf(out, "{\"schema\":%s,\"payload\":", text);
    int result = sd_json_write(&tree, true, out, err);
    bs_buf_puts(out, "}");
    return result;
}

static int write_string(const struct cn_value *value, struct bs_arena *arena, struct bs_buf *out,
                        struct bs_error *err)
{
    struct sd_value tree;
    if (value->type == CN_STRING || value->type == CN_BYTES) {
        bs_buf_put(out, value->text.ptr, value->text.len);
        return 0;
    }
    rt_tree_to_serde(value, arena, &tree);
    return sd_json_write(&tree, true, out, err);
}

int rt_converter_write(struct rt_converter *converter, const char *topic,
                       const struct cn_value *value, const char *schema, struct bs_arena *arena,
                       struct bs_buf *out, bool *ret_null, struct bs_error *err)
{
    *ret_null = value->type == CN_NULL;
    if (*ret_null)
        return 0;
    switch (converter->kind) {
    case KIND_STRING:
        return write_string(value, arena, out, err);
    case KIND_AVRO:
        return write_avro(converter, topic, value, schema, arena, out, err);
    case KIND_BYTES:
        if (value->type != CN_STRING && value->type != CN_BYTES)
            return bs_error_set(err, BS_EINVAL, "the bytes converter takes text or bytes only");
        bs_buf_put(out, value->text.ptr, value->text.len);
        return 0;
    default: /* auto writes what it reads without a registry */
        return write_json(converter, value, schema, arena, out, err);
    }
}

/* ---- reading ---- */

static int id_schema(struct rt_converter *converter, int32_t id, struct by_id **ret,
                     struct bs_error *err)
{
    struct by_id *entry;
    HASH_FIND(hh, converter->ids, &id, sizeof(id), entry);
    if (!entry) {
        struct sd_schema *schema;
        struct bs_buf text = BS_BUF_INIT;
        int result = rc_schema_by_id(converter->registry, id, &schema, err);
        if (result < 0)
            return result;
        sd_schema_text(schema, false, &text);
        entry = bs_new(struct by_id);
        entry->id = id;
        entry->schema = schema;
        entry->text = bs_strdup(bs_buf_text(&text));
        bs_buf_deinit(&text);
        HASH_ADD(hh, converter->ids, id, sizeof(entry->id), entry);
    }
    *ret = entry;
    return 0;
}

static int read_avro(struct rt_converter *converter, struct bs_bytes bytes, struct bs_arena *arena,
                     struct cn_value *ret, const char **ret_schema, struct bs_error *err)
{
    struct bs_bytes payload;
    struct sd_value tree;
    struct by_id *entry = NULL;
    int32_t id;
    int result = sd_envelope_split(bytes, &id, &payload, err);
    if (result == 0 && !converter->registry)
        result = bs_error_set(err, BS_EUNSUPPORTED,
                              "Avro with schema id %d, but the worker has no schema registry", id);
    if (result == 0)
        result = id_schema(converter, id, &entry, err);
    if (result == 0)
        result = sd_avro_read(sd_schema_root(entry->schema), payload, arena, &tree, err);
    if (result < 0)
        return result;
    rt_tree_from_serde(&tree, arena, ret);
    *ret_schema = entry->text;
    return 0;
}

static int read_json(struct rt_converter *converter, struct bs_bytes bytes, struct bs_arena *arena,
                     struct cn_value *ret, const char **ret_schema, struct bs_error *err)
{
    struct sd_value tree;
    int result = sd_json_read(bytes, arena, &tree, err);
    if (result < 0 && bytes.len && bytes.ptr[0] == 0)
        return bs_error_wrap(err, "not JSON (it begins as Avro does; set %s.converter=avro)",
                             converter->which);
    if (result < 0)
        return result;
    if (converter->schemas)
        return rt_envelope_open(converter->envelopes, &tree, arena, ret, ret_schema, err);
    rt_tree_from_serde(&tree, arena, ret);
    return 0;
}

int rt_converter_read(struct rt_converter *converter, struct bs_bytes bytes, struct bs_arena *arena,
                      struct cn_value *ret, const char **ret_schema, struct bs_error *err)
{
    *ret = (struct cn_value){.type = CN_NULL};
    *ret_schema = NULL;
    if (!bytes.ptr)
        return 0;
    switch (converter->kind) {
    case KIND_STRING:
    case KIND_BYTES:
        ret->type = converter->kind == KIND_STRING ? CN_STRING : CN_BYTES;
        ret->text = (struct cn_text){(const char *)bytes.ptr, bytes.len};
        return 0;
    case KIND_AVRO:
        return read_avro(converter, bytes, arena, ret, ret_schema, err);
    case KIND_AUTO:
        if (bytes.len && bytes.ptr[0] == 0)
            return read_avro(converter, bytes, arena, ret, ret_schema, err);
        return read_json(converter, bytes, arena, ret, ret_schema, err);
    default:
        return read_json(converter, bytes, arena, ret, ret_schema, err);
    }
}
