/* JSON: jansson's tree turned into values whose strings point into it; and a writer.
 *
 * Fields keep the text's order. Integers stay integers; one beyond 64 bits is an error. */
#include "connectors/file/json.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CN_JSON_DEPTH_MAX = 200 };

/* Arrays of values and fields are taken from blocks that live until the next read. */
struct block {
    struct block *next;
    size_t used, size;
    char data[];
};

struct cn_json {
    json_t *root;
    struct block *blocks; /* the first is kept from read to read */
    char reason[160];
};

struct cn_json *cn_json_new(void)
{
    return calloc(1, sizeof(struct cn_json));
}

static void drop(struct cn_json *json, bool all)
{
    while (json->blocks && (all || json->blocks->next)) {
        struct block *next = json->blocks->next;
        free(json->blocks);
        json->blocks = next;
    }
    if (json->blocks)
        json->blocks->used = 0;
    json_decref(json->root);
    json->root = NULL;
}

void cn_json_free(struct cn_json *json)
{
    if (!json)
        return;
    drop(json, true);
    free(json);
}

static void *take(struct cn_json *json, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!json->blocks || json->blocks->size - json->blocks->used < size) {
        size_t room = size > 16384 ? size : 16384;
        struct block *block = malloc(sizeof(*block) + room);
        if (!block) {
            fprintf(stderr, "file connector: no memory for %zu bytes\n", room);
            abort();
        }
        *block = (struct block){.next = json->blocks, .size = room};
        json->blocks = block;
    }
    void *ptr = json->blocks->data + json->blocks->used;
    json->blocks->used += size;
    return ptr;
}

static bool convert(struct cn_json *json, json_t *from, int depth, struct cn_value *ret)
{
    *ret = (struct cn_value){.type = CN_NULL};
    if (depth > CN_JSON_DEPTH_MAX)
        return false;
    switch (json_typeof(from)) {
    case JSON_OBJECT: {
        size_t n = json_object_size(from), i = 0;
        struct cn_field *fields = take(json, (n + 1) * sizeof(*fields));
        const char *name;
        json_t *member;
        json_object_foreach(from, name, member)
        {
            fields[i].name = (struct cn_text){name, strlen(name)};
            if (!convert(json, member, depth + 1, &fields[i++].value))
                return false;
        }
        ret->type = CN_MAP;
        ret->map.fields = fields;
        ret->map.count = n;
        return true;
    }
    case JSON_ARRAY: {
        size_t n = json_array_size(from);
        struct cn_value *items = take(json, (n + 1) * sizeof(*items));
        for (size_t i = 0; i < n; i++)
            if (!convert(json, json_array_get(from, i), depth + 1, &items[i]))
                return false;
        ret->type = CN_ARRAY;
        ret->array.items = items;
        ret->array.count = n;
        return true;
    }
    case JSON_STRING:
        ret->type = CN_STRING;
        ret->text = (struct cn_text){json_string_value(from), json_string_length(from)};
        return true;
    case JSON_INTEGER:
        ret->type = CN_INT64;
        ret->integer = json_integer_value(from);
        return true;
    case JSON_REAL:
        ret->type = CN_DOUBLE;
        ret->real = json_real_value(from);
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        ret->type = CN_BOOL;
        ret->integer = json_is_true(from);
        return true;
    default:
        return true;
    }
}

bool cn_json_read(struct cn_json *json, struct cn_text text, struct cn_value *ret,
                  const char **ret_reason, int *ret_column)
{
    json_error_t where;
    drop(json, false);
    json->root = json_loadb(text.ptr, text.len,
                            JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &where);
    if (!json->root) {
        snprintf(json->reason, sizeof(json->reason), "%s", where.text);
        *ret_reason = json->reason;
        *ret_column = where.column;
        return false;
    }
    if (convert(json, json->root, 0, ret))
        return true;
    *ret_reason = "nested too deeply (more than 200 levels)";
    *ret_column = 1;
    return false;
}

