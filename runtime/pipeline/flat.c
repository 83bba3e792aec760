/* Flat: encoder and bounded decoder of the runtime's own values. See flat.h and
 * docs/formats/internal-values.md. No state; any thread. */
#include "runtime/pipeline/flat.h"

#include "lib/base/mem.h"
#include "lib/serde/avro.h"

#include <string.h>

void rt_flat_put_long(struct bs_buf *out, int64_t value)
{
    uint8_t *at = bs_buf_reserve(out, 11);
    at[0] = RT_TAG_LONG;
    out->len += 1 + bs_put_uvarlong(at + 1, bs_zigzag(value));
}

void rt_flat_put_double(struct bs_buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bs_buf_put_u8(out, RT_TAG_DOUBLE);
    bs_buf_put_u64(out, bits);
}

void rt_flat_put_text(struct bs_buf *out, enum rt_tag tag, struct bs_bytes text)
{
    uint8_t *at = bs_buf_reserve(out, text.len + 11);
    at[0] = (uint8_t)tag;
    size_t n = 1 + bs_put_uvarlong(at + 1, text.len);
    if (text.len)
        memcpy(at + n, text.ptr, text.len);
    out->len += n + text.len;
}

void rt_flat_put_name(struct bs_buf *out, struct bs_bytes name)
{
    uint8_t *at = bs_buf_reserve(out, name.len + 10);
    size_t n = bs_put_uvarlong(at, name.len);
    if (name.len)
        memcpy(at + n, name.ptr, name.len);
    out->len += n + name.len;
}

size_t rt_flat_begin(struct bs_buf *out, enum rt_tag tag)
{
    bs_buf_put_u8(out, (uint8_t)tag);
    size_t mark = out->len;
    bs_buf_reserve(out, RT_FLAT_CONTAINER_SIZE);
    out->len += RT_FLAT_CONTAINER_SIZE;
    return mark;
}

void rt_flat_end(struct bs_buf *out, size_t mark, size_t count)
{
    bs_store_u32(out->data + mark, (uint32_t)(out->len - mark - 4));
    bs_store_u32(out->data + mark + 4, (uint32_t)count);
}

void rt_flat_put_value(struct bs_buf *out, const struct sd_value *value)
{
    if (value->branch) {
        bs_buf_put_u8(out, RT_TAG_BRANCH);
        rt_flat_put_name(out, bs_bytes_text(value->branch));
    }
    switch ((enum sd_type)value->type) {
    case SD_NULL:
        bs_buf_put_u8(out, RT_TAG_NULL);
        return;
    case SD_BOOL:
        bs_buf_put_u8(out, value->boolean ? RT_TAG_TRUE : RT_TAG_FALSE);
        return;
    case SD_LONG:
        rt_flat_put_long(out, value->number);
        return;
    case SD_FLOAT: {
        float single = (float)value->real;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        bs_buf_put_u8(out, RT_TAG_FLOAT);
        bs_buf_put_u32(out, bits);
        return;
    }
    case SD_DOUBLE:
        rt_flat_put_double(out, value->real);
        return;
    case SD_STRING:
    case SD_BYTES:
        rt_flat_put_text(out, value->type == SD_BYTES ? RT_TAG_BYTES : RT_TAG_STRING, value->bytes);
        return;
    case SD_ARRAY: {
        size_t mark = rt_flat_begin(out, RT_TAG_ARRAY);
        for (size_t i = 0; i < value->array.count; i++)
            rt_flat_put_value(out, &value->array.items[i]);
        rt_flat_end(out, mark, value->array.count);
        return;
    }
    case SD_MAP:
    case SD_RECORD: {
        size_t mark = rt_flat_begin(out, value->type == SD_MAP ? RT_TAG_MAP : RT_TAG_RECORD);
        for (size_t i = 0; i < value->map.count; i++) {
            rt_flat_put_name(out, value->map.fields[i].name);
            rt_flat_put_value(out, &value->map.fields[i].value);
        }
        rt_flat_end(out, mark, value->map.count);
        return;
    }
    }
}

static const char *branch_name(const struct sd_node *node)
{
    static const char *const names[] = {
        [SD_AVRO_NULL] = "null",   [SD_AVRO_BOOLEAN] = "boolean", [SD_AVRO_INT] = "int",
        [SD_AVRO_LONG] = "long",   [SD_AVRO_FLOAT] = "float",     [SD_AVRO_DOUBLE] = "double",
        [SD_AVRO_BYTES] = "bytes", [SD_AVRO_STRING] = "string",   [SD_AVRO_ARRAY] = "array",
        [SD_AVRO_MAP] = "map",     [SD_AVRO_RECORD] = "record",   [SD_AVRO_ENUM] = "enum",
        [SD_AVRO_UNION] = "union", [SD_AVRO_FIXED] = "fixed",
    };
    return node->name ? node->name : names[node->kind];
}

