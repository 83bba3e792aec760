/* Join: a stream's record with the row that a table or global table has for it now. Only the
 * stream's side causes output; its timestamp is the output's. The pipeline's thread. */
#include "runtime/task/operator.h"

static int mapped_key(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                      struct rt_datum *ret, struct bs_error *err)
{
    *ret = update->key;
    if (!node->global)
        return 0;
    struct rt_call call = rt_value_call(node->fn2, update, 1);
    return rt_vm_call(task->vm, &call, ret, NULL, err);
}

static int join_now(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                    struct bs_error *err)
{
    struct rt_datum right = {0};
    struct rt_update asking = {.timestamp = update->timestamp};
    int rc = mapped_key(task, node, update, &asking.key, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    if (!rt_datum_null(&asking.key)) {
        rc = rt_table_lookup(task, node->parents[1], &asking, &right, err);
        if (rc)
            return bs_error_class(rc) == BS_CALLER ? rt_fail(task, node, update, rc, err) : rc;
    } else if (!node->left) {
        task->dropped++;
        return 0;
    }
    if (rt_datum_null(&right) && !node->left)
        return 0;
    struct rt_call call = {.fn = node->fn,
                           .args = {&update->value, &right, &update->key},
                           .arg_count = 3,
                           .result_max = 1};
    struct rt_update next = {.key = update->key, .timestamp = update->timestamp};
    rc = rt_vm_call(task->vm, &call, &next.value, NULL, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    return rt_forward(task, node, &next, err);
}

int rt_join_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                 struct bs_error *err)
{
    bool buffered = node->stored;
    bool dropped =
        rt_datum_null(&update->value) || (buffered && !node->left && rt_datum_null(&update->key));
    if (dropped) {
        task->dropped++;
        return 0;
    }
    if (!buffered)
        return join_now(task, node, update, err);
    rt_buffer_see(task, node, update->timestamp); /* what is dropped does not move the time */
    return rt_buffer_step(task, node, update, join_now, err);
}
