/* Avro writer: value → binary (Avro specification 1.12, "Binary encoding").
 *
 * Records are matched by name with a guess first: the value's field at the same place, or the next
 * one, mostly has the name that is wanted, so that no search is made per field. Unions: the branch
 * that the value names, else the first whose type is the value's own, else the first that it can be
 * turned into; a branch that fails inside is taken back and the next one tried. Where text is
 * base64 for bytes, a union in which it may be text or bytes, or two kinds of bytes, is refused: to
 * guess would change data. */
#include "lib/serde/avro_binary.h"

#include <float.h>
#include <math.h>

struct writer {
    struct bs_buf *out;
    bool base64; /* SD_STRING for bytes and fixed is base64 */
    struct bs_error *err;
};

static int write_value(const struct writer *w, const struct sd_node *node,
                       const struct sd_value *value, const struct sd_path *path, unsigned depth);

static int mismatch(const struct writer *w, const struct sd_node *node,
                    const struct sd_value *value, const struct sd_path *path)
{
    return sd_avro_fail(w->err, path, BS_EINVAL, "a value of type %s does not go into %s",
                        sd_type_name((enum sd_type)value->type),
                        node->name ? node->name : sd_avro_name(node->kind));
}

/* The whole number that a value stands for. */
static bool whole_number(const struct sd_value *value, int64_t *ret)
{
    if (value->type == SD_LONG) {
        *ret = value->number;
        return true;
    }
    if ((value->type == SD_DOUBLE || value->type == SD_FLOAT) &&
        value->real >= -9223372036854775808.0 && value->real < 9223372036854775808.0 &&
        value->real == nearbyint(value->real)) {
        *ret = (int64_t)value->real;
        return true;
    }
    return false;
}

static int write_integer(const struct writer *w, const struct sd_node *node,
                         const struct sd_value *value, const struct sd_path *path)
{
    int64_t number;
    if (!whole_number(value, &number)) {
        if (value->type == SD_DOUBLE || value->type == SD_FLOAT)
            return sd_avro_fail(w->err, path, BS_EINVAL, "%g is not a whole number, as %s wants",
                                value->real, sd_avro_name(node->kind));
        return mismatch(w, node, value, path);
    }
    if (node->kind == SD_AVRO_INT && (number < INT32_MIN || number > INT32_MAX))
        return sd_avro_fail(w->err, path, BS_ERANGE, "%lld does not fit into an int of 32 bits",
                            (long long)number);
    bs_buf_put_varlong(w->out, number);
    return 0;
}

static int write_real(const struct writer *w, const struct sd_node *node,
                      const struct sd_value *value, const struct sd_path *path)
{
    double real;
    if (value->type == SD_LONG)
        real = (double)value->number;
    else if (value->type == SD_DOUBLE || value->type == SD_FLOAT)
        real = value->real;
    else
        return mismatch(w, node, value, path);
    if (node->kind == SD_AVRO_FLOAT) {
        uint8_t *to;
        uint32_t bits;
        float single;
        if (isfinite(real) && fabs(real) > (double)FLT_MAX)
            return sd_avro_fail(w->err, path, BS_ERANGE, "%g does not fit into a float", real);
        single = (float)real;
        memcpy(&bits, &single, sizeof bits);
        to = bs_buf_reserve(w->out, 4);
        for (unsigned i = 0; i < 4; i++)
            to[i] = (uint8_t)(bits >> 8 * i);
        w->out->len += 4;
    } else {
        uint8_t *to = bs_buf_reserve(w->out, 8);
        uint64_t bits;
        memcpy(&bits, &real, sizeof bits);
        for (unsigned i = 0; i < 8; i++)
            to[i] = (uint8_t)(bits >> 8 * i);
        w->out->len += 8;
    }
    return 0;
}

static bool utf8(struct bs_bytes text)
{
    uint8_t high = 0;
    for (size_t i = 0; i < text.len; i++)
        high |= text.ptr[i];
    return high < 0x80 || bs_utf8_valid(text);
}

static void put_slice(struct bs_buf *out, struct bs_bytes bytes)
{
    uint8_t *to = bs_buf_reserve(out, bytes.len + 10);
    size_t n = bs_put_uvarlong(to, bs_zigzag((int64_t)bytes.len));
    if (bytes.len)
        memcpy(to + n, bytes.ptr, bytes.len);
    out->len += n + bytes.len;
}

