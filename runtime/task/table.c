/* Table: operators on tables. An edge of a table carries the row now and, where something below
 * needs it, the row before.
 *
 * Rows of a source table are kept as they came from the topic (its key and value types read them);
 * all other rows as u8 key tag and flat value. The pipeline's thread. */
#include "runtime/task/operator.h"

/* The bytes under which `node` keeps the row of this key. */
static int row_key(struct rt_task *task, const struct rt_node *node, const struct rt_datum *key,
                   struct bs_buf *out, uint8_t *ret_tag, struct bs_error *err)
{
    out->len = 0;
    bs_buf_reserve(out, 1); /* an empty key is no null pointer */
    if (!node->raw && node->op != RT_OP_GLOBAL)
        return rt_key_encode(key, &task->arena, out, ret_tag, err);
    bool null_key = false;
    const struct rt_node *source = node->raw ? node->parents[0] : node;
    *ret_tag = 0;

    if (source->key.type != RT_TYPE_AVRO)
        return rt_serde_encode(&source->key, "key", key, &task->arena, out, &null_key, err);
    if (key->form != RT_AVRO)
        return bs_error_set(err, BS_EINVAL, "the key is %s, table '%s' has Avro keys",
                            rt_datum_kind(key), source->topics[0]);
    if (source->key.readers) {
        struct rt_datum seen;
        int rc = rt_reader_convert(task->pipeline, source->key.readers[0], key, &task->arena, &seen,
                                   err);
        return rc ? rc : rt_key_encode(&seen, &task->arena, out, ret_tag, err);
    }
    if (key->avro->reader)
        return bs_error_set(err, BS_EINVAL,
                            "the key was read with another schema than it was written with, and "
                            "the rows of table '%s' are found by their keys as they were written"
                            "\n  hint: read both keys as they were written, or give weir.table "
                            "the key_schema too",
                            source->topics[0]);
    struct rt_serde same = {.type = RT_TYPE_AVRO, .avro = key->avro};
    return rt_serde_encode(&same, "key", key, &task->arena, out, &null_key, err);
}

static int read_row(struct rt_task *task, const struct rt_node *node, struct bs_bytes row,
                    struct rt_datum *ret, struct bs_error *err)
{
    struct bs_bytes kept = rt_keep(task, row);
    const struct rt_node *source = node->raw ? node->parents[0] : NULL;
    if (node->op == RT_OP_GLOBAL)
        source = node;
    if (source) {
        int rc = rt_source_decode(task->pipeline, source, 0, false, kept, &task->arena, ret, err);
        if (rc)
            bs_error_wrap(err, "a row of table '%s'", source->topics[0]);
        return rc == BS_ECORRUPT ? BS_EINVAL : rc; /* of the topic's: the store is well */
    }
    if (!kept.len)
        return bs_error_set(err, BS_ECORRUPT, "store '%s' holds an empty row", node->name);
    kept = bs_bytes(kept.ptr + 1, kept.len - 1);
    if (node->how == RT_HOW_READY && node->ready)
        return rt_ready_result(task, node, kept, ret, err);
    return rt_flat_datum(task->pipeline, kept, ret, err);
}

static bool keeps_versions(const struct rt_node *node)
{
    return node->stored && node->versioned_ms > 0;
}

static int get_row(struct rt_task *task, const struct rt_node *node, const struct rt_datum *key,
                   int64_t as_of, struct rt_datum *ret, struct bs_error *err)
{
    uint8_t tag = 0;
    int64_t timestamp = 0;
    struct bs_bytes row;
    *ret = (struct rt_datum){0};
    int rc = row_key(task, node, key, &task->key, &tag, err);
    if (rc)
        return rc;
    rc = keeps_versions(node)
             ? rt_versioned_get(task, node, bs_buf_bytes(&task->key), as_of, &row, &timestamp, err)
             : rt_store_get(rt_node_store(task, node), bs_buf_bytes(&task->key), &row, &timestamp,
                            err);
    if (rc)
        return rc == 1 ? 0 : rc;
    return read_row(task, node, row, ret, err);
}

static int put_row(struct rt_task *task, const struct rt_node *node, const struct rt_update *update,
                   struct bs_error *err)
{
    uint8_t tag = 0;
    struct bs_bytes row = {0};
    int rc = row_key(task, node, &update->key, &task->key, &tag, err);
    task->row.len = 0;
    if (!rc && node->raw) {
        row = task->message->value;
    } else if (!rc && !rt_datum_null(&update->value)) {
        bs_buf_put_u8(&task->row, tag);
        rc = rt_datum_put(&update->value, &task->arena, &task->row, err);
        row = bs_buf_bytes(&task->row);
    }
    if (rc)
        return rc;
    if (keeps_versions(node))
        return rt_versioned_put(task, node, bs_buf_bytes(&task->key), row, update->timestamp, err);
    return rt_store_put(rt_node_store(task, node), bs_buf_bytes(&task->key), row, update->timestamp,
                        err);
}

static bool derive(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                   struct rt_datum *value, int *rc, struct bs_error *err)
{
    if (rt_datum_null(value))
        return true;
    struct rt_update asking = {.key = update->key, .value = *value, .timestamp = update->timestamp};
    struct rt_call call = rt_value_call(node->fn, &asking, 1);
    struct rt_datum result;
    call.booleans = node->op == RT_OP_TABLE_FILTER;
    *rc = rt_vm_call(task->vm, &call, &result, NULL, err);
    if (*rc)
        return false;
    if (node->op == RT_OP_TABLE_MAP_VALUES)
        *value = result;
    else if (result.boolean == node->negate)
        *value = (struct rt_datum){0};
    else
        *value = asking.value; /* its view was made once */
    return true;
}