/* Arrays and maps come in blocks: a count, negative when a byte size follows, zero at the end. */
static int put_blocks(struct bs_buf *out, const struct sd_node *node, struct bs_cursor *at,
                      unsigned depth)
{
    size_t mark = rt_flat_begin(out, node->kind == SD_AVRO_ARRAY ? RT_TAG_ARRAY : RT_TAG_MAP);
    /* Items without bytes (null, empty records) would let a count claim anything. */
    size_t total = 0, most = bs_cursor_left(at) + 128;
    for (;;) {
        int64_t count = 0, size = 0;
        if (bs_get_varlong(at, &count))
            return BS_ECORRUPT;
        if (count == 0)
            break;
        if (count < 0) {
            if (count == INT64_MIN || bs_get_varlong(at, &size) || size < 0)
                return BS_ECORRUPT;
            count = -count;
        }
        if ((uint64_t)count > most - total)
            return BS_ECORRUPT;
        for (int64_t i = 0; i < count; i++) {
            if (node->kind == SD_AVRO_MAP) {
                int64_t len = 0;
                struct bs_bytes name;
                if (bs_get_varlong(at, &len) || len < 0 || bs_get_bytes(at, (size_t)len, &name))
                    return BS_ECORRUPT;
                rt_flat_put_name(out, name);
            }
            int rc = rt_flat_put_avro(out, node->items, at, depth + 1);
            if (rc)
                return rc;
        }
        total += (size_t)count;
    }
    rt_flat_end(out, mark, total);
    return 0;
}

static int put_union(struct bs_buf *out, const struct sd_node *node, struct bs_cursor *at,
                     unsigned depth)
{
    int64_t index = 0;
    if (bs_get_varlong(at, &index) || index < 0 || (size_t)index >= node->branch_count)
        return BS_ECORRUPT;
    const struct sd_node *branch = node->branches[index];
    size_t real = 0;
    for (size_t i = 0; i < node->branch_count; i++)
        real += node->branches[i]->kind != SD_AVRO_NULL;
    if (real > 1 && branch->kind != SD_AVRO_NULL) {
        bs_buf_put_u8(out, RT_TAG_BRANCH);
        rt_flat_put_name(out, bs_bytes_text(branch_name(branch)));
    }
    return rt_flat_put_avro(out, branch, at, depth + 1);
}

static int put_plain(struct bs_buf *out, const struct sd_node *node, struct bs_cursor *at)
{
    struct bs_bytes bytes;
    int64_t number = 0;
    switch (node->kind) {
    case SD_AVRO_NULL:
        bs_buf_put_u8(out, RT_TAG_NULL);
        return 0;
    case SD_AVRO_BOOLEAN:
        if (bs_get_bytes(at, 1, &bytes) || bytes.ptr[0] > 1)
            return BS_ECORRUPT;
        bs_buf_put_u8(out, bytes.ptr[0] ? RT_TAG_TRUE : RT_TAG_FALSE);
        return 0;
    case SD_AVRO_INT:
    case SD_AVRO_LONG:
        if (bs_get_varlong(at, &number))
            return BS_ECORRUPT;
        rt_flat_put_long(out, number);
        return 0;
    case SD_AVRO_FLOAT:
    case SD_AVRO_DOUBLE: {
        size_t size = node->kind == SD_AVRO_FLOAT ? 4 : 8;
        if (bs_get_bytes(at, size, &bytes))
            return BS_ECORRUPT;
        bs_buf_put_u8(out, size == 4 ? RT_TAG_FLOAT : RT_TAG_DOUBLE);
        for (size_t i = size; i-- > 0;)
            bs_buf_put_u8(out, bytes.ptr[i]); /* Avro is little endian */
        return 0;
    }
    case SD_AVRO_ENUM:
        if (bs_get_varlong(at, &number) || number < 0 || (size_t)number >= node->symbol_count)
            return BS_ECORRUPT;
        rt_flat_put_text(out, RT_TAG_STRING, bs_bytes_text(node->symbols[number]));
        return 0;
    case SD_AVRO_FIXED:
        if (bs_get_bytes(at, node->size, &bytes))
            return BS_ECORRUPT;
        rt_flat_put_text(out, RT_TAG_BYTES, bytes);
        return 0;
    default: /* BYTES, STRING */
        if (bs_get_varlong(at, &number) || number < 0 || bs_get_bytes(at, (size_t)number, &bytes))
            return BS_ECORRUPT;
        rt_flat_put_text(out, node->kind == SD_AVRO_BYTES ? RT_TAG_BYTES : RT_TAG_STRING, bytes);
        return 0;
    }
}

