/* Avro JSON: a datum in Avro's JSON encoding (specification 1.12, "JSON encoding"): values of a
 * union other than null are wrapped in {"branch": …}, bytes and fixed are strings with one char per
 * byte. The branch is found by encoding the value: what the binary writer would choose. */
#include "lib/serde/avro_binary.h"
#include "lib/serde/json_writer.h"
#include "lib/serde/number.h"

#include <math.h>

struct writer {
    struct bs_buf *out;
    struct bs_error *err;
};

static int put_value(const struct writer *w, const struct sd_node *node, struct bs_cursor *at,
                     const struct sd_path *path, unsigned depth);

static void put_latin1(struct bs_buf *out, struct bs_bytes bytes)
{
    struct bs_buf text = BS_BUF_INIT;
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        if (c >= 0x80) {
            bs_buf_put_u8(&text, (uint8_t)(0xc0 | c >> 6));
            c = (uint8_t)(0x80 | (c & 0x3f));
        }
        bs_buf_put_u8(&text, c);
    }
    sd_json_put_string(out, bs_buf_bytes(&text));
    bs_buf_deinit(&text);
}

static int put_scalar(const struct writer *w, const struct sd_node *node, struct bs_cursor *at,
                      const struct sd_path *path)
{
    struct sd_avro_reader r = {.at = *at, .borrow = true, .err = w->err};
    struct sd_value value;
    int rc;
    r.arena_max = SIZE_MAX;
    if ((rc = sd_avro_get_value(&r, node, path, 0, &value)) < 0)
        return rc;
    *at = r.at;
    switch ((enum sd_type)value.type) {
    case SD_BOOL:
        bs_buf_puts(w->out, value.boolean ? "true" : "false");
        return 0;
    case SD_LONG:
        sd_integer_put(w->out, value.number);
        return 0;
    case SD_FLOAT:
    case SD_DOUBLE:
        if (isnan(value.real)) /* as Java prints them */
            bs_buf_puts(w->out, "\"NaN\"");
        else if (isinf(value.real))
            bs_buf_puts(w->out, value.real > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        else
            sd_number_put(w->out, value.real, value.type == SD_FLOAT, SD_NUMBER_JSON);
        return 0;
    case SD_STRING:
        if (!sd_json_put_string(w->out, value.bytes))
            return sd_avro_fail(w->err, path, BS_EINVAL, "the string is not UTF-8");
        return 0;
    case SD_BYTES:
        put_latin1(w->out, value.bytes);
        return 0;
    default:
        bs_buf_puts(w->out, "null");
        return 0;
    }
}

static int put_items(const struct writer *w, const struct sd_node *node, struct bs_cursor *at,
                     const struct sd_path *path, unsigned depth)
{
    bool map = node->kind == SD_AVRO_MAP, empty = !map && sd_more(node->items)->empty;
    struct sd_avro_reader r = {.at = *at, .borrow = true, .err = w->err};
    struct sd_avro_block block = {0};
    size_t total = 0;
    int rc;
    bs_buf_put_u8(w->out, map ? '{' : '[');
    while ((rc = sd_avro_get_block(&r, path, empty, total, &block)) == 0 && block.count) {
        for (size_t i = 0; i < block.count; i++, total++) {
            struct sd_path here = {.up = path, .index = total};
            if (total)
                bs_buf_put_u8(w->out, ',');
            if (map) {
                if ((rc = sd_avro_get_slice(&r, path, &here.name)) < 0)
                    return rc;
                if (!sd_json_put_string(w->out, here.name))
                    return sd_avro_fail(w->err, path, BS_EINVAL, "a key is not UTF-8");
                bs_buf_put_u8(w->out, ':');
            }
            if ((rc = put_value(w, node->items, &r.at, &here, depth + 1)) < 0)
                return rc;
        }
    }
    *at = r.at;
    bs_buf_put_u8(w->out, map ? '}' : ']');
    return rc;
}

static int put_record(const struct writer *w, const struct sd_node *node, struct bs_cursor *at,
                      const struct sd_path *path, unsigned depth)
{
    bs_buf_put_u8(w->out, '{');
    for (size_t i = 0; i < node->field_count; i++) {
        struct sd_path here = {.up = path, .name = sd_more(node)->more[i].name};
        int rc;
        if (i)
            bs_buf_put_u8(w->out, ',');
        sd_json_put_string(w->out, here.name);
        bs_buf_put_u8(w->out, ':');
        if ((rc = put_value(w, node->fields[i].type, at, &here, depth + 1)) < 0)
            return rc;
    }
    bs_buf_put_u8(w->out, '}');
    return 0;
}

static int put_value(const struct writer *w, const struct sd_node *node, struct bs_cursor *at,
                     const struct sd_path *path, unsigned depth)
{
    const struct sd_node *branch;
    int64_t index;
    int rc;
    if (depth > SD_DEPTH_MAX)
        return sd_avro_fail(w->err, path, BS_ELIMIT, "nested deeper than %d", SD_DEPTH_MAX);
    switch (node->kind) {
    case SD_AVRO_RECORD:
        return put_record(w, node, at, path, depth);
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        return put_items(w, node, at, path, depth);
    case SD_AVRO_UNION:
        if (sd_get_long(at, &index) < 0 || index < 0 || (uint64_t)index >= node->branch_count)
            return sd_avro_fail(w->err, path, BS_ECORRUPT, "bad branch of a union");
        branch = node->branches[index];
        if (branch->kind == SD_AVRO_NULL)
            return put_value(w, branch, at, path, depth + 1);
        bs_buf_puts(w->out, "{");
        sd_json_put_string(w->out,
                           bs_bytes_text(branch->name ? branch->name : sd_avro_name(branch->kind)));
        bs_buf_puts(w->out, ":");
        if ((rc = put_value(w, branch, at, path, depth + 1)) < 0)
            return rc;
        bs_buf_puts(w->out, "}");
        return 0;
    default:
        return put_scalar(w, node, at, path);
    }
}

int sd_avro_json_write(const struct sd_node *schema, const struct sd_value *value,
                       struct bs_buf *out, struct bs_error *err)
{
    struct writer w = {.out = out, .err = err};
    struct bs_buf binary = BS_BUF_INIT;
    struct sd_path root = {0};
    struct bs_cursor at;
    size_t before = out->len;
    int rc = sd_avro_write(schema, value, &binary, err);
    if (rc == 0) {
        at = bs_cursor(bs_buf_bytes(&binary));
        rc = put_value(&w, schema, &at, &root, 0);
    }
    if (rc < 0)
        out->len = before;
    bs_buf_deinit(&binary);
    return rc;
}
