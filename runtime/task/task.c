/* Task: takes a record from its source through the graph, depth first.
 *
 * Everything made for a record lives in the task's arena and dies with it. One thread: the
 * pipeline's. */
#include "runtime/task/task.h"

#include "runtime/task/operator.h"

#include "lib/base/mem.h"

#include <string.h>

int rt_task_new(struct rt_pipeline *pipeline, size_t subtopology, int32_t partition,
                const struct rt_ports *ports, struct rt_task **ret, struct bs_error *err)
{
    const struct rt_graph *graph = &pipeline->graph;
    if (subtopology >= pipeline->plan.subtopology_count)
        return bs_error_set(err, BS_EINVAL, "there is no subtopology %zu", subtopology);
    struct rt_task *task = bs_new(struct rt_task);
    task->pipeline = pipeline;
    task->vm = pipeline->vm;
    task->subtopology = subtopology;
    task->partition = partition;
    task->ports = *ports;
    task->stream_time = -1;
    bs_arena_init(&task->arena);
    task->states = bs_array(graph->node_count + 1, sizeof *task->states);
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node *node = &graph->nodes[i];
        struct rt_node_state *state = &task->states[i];
        state->observed = -1;
        bool own = node->op != RT_OP_GLOBAL && node->subtopology == subtopology;
        if (node->stored && (own || node->op == RT_OP_GLOBAL))
            state->store = ports->store(ports->ctx, node->name);
        if (own && node->op == RT_OP_SOURCE) {
            state->partition_time = bs_array(node->topic_count + 1, sizeof(int64_t));
            for (size_t t = 0; t < node->topic_count; t++)
                state->partition_time[t] = -1;
        }
    }
    *ret = task;
    return 0;
}

void rt_task_free(struct rt_task *task)
{
    if (!task)
        return;
    for (size_t i = 0; i < task->pipeline->graph.node_count; i++)
        bs_free(task->states[i].partition_time);
    bs_free(task->states);
    bs_arena_deinit(&task->arena);
    bs_buf_deinit(&task->key);
    bs_buf_deinit(&task->value);
    bs_buf_deinit(&task->row);
    bs_buf_deinit(&task->note);
    bs_free(task);
}

int64_t rt_task_stream_time(const struct rt_task *task)
{
    return task->stream_time;
}

void rt_task_set_stream_time(struct rt_task *task, int64_t stream_time)
{
    const struct rt_graph *graph = &task->pipeline->graph;
    task->stream_time = stream_time;
    for (size_t i = 0; i < graph->node_count; i++)
        for (size_t t = 0; task->states[i].partition_time && t < graph->nodes[i].topic_count; t++)
            task->states[i].partition_time[t] = stream_time;
}

uint64_t rt_task_dropped(const struct rt_task *task)
{
    return task->dropped;
}

struct bs_bytes rt_keep(struct rt_task *task, struct bs_bytes bytes)
{
    return bs_bytes(bs_arena_dup(&task->arena, bytes.ptr, bytes.len), bytes.len);
}

int rt_forward(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
               struct bs_error *err)
{
    for (size_t i = 0; i < node->child_count; i++) {
        int rc;
        if (i + 1 == node->child_count) /* the last one may change it */
            return rt_process(task, node->children[i], node, update, err);
        struct rt_update copy = *update;
        rc = rt_process(task, node->children[i], node, &copy, err);
        if (rc)
            return rc;
    }
    return 0;
}

int rt_process(struct rt_task *task, const struct rt_node *node, const struct rt_node *from,
               struct rt_update *update, struct bs_error *err)
{
    switch (node->op) {
    case RT_OP_TABLE:
    case RT_OP_TABLE_FILTER:
    case RT_OP_TABLE_MAP_VALUES:
    case RT_OP_TO_STREAM:
    case RT_OP_TABLE_GROUP:
        return rt_table_step(task, node, update, err);
    case RT_OP_AGGREGATE:
        return rt_aggregate_step(task, node, update, err);
    case RT_OP_TABLE_AGGREGATE:
        return rt_table_aggregate_step(task, node, update, err);
    case RT_OP_JOIN: /* updates of the table side cause nothing */
        return from == node->parents[0] ? rt_join_step(task, node, update, err) : 0;
    case RT_OP_TO:
        return rt_to_step(task, node, update, err);
    default:
        return rt_stream_step(task, node, update, err);
    }
}

/* ---- records in ---- */