int rt_flat_put_avro(struct bs_buf *out, const struct sd_node *node, struct bs_cursor *at,
                     unsigned depth)
{
    if (depth > RT_FLAT_DEPTH_MAX)
        return BS_ELIMIT;
    switch (node->kind) {
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        return put_blocks(out, node, at, depth);
    case SD_AVRO_UNION:
        return put_union(out, node, at, depth);
    case SD_AVRO_RECORD: {
        size_t mark = rt_flat_begin(out, RT_TAG_RECORD);
        for (size_t i = 0; i < node->field_count; i++) {
            rt_flat_put_name(out, bs_bytes_text(node->fields[i].name));
            int rc = rt_flat_put_avro(out, node->fields[i].type, at, depth + 1);
            if (rc)
                return rc;
        }
        rt_flat_end(out, mark, node->field_count);
        return 0;
    }
    default:
        return put_plain(out, node, at);
    }
}

static int skip_text(struct bs_cursor *at)
{
    uint64_t len = 0;
    struct bs_bytes bytes;
    if (bs_get_uvarlong(at, &len) || len > bs_cursor_left(at))
        return BS_ECORRUPT;
    return bs_get_bytes(at, (size_t)len, &bytes);
}

int rt_flat_skip(struct bs_cursor *at)
{
    for (;;) {
        uint8_t tag = 0;
        uint32_t len = 0;
        uint64_t number = 0;
        struct bs_bytes bytes;
        if (bs_get_u8(at, &tag))
            return BS_ECORRUPT;
        switch ((enum rt_tag)tag) {
        case RT_TAG_NULL:
        case RT_TAG_FALSE:
        case RT_TAG_TRUE:
            return 0;
        case RT_TAG_LONG:
            return bs_get_uvarlong(at, &number) ? BS_ECORRUPT : 0;
        case RT_TAG_FLOAT:
            return bs_get_bytes(at, 4, &bytes) ? BS_ECORRUPT : 0;
        case RT_TAG_DOUBLE:
            return bs_get_bytes(at, 8, &bytes) ? BS_ECORRUPT : 0;
        case RT_TAG_STRING:
        case RT_TAG_BYTES:
            return skip_text(at);
        case RT_TAG_ARRAY:
        case RT_TAG_MAP:
        case RT_TAG_RECORD:
            return bs_get_u32(at, &len) || bs_get_bytes(at, len, &bytes) ? BS_ECORRUPT : 0;
        case RT_TAG_BRANCH:
            if (skip_text(at))
                return BS_ECORRUPT;
            break; /* the value follows */
        case RT_TAG_AVRO:
        case RT_TAG_COUNT:
        default:
            return BS_ECORRUPT;
        }
    }
}

int rt_flat_slice(struct bs_cursor *at, struct bs_bytes *ret)
{
    const uint8_t *start = at->at;
    int rc = rt_flat_skip(at);
    if (rc)
        return rc;
    *ret = bs_bytes(start, (size_t)(at->at - start));
    return 0;
}

int rt_flat_open(struct bs_bytes value, struct bs_cursor *ret_body, size_t *ret_count)
{
    if (rt_flat_unwrap(&value) || value.len < 1 + RT_FLAT_CONTAINER_SIZE ||
        value.ptr[0] < RT_TAG_ARRAY || value.ptr[0] > RT_TAG_RECORD)
        return BS_ECORRUPT;
    uint32_t len = bs_load_u32(value.ptr + 1), count = bs_load_u32(value.ptr + 5);
    if (len < 4 || len > value.len - 5 || count > len)
        return BS_ECORRUPT; /* every item has at least its tag */
    *ret_body = bs_cursor(bs_bytes(value.ptr + 9, len - 4));
    *ret_count = count;
    return 0;
}

int rt_flat_name(struct bs_cursor *at, struct bs_bytes *ret)
{
    uint64_t len = 0;
    if (bs_get_uvarlong(at, &len) || len > bs_cursor_left(at))
        return BS_ECORRUPT;
    return bs_get_bytes(at, (size_t)len, ret);
}

