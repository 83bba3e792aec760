/* Converter: string, json, avro, bytes, and auto (what begins with the registry's magic byte 0,
 * which no JSON text can, is Avro; the rest is JSON).
 *
 * Schemas are kept by object and by text pointer: a task sees few of them, and the tables are
 * dropped with the task. JSON with schemas.enable=true wraps as Connect's JsonConverter
 * does; what it reads is translated into an Avro schema, so sinks know one kind of schema only. */
#include "runtime/connect/convert.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"
#include "runtime/connect/config.h"
#include "runtime/connect/envelope.h"
#include "runtime/connect/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <uthash.h>

enum kind { KIND_STRING, KIND_JSON, KIND_AVRO, KIND_BYTES, KIND_AUTO };

/* Schemas that were read, by object: values point into them. Each text once. */
struct seen {
    UT_hash_handle hh;
    struct sd_schema *schema; /* counted */
    const char *text;
    char *own_text; /* NULL: another one's */
};

/* Schemas that are written, by text pointer. */
struct given {
    struct given *next;
    const char *text;
    struct sd_schema *schema;
};

struct rt_converter {
    enum kind kind;
    bool schemas; /* JSON in Connect's envelope */
    const char *which;
    struct rc_serializer *serializer; /* Avro; NULL: there is no registry */
    struct seen *seen;
    struct given *given; /* the last new one first */
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

bool rt_converter_is_avro(const char *name)
{
    enum kind kind;
    bool is_class;
    return kind_of(name, &kind, &is_class, NULL) == 0 && kind == KIND_AVRO;
}

#define READER_FILE "reader.schema.file"
enum { FILE_MAX = 1 << 20 };

static bool is_own(const char *name)
{
    static const char *const OWN[] = {"schemas.enable", "plugin.version", READER_FILE};
    for (size_t i = 0; i < sizeof(OWN) / sizeof(OWN[0]); i++)
        if (!strcmp(name, OWN[i]))
            return true;
    return false;
}

/* The schema that records are read with; *ret NULL: the option is not set. */
static int read_reader(const struct cn_config *config, const char *which, struct sd_schema **ret,
                       struct bs_error *err)
{
    char option[64];
    struct bs_buf text = BS_BUF_INIT;
    int result = 0;
    *ret = NULL;
    snprintf(option, sizeof(option), "%s.converter." READER_FILE, which);
    const char *file = rt_config_option(config, option);
    if (!file)
        return 0;
    FILE *in = fopen(file, "re");
    if (!in)
        return bs_error_sys(err, errno, "option %s: %s", option, file);
    text.len = fread(bs_buf_reserve(&text, FILE_MAX + 1), 1, FILE_MAX + 1, in);
    if (ferror(in) || text.len > FILE_MAX)
        result = bs_error_set(err, BS_EIO, "option %s: %s: cannot be read, or is larger than 1 MiB",
                              option, file);
    fclose(in);
    if (result == 0 && (result = sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, ret, err)) < 0)
        bs_error_wrap(err, "option %s: %s", option, file);
    bs_buf_deinit(&text);
    return result;
}

/* The options <which>.converter.* that are not the converter's own. */
static int read_settings(const struct cn_config *config, const char *which, struct bs_config *ret,
                         struct bs_error *err)
{
    char prefix[32];
    int len = snprintf(prefix, sizeof(prefix), "%s.converter.", which);
    for (size_t i = 0; i < config->count * 2; i++) { /* what is said of one side last */
        const char *name = config->names[i % config->count];
        if (strncmp(name, prefix, (size_t)len) || is_own(name + len) ||
            rc_serde_of_one_side(name + len) != (i >= config->count))
            continue;
        int result = rc_serde_set(ret, !strcmp(which, "key"), name + len,
                                  config->values[i % config->count], name, err);
        if (result < 0)
            return result;
    }
    return 0;
}