static int find_source(struct rt_task *task, const char *topic, struct bs_error *err)
{
    if (task->source && strcmp(task->source->topics[task->source_topic], topic) == 0)
        return 0;
    const struct rt_graph *graph = &task->pipeline->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node *node = &graph->nodes[i];
        if (node->op != RT_OP_SOURCE || node->subtopology != task->subtopology)
            continue;
        for (size_t t = 0; t < node->topic_count; t++)
            if (strcmp(node->topics[t], topic) == 0) {
                task->source = node;
                task->source_topic = t;
                return 0;
            }
    }
    return bs_error_set(err, BS_EINVAL, "task %zu_%d does not read topic '%s'", task->subtopology,
                        (int)task->partition, topic);
}

/* The source's timestamp function; *ret_time only when it is well. */
static int call_stamp(struct rt_task *task, struct rt_update *update, int64_t *ret_time,
                      struct bs_error *err)
{
    const struct rt_node *node = task->source;
    struct rt_call call = rt_value_call(node->fn, update, 1);
    struct rt_datum result;
    int rc = rt_vm_call(task->vm, &call, &result, NULL, err);
    if (rc)
        return rc;
    if (result.form == RT_DOUBLE && result.real == (double)(int64_t)result.real) {
        result.form = RT_LONG;
        result.number = (int64_t)result.real;
    }
    if (result.form != RT_LONG)
        return bs_error_set(err, BS_EINVAL,
                            "%s: timestamp must give whole milliseconds, it gave %s", node->where,
                            rt_datum_kind(&result));
    *ret_time = result.number;
    return 0;
}

/* Timestamp extractors. 0; 1: the record is dropped; or an error without place. */
static int extract(struct rt_task *task, struct rt_update *update, struct bs_error *err)
{
    const struct rt_node *node = task->source;
    int64_t *partition_time = &task->states[node->index].partition_time[task->source_topic];
    int64_t stamp = task->message->timestamp;
    if (node->stamp == RT_STAMP_FUNCTION) {
        int rc = call_stamp(task, update, &stamp, err);
        if (rc)
            return rc;
        if (stamp < 0)
            return 1;
    } else if (stamp < 0) {
        if (node->stamp == RT_STAMP_SKIP)
            return 1;
        if (node->stamp == RT_STAMP_PARTITION)
            stamp = *partition_time;
        if (stamp < 0)
            return bs_error_set(err, BS_EINVAL,
                                "%s: the record has no timestamp (%lld)\n  hint: timestamp = "
                                "\"skip_invalid\", \"partition_time\" or a function",
                                node->where, (long long)stamp);
    }
    if (stamp > *partition_time)
        *partition_time = stamp;
    update->timestamp = stamp;
    return 0;
}

/* Takes the last header of that name out of the plain message: the schema's id stands in front of
 * the data then, as everywhere behind here. */
static int take_schema_header(struct rt_task *task, const char *name, struct bs_bytes *data,
                              struct bs_error *err)
{
    struct rt_message *plain = &task->plain;
    struct bs_bytes found = {0};
    struct rt_header *rest;
    size_t count = 0;
    for (size_t i = 0; i < task->message->header_count; i++)
        if (bs_bytes_is(task->message->headers[i].name, name))
            found = task->message->headers[i].value;
    if (!found.ptr || !data->ptr)
        return 0;
    rest = bs_arena_array(&task->arena, plain->header_count + 1, sizeof *rest);
    for (size_t i = 0; i < plain->header_count; i++)
        if (!bs_bytes_is(plain->headers[i].name, name))
            rest[count++] = plain->headers[i];
    plain->headers = rest;
    plain->header_count = count;
    return rt_serde_plain(task->pipeline, found, *data, &task->arena, data, err);
}

static int make_plain(struct rt_task *task, struct bs_error *err)
{
    const struct rt_node *node = task->source;
    int rc = 0;
    if (!task->message->header_count ||
        (node->key.type != RT_TYPE_AVRO && node->value.type != RT_TYPE_AVRO))
        return 0;
    task->plain = *task->message;
    if (node->key.type == RT_TYPE_AVRO)
        rc = take_schema_header(task, SD_KEY_SCHEMA_HEADER, &task->plain.key, err);
    if (!rc && node->value.type == RT_TYPE_AVRO)
        rc = take_schema_header(task, SD_VALUE_SCHEMA_HEADER, &task->plain.value, err);
    if (rc || task->plain.header_count == task->message->header_count)
        return rc;
    task->origin = task->message;
    task->message = &task->plain;
    task->meta.headers = task->plain.headers;
    task->meta.header_count = task->plain.header_count;
    return 0;
}

