/* Avro JSON, reading: the JSON encoding of a datum (specification 1.12) → value. Every non-null
 * value of a union is {"branch": value}; bytes and fixed are strings with one char per byte. What
 * comes of it names its branches, so that it is written as it was meant. */
#include "lib/serde/avro_binary.h"
#include "lib/serde/json.h"

#include <math.h>

struct reader {
    struct bs_arena *arena;
    struct bs_error *err;
};

static int convert(const struct reader *r, const struct sd_node *node, const struct sd_value *json,
                   const struct sd_path *path, unsigned depth, struct sd_value *ret);

static int mismatch(const struct reader *r, const struct sd_node *node, const struct sd_value *json,
                    const struct sd_path *path)
{
    const char *found = json->type == SD_MAP ? "an object" : sd_type_name(json->type);
    return sd_avro_fail(r->err, path, BS_EINVAL, "%s%s%s is wanted, this is %s",
                        sd_avro_name(node->kind), node->name ? " " : "",
                        node->name ? node->name : "", found);
}

static int convert_integer(const struct reader *r, const struct sd_node *node,
                           const struct sd_value *json, const struct sd_path *path,
                           struct sd_value *ret)
{
    if (json->type != SD_LONG)
        return mismatch(r, node, json, path);
    if (node->kind == SD_AVRO_INT && (json->number < INT32_MIN || json->number > INT32_MAX))
        return sd_avro_fail(r->err, path, BS_ERANGE, "%lld is not an int of 32 bits",
                            (long long)json->number);
    *ret = *json;
    return 0;
}

/* A number, or the names that JSON has no numbers for. */
static int convert_real(const struct reader *r, const struct sd_node *node,
                        const struct sd_value *json, const struct sd_path *path,
                        struct sd_value *ret)
{
    static const struct {
        const char *name;
        double value;
    } NAMES[] = {{"NaN", NAN},
                 {"Infinity", INFINITY},
                 {"-Infinity", -INFINITY},
                 {"INF", INFINITY},
                 {"-INF", -INFINITY}};
    *ret = *json;
    if (json->type == SD_LONG || json->type == SD_DOUBLE)
        return 0;
    for (size_t i = 0; json->type == SD_STRING && i < sizeof NAMES / sizeof *NAMES; i++)
        if (bs_bytes_is(json->bytes, NAMES[i].name)) {
            ret->type = SD_DOUBLE;
            ret->real = NAMES[i].value;
            return 0;
        }
    return mismatch(r, node, json, path);
}

static int convert_bytes(const struct reader *r, const struct sd_node *node,
                         const struct sd_value *json, const struct sd_path *path,
                         struct sd_value *ret)
{
    uint8_t *out;
    size_t len = 0;
    if (json->type != SD_STRING)
        return mismatch(r, node, json, path);
    out = bs_arena_alloc(r->arena, json->bytes.len);
    for (size_t i = 0; i < json->bytes.len; i++) {
        uint8_t c = json->bytes.ptr[i];
        if (c >= 0x80) { /* two bytes up to U+00FF: the JSON reader gives UTF-8 only */
            if (c > 0xc3)
                return sd_avro_fail(r->err, path, BS_EINVAL,
                                    "char %zu is beyond U+00FF, it stands for no byte", len + 1);
            c = (uint8_t)(c << 6 | (json->bytes.ptr[++i] & 0x3f));
        }
        out[len++] = c;
    }
    if (node->kind == SD_AVRO_FIXED && len != node->size)
        return sd_avro_fail(r->err, path, BS_EINVAL, "fixed %s has %zu bytes, these are %zu",
                            node->name, node->size, len);
    *ret = (struct sd_value){.type = SD_BYTES, .bytes = bs_bytes(out, len)};
    return 0;
}

static int convert_enum(const struct reader *r, const struct sd_node *node,
                        const struct sd_value *json, const struct sd_path *path,
                        struct sd_value *ret)
{
    if (json->type != SD_STRING)
        return mismatch(r, node, json, path);
    if (sd_node_symbol(node, json->bytes) < 0)
        return sd_avro_fail(r->err, path, BS_EINVAL, "enum %s has no symbol \"%.*s\"", node->name,
                            (int)json->bytes.len, (const char *)json->bytes.ptr);
    *ret = *json;
    return 0;
}

static int convert_array(const struct reader *r, const struct sd_node *node,
                         const struct sd_value *json, const struct sd_path *path, unsigned depth,
                         struct sd_value *ret)
{
    int rc = 0;
    if (json->type != SD_ARRAY)
        return mismatch(r, node, json, path);
    *ret = *json;
    ret->array.items = bs_arena_alloc(r->arena, json->array.count * sizeof *ret->array.items);
    for (size_t i = 0; i < json->array.count && rc == 0; i++) {
        struct sd_path here = {.up = path, .index = i};
        rc = convert(r, node->items, &json->array.items[i], &here, depth + 1, &ret->array.items[i]);
    }
    return rc;
}