int rt_table_lookup(struct rt_task *task, const struct rt_node *node,
                    const struct rt_update *asking, struct rt_datum *ret, struct bs_error *err)
{
    if (node->stored)
        return get_row(task, node, &asking->key, asking->timestamp, ret, err);
    int rc = rt_table_lookup(task, node->parents[0], asking, ret, err);
    if (rc)
        return rc;
    struct rt_update update = {.key = asking->key, .timestamp = asking->timestamp};
    derive(task, node, &update, ret, &rc, err);
    return rc;
}

static int source(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                  struct bs_error *err)
{
    if (rt_datum_null(&update->key)) {
        task->dropped++;
        return 0;
    }
    update->old = (struct rt_datum){0};
    if (node->stored) {
        int rc = 0;
        if (node->send_old)
            rc = get_row(task, node, &update->key, INT64_MAX, &update->old, err);
        rc = rc ? rc : put_row(task, node, update, err);
        if (rc == RT_VERSION_EXPIRED) {
            task->dropped++;
            return 0;
        }
        update->past = rc == RT_VERSION_PAST;
        if (update->past)
            rc = 0;
        if (rc)
            return bs_error_class(rc) == BS_CALLER ? rt_fail(task, node, update, rc, err) : rc;
    }
    return rt_forward(task, node, update, err);
}

/* filter, filter_not, map_values. */
static int derived(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                   struct bs_error *err)
{
    struct rt_update next = *update;
    int rc = 0;
    if (!derive(task, node, update, &next.value, &rc, err))
        return rt_fail(task, node, update, rc, err);
    if (!node->send_old)
        next.old = (struct rt_datum){0};
    else if (node->stored)
        rc = get_row(task, node, &update->key, INT64_MAX, &next.old, err);
    else if (!derive(task, node, update, &next.old, &rc, err))
        return rt_fail(task, node, update, rc, err);
    if (rc)
        return rc;
    /* A row that did not pass before and does not now: nothing to tell. */
    if (node->op == RT_OP_TABLE_FILTER && node->send_old && !node->versioned_ms &&
        rt_datum_null(&next.value) && rt_datum_null(&next.old))
        return 0;
    if (node->stored) {
        rc = put_row(task, node, &next, err);
        if (rc)
            return rc;
    }
    return rt_forward(task, node, &next, err);
}

static int to_stream(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                     struct bs_error *err)
{
    update->old = (struct rt_datum){0};
    if (node->fn != RT_NO_FN) {
        struct rt_call call = rt_value_call(node->fn, update, 1);
        struct rt_datum key;
        int rc = rt_vm_call(task->vm, &call, &key, NULL, err);
        if (rc)
            return rt_fail(task, node, update, rc, err);
        update->key = key;
    }
    return rt_forward(task, node, update, err);
}

/* ---- group_by: (key, value) of the new table from a row; null when there is none ---- */

static int regroup(struct rt_task *task, const struct rt_node *node, const struct rt_update *update,
                   const struct rt_datum *row, struct rt_datum *key, struct rt_datum *value,
                   struct bs_error *err)
{
    *key = *value = (struct rt_datum){0};
    if (rt_datum_null(row))
        return 0;
    struct rt_update asking = {.key = update->key, .value = *row, .timestamp = update->timestamp};
    struct rt_call call = rt_value_call(node->fn, &asking, 2);
    struct rt_datum results[2];
    size_t count = 0;
    int rc = rt_vm_call(task->vm, &call, results, &count, err);
    if (rc)
        return rc;
    *key = results[0];
    *value = count > 1 ? results[1] : asking.value;
    if (rt_datum_null(key) || rt_datum_null(value))
        *key = *value = (struct rt_datum){0};
    return 0;
}

static int group(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                 struct bs_error *err)
{
    struct rt_datum old_key, old_value, new_key, new_value;
    if (update->past)
        return 0;
    int rc = regroup(task, node, update, &update->old, &old_key, &old_value, err);
    rc = rc ? rc : regroup(task, node, update, &update->value, &new_key, &new_value, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    bool had = !rt_datum_null(&old_key), has = !rt_datum_null(&new_key);
    struct rt_update change = {.timestamp = update->timestamp};
    if (had && (!has || !rt_datum_equal(&old_key, &new_key, &task->arena))) {
        change.key = old_key;
        change.old = old_value;
        rc = rt_repartition_emit(task, node, &change, true, err);
        had = false;
    }
    if (rc || !has)
        return rc;
    change.key = new_key;
    change.value = new_value;
    change.old = had ? old_value : (struct rt_datum){0};
    return rt_repartition_emit(task, node, &change, true, err);
}

int rt_table_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                  struct bs_error *err)
{
    switch (node->op) {
    case RT_OP_TABLE:
        return source(task, node, update, err);
    case RT_OP_TO_STREAM:
        return to_stream(task, node, update, err);
    case RT_OP_TABLE_GROUP:
        return group(task, node, update, err);
    default:
        return derived(task, node, update, err);
    }
}
