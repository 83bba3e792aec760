/* Stream: the stateless operators. The pipeline's thread. */
#include "runtime/task/operator.h"

#include "lib/base/log.h"

static const struct bs_event EVENT_PRINT = {
    .id = "pipeline.record",
    .level = BS_LOG_INFO,
    .doc = "A record that passed a print operator: label, key, value, timestamp.",
};

static int test(struct rt_task *task, int fn, struct rt_update *update, bool *ret,
                struct bs_error *err)
{
    struct rt_call call = rt_value_call(fn, update, 1);
    struct rt_datum result;
    call.booleans = true;
    int rc = rt_vm_call(task->vm, &call, &result, NULL, err);
    *ret = !rc && result.boolean;
    return rc;
}

static int filter(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                  struct bs_error *err)
{
    bool passes = false;
    int rc = test(task, node->fn, update, &passes, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    return passes != node->negate ? rt_forward(task, node, update, err) : 0;
}

static int map(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
               struct bs_error *err)
{
    bool keyed = node->op == RT_OP_MAP;
    struct rt_call call = rt_value_call(node->fn, update, keyed ? 2 : 1);
    struct rt_datum results[2];
    size_t count = 0;
    int rc = rt_vm_call(task->vm, &call, results, &count, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    struct rt_update next = {.key = update->key, .timestamp = update->timestamp};
    if (node->op == RT_OP_SELECT_KEY) {
        next.key = results[0];
        next.value = update->value;
    } else {
        next.value = results[0];
        if (keyed && count > 1)
            next.key = results[1];
    }
    return rt_forward(task, node, &next, err);
}

static int flat_map(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                    struct bs_error *err)
{
    bool pairs = node->op == RT_OP_FLAT_MAP;
    struct rt_call call = rt_value_call(node->fn, update, 1);
    struct rt_pair *items = NULL;
    size_t count = 0;
    int rc = rt_vm_call_list(task->vm, &call, pairs, &items, &count, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    for (size_t i = 0; i < count; i++) {
        struct rt_update next = {.key = pairs ? items[i].key : update->key,
                                 .value = items[i].value,
                                 .timestamp = update->timestamp};
        rc = rt_forward(task, node, &next, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int look(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                struct bs_error *err)
{
    struct rt_call call = rt_value_call(node->fn, update, 0);
    int rc = rt_vm_call(task->vm, &call, NULL, NULL, err);
    if (rc)
        return rt_fail(task, node, update, rc, err);
    return rt_forward(task, node, update, err);
}

static int print(struct rt_task *task, const struct rt_node *node, const struct rt_update *update)
{
    struct bs_buf *note = &task->note;
    note->len = 0;
    bs_buf_printf(note, "[%s]: ", node->label);
    rt_datum_show(&update->key, &task->arena, 200, note);
    bs_buf_puts(note, ", ");
    rt_datum_show(&update->value, &task->arena, 2000, note);
    bs_log(&EVENT_PRINT, "%s at %lld", bs_buf_text(note), (long long)update->timestamp);
    return 0;
}

static int split(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                 struct bs_error *err)
{
    for (size_t i = 0; i < node->child_count; i++) {
        bool passes = true;
        if (node->fns[i] != RT_NO_FN) {
            int rc = test(task, node->fns[i], update, &passes, err);
            if (rc)
                return rt_fail(task, node, update, rc, err);
        }
        if (passes)
            return rt_process(task, node->children[i], node, update, err);
    }
    return 0;
}

static int repartition(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                       struct bs_error *err)
{
    if (rt_datum_null(&update->key) && !node->keep_null)
        return 0;
    return rt_repartition_emit(task, node, update, false, err);
}

int rt_stream_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                   struct bs_error *err)
{
    switch (node->op) {
    case RT_OP_FILTER:
        return filter(task, node, update, err);
    case RT_OP_MAP:
    case RT_OP_MAP_VALUES:
    case RT_OP_SELECT_KEY:
        return map(task, node, update, err);
    case RT_OP_FLAT_MAP:
    case RT_OP_FLAT_MAP_VALUES:
        return flat_map(task, node, update, err);
    case RT_OP_PEEK:
    case RT_OP_FOR_EACH:
        return look(task, node, update, err);
    case RT_OP_PRINT:
        return print(task, node, update);
    case RT_OP_SPLIT:
        return split(task, node, update, err);
    case RT_OP_REPARTITION:
        return repartition(task, node, update, err);
    case RT_OP_BRANCH:
    case RT_OP_MERGE:
    case RT_OP_SOURCE:
        return rt_forward(task, node, update, err);
    default:
        return bs_error_set(err, BS_ESTATE, "%s: %s cannot take a record", node->where, node->kind);
    }
}