/* The fault is in the text itself: BS_ESYNTAX. */
static int write_base64(const struct writer *w, const struct sd_node *node, struct bs_bytes text,
                        const struct sd_path *path)
{
    size_t before = w->out->len, size = bs_base64_decoded_size(text);
    if (node->kind == SD_AVRO_BYTES)
        bs_buf_put_varlong(w->out, (int64_t)size);
    if (!bs_buf_put_base64_decoded(w->out, text)) {
        w->out->len = before;
        return sd_avro_fail(w->err, path, BS_ESYNTAX, "\"%.*s\" is not base64, which %s takes here",
                            (int)(text.len > 80 ? 80 : text.len), (const char *)text.ptr,
                            node->name ? node->name : "bytes");
    }
    if (node->kind == SD_AVRO_FIXED && size != node->size) {
        w->out->len = before;
        return sd_avro_fail(w->err, path, BS_ESYNTAX, "%s has %zu bytes, the base64 text %zu",
                            node->name, node->size, size);
    }
    return 0;
}

static int write_text(const struct writer *w, const struct sd_node *node,
                      const struct sd_value *value, const struct sd_path *path)
{
    int symbol;
    if (value->type != SD_STRING && value->type != SD_BYTES)
        return mismatch(w, node, value, path);
    if (w->base64 && value->type == SD_STRING &&
        (node->kind == SD_AVRO_BYTES || node->kind == SD_AVRO_FIXED))
        return write_base64(w, node, value->bytes, path);
    switch (node->kind) {
    case SD_AVRO_STRING:
        if (!utf8(value->bytes))
            return sd_avro_fail(w->err, path, BS_EINVAL, "the text is not UTF-8, as string wants");
        put_slice(w->out, value->bytes);
        return 0;
    case SD_AVRO_BYTES:
        put_slice(w->out, value->bytes);
        return 0;
    case SD_AVRO_FIXED:
        if (value->bytes.len != node->size)
            return sd_avro_fail(w->err, path, BS_EINVAL, "%s has %zu bytes, the value %zu",
                                node->name, node->size, value->bytes.len);
        bs_buf_put(w->out, value->bytes.ptr, value->bytes.len);
        return 0;
    default:
        symbol = sd_node_symbol(node, value->bytes);
        if (symbol < 0)
            return sd_avro_fail(w->err, path, BS_EINVAL, "\"%.*s\" is no symbol of enum %s",
                                (int)(value->bytes.len > 80 ? 80 : value->bytes.len),
                                (const char *)value->bytes.ptr, node->name);
        bs_buf_put_varlong(w->out, symbol);
        return 0;
    }
}

/* Every name of the value must be a field: finds the first that is not. */
static int unknown_field(const struct writer *w, const struct sd_node *node,
                         const struct sd_value *value, const struct sd_path *path)
{
    for (size_t i = 0; i < value->map.count; i++) {
        struct bs_bytes name = value->map.fields[i].name;
        if (sd_node_field(node, name) < 0)
            return sd_avro_fail(w->err, path, BS_EINVAL, "record %s has no field \"%.*s\"",
                                node->name, (int)(name.len > 80 ? 80 : name.len),
                                (const char *)name.ptr);
    }
    return 0; /* a name twice: sd_value_get takes the first */
}

static const struct sd_value *find_field(const struct sd_value *value, struct bs_bytes name,
                                         size_t *guess)
{
    const struct sd_field *fields = value->map.fields;
    size_t count = value->map.count;
    if (*guess < count && bs_bytes_equal(fields[*guess].name, name))
        return &fields[(*guess)++].value;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name.len == name.len && memcmp(fields[i].name.ptr, name.ptr, name.len) == 0) {
            *guess = i + 1;
            return &fields[i].value;
        }
    }
    return NULL;
}

static int write_record(const struct writer *w, const struct sd_node *node,
                        const struct sd_value *value, const struct sd_path *path, unsigned depth)
{
    const struct sd_node_more *more = sd_more(node);
    size_t guess = 0, found = 0;
    if (value->type != SD_RECORD && value->type != SD_MAP)
        return mismatch(w, node, value, path);
    for (size_t i = 0; i < node->field_count; i++) {
        struct bs_bytes name = more->more[i].name;
        const struct sd_value *field = find_field(value, name, &guess);
        struct sd_path here = {.up = path, .name = name};
        int rc;
        if (field) {
            found++;
            rc = write_value(w, node->fields[i].type, field, &here, depth + 1);
            if (rc < 0)
                return rc;
        } else if (more->more[i].encoded.ptr) {
            bs_buf_put(w->out, more->more[i].encoded.ptr, more->more[i].encoded.len);
        } else {
            return sd_avro_fail(w->err, &here, BS_EINVAL,
                                "field \"%s\" of record %s is absent and has no default",
                                node->fields[i].name, node->name);
        }
    }
    return found == value->map.count ? 0 : unknown_field(w, node, value, path);
}

