/* Ready: ready-made aggregates, computed without the script.
 *
 * The state is one or two flat values per aggregate, one behind the other:
 *     count          long
 *     sum            long or double, null before the first
 *     min max first last   the value, null before the first
 *     mean           long (how many), then the sum
 * Null and absent fields do not take part (count() without a field counts records). The pipeline's
 * thread. */
#include "runtime/task/operator.h"

#include "lib/serde/avro.h"

#include <string.h>

static const char *const names[] = {"count", "sum", "min", "max", "mean", "first", "last"};

static const uint8_t null_flat[] = {RT_TAG_NULL};

static struct bs_bytes nothing(void)
{
    return bs_bytes(null_flat, 1);
}

/* The field of an Avro record, as flat value. */
static int avro_field(struct rt_task *task, const struct rt_datum *value, struct bs_bytes name,
                      struct bs_bytes *ret, struct bs_error *err)
{
    const struct sd_node *root = value->avro->root;
    struct bs_bytes encoded;
    int index = root->kind == SD_AVRO_RECORD ? sd_node_field(root, name) : -1;
    if (index < 0)
        return bs_error_set(err, BS_EINVAL, "the value has no field '%.*s'", (int)name.len,
                            (const char *)name.ptr);
    if (sd_avro_field(root, value->bytes, (size_t)index, &encoded))
        return bs_error_set(err, BS_ECORRUPT, "the Avro value does not fit its schema");
    struct bs_cursor at = bs_cursor(encoded);
    task->note.len = 0;
    if (rt_flat_put_avro(&task->note, root->fields[index].type, &at, 0))
        return bs_error_set(err, BS_ECORRUPT, "the Avro value does not fit its schema");
    *ret = rt_keep(task, bs_buf_bytes(&task->note));
    return rt_flat_unwrap(ret);
}

static int tree_field(const struct rt_datum *value, struct bs_bytes name, struct bs_bytes *ret)
{
    struct bs_bytes at = value->bytes;
    *ret = nothing();
    if (at.ptr[0] == RT_TAG_ARRAY)
        return 0;
    int rc = rt_flat_field(at, name, ret);
    if (rc == BS_ENOTFOUND) {
        *ret = nothing();
        return 0;
    }
    return rc ? rc : rt_flat_unwrap(ret);
}

/* Flat value of what the aggregate looks at; null when it is not there. */
static int look(struct rt_task *task, const struct rt_ready *ready, struct rt_datum *value,
                struct bs_bytes *ret, struct bs_error *err)
{
    *ret = nothing();
    if (!ready->field.ptr || rt_datum_null(value))
        return 0;
    int rc = rt_datum_parse(value, &task->arena, err);
    if (rc)
        return rc;
    if (value->form == RT_AVRO)
        return avro_field(task, value, ready->field, ret, err);
    if (value->form == RT_TREE) {
        rc = tree_field(value, ready->field, ret);
        return rc ? bs_error_set(err, rc, "the value cannot be read") : 0;
    }
    return bs_error_set(err, BS_EINVAL, "weir.%s(\"%.*s\"): the value is %s and has no fields",
                        names[ready->kind], (int)ready->field.len, (const char *)ready->field.ptr,
                        rt_datum_kind(value));
}

static int scalar(struct bs_bytes flat, struct sd_value *ret)
{
    struct bs_cursor at = bs_cursor(flat);
    return flat.ptr[0] >= RT_TAG_ARRAY ? BS_EINVAL : rt_flat_get_value(&at, NULL, ret, 0);
}

static bool is_number(const struct sd_value *value)
{
    return value->type == SD_LONG || value->type == SD_DOUBLE || value->type == SD_FLOAT;
}

static int wrong(const struct rt_ready *ready, struct bs_bytes flat, struct bs_error *err)
{
    static const char *const kinds[] = {"null",     "a boolean", "a boolean", "an integer",
                                        "a float",  "a float",   "a string",  "bytes",
                                        "an array", "a map",     "a record",  "a union"};
    return bs_error_set(err, BS_EINVAL, "weir.%s(\"%.*s\"): the field is %s", names[ready->kind],
                        (int)ready->field.len, (const char *)ready->field.ptr,
                        flat.ptr[0] < 12 ? kinds[flat.ptr[0]] : "of another kind");
}

static int put_sum(const struct rt_ready *ready, struct bs_bytes state, struct bs_bytes flat,
                   struct bs_buf *out, struct bs_error *err)
{
    struct sd_value sum, value;
    if (flat.ptr[0] == RT_TAG_NULL) {
        bs_buf_put(out, state.ptr, state.len);
        return 0;
    }
    if (scalar(flat, &value) || !is_number(&value))
        return wrong(ready, flat, err);
    if (scalar(state, &sum))
        return bs_error_set(err, BS_ECORRUPT, "the state of weir.%s cannot be read",
                            names[ready->kind]);
    if (sum.type == SD_NULL) {
        sum.type = SD_LONG;
        sum.number = 0;
    }
    if (sum.type == SD_LONG && value.type == SD_LONG) {
        int64_t total;
        if (__builtin_add_overflow(sum.number, value.number, &total))
            return bs_error_set(
                err, BS_ERANGE, "weir.%s(\"%.*s\"): the sum needs more than 64 bits",
                names[ready->kind], (int)ready->field.len, (const char *)ready->field.ptr);
        rt_flat_put_long(out, total);
        return 0;
    }
    double a = sum.type == SD_LONG ? (double)sum.number : sum.real;
    double b = value.type == SD_LONG ? (double)value.number : value.real;
    rt_flat_put_double(out, a + b);
    return 0;
}

