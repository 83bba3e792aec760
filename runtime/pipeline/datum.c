/* Datum: conversions between the forms a key or value can have. No state; the caller's thread. */
#include "runtime/pipeline/datum.h"

#include "lib/serde/avro.h"
#include "lib/serde/json.h"

#include <string.h>

const char *rt_datum_kind(const struct rt_datum *datum)
{
    if (datum->windowed)
        return "a windowed key";
    switch ((enum rt_form)datum->form) {
    case RT_NULL:
        return "nil";
    case RT_BOOL:
        return "a boolean";
    case RT_LONG:
        return "an integer";
    case RT_DOUBLE:
        return "a float";
    case RT_STRING:
        return "a string";
    case RT_BYTES:
        return "bytes";
    case RT_TREE:
        return datum->bytes.len && datum->bytes.ptr[0] == RT_TAG_ARRAY ? "an array" : "a table";
    case RT_AVRO:
        return "an Avro value";
    case RT_JSON:
        return "JSON";
    }
    return "?";
}

static int json_value(const struct rt_datum *datum, struct bs_arena *arena, struct sd_value *ret,
                      struct bs_error *err)
{
    int rc = sd_json_read(datum->bytes, arena, ret, err);
    return rc ? bs_error_wrap(err, "the value is not JSON") : 0;
}

int rt_datum_parse(struct rt_datum *datum, struct bs_arena *arena, struct bs_error *err)
{
    if (datum->form != RT_JSON)
        return 0;
    struct sd_value value;
    struct bs_buf flat = BS_BUF_INIT;
    int rc = json_value(datum, arena, &value, err);
    if (!rc) {
        rt_flat_put_value(&flat, &value);
        uint8_t *copy = bs_arena_dup(arena, flat.data, flat.len);
        int slot = datum->slot;
        rc = rt_datum_from_flat(bs_bytes(copy, flat.len), datum);
        datum->slot = slot;
    }
    bs_buf_deinit(&flat);
    return rc;
}

int rt_datum_from_flat(struct bs_bytes flat, struct rt_datum *ret)
{
    memset(ret, 0, sizeof *ret);
    struct bs_bytes plain = flat;
    if (rt_flat_unwrap(&plain))
        return BS_ECORRUPT;
    struct sd_value value;
    switch ((enum rt_tag)plain.ptr[0]) {
    case RT_TAG_ARRAY:
    case RT_TAG_MAP:
    case RT_TAG_RECORD:
        ret->form = RT_TREE;
        ret->bytes = flat;
        return 0;
    default:
        break;
    }
    struct bs_cursor at = bs_cursor(plain);
    int rc = rt_flat_get_value(&at, NULL, &value, 0); /* a scalar needs no arena */
    if (rc)
        return rc;
    switch ((enum sd_type)value.type) {
    case SD_BOOL:
        ret->form = RT_BOOL;
        ret->boolean = value.boolean;
        break;
    case SD_LONG:
        ret->form = RT_LONG;
        ret->number = value.number;
        break;
    case SD_FLOAT:
    case SD_DOUBLE:
        ret->form = RT_DOUBLE;
        ret->real = value.real;
        break;
    case SD_STRING:
    case SD_BYTES:
        ret->form = value.type == SD_BYTES ? RT_BYTES : RT_STRING;
        ret->bytes = value.bytes;
        break;
    default:
        ret->form = RT_NULL;
    }
    return 0;
}