static struct rt_datum raw(struct bs_bytes bytes)
{
    return (struct rt_datum){.form = bytes.ptr ? RT_BYTES : RT_NULL, .bytes = bytes};
}

/* What could not be read stays as the bytes it came as, for who tells of it. */
static int decode(struct rt_task *task, struct rt_update *update, struct bs_error *err)
{
    const struct rt_node *node = task->source;
    struct rt_datum read;
    int rc = make_plain(task, err);
    const struct rt_message *message = task->message;
    update->key = raw(message->key);
    update->value = raw(message->value);
    if (rc)
        return bs_error_wrap(err, "%s: the header with the schema's id", node->where);
    rc = rt_source_decode(task->pipeline, node, task->source_topic, true, message->key,
                          &task->arena, &read, err);
    if (rc)
        return bs_error_wrap(err, "%s: the key cannot be read", node->where);
    update->key = read;
    rc = rt_source_decode(task->pipeline, node, task->source_topic, false, message->value,
                          &task->arena, &read, err);
    if (rc)
        return bs_error_wrap(err, "%s: the value cannot be read", node->where);
    update->value = read;
    return 0;
}

static int take(struct rt_task *task, struct bs_error *err)
{
    struct rt_update update = {.timestamp = task->message->timestamp};
    const struct rt_node *node = task->source;
    int rc;
    if (node->internal) {
        rc = rt_repartition_read(task, task->message, &update, err);
        if (rc)
            return bs_error_wrap(err, "%s: record %s[%d]@%lld", node->where, task->message->topic,
                                 (int)task->message->partition, (long long)task->message->offset);
    } else {
        rc = decode(task, &update, err);
        if (!rc)
            rc = extract(task, &update, err);
        if (rc == 1) {
            task->dropped++;
            return 0;
        }
        if (rc)
            return rt_fail(task, node, &update, rc, err);
    }
    task->meta.timestamp = update.timestamp;
    if (update.timestamp > task->stream_time)
        task->stream_time = update.timestamp;
    return rt_forward(task, node, &update, err);
}

static void begin(struct rt_task *task, const struct rt_message *message)
{
    bs_arena_reset(&task->arena);
    task->message = message;
    task->meta = (struct rt_meta){.topic = message->topic,
                                  .partition = message->partition,
                                  .offset = message->offset,
                                  .timestamp = message->timestamp,
                                  .headers = message->headers,
                                  .header_count = message->header_count};
    rt_vm_begin(task->vm, &task->arena);
    rt_vm_set_meta(task->vm, &task->meta);
}

static void end(struct rt_task *task)
{
    rt_vm_end(task->vm);
    task->message = NULL;
}

int64_t rt_task_head_time(struct rt_task *task, const struct rt_message *message)
{
    struct rt_update update = {.timestamp = message->timestamp};
    struct bs_error ignored = {0};
    int64_t time = message->timestamp;
    if (find_source(task, message->topic, &ignored) || task->source->internal ||
        task->source->stamp != RT_STAMP_FUNCTION)
        return time;
    begin(task, message);
    if (!decode(task, &update, &ignored) && !call_stamp(task, &update, &time, &ignored) && time < 0)
        time = message->timestamp; /* it will be dropped: whenever its turn comes */
    end(task);
    return time;
}

int rt_task_process(struct rt_task *task, const struct rt_message *message, struct bs_error *err)
{
    int rc = find_source(task, message->topic, err);
    if (rc)
        return rc;
    begin(task, message);
    rc = take(task, err);
    end(task);
    return rc;
}

int rt_task_tick(struct rt_task *task, int64_t wall_ms, struct bs_error *err)
{
    /* No operator that is there yet acts by the wall clock. */
    (void)task;
    (void)wall_ms;
    (void)err;
    return 0;
}

int rt_task_flush(struct rt_task *task, struct bs_error *err)
{
    const struct rt_graph *graph = &task->pipeline->graph;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct rt_node_state *state = &task->states[i];
        if (graph->nodes[i].op == RT_OP_JOIN && state->store) {
            int rc = rt_buffer_flush(task, &graph->nodes[i], err);
            if (rc)
                return rc;
        }
        if (!graph->nodes[i].windowed || !state->store || state->observed < 0)
            continue;
        /* By the largest window start, as the store shows rows: what a late record may still
         * change stays. */
        int64_t start = state->observed - state->observed % graph->nodes[i].advance_ms;
        int rc = rt_window_expire(state->store, start, err);
        if (rc)
            return rc;
    }
    return 0;
}