/* Length of the UTF-8 sequence at p (RFC 3629), or 0. */
static size_t sequence(const uint8_t *p, size_t left)
{
    static const struct {
        uint8_t from, to, second_from, second_to, len;
    } rows[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (*p < rows[i].from || *p > rows[i].to)
            continue;
        if (left < rows[i].len || p[1] < rows[i].second_from || p[1] > rows[i].second_to)
            return 0;
        for (size_t j = 2; j < rows[i].len; j++)
            if (p[j] < 0x80 || p[j] > 0xbf)
                return 0;
        return rows[i].len;
    }
    return 0;
}

static bool put_string(struct cn_text text, struct cn_buffer *out)
{
    static const char digits[] = "0123456789abcdef", shorts[] = "btn?fr"; /* of 8 to 13 */
    const uint8_t *p = (const uint8_t *)text.ptr, *end = p + text.len;
    cn_buffer_reserve(out, text.len * 6 + 2);
    char *at = out->data + out->len;
    *at++ = '"';
    while (p < end) {
        if (*p >= 0x80) {
            size_t n = sequence(p, (size_t)(end - p));
            if (!n)
                return false;
            memcpy(at, p, n);
            at += n;
            p += n;
        } else if (*p == '"' || *p == '\\') {
            *at++ = '\\';
            *at++ = (char)*p++;
        } else if (*p >= 0x20) {
            *at++ = (char)*p++;
        } else if (*p >= 8 && *p <= 13 && *p != 11) {
            *at++ = '\\';
            *at++ = shorts[*p++ - 8];
        } else {
            memcpy(at, "\\u00", 4);
            at[4] = digits[*p >> 4];
            at[5] = digits[*p++ & 15];
            at += 6;
        }
    }
    *at++ = '"';
    out->len = (size_t)(at - out->data);
    return true;
}

static void put_base64(struct cn_text text, struct cn_buffer *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    cn_buffer_put(out, "\"", 1);
    for (size_t i = 0; i < text.len; i += 3) {
        size_t n = text.len - i < 3 ? text.len - i : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++)
            bits = bits << 8 | (j < n ? (uint8_t)text.ptr[i + j] : 0);
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        n > 1 ? digits[bits >> 6 & 63] : '=', n > 2 ? digits[bits & 63] : '='};
        cn_buffer_put(out, four, 4);
    }
    cn_buffer_put(out, "\"", 1);
}

static bool put_real(double real, bool single, struct cn_buffer *out)
{
    char text[40];
    if (!isfinite(real))
        return false;
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, real);
        double back = strtod(text, NULL);
        if (single ? (float)back == (float)real : back == real)
            break;
    }
    cn_buffer_puts(out, text);
    if (!strpbrk(text, ".e"))
        cn_buffer_puts(out, ".0");
    return true;
}

bool cn_json_write(const struct cn_value *value, struct cn_buffer *out)
{
    char number[24];
    switch (value->type) {
    case CN_NULL:
        cn_buffer_puts(out, "null");
        return true;
    case CN_BOOL:
        cn_buffer_puts(out, value->integer ? "true" : "false");
        return true;
    case CN_INT64:
        snprintf(number, sizeof(number), "%lld", (long long)value->integer);
        cn_buffer_puts(out, number);
        return true;
    case CN_FLOAT:
    case CN_DOUBLE:
        return put_real(value->real, value->type == CN_FLOAT, out);
    case CN_STRING:
        return put_string(value->text, out);
    case CN_BYTES:
        put_base64(value->text, out);
        return true;
    case CN_ARRAY:
        cn_buffer_put(out, "[", 1);
        for (size_t i = 0; i < value->array.count; i++) {
            if (i)
                cn_buffer_put(out, ",", 1);
            if (!cn_json_write(&value->array.items[i], out))
                return false;
        }
        cn_buffer_put(out, "]", 1);
        return true;
    case CN_MAP:
        cn_buffer_put(out, "{", 1);
        for (size_t i = 0; i < value->map.count; i++) {
            if (i)
                cn_buffer_put(out, ",", 1);
            if (!put_string(value->map.fields[i].name, out))
                return false;
            cn_buffer_put(out, ":", 1);
            if (!cn_json_write(&value->map.fields[i].value, out))
                return false;
        }
        cn_buffer_put(out, "}", 1);
        return true;
    default:
        return false;
    }
}