static int compare(const struct rt_ready *ready, struct bs_bytes a, struct bs_bytes b, int *ret,
                   struct bs_error *err)
{
    struct sd_value x, y;
    if (scalar(a, &x) || scalar(b, &y))
        return wrong(ready, b, err);
    if (x.type == SD_LONG && y.type == SD_LONG) {
        *ret = (x.number > y.number) - (x.number < y.number);
    } else if (is_number(&x) && is_number(&y)) {
        double p = x.type == SD_LONG ? (double)x.number : x.real;
        double q = y.type == SD_LONG ? (double)y.number : y.real;
        *ret = (p > q) - (p < q);
    } else if ((x.type == SD_STRING || x.type == SD_BYTES) && x.type == y.type) {
        *ret = bs_bytes_compare(x.bytes, y.bytes);
    } else {
        return wrong(ready, b, err);
    }
    return 0;
}

/* min, max, first, last: which of the two stays. */
static int choose(const struct rt_ready *ready, struct bs_bytes state, struct bs_bytes flat,
                  struct bs_buf *out, struct bs_error *err)
{
    struct bs_bytes stays = state;
    if (flat.ptr[0] != RT_TAG_NULL) {
        int order = 0;
        bool empty = state.ptr[0] == RT_TAG_NULL;
        if (ready->kind == RT_READY_MIN || ready->kind == RT_READY_MAX) {
            int rc = compare(ready, empty ? flat : state, flat, &order, err);
            if (rc)
                return rc;
        }
        if (empty || ready->kind == RT_READY_LAST || (ready->kind == RT_READY_MIN && order > 0) ||
            (ready->kind == RT_READY_MAX && order < 0))
            stays = flat;
    }
    bs_buf_put(out, stays.ptr, stays.len);
    return 0;
}

static int add_count(struct bs_bytes state, bool counts, struct bs_buf *out, struct bs_error *err)
{
    struct sd_value count;
    if (scalar(state, &count))
        return bs_error_set(err, BS_ECORRUPT, "the state of a count cannot be read");
    rt_flat_put_long(out, (count.type == SD_LONG ? count.number : 0) + counts);
    return 0;
}

static int next_state(struct bs_cursor *at, bool fresh, struct bs_bytes *ret)
{
    if (fresh) {
        *ret = nothing();
        return 0;
    }
    return rt_flat_slice(at, ret);
}

int rt_ready_add(struct rt_task *task, const struct rt_node *node, struct bs_bytes state,
                 struct rt_datum *value, struct bs_buf *out, struct bs_error *err)
{
    struct bs_cursor at = bs_cursor(state);
    bool fresh = state.ptr == NULL;
    for (size_t i = 0; i < node->ready_count; i++) {
        const struct rt_ready *ready = &node->ready[i];
        struct bs_bytes flat, one, two = nothing();
        int rc = look(task, ready, value, &flat, err);
        if (rc)
            return rc;
        rc = next_state(&at, fresh, &one);
        if (!rc && ready->kind == RT_READY_MEAN)
            rc = next_state(&at, fresh, &two);
        if (rc)
            return bs_error_set(err, BS_ECORRUPT, "a row of store '%s' cannot be read", node->name);
        bool there = flat.ptr[0] != RT_TAG_NULL;
        switch (ready->kind) {
        case RT_READY_COUNT:
            rc = add_count(one, there || !ready->field.ptr, out, err);
            break;
        case RT_READY_SUM:
            rc = put_sum(ready, one, flat, out, err);
            break;
        case RT_READY_MEAN:
            rc = add_count(one, there, out, err);
            rc = rc ? rc : put_sum(ready, two, flat, out, err);
            break;
        default:
            rc = choose(ready, one, flat, out, err);
        }
        if (rc)
            return rc;
    }
    return 0;
}

static void put_mean(struct bs_bytes count, struct bs_bytes sum, struct bs_buf *out)
{
    struct sd_value n, total;
    if (scalar(count, &n) || scalar(sum, &total) || n.type != SD_LONG || !n.number ||
        !is_number(&total)) {
        bs_buf_put_u8(out, RT_TAG_NULL);
        return;
    }
    double real = total.type == SD_LONG ? (double)total.number : total.real;
    rt_flat_put_double(out, real / (double)n.number);
}

int rt_ready_result(struct rt_task *task, const struct rt_node *node, struct bs_bytes state,
                    struct rt_datum *ret, struct bs_error *err)
{
    struct bs_cursor at = bs_cursor(state);
    struct bs_buf *out = &task->note;
    out->len = 0;
    size_t mark = rt_flat_begin(out, RT_TAG_MAP);
    for (size_t i = 0; i < node->ready_count; i++) {
        struct bs_bytes one, two;
        int rc = rt_flat_slice(&at, &one);
        if (!rc && node->ready[i].kind == RT_READY_MEAN)
            rc = rt_flat_slice(&at, &two);
        if (rc)
            return bs_error_set(err, BS_ECORRUPT, "a row of store '%s' cannot be read", node->name);
        rt_flat_put_name(out, node->ready[i].name);
        if (node->ready[i].kind == RT_READY_MEAN)
            put_mean(one, two, out);
        else
            bs_buf_put(out, one.ptr, one.len);
    }
    rt_flat_end(out, mark, node->ready_count);
    struct bs_bytes kept = rt_keep(task, bs_buf_bytes(out));
    *ret = (struct rt_datum){.form = RT_TREE, .bytes = kept};
    return 0;
}
