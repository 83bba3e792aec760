/* Task: one subtopology on one partition number: records in, outputs and state writes out, no I/O.
 *
 * A task runs on its pipeline's thread. What it emits and writes belongs to the current transaction
 * of the worker; on an error that `on_error` does not absorb the worker aborts that transaction. */
#ifndef WEIR_RUNTIME_TASK_TASK_H
#define WEIR_RUNTIME_TASK_TASK_H

#include "runtime/pipeline/pipeline.h"

struct rt_header {
    struct bs_bytes name, value; /* value.ptr may be NULL */
};

/* A record as it came from a topic. Borrowed for the call. */
struct rt_message {
    const char *topic;
    int32_t partition;
    int64_t offset, timestamp;
    struct bs_bytes key, value; /* ptr NULL: null */
    const struct rt_header *headers;
    size_t header_count;
};

/* A record for a topic. Borrowed for the call of `emit`. */
struct rt_output {
    const char *topic;
    int32_t partition; /* −1: murmur2 of the key, as Kafka's default partitioner */
    int64_t timestamp;
    struct bs_bytes key, value;
    const struct rt_header *headers;
    size_t header_count;
};

struct rt_ports {
    void *ctx;
    int (*emit)(void *ctx, const struct rt_output *output, struct bs_error *err);
    /* The task's own store, or a global one; it was opened and restored before. Never NULL. */
    struct rt_store *(*store)(void *ctx, const char *name);
    int32_t (*partition_count)(void *ctx,
                               const char *topic); /* for partitioner functions; or BS_E… */
    int64_t (*wall_ms)(void *ctx);
};

struct rt_task;

int rt_task_new(struct rt_pipeline *pipeline, size_t subtopology, int32_t partition,
                const struct rt_ports *ports, struct rt_task **ret, struct bs_error *err);
/* The time by which a record that waits is compared with the heads of the task's other inputs
 * (R04): what the source's timestamp function gives, else the record's own. A function that fails
 * here gives the record's own: rt_task_process will say what is wrong. */
int64_t rt_task_head_time(struct rt_task *task, const struct rt_message *message);
/* Takes one record through all operators to its end. The worker calls records of one task in order
 * of timestamp among the heads of its partitions (R04). */
int rt_task_process(struct rt_task *task, const struct rt_message *message, struct bs_error *err);
/* Punctuations that are due by the wall clock. */
int rt_task_tick(struct rt_task *task, int64_t wall_ms, struct bs_error *err);
/* Before each commit: expires windows, flushes what operators hold back. */
int rt_task_flush(struct rt_task *task, struct bs_error *err);
int64_t rt_task_stream_time(const struct rt_task *task); /* −1 before the first record */
void rt_task_set_stream_time(struct rt_task *task,
                             int64_t stream_time); /* restored from the commit */
uint64_t rt_task_dropped(
    const struct rt_task *task);         /* records dropped by the rules of Kafka Streams */
void rt_task_free(struct rt_task *task); /* accepts NULL */

#endif
