/* Aggregate: count, reduce, aggregate; over all time or per window; of streams and of tables.
 *
 * A row is u8 key tag and the aggregate: a flat value, or the state of ready-made aggregates. Which
 * records take part, what comes out and with which timestamp is Kafka Streams' (docs list the
 * rules). A windowed operator's time is the largest timestamp it has seen itself, over all keys;
 * after a restart it is found again as the newest timestamp among its rows. The pipeline's thread.
 */
#include "runtime/task/operator.h"

/* One row on its way: found, changed, written, told. */
struct cell {
    bool windowed;
    int64_t start;
    struct bs_bytes row; /* without its tag; ptr NULL: none */
    int64_t row_timestamp;
    struct rt_datum before, now;
    uint8_t tag;
};

static int find(struct rt_task *task, const struct rt_node *node, struct cell *cell,
                struct bs_error *err)
{
    struct bs_bytes key = bs_buf_bytes(&task->key);
    struct bs_bytes row = {0};
    int rc = cell->windowed
                 ? rt_window_get(rt_node_store(task, node), key, cell->start, &row,
                                 &cell->row_timestamp, err)
                 : rt_store_get(rt_node_store(task, node), key, &row, &cell->row_timestamp, err);
    cell->row = (struct bs_bytes){0};
    if (rc == 1)
        return 0;
    if (rc)
        return rc;
    if (!row.len)
        return bs_error_set(err, BS_ECORRUPT, "store '%s' holds an empty row", node->name);
    row = rt_keep(task, row); /* the store may move it when the row is written */
    cell->row = bs_bytes(row.ptr + 1, row.len - 1);
    return 0;
}

/* `now` null deletes; for ready-made aggregates the state stands in task->row already. */
static int keep(struct rt_task *task, const struct rt_node *node, const struct cell *cell,
                int64_t timestamp, struct bs_error *err)
{
    struct bs_bytes key = bs_buf_bytes(&task->key), row = {0};
    if (node->how == RT_HOW_READY) {
        row = bs_buf_bytes(&task->row);
    } else if (!rt_datum_null(&cell->now)) {
        task->row.len = 0;
        bs_buf_put_u8(&task->row, cell->tag);
        int rc = rt_datum_put(&cell->now, &task->arena, &task->row, err);
        if (rc)
            return rc;
        row = bs_buf_bytes(&task->row);
    }
    struct rt_store *store = rt_node_store(task, node);
    int rc = cell->windowed ? rt_window_put(store, key, cell->start, row, timestamp, err)
                            : rt_store_put(store, key, row, timestamp, err);
    return rc == 1 ? 0 : rc;
}

static int start_value(struct rt_task *task, const struct rt_node *node, struct rt_datum *ret,
                       struct bs_error *err)
{
    if (node->fn2 == RT_NO_FN)
        return rt_flat_datum(task->pipeline, node->init, ret, err);
    struct rt_call call = {.fn = node->fn2, .result_max = 1};
    return rt_vm_call(task->vm, &call, ret, NULL, err);
}

static int call_two(struct rt_task *task, int fn, struct rt_datum *aggregate,
                    struct rt_datum *value, struct rt_datum *key, struct rt_datum *ret,
                    struct bs_error *err)
{
    struct rt_call call = {
        .fn = fn, .args = {aggregate, value, key}, .arg_count = 3, .result_max = 1};
    return rt_vm_call(task->vm, &call, ret, NULL, err);
}

/* before + value → now. Errors are the user's: without place. */
static int add(struct rt_task *task, const struct rt_node *node, struct cell *cell,
               struct rt_update *update, struct bs_error *err)
{
    struct rt_datum start;
    int rc;
    switch (node->how) {
    case RT_HOW_COUNT:
        cell->now = (struct rt_datum){
            .form = RT_LONG, .number = rt_datum_null(&cell->before) ? 1 : cell->before.number + 1};
        return 0;
    case RT_HOW_REDUCE:
        if (rt_datum_null(&cell->before)) {
            cell->now = update->value;
            return 0;
        }
        return call_two(task, node->fn, &cell->before, &update->value, &update->key, &cell->now,
                        err);
    case RT_HOW_FUNCTION:
        start = cell->before;
        if (rt_datum_null(&start)) {
            rc = start_value(task, node, &start, err);
            if (rc)
                return rc;
        }
        return call_two(task, node->fn, &start, &update->value, &update->key, &cell->now, err);
    case RT_HOW_READY:
        break;
    }
    task->row.len = 0;
    bs_buf_put_u8(&task->row, cell->tag);
    rc = rt_ready_add(task, node, cell->row, &update->value, &task->row, err);
    if (rc)
        return rc;
    return rt_ready_result(task, node, bs_bytes(task->row.data + 1, task->row.len - 1), &cell->now,
                           err);
}

static int read_before(struct rt_task *task, const struct rt_node *node, struct cell *cell,
                       struct bs_error *err)
{
    cell->before = (struct rt_datum){0};
    if (!cell->row.ptr)
        return 0;
    if (node->how == RT_HOW_READY)
        return node->send_old ? rt_ready_result(task, node, cell->row, &cell->before, err) : 0;
    return rt_flat_datum(task->pipeline, cell->row, &cell->before, err);
}

