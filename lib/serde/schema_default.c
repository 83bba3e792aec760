/* Schema defaults: is the JSON of a default valid for its type, and what is it in Avro binary.
 *
 * Rules of Avro 1.12 as Java applies them: a default may match any branch of a union; the value of
 * a record may leave out fields that have defaults themselves; bytes and fixed are strings with one
 * char per byte. Defaults may be nested so that their work grows exponentially: `budget` ends it.
 */
#include "lib/serde/schema_model.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <float.h>
#include <math.h>

static bool number_of(const struct sd_value *json, double *ret)
{
    switch ((enum sd_type)json->type) {
    case SD_LONG:
        *ret = (double)json->number;
        return true;
    case SD_DOUBLE:
        *ret = json->real;
        return true;
    case SD_BYTES: { /* digits of an integer beyond 64 bits, see json_reader.h */
        double v = 0;
        for (size_t i = 0; i < json->bytes.len; i++)
            if (json->bytes.ptr[i] != '-')
                v = v * 10 + (json->bytes.ptr[i] - '0');
        *ret = json->bytes.len && json->bytes.ptr[0] == '-' ? -v : v;
        return true;
    }
    default:
        return false;
    }
}

enum { LINEAR = 16 };

/* The members of a record's default by field, NULL where it has none. Members that are no fields
 * are ignored. Many members are found by the record's table of names, each once. `room` is for the
 * few; the caller frees what is not `room`. */
static const struct sd_value **by_field(const struct sd_node *node, const struct sd_value *json,
                                        const struct sd_value **room)
{
    const struct sd_value **list = room;
    if (node->field_count > LINEAR)
        list = bs_array(node->field_count, sizeof(const struct sd_value *));
    if (json->map.count <= LINEAR) {
        for (size_t i = 0; i < node->field_count; i++)
            list[i] = sd_value_get(json, sd_more(node)->more[i].name);
        return list;
    }
    for (size_t i = 0; i < node->field_count && list == room; i++)
        list[i] = NULL;
    for (size_t i = 0; i < json->map.count; i++) {
        int at = sd_node_field(node, json->map.fields[i].name);
        if (at >= 0 && list[at] == NULL)
            list[at] = &json->map.fields[i].value;
    }
    return list;
}

static bool record_valid(const struct sd_node *node, const struct sd_value *json, long *budget,
                         unsigned depth)
{
    const struct sd_value *room[LINEAR], **values;
    bool valid = true;
    if (json->type != SD_MAP)
        return false;
    values = by_field(node, json, room);
    *budget -= (long)(node->field_count / LINEAR);
    for (size_t i = 0; i < node->field_count && valid; i++) {
        const struct sd_value *value = values[i] ? values[i] : node->fields[i].default_value;
        valid = value && sd_default_valid(node->fields[i].type, value, budget, depth + 1);
    }
    if (values != room)
        bs_free(values);
    return valid;
}

static bool items_valid(const struct sd_node *node, const struct sd_value *json, long *budget,
                        unsigned depth)
{
    if (node->kind == SD_AVRO_ARRAY) {
        if (json->type != SD_ARRAY)
            return false;
        for (size_t i = 0; i < json->array.count; i++)
            if (!sd_default_valid(node->items, &json->array.items[i], budget, depth + 1))
                return false;
        return true;
    }
    if (json->type != SD_MAP)
        return false;
    for (size_t i = 0; i < json->map.count; i++)
        if (!sd_default_valid(node->items, &json->map.fields[i].value, budget, depth + 1))
            return false;
    return true;
}

bool sd_default_valid(const struct sd_node *node, const struct sd_value *json, long *budget,
                      unsigned depth)
{
    double number;
    if (--*budget < 0 || depth > SD_SCHEMA_DEPTH_MAX)
        return false;
    switch (node->kind) {
    case SD_AVRO_NULL:
        return json->type == SD_NULL;
    case SD_AVRO_BOOLEAN:
        return json->type == SD_BOOL;
    case SD_AVRO_INT:
        return json->type == SD_LONG && json->number >= INT32_MIN && json->number <= INT32_MAX;
    case SD_AVRO_LONG:
        return json->type == SD_LONG;
    case SD_AVRO_FLOAT:
    case SD_AVRO_DOUBLE:
        return number_of(json, &number);
    case SD_AVRO_BYTES:
    case SD_AVRO_FIXED:
    case SD_AVRO_STRING:
    case SD_AVRO_ENUM:
        return json->type == SD_STRING;
    case SD_AVRO_RECORD:
        return record_valid(node, json, budget, depth);
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        return items_valid(node, json, budget, depth);
    case SD_AVRO_UNION:
        for (size_t i = 0; i < node->branch_count; i++)
            if (sd_default_valid(node->branches[i], json, budget, depth + 1))
                return true;
        return false;
    }
    return false;
}

/* One char per byte; chars beyond 255 have no byte. */
static int latin1(struct bs_bytes text, struct bs_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x80) {
            bs_buf_put_u8(out, c);
        } else if ((c == 0xc2 || c == 0xc3) && i + 1 < text.len) {
            bs_buf_put_u8(out, (uint8_t)(c << 6 | (text.ptr[++i] & 0x3f)));
        } else {
            return BS_EINVAL;
        }
    }
    return 0;
}