int rt_flat_field(struct bs_bytes map, struct bs_bytes name, struct bs_bytes *ret)
{
    struct bs_cursor at;
    size_t count = 0;
    if (rt_flat_open(map, &at, &count))
        return BS_ECORRUPT;
    for (size_t i = 0; i < count; i++) {
        struct bs_bytes have;
        if (rt_flat_name(&at, &have))
            return BS_ECORRUPT;
        if (have.len == name.len && (!name.len || memcmp(have.ptr, name.ptr, name.len) == 0))
            return rt_flat_slice(&at, ret);
        if (rt_flat_skip(&at))
            return BS_ECORRUPT;
    }
    return BS_ENOTFOUND;
}

int rt_flat_unwrap(struct bs_bytes *value)
{
    while (value->len && value->ptr[0] == RT_TAG_BRANCH) {
        struct bs_cursor at = bs_cursor(bs_bytes(value->ptr + 1, value->len - 1));
        if (skip_text(&at))
            return BS_ECORRUPT;
        *value = bs_bytes(at.at, bs_cursor_left(&at));
    }
    return value->len ? 0 : BS_ECORRUPT;
}

static int get_items(struct bs_bytes slice, uint8_t tag, struct bs_arena *arena,
                     struct sd_value *ret, unsigned depth)
{
    struct bs_cursor at;
    size_t count = 0;
    if (rt_flat_open(slice, &at, &count))
        return BS_ECORRUPT;
    if (tag == RT_TAG_ARRAY) {
        ret->type = SD_ARRAY;
        ret->array.count = count;
        ret->array.items = bs_arena_array(arena, count, sizeof *ret->array.items);
        for (size_t i = 0; i < count; i++) {
            int rc = rt_flat_get_value(&at, arena, &ret->array.items[i], depth + 1);
            if (rc)
                return rc;
        }
        return 0;
    }
    ret->type = tag == RT_TAG_MAP ? SD_MAP : SD_RECORD;
    ret->map.count = count;
    ret->map.fields = bs_arena_array(arena, count, sizeof *ret->map.fields);
    for (size_t i = 0; i < count; i++) {
        if (rt_flat_name(&at, &ret->map.fields[i].name))
            return BS_ECORRUPT;
        int rc = rt_flat_get_value(&at, arena, &ret->map.fields[i].value, depth + 1);
        if (rc)
            return rc;
    }
    return 0;
}

/* Strings point into the cursor's memory. */
int rt_flat_get_value(struct bs_cursor *at, struct bs_arena *arena, struct sd_value *ret,
                      unsigned depth)
{
    struct bs_bytes slice;
    if (depth > RT_FLAT_DEPTH_MAX)
        return BS_ELIMIT;
    if (rt_flat_slice(at, &slice))
        return BS_ECORRUPT;
    memset(ret, 0, sizeof *ret);
    if (slice.ptr[0] == RT_TAG_BRANCH) {
        struct bs_cursor inner = bs_cursor(bs_bytes(slice.ptr + 1, slice.len - 1));
        struct bs_bytes name;
        if (rt_flat_name(&inner, &name))
            return BS_ECORRUPT;
        int rc = rt_flat_get_value(&inner, arena, ret, depth + 1);
        ret->branch = bs_arena_strndup(arena, (const char *)name.ptr, name.len);
        return rc;
    }
    struct bs_cursor body = bs_cursor(bs_bytes(slice.ptr + 1, slice.len - 1));
    uint64_t bits = 0;
    uint32_t single = 0;
    float real = 0;
    switch ((enum rt_tag)slice.ptr[0]) {
    case RT_TAG_FALSE:
    case RT_TAG_TRUE:
        ret->type = SD_BOOL;
        ret->boolean = slice.ptr[0] == RT_TAG_TRUE;
        return 0;
    case RT_TAG_LONG:
        ret->type = SD_LONG;
        return bs_get_varlong(&body, &ret->number);
    case RT_TAG_FLOAT:
        bs_get_u32(&body, &single);
        memcpy(&real, &single, sizeof real);
        ret->type = SD_FLOAT;
        ret->real = (double)real;
        return 0;
    case RT_TAG_DOUBLE:
        bs_get_u64(&body, &bits);
        memcpy(&ret->real, &bits, sizeof ret->real);
        ret->type = SD_DOUBLE;
        return 0;
    case RT_TAG_STRING:
    case RT_TAG_BYTES:
        ret->type = slice.ptr[0] == RT_TAG_BYTES ? SD_BYTES : SD_STRING;
        return rt_flat_name(&body, &ret->bytes);
    case RT_TAG_ARRAY:
    case RT_TAG_MAP:
    case RT_TAG_RECORD:
        return get_items(slice, slice.ptr[0], arena, ret, depth);
    default:
        ret->type = SD_NULL;
        return 0;
    }
}
