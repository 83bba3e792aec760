/* Operator: what the files of runtime/task share: the task, and the step of each operator. */
#ifndef WEIR_RUNTIME_TASK_OPERATOR_H
#define WEIR_RUNTIME_TASK_OPERATOR_H

#include "runtime/pipeline/content.h"
#include "runtime/task/task.h"

/* What flows along an edge. On table edges `value` is the row now and `old` the row before (only
 * where the node sends old rows); null: no row. */
struct rt_update {
    struct rt_datum key, value, old;
    int64_t timestamp;
    bool past; /* versioned tables: the row now stays */
};

struct rt_node_state {
    struct rt_store *store;
    int64_t observed; /* windows: largest timestamp this operator has seen; −1 none */
    bool observed_known, observed_dirty;
    uint64_t sequence; /* joins with grace: of the next buffered record */
    /* source: per topic */
    int64_t *partition_time;
};

struct rt_task {
    struct rt_pipeline *pipeline;
    struct rt_vm *vm;
    size_t subtopology;
    int32_t partition;
    struct rt_ports ports;
    struct bs_arena arena; /* of the record */
    struct bs_buf key, value, row, note;
    struct rt_node_state *states; /* by node index */
    const struct rt_message *message;
    const struct rt_message *origin; /* the record as it came, when message is plain */
    struct rt_message plain;         /* it with schema ids in front instead of in headers */
    const struct rt_node *source;    /* of the last record */
    size_t source_topic;
    struct rt_meta meta;
    int64_t stream_time;
    uint64_t dropped;
};

/* task.c: hands the update to each child in the order they were declared. */
int rt_forward(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
               struct bs_error *err);
int rt_process(struct rt_task *task, const struct rt_node *node, const struct rt_node *from,
               struct rt_update *update, struct bs_error *err);
static inline struct rt_store *rt_node_store(struct rt_task *task, const struct rt_node *node)
{
    return task->states[node->index].store;
}
struct bs_bytes rt_keep(struct rt_task *task, struct bs_bytes bytes); /* copy in the arena */

/* failure.c: completes the message with operator, record, value and hint, then does what on_error
 * says: returns 0 when the record's path ends quietly, else rc. */
int rt_fail(struct rt_task *task, const struct rt_node *node, const struct rt_update *update,
            int rc, struct bs_error *err);

/* One file per kind of step. */
int rt_stream_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                   struct bs_error *err);
int rt_table_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                  struct bs_error *err);
int rt_aggregate_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                      struct bs_error *err);
int rt_table_aggregate_step(struct rt_task *task, const struct rt_node *node,
                            struct rt_update *update, struct bs_error *err);
int rt_join_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                 struct bs_error *err);
int rt_to_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
               struct bs_error *err);
/* sink.c: a record for a repartition topic. `change`: with both rows, for table aggregates. */
int rt_repartition_emit(struct rt_task *task, const struct rt_node *node,
                        const struct rt_update *update, bool change, struct bs_error *err);
int rt_repartition_read(struct rt_task *task, const struct rt_message *message,
                        struct rt_update *ret, struct bs_error *err);
/* table.c: the current row for a key, asked from the node or from what it derives from. */
int rt_table_lookup(struct rt_task *task, const struct rt_node *node,
                    const struct rt_update *asking, struct rt_datum *ret, struct bs_error *err);

/* versioned.c: `row` as table.c keeps it, ptr NULL: deleted. get: 0, or 1 when there was no row at
 * `as_of` (INT64_MAX: now). put: 0, or one of the two below. */
enum {
    RT_VERSION_EXPIRED = 1, /* older than the history that is kept: nothing was put */
    RT_VERSION_PAST = 2,    /* a version of the past: the row now stays */
};
int rt_versioned_get(struct rt_task *task, const struct rt_node *node, struct bs_bytes key,
                     int64_t as_of, struct bs_bytes *ret, int64_t *ret_timestamp,
                     struct bs_error *err);
int rt_versioned_put(struct rt_task *task, const struct rt_node *node, struct bs_bytes key,
                     struct bs_bytes row, int64_t timestamp, struct bs_error *err);

/* buffer.c: keeps the record until its grace is over (or releases it at once when it is late or has
 * no key), then releases what is due. `update` NULL: only what is due. */
typedef int rt_buffer_release(struct rt_task *task, const struct rt_node *node,
                              struct rt_update *update, struct bs_error *err);
int rt_buffer_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                   rt_buffer_release *release, struct bs_error *err);
void rt_buffer_see(struct rt_task *task, const struct rt_node *node, int64_t timestamp);
int rt_buffer_flush(struct rt_task *task, const struct rt_node *node, struct bs_error *err);

/* ready.c: ready-made aggregates. `state` is what the row holds (ptr NULL: nothing yet); appends
 * the new one. */
int rt_ready_add(struct rt_task *task, const struct rt_node *node, struct bs_bytes state,
                 struct rt_datum *value, struct bs_buf *out, struct bs_error *err);
/* The result of a state, in the arena. */
int rt_ready_result(struct rt_task *task, const struct rt_node *node, struct bs_bytes state,
                    struct rt_datum *ret, struct bs_error *err);

/* Calls `fn` with (value, key, meta). */
static inline struct rt_call rt_value_call(int fn, struct rt_update *update, size_t result_max)
{
    return (struct rt_call){.fn = fn,
                            .args = {&update->value, &update->key},
                            .arg_count = 2,
                            .meta = true,
                            .result_max = result_max};
}

#endif