int rt_datum_put(const struct rt_datum *datum, struct bs_arena *arena, struct bs_buf *out,
                 struct bs_error *err)
{
    struct sd_value value;
    int rc;
    switch ((enum rt_form)datum->form) {
    case RT_NULL:
        bs_buf_put_u8(out, RT_TAG_NULL);
        return 0;
    case RT_BOOL:
        bs_buf_put_u8(out, datum->boolean ? RT_TAG_TRUE : RT_TAG_FALSE);
        return 0;
    case RT_LONG:
        rt_flat_put_long(out, datum->number);
        return 0;
    case RT_DOUBLE:
        rt_flat_put_double(out, datum->real);
        return 0;
    case RT_STRING:
    case RT_BYTES:
        rt_flat_put_text(out, datum->form == RT_BYTES ? RT_TAG_BYTES : RT_TAG_STRING, datum->bytes);
        return 0;
    case RT_TREE:
        bs_buf_put(out, datum->bytes.ptr, datum->bytes.len);
        return 0;
    case RT_AVRO:
        if (datum->avro->id < 0) { /* no id that could be looked up later */
            struct bs_cursor at = bs_cursor(datum->bytes);
            rc = rt_flat_put_avro(out, datum->avro->root, &at, 0);
            return rc ? bs_error_set(err, rc, "the Avro value does not fit its schema") : 0;
        }
        bs_buf_put_u8(out, RT_TAG_AVRO);
        bs_buf_put_u32(out, (uint32_t)datum->avro->id);
        bs_buf_put(out, datum->bytes.ptr, datum->bytes.len);
        return 0;
    case RT_JSON:
        rc = json_value(datum, arena, &value, err);
        if (!rc)
            rt_flat_put_value(out, &value);
        return rc;
    }
    return bs_error_set(err, BS_ESTATE, "a value of no known form");
}

int rt_datum_value(const struct rt_datum *datum, struct bs_arena *arena, struct sd_value *ret,
                   struct bs_error *err)
{
    memset(ret, 0, sizeof *ret);
    switch ((enum rt_form)datum->form) {
    case RT_NULL:
        ret->type = SD_NULL;
        return 0;
    case RT_BOOL:
        ret->type = SD_BOOL;
        ret->boolean = datum->boolean;
        return 0;
    case RT_LONG:
        ret->type = SD_LONG;
        ret->number = datum->number;
        return 0;
    case RT_DOUBLE:
        ret->type = SD_DOUBLE;
        ret->real = datum->real;
        return 0;
    case RT_STRING:
    case RT_BYTES:
        ret->type = datum->form == RT_BYTES ? SD_BYTES : SD_STRING;
        ret->bytes = datum->bytes;
        return 0;
    case RT_TREE: {
        struct bs_cursor at = bs_cursor(datum->bytes);
        int rc = rt_flat_get_value(&at, arena, ret, 0);
        return rc ? bs_error_set(err, rc, "an internal value cannot be read") : 0;
    }
    case RT_AVRO:
        return sd_avro_read(datum->avro->root, datum->bytes, arena, ret, err);
    case RT_JSON:
        return json_value(datum, arena, ret, err);
    }
    return bs_error_set(err, BS_ESTATE, "a value of no known form");
}

bool rt_datum_equal(const struct rt_datum *a, const struct rt_datum *b, struct bs_arena *arena)
{
    struct sd_value left, right;
    if (a->windowed != b->windowed || (a->windowed && (a->start != b->start || a->stop != b->stop)))
        return false;
    return !rt_datum_value(a, arena, &left, NULL) && !rt_datum_value(b, arena, &right, NULL) &&
           sd_value_equal(&left, &right);
}

/* Where a cut text ends without halving a UTF-8 sequence. */
static size_t utf8_cut(const uint8_t *text, size_t max)
{
    while (max && (text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

void rt_datum_show(const struct rt_datum *datum, struct bs_arena *arena, size_t max,
                   struct bs_buf *out)
{
    struct sd_value value;
    size_t start = out->len;
    if (datum->form == RT_JSON)
        bs_buf_put(out, datum->bytes.ptr, datum->bytes.len);
    else if (datum->form == RT_NULL)
        bs_buf_puts(out, "nil");
    else if (rt_datum_value(datum, arena, &value, NULL) || sd_json_write(&value, true, out, NULL)) {
        out->len = start;
        bs_buf_printf(out, "(%s)", rt_datum_kind(datum));
    }
    if (out->len - start > max) {
        out->len = start + utf8_cut(out->data + start, max);
        bs_buf_puts(out, "…");
    }
    for (size_t i = start; i < out->len; i++)
        if (out->data[i] < 0x20)
            out->data[i] = ' ';
    if (datum->windowed)
        bs_buf_printf(out, "@%lld", (long long)datum->start);
}