int rt_converter_check_avro(const struct cn_config *config, const char *which, struct bs_error *err)
{
    struct bs_config *settings = rc_serde_config_new();
    int result = read_settings(config, which, settings, err);
    if (result == 0)
        result = rc_serde_check(settings, err);
    bs_config_free(settings);
    return result;
}

static int open_serializer(struct rt_converter *converter, const struct cn_config *config,
                           const struct rt_registry *registry, struct bs_error *err)
{
    struct bs_config *settings = rc_serde_config_new();
    struct rc_serializer_options options = {.config = settings,
                                            .key = !strcmp(converter->which, "key"),
                                            .client = registry ? registry->client : NULL};
    struct sd_schema *reader = NULL;
    int result = read_reader(config, converter->which, &reader, err);
    if (result == 0)
        result = read_settings(config, converter->which, settings, err);
    options.reader = reader;
    bool own_url = result == 0 && bs_config_text(settings, "schema.registry.url");
    if (result == 0 && registry && registry->serde) {
        options.url = bs_config_text(registry->serde, "schema.registry.url");
        result = rc_serde_inherit(settings, registry->serde, err);
    }
    if (result == 0 && !options.client && !own_url && converter->kind == KIND_AVRO)
        result = bs_error_set(err, BS_EUNSUPPORTED,
                              "%s.converter is avro, but the worker has no schema registry; start "
                              "it with --registry, or set %s.converter.schema.registry.url",
                              converter->which, converter->which);
    if (result == 0 && (options.client || own_url))
        result = rc_serializer_new(&options, &converter->serializer, err);
    sd_schema_unref(reader);
    bs_config_free(settings);
    return result;
}

int rt_converter_new(const struct cn_config *config, const char *which, const char *otherwise,
                     const struct rt_registry *registry, struct rt_converter **ret,
                     struct bs_error *err)
{
    char option[64];
    enum kind kind;
    bool is_class;
    snprintf(option, sizeof(option), "%s.converter", which);
    const char *name = rt_config_option(config, option);
    int result = kind_of(name ? name : otherwise, &kind, &is_class, err);
    if (result < 0)
        return bs_error_wrap(err, "option %s", option);
    snprintf(option, sizeof(option), "%s.converter.schemas.enable", which);
    const char *schemas = rt_config_option(config, option);
    struct rt_converter *converter = bs_new(struct rt_converter);
    converter->kind = kind;
    converter->which = which;
    converter->schemas = kind == KIND_JSON && (schemas ? !strcasecmp(schemas, "true") : is_class);
    converter->envelopes = rt_envelopes_new();
    if (kind == KIND_AVRO || kind == KIND_AUTO)
        result = open_serializer(converter, config, registry, err);
    if (result < 0) {
        rt_converter_free(converter);
        return result;
    }
    *ret = converter;
    return 0;
}

static void seen_free(struct seen *seen)
{
    sd_schema_unref(seen->schema);
    bs_free(seen->own_text);
    bs_free(seen);
}

void rt_converter_free(struct rt_converter *converter)
{
    struct seen *seen, *next_seen;
    if (!converter)
        return;
    HASH_ITER (hh, converter->seen, seen, next_seen) {
        HASH_DEL(converter->seen, seen);
        seen_free(seen);
    }
    while (converter->given) {
        struct given *next = converter->given->next;
        sd_schema_unref(converter->given->schema);
        bs_free(converter->given);
        converter->given = next;
    }
    rc_serializer_free(converter->serializer);
    rt_envelopes_free(converter->envelopes);
    bs_free(converter);
}

bool rt_converter_may_pass(int result)
{
    return result == BS_ECONNECT || result == BS_ETIMEOUT || result == BS_EBUSY;
}

/* ---- writing ---- */

static int given_schema(struct rt_converter *converter, const char *text, struct sd_schema **ret,
                        struct bs_error *err)
{
    *ret = NULL;
    if (!text)
        return 0;
    for (struct given *at = converter->given; at; at = at->next)
        if (at->text == text) {
            *ret = at->schema;
            return 0;
        }
    int result = sd_schema_parse(bs_bytes_text(text), true, NULL, 0, ret, err);
    if (result < 0)
        return result;
    struct given *given = bs_new(struct given);
    *given = (struct given){.next = converter->given, .text = text, .schema = *ret};
    converter->given = given;
    return 0;
}