static int write_array(const struct writer *w, const struct sd_node *node,
                       const struct sd_value *value, const struct sd_path *path, unsigned depth)
{
    bool empty_map = value->type == SD_MAP && value->map.count == 0; /* Lua's {} */
    size_t count = empty_map ? 0 : value->array.count;
    if (value->type != SD_ARRAY && !empty_map)
        return mismatch(w, node, value, path);
    if (count)
        bs_buf_put_varlong(w->out, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        struct sd_path here = {.up = path, .index = i};
        int rc = write_value(w, node->items, &value->array.items[i], &here, depth + 1);
        if (rc < 0)
            return rc;
    }
    bs_buf_put_u8(w->out, 0);
    return 0;
}

static int write_map(const struct writer *w, const struct sd_node *node,
                     const struct sd_value *value, const struct sd_path *path, unsigned depth)
{
    bool empty_array = value->type == SD_ARRAY && value->array.count == 0;
    size_t count = empty_array ? 0 : value->map.count;
    if (value->type != SD_MAP && value->type != SD_RECORD && !empty_array)
        return mismatch(w, node, value, path);
    if (count)
        bs_buf_put_varlong(w->out, (int64_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct sd_field *field = &value->map.fields[i];
        struct sd_path here = {.up = path, .name = field->name};
        int rc;
        if (!utf8(field->name))
            return sd_avro_fail(w->err, path, BS_EINVAL, "a key of a map is not UTF-8");
        put_slice(w->out, field->name);
        if ((rc = write_value(w, node->items, &field->value, &here, depth + 1)) < 0)
            return rc;
    }
    bs_buf_put_u8(w->out, 0);
    return 0;
}

/* How well a value goes into a branch: 2 its own type, 1 can be turned into it, 0 not. */
static int branch_fit(const struct writer *w, const struct sd_node *branch,
                      const struct sd_value *value)
{
    int64_t whole;
    switch ((enum sd_type)value->type) {
    case SD_NULL:
        return branch->kind == SD_AVRO_NULL ? 2 : 0;
    case SD_BOOL:
        return branch->kind == SD_AVRO_BOOLEAN ? 2 : 0;
    case SD_LONG:
        if (branch->kind == SD_AVRO_INT)
            return value->number >= INT32_MIN && value->number <= INT32_MAX ? 2 : 0;
        return branch->kind == SD_AVRO_LONG                                      ? 2
               : branch->kind == SD_AVRO_FLOAT || branch->kind == SD_AVRO_DOUBLE ? 1
                                                                                 : 0;
    case SD_FLOAT:
    case SD_DOUBLE:
        if (branch->kind == SD_AVRO_FLOAT || branch->kind == SD_AVRO_DOUBLE)
            return (branch->kind == SD_AVRO_FLOAT) == (value->type == SD_FLOAT) ? 2 : 1;
        return (branch->kind == SD_AVRO_INT || branch->kind == SD_AVRO_LONG) &&
               whole_number(value, &whole);
    case SD_STRING:
        if (branch->kind == SD_AVRO_STRING)
            return 2;
        if (branch->kind == SD_AVRO_ENUM)
            return sd_node_symbol(branch, value->bytes) >= 0 ? 2 : 0;
        return branch->kind == SD_AVRO_BYTES ||
               (branch->kind == SD_AVRO_FIXED && (w->base64 || branch->size == value->bytes.len));
    case SD_BYTES:
        if (branch->kind == SD_AVRO_FIXED)
            return branch->size == value->bytes.len ? 2 : 0;
        return branch->kind == SD_AVRO_BYTES ? 2 : branch->kind == SD_AVRO_STRING;
    case SD_ARRAY:
        return branch->kind == SD_AVRO_ARRAY
                   ? 2
                   : branch->kind == SD_AVRO_MAP && value->array.count == 0;
    case SD_MAP:
        return branch->kind == SD_AVRO_MAP || branch->kind == SD_AVRO_RECORD
                   ? 2
                   : branch->kind == SD_AVRO_ARRAY && value->map.count == 0;
    case SD_RECORD:
        return branch->kind == SD_AVRO_RECORD ? 2 : branch->kind == SD_AVRO_MAP;
    }
    return 0;
}

static int named_branch(const struct sd_node *node, const char *name)
{
    for (size_t i = 0; i < node->branch_count; i++) {
        const struct sd_node *branch = node->branches[i];
        if (strcmp(branch->name ? branch->name : sd_avro_name(branch->kind), name) == 0)
            return (int)i;
    }
    return -1;
}

static int write_branch(const struct writer *w, const struct sd_node *node, size_t i,
                        const struct sd_value *value, const struct sd_path *path, unsigned depth)
{
    bs_buf_put_varlong(w->out, (int64_t)i);
    return write_value(w, node->branches[i], value, path, depth + 1);
}

/* May base64 text mean more than one branch of the union? A text branch and one of bytes: always,
 * whatever the text is, so that not every fourth line is refused. */
static bool is_ambiguous(const struct sd_node *node, struct bs_bytes text)
{
    size_t texts = 0, binaries = 0, taking = 0;
    for (size_t i = 0; i < node->branch_count; i++) {
        const struct sd_node *branch = node->branches[i];
        bool fixed = branch->kind == SD_AVRO_FIXED;
        texts += branch->kind == SD_AVRO_STRING ||
                 (branch->kind == SD_AVRO_ENUM && sd_node_symbol(branch, text) >= 0);
        binaries += fixed || branch->kind == SD_AVRO_BYTES;
        taking += branch->kind == SD_AVRO_BYTES ||
                  (fixed && branch->size == bs_base64_decoded_size(text));
    }
    return taking > 1 || (texts && binaries);
}

static int write_union(const struct writer *w, const struct sd_node *node,
                       const struct sd_value *value, const struct sd_path *path, unsigned depth)
{
    size_t before = w->out->len, tried = 0;
    int rc = 0, named = value->branch ? named_branch(node, value->branch) : -1;
    if (named >= 0 && branch_fit(w, node->branches[named], value))
        return write_branch(w, node, (size_t)named, value, path, depth);
    if (w->base64 && value->type == SD_STRING && is_ambiguous(node, value->bytes))
        return sd_avro_fail(w->err, path, BS_ESYNTAX,
                            "the union takes text as it is and as base64 of bytes, or as bytes of "
                            "two types: it does not say which");
    for (int fit = 2; fit > 0; fit--) {
        for (size_t i = 0; i < node->branch_count; i++) {
            if (branch_fit(w, node->branches[i], value) != fit)
                continue;
            rc = write_branch(w, node, i, value, path, depth);
            if (rc == 0)
                return 0;
            w->out->len = before;
            tried++;
        }
    }
    if (tried == 1) /* its own words say more than ours */
        return rc;
    if (tried) {
        bs_error_wrap(w->err, "no branch of the union takes the value; the last one says");
        return rc;
    }
    return sd_avro_fail(w->err, path, BS_EINVAL, "no branch of the union takes a value of type %s",
                        sd_type_name((enum sd_type)value->type));
}

static int write_value(const struct writer *w, const struct sd_node *node,
                       const struct sd_value *value, const struct sd_path *path, unsigned depth)
{
    if (depth > SD_DEPTH_MAX)
        return sd_avro_fail(w->err, path, BS_ELIMIT, "nested deeper than %d", SD_DEPTH_MAX);
    switch (node->kind) {
    case SD_AVRO_NULL:
        return value->type == SD_NULL ? 0 : mismatch(w, node, value, path);
    case SD_AVRO_BOOLEAN:
        if (value->type != SD_BOOL)
            return mismatch(w, node, value, path);
        bs_buf_put_u8(w->out, value->boolean);
        return 0;
    case SD_AVRO_INT:
    case SD_AVRO_LONG:
        return write_integer(w, node, value, path);
    case SD_AVRO_FLOAT:
    case SD_AVRO_DOUBLE:
        return write_real(w, node, value, path);
    case SD_AVRO_BYTES:
    case SD_AVRO_STRING:
    case SD_AVRO_ENUM:
    case SD_AVRO_FIXED:
        return write_text(w, node, value, path);
    case SD_AVRO_RECORD:
        return write_record(w, node, value, path, depth);
    case SD_AVRO_ARRAY:
        return write_array(w, node, value, path, depth);
    case SD_AVRO_MAP:
        return write_map(w, node, value, path, depth);
    case SD_AVRO_UNION:
        return write_union(w, node, value, path, depth);
    }
    return mismatch(w, node, value, path);
}

static int write_root(const struct sd_node *schema, const struct sd_value *value, bool base64,
                      struct bs_buf *out, struct bs_error *err)
{
    struct writer w = {.out = out, .base64 = base64, .err = err};
    struct sd_path root = {0};
    size_t before = out->len;
    int rc = write_value(&w, schema, value, &root, 0);
    if (rc < 0)
        out->len = before;
    return rc;
}

int sd_avro_write(const struct sd_node *schema, const struct sd_value *value, struct bs_buf *out,
                  struct bs_error *err)
{
    return write_root(schema, value, false, out, err);
}

int sd_avro_write_base64(const struct sd_node *schema, const struct sd_value *value,
                         struct bs_buf *out, struct bs_error *err)
{
    return write_root(schema, value, true, out, err);
}
