/* Thread: one consumer, one transactional producer, and the tasks that the group gave to them.
 * Everything here belongs to that thread alone. */
#ifndef WEIR_RUNTIME_WORKER_THREAD_H
#define WEIR_RUNTIME_WORKER_THREAD_H

#include "runtime/state/state.h"
#include "runtime/task/task.h"
#include "runtime/worker/app.h"

/* A partition that is read. */
struct rt_source {
    char *topic;
    int32_t partition;
    rd_kafka_queue_t *queue;
    rd_kafka_message_t **buffer; /* head … count are taken from the client, not yet processed */
    size_t head, count;
    int64_t timed_offset, head_time; /* the head's time by the task, when timed_offset is its own */
    int64_t position;                /* the next offset to process */
    int64_t committed;               /* as the last commit said; where an abort goes back to */
    int64_t end;                     /* where the client met the end, behind control records */
    bool at_end;                     /* the client said so, and nothing came since */
    int64_t idle_since_ms;
    struct rt_source *next;
};

enum { RT_ABORTS_MAX = 10 };
enum rt_run_phase { RT_RUN_OPENING, RT_RUN_RESTORING, RT_RUN_READY };

/* Where a store's changelog is while it is read back. */
struct rt_restore {
    char *topic;
    bool reading, done;
    int64_t position, target, count;
};

/* A task, with its state and its sources. */
struct rt_run {
    struct rt_thread *thread;
    size_t subtopology;
    int32_t partition;
    enum rt_run_phase phase;
    struct rt_task *task;
    struct rt_state *state;
    struct rt_source *sources;
    struct rt_restore *restores; /* one for each store */
    int64_t *changelog;          /* one for each store: behind the last record delivered in this
                                  * transaction, −1: none */
    int64_t committed_time;      /* stream time of the last commit */
    int64_t opened_ms;
    uint64_t dropped_seen;
    bool touched; /* since the last commit */
    struct rt_run *next;
};

/* A topic that is written to. */
struct rt_sink {
    char *name;
    rd_kafka_topic_t *handle;
    int32_t partitions;
    struct rt_sink *next;
};

struct rt_thread {
    struct rt_app *app;
    int index;
    struct rt_pipeline *pipeline;
    const struct rt_plan *plan;
    rd_kafka_t *consumer, *producer, *restorer;
    rd_kafka_queue_t *events; /* of the consumer: rebalances, errors */
    int wake_fd;
    struct rt_run *runs;
    struct rt_sink *sinks;
    struct rt_store **globals; /* readers, one for each of plan->globals */
    struct rt_run *current;    /* the task that is being called */
    void **graveyard;          /* changelog cells that late reports may still write to */
    size_t graveyard_count;
    bool assigned, lost;
    bool broken;      /* the session ends by an error: nothing is committed any more */
    bool in_txn;      /* a transaction is open */
    bool dirty;       /* something was processed since the last commit */
    bool publish;     /* the picture changed */
    bool check_peers; /* an assignment came: who else is in the group? */
    int64_t txn_since_ms, tick_ms;
    int64_t processed; /* records since the last commit */
    int32_t sticky;    /* the partition for records without a key, until the next commit */
    int aborts;        /* in a row */
    int delivery_code;
    char delivery_text[200];
    int failed; /* an error met inside a callback */
    struct bs_error failure;
};

/* The thread's life: BS_EFENCED comes back as a new try inside, any other error ends the app. */
void rt_thread_main(struct rt_thread *thread);
const char *rt_thread_name(const struct rt_thread *thread, char out[80]); /* for log lines */

/* assign.c */
void rt_assign_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque);
void rt_assign_close_all(struct rt_thread *thread); /* dirty: what is not committed is forgotten */
int rt_assign_rewind(struct rt_thread *thread, struct bs_error *err); /* to the last commit */
int rt_assign_make_task(struct rt_run *run, struct bs_error *err);
void rt_source_clear(struct rt_source *source);
void rt_assign_publish(struct rt_thread *thread);

/* restore.c: one slice; *ret_busy: something is still to be restored. */
int rt_restore_step(struct rt_thread *thread, bool *ret_busy, struct bs_error *err);
/* After the last commit of tasks that are to be closed, while they are still ours. */
void rt_restore_settle(struct rt_thread *thread);

/* output.c */
int rt_output_emit(void *ctx /* run */, const struct rt_output *output, struct bs_error *err);
int rt_output_change(void *ctx /* run */, const struct rt_store_spec *spec, struct bs_bytes key,
                     struct bs_bytes value, int64_t timestamp, struct bs_error *err);
int32_t rt_output_partitions(struct rt_thread *thread, const char *topic);
void rt_output_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque);
void rt_output_close(struct rt_thread *thread);

/* commit.c */
int rt_commit_begin(struct rt_thread *thread, struct bs_error *err); /* when none is open */
int rt_commit(struct rt_thread *thread, struct bs_error *err);
/* The transaction cannot be committed because of `cause` (BS_ECANCELLED): aborts and goes back to
 * the last commit, unless that happened too often in a row. */
int rt_commit_again(struct rt_thread *thread, const struct bs_error *cause, struct bs_error *err);
/* Aborts and goes back to the last commit. */
int rt_commit_abort(struct rt_thread *thread, struct bs_error *err);
/* Between two steps of a commit; NULL but in tests, which end the process there. */
extern void (*rt_commit_hook)(const char *step);

#endif