static int encode_text(const struct sd_node *node, const struct sd_value *json, struct bs_buf *out)
{
    struct bs_buf raw = BS_BUF_INIT;
    int rc = 0, symbol;
    if (json->type != SD_STRING)
        return BS_EINVAL;
    switch (node->kind) {
    case SD_AVRO_STRING:
        bs_buf_put_varlong(out, (int64_t)json->bytes.len);
        bs_buf_put(out, json->bytes.ptr, json->bytes.len);
        return 0;
    case SD_AVRO_ENUM:
        symbol = sd_node_symbol(node, json->bytes);
        if (symbol >= 0)
            bs_buf_put_varlong(out, symbol);
        return symbol < 0 ? BS_EINVAL : 0;
    default:
        rc = latin1(json->bytes, &raw);
        if (rc == 0 && node->kind == SD_AVRO_FIXED && raw.len != node->size)
            rc = BS_EINVAL;
        if (rc == 0 && node->kind == SD_AVRO_BYTES)
            bs_buf_put_varlong(out, (int64_t)raw.len);
        if (rc == 0)
            bs_buf_put(out, raw.data, raw.len);
        bs_buf_deinit(&raw);
        return rc;
    }
}

static void put_le(struct bs_buf *out, uint64_t bits, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        bs_buf_put_u8(out, (uint8_t)(bits >> 8 * i));
}

static int encode_number(const struct sd_node *node, const struct sd_value *json,
                         struct bs_buf *out)
{
    double number;
    if (node->kind == SD_AVRO_INT || node->kind == SD_AVRO_LONG) {
        if (json->type != SD_LONG ||
            (node->kind == SD_AVRO_INT && (json->number < INT32_MIN || json->number > INT32_MAX)))
            return BS_EINVAL;
        bs_buf_put_varlong(out, json->number);
        return 0;
    }
    if (!number_of(json, &number))
        return BS_EINVAL;
    if (node->kind == SD_AVRO_FLOAT) {
        float single = fabs(number) > (double)FLT_MAX ? copysignf(INFINITY, number > 0 ? 1 : -1)
                                                      : (float)number;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        put_le(out, bits, 4);
    } else {
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        put_le(out, bits, 8);
    }
    return 0;
}

static int encode_record(const struct sd_node *node, const struct sd_value *json,
                         struct bs_buf *out, long *budget, unsigned depth)
{
    const struct sd_value *room[LINEAR], **values;
    int rc = 0;
    if (json->type != SD_MAP)
        return BS_EINVAL;
    values = by_field(node, json, room);
    *budget -= (long)(node->field_count / LINEAR);
    for (size_t i = 0; i < node->field_count && rc == 0; i++) {
        const struct sd_value *value = values[i] ? values[i] : node->fields[i].default_value;
        rc = value ? sd_default_encode(node->fields[i].type, value, out, budget, depth + 1)
                   : BS_EINVAL;
    }
    if (values != room)
        bs_free(values);
    return rc;
}

static int encode_items(const struct sd_node *node, const struct sd_value *json, struct bs_buf *out,
                        long *budget, unsigned depth)
{
    bool map = node->kind == SD_AVRO_MAP;
    size_t count;
    int rc;
    if (json->type != (map ? SD_MAP : SD_ARRAY))
        return BS_EINVAL;
    count = map ? json->map.count : json->array.count;
    if (count)
        bs_buf_put_varlong(out, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        if (map) {
            bs_buf_put_varlong(out, (int64_t)json->map.fields[i].name.len);
            bs_buf_put(out, json->map.fields[i].name.ptr, json->map.fields[i].name.len);
        }
        rc =
            sd_default_encode(node->items, map ? &json->map.fields[i].value : &json->array.items[i],
                              out, budget, depth + 1);
        if (rc < 0)
            return rc;
    }
    bs_buf_put_u8(out, 0);
    return 0;
}

int sd_default_encode(const struct sd_node *node, const struct sd_value *json, struct bs_buf *out,
                      long *budget, unsigned depth)
{
    if (--*budget < 0 || depth > SD_SCHEMA_DEPTH_MAX)
        return BS_EINVAL;
    switch (node->kind) {
    case SD_AVRO_NULL:
        return json->type == SD_NULL ? 0 : BS_EINVAL;
    case SD_AVRO_BOOLEAN:
        if (json->type != SD_BOOL)
            return BS_EINVAL;
        bs_buf_put_u8(out, json->boolean);
        return 0;
    case SD_AVRO_INT:
    case SD_AVRO_LONG:
    case SD_AVRO_FLOAT:
    case SD_AVRO_DOUBLE:
        return encode_number(node, json, out);
    case SD_AVRO_BYTES:
    case SD_AVRO_FIXED:
    case SD_AVRO_STRING:
    case SD_AVRO_ENUM:
        return encode_text(node, json, out);
    case SD_AVRO_RECORD:
        return encode_record(node, json, out, budget, depth);
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        return encode_items(node, json, out, budget, depth);
    case SD_AVRO_UNION:
        for (size_t i = 0; i < node->branch_count; i++) {
            if (sd_default_valid(node->branches[i], json, budget, depth + 1)) {
                bs_buf_put_varlong(out, (int64_t)i);
                return sd_default_encode(node->branches[i], json, out, budget, depth + 1);
            }
        }
        return BS_EINVAL;
    }
    return BS_EINVAL;
}