static int write_avro(struct rt_converter *converter, const char *topic,
                      const struct cn_value *value, const char *text, struct bs_arena *arena,
                      struct bs_buf *out, struct bs_bytes *ret_header, struct bs_error *err)
{
    const struct rc_writing *writing;
    struct sd_schema *schema;
    struct sd_value tree;
    int result = given_schema(converter, text, &schema, err);
    if (result == 0)
        result = rc_serializer_pick(converter->serializer, topic, schema, &writing, err);
    if (result == BS_ENOTFOUND && !text)
        bs_error_wrap(err, "no schema: the connector gives none and the registry has none; set "
                           "schema.file or register one");
    if (result < 0)
        return result;
    if (writing->in_header)
        *ret_header = bs_bytes(writing->header, sizeof(writing->header));
    rt_tree_to_serde(value, arena, &tree);
    return rc_writing_put(writing, &tree, out, err);
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
                       struct bs_buf *out, bool *ret_null, struct bs_bytes *ret_header,
                       struct bs_error *err)
{
    *ret_header = (struct bs_bytes){0};
    *ret_null = value->type == CN_NULL;
    if (*ret_null)
        return 0;
    switch (converter->kind) {
    case KIND_STRING:
        return write_string(value, arena, out, err);
    case KIND_AVRO:
        return write_avro(converter, topic, value, schema, arena, out, ret_header, err);
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

/* The text of a schema that a value points into, which is kept from now on. Takes the reference. */
static const char *keep_seen(struct rt_converter *converter, struct sd_schema *schema)
{
    struct seen *seen, *other, *next;
    struct bs_buf text = BS_BUF_INIT;
    HASH_FIND_PTR(converter->seen, &schema, seen);
    if (seen) {
        sd_schema_unref(schema);
        return seen->text;
    }
    seen = bs_new(struct seen);
    seen->schema = schema;
    sd_schema_text(schema, false, &text);
    HASH_ITER (hh, converter->seen, other, next)
        if (!strcmp(other->text, bs_buf_text(&text)))
            seen->text = other->text;
    if (!seen->text)
        seen->text = seen->own_text = bs_strdup(bs_buf_text(&text));
    HASH_ADD_PTR(converter->seen, schema, seen);
    bs_buf_deinit(&text);
    return seen->text;
}

static int read_avro(struct rt_converter *converter, const char *topic, struct bs_bytes header,
                     struct bs_bytes bytes, struct bs_arena *arena, struct cn_value *ret,
                     const char **ret_schema, struct bs_error *err)
{
    struct sd_schema *schema;
    struct sd_value tree;
    int result;
    if (!converter->serializer)
        return bs_error_set(err, BS_EUNSUPPORTED,
                            "this is Avro with a schema's id, but the worker has no schema "
                            "registry; start it with --registry");
    result =
        rc_serializer_read(converter->serializer, topic, header, bytes, arena, &schema, &tree, err);
    if (result < 0)
        return result;
    *ret_schema = keep_seen(converter, schema);
    rt_tree_from_serde(&tree, arena, ret);
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

int rt_converter_read(struct rt_converter *converter, const char *topic, struct bs_bytes header,
                      struct bs_bytes bytes, struct bs_arena *arena, struct cn_value *ret,
                      const char **ret_schema, struct bs_error *err)
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
        return read_avro(converter, topic, header, bytes, arena, ret, ret_schema, err);
    case KIND_AUTO:
        if (header.ptr || (bytes.len && bytes.ptr[0] == 0))
            return read_avro(converter, topic, header, bytes, arena, ret, ret_schema, err);
        return read_json(converter, bytes, arena, ret, ret_schema, err);
    default:
        return read_json(converter, bytes, arena, ret, ret_schema, err);
    }
}