static int update_row(struct rt_task *task, const struct rt_node *node, struct cell *cell,
                      struct rt_update *update, struct bs_error *err)
{
    int rc = find(task, node, cell, err);
    rc = rc ? rc : read_before(task, node, cell, err);
    if (rc)
        return rc;
    int64_t timestamp = update->timestamp;
    if (cell->row.ptr && cell->row_timestamp > timestamp)
        timestamp = cell->row_timestamp;
    rc = add(task, node, cell, update, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    rc = keep(task, node, cell, timestamp, err);
    if (rc)
        return rc;
    struct rt_update next = {.key = update->key, .value = cell->now, .timestamp = timestamp};
    if (node->send_old)
        next.old = cell->before;
    if (cell->windowed) {
        next.key.windowed = true;
        next.key.start = cell->start;
        next.key.stop = cell->start + node->size_ms;
    }
    /* Children may use the task's buffers; the key is encoded again for each window. */
    return rt_forward(task, node, &next, err);
}

static int encode_key(struct rt_task *task, const struct rt_datum *key, uint8_t *ret_tag,
                      struct bs_error *err)
{
    task->key.len = 0;
    bs_buf_reserve(&task->key, 1);
    return rt_key_encode(key, &task->arena, &task->key, ret_tag, err);
}

/* After a restart: the newest timestamp among the rows. */
static int find_observed(struct rt_task *task, const struct rt_node *node, struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    struct rt_iter *iter = NULL;
    struct rt_row row;
    int rc = rt_window_fetch(state->store, bs_bytes(NULL, 0), 0, INT64_MAX, false, &iter, err);
    while (!rc && (rc = rt_iter_next(iter, &row, err)) == 0)
        if (row.timestamp > state->observed)
            state->observed = row.timestamp;
    rt_iter_close(iter);
    state->observed_known = true;
    return rc == 1 ? 0 : rc;
}

static int windowed(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                    struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    int rc = state->observed_known ? 0 : find_observed(task, node, err);
    if (rc)
        return rc;
    if (update->timestamp > state->observed)
        state->observed = update->timestamp;
    int64_t closed = state->observed - node->grace_ms;
    int64_t first = update->timestamp - node->size_ms + node->advance_ms;
    first = first < 0 ? 0 : first / node->advance_ms * node->advance_ms;
    for (int64_t start = first; start <= update->timestamp; start += node->advance_ms) {
        struct cell cell = {.windowed = true, .start = start};
        if (start + node->size_ms <= closed) {
            task->dropped++;
            continue;
        }
        rc = encode_key(task, &update->key, &cell.tag, err);
        rc = rc ? rc : update_row(task, node, &cell, update, err);
        if (rc)
            return rc;
    }
    return 0;
}

int rt_aggregate_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                      struct bs_error *err)
{
    if (rt_datum_null(&update->key) || (!node->windowed && rt_datum_null(&update->value))) {
        task->dropped++;
        return 0;
    }
    if (node->windowed)
        return windowed(task, node, update, err);
    struct cell cell = {0};
    int rc = encode_key(task, &update->key, &cell.tag, err);
    return rc ? rc : update_row(task, node, &cell, update, err);
}

/* ---- of tables: take the row before out, put the row now in ---- */

static int subtract(struct rt_task *task, const struct rt_node *node, struct cell *cell,
                    struct rt_update *update, struct bs_error *err)
{
    if (rt_datum_null(&cell->before) || rt_datum_null(&update->old)) {
        cell->now = cell->before;
        return 0;
    }
    if (node->how == RT_HOW_COUNT) {
        cell->now = (struct rt_datum){.form = RT_LONG, .number = cell->before.number - 1};
        return 0;
    }
    return call_two(task, node->fn3, &cell->before, &update->old, &update->key, &cell->now, err);
}

int rt_table_aggregate_step(struct rt_task *task, const struct rt_node *node,
                            struct rt_update *update, struct bs_error *err)
{
    struct cell cell = {0};
    if (rt_datum_null(&update->key)) {
        task->dropped++;
        return 0;
    }
    int rc = encode_key(task, &update->key, &cell.tag, err);
    rc = rc ? rc : find(task, node, &cell, err);
    rc = rc ? rc : read_before(task, node, &cell, err);
    if (rc)
        return rc;
    struct rt_datum before = cell.before;
    rc = subtract(task, node, &cell, update, err);
    if (!rc && !rt_datum_null(&update->value)) {
        cell.before = cell.now;
        rc = add(task, node, &cell, update, err);
    }
    if (rc)
        return rt_fail(task, node, update, rc, err);
    int64_t timestamp = update->timestamp;
    if (cell.row.ptr && cell.row_timestamp > timestamp)
        timestamp = cell.row_timestamp;
    rc = keep(task, node, &cell, timestamp, err);
    if (rc)
        return rc;
    struct rt_update next = {.key = update->key, .value = cell.now, .timestamp = timestamp};
    if (node->send_old)
        next.old = before;
    return rt_forward(task, node, &next, err);
}