/* Maps, and records: a field that is not there takes its default when it is written. */
static int convert_members(const struct reader *r, const struct sd_node *node,
                           const struct sd_value *json, const struct sd_path *path, unsigned depth,
                           struct sd_value *ret)
{
    int rc = 0;
    if (json->type != SD_MAP)
        return mismatch(r, node, json, path);
    *ret = *json;
    ret->map.fields = bs_arena_alloc(r->arena, json->map.count * sizeof *ret->map.fields);
    for (size_t i = 0; i < json->map.count && rc == 0; i++) {
        const struct sd_field *member = &json->map.fields[i];
        struct sd_path here = {.up = path, .name = member->name};
        const struct sd_node *type = node->items;
        if (node->kind == SD_AVRO_RECORD) {
            int at = sd_node_field(node, member->name);
            if (at < 0)
                return sd_avro_fail(r->err, &here, BS_EINVAL, "record %s has no such field",
                                    node->name);
            type = node->fields[at].type;
        }
        ret->map.fields[i].name = member->name;
        rc = convert(r, type, &member->value, &here, depth + 1, &ret->map.fields[i].value);
    }
    return rc;
}

static const char *branch_name(const struct sd_node *branch)
{
    return branch->name ? branch->name : sd_avro_name(branch->kind);
}

static int convert_union(const struct reader *r, const struct sd_node *node,
                         const struct sd_value *json, const struct sd_path *path, unsigned depth,
                         struct sd_value *ret)
{
    struct bs_buf names = BS_BUF_INIT;
    bool null = json->type == SD_NULL, wrapped = json->type == SD_MAP && json->map.count == 1;
    int rc;
    for (size_t i = 0; i < node->branch_count; i++) {
        const struct sd_node *branch = node->branches[i];
        const char *name = branch_name(branch);
        if (branch->kind == SD_AVRO_NULL ? null
                                         : wrapped && bs_bytes_is(json->map.fields[0].name, name)) {
            struct sd_path here = {.up = path, .name = bs_bytes_text(name)};
            bs_buf_deinit(&names);
            rc = convert(r, branch, null ? json : &json->map.fields[0].value, null ? path : &here,
                         depth + 1, ret);
            ret->branch = name;
            return rc;
        }
        bs_buf_printf(&names, "%s%s", names.len ? ", " : "", name);
    }
    rc = sd_avro_fail(r->err, path, BS_EINVAL,
                      "a value of a union is {\"branch\": value} or null, this is %s%s%.*s%s; the "
                      "branches are %s",
                      wrapped                ? "branch "
                      : json->type == SD_MAP ? "an object"
                                             : sd_type_name(json->type),
                      wrapped ? "\"" : "", wrapped ? (int)json->map.fields[0].name.len : 0,
                      wrapped ? (const char *)json->map.fields[0].name.ptr : "",
                      wrapped ? "\"" : "", bs_buf_text(&names));
    bs_buf_deinit(&names);
    return rc;
}

static int convert(const struct reader *r, const struct sd_node *node, const struct sd_value *json,
                   const struct sd_path *path, unsigned depth, struct sd_value *ret)
{
    enum sd_type wanted = node->kind == SD_AVRO_BOOLEAN  ? SD_BOOL
                          : node->kind == SD_AVRO_STRING ? SD_STRING
                                                         : SD_NULL;
    if (depth > SD_DEPTH_MAX)
        return sd_avro_fail(r->err, path, BS_ELIMIT, "nested deeper than %d", SD_DEPTH_MAX);
    switch (node->kind) {
    case SD_AVRO_NULL:
    case SD_AVRO_BOOLEAN:
    case SD_AVRO_STRING:
        *ret = *json;
        return json->type == wanted ? 0 : mismatch(r, node, json, path);
    case SD_AVRO_INT:
    case SD_AVRO_LONG:
        return convert_integer(r, node, json, path, ret);
    case SD_AVRO_FLOAT:
    case SD_AVRO_DOUBLE:
        return convert_real(r, node, json, path, ret);
    case SD_AVRO_BYTES:
    case SD_AVRO_FIXED:
        return convert_bytes(r, node, json, path, ret);
    case SD_AVRO_ENUM:
        return convert_enum(r, node, json, path, ret);
    case SD_AVRO_ARRAY:
        return convert_array(r, node, json, path, depth, ret);
    case SD_AVRO_MAP:
    case SD_AVRO_RECORD:
        return convert_members(r, node, json, path, depth, ret);
    case SD_AVRO_UNION:
        return convert_union(r, node, json, path, depth, ret);
    }
    return BS_EINVAL;
}

int sd_avro_json_read(const struct sd_node *schema, struct bs_bytes text, struct bs_arena *arena,
                      struct sd_value *ret, struct bs_error *err)
{
    struct reader r = {.arena = arena, .err = err};
    struct sd_path root = {0};
    struct sd_value json;
    int rc = sd_json_read(text, arena, &json, err);
    return rc < 0 ? rc : convert(&r, schema, &json, &root, 0, ret);
}
