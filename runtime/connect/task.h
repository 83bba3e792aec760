/* Task: one running task of a connector: its thread, its configuration, and what plugins see of the
 * host. */
#ifndef WEIR_RUNTIME_CONNECT_TASK_H
#define WEIR_RUNTIME_CONNECT_TASK_H

#include "lib/base/metric.h"
#include "runtime/connect/convert.h"
#include "runtime/connect/config.h"

#include <pthread.h>

enum rt_task_event {
    RT_TASK_RUNNING,   /* has opened what it needs */
    RT_TASK_WAITING,   /* goes on later; text says what it waits for */
    RT_TASK_COMPLETE,  /* a bounded source has delivered and committed everything */
    RT_TASK_ELSEWHERE, /* the same, but another worker's task of this place did it */
    RT_TASK_FAILED,    /* has ended; text says why */
    RT_TASK_ENDED,     /* has ended because it was told to */
};

/* From the task's thread; must not block. FAILED or ENDED is its last call. */
typedef void rt_task_report(void *ctx, struct cn_task *task, enum rt_task_event event,
                            const char *text);

struct rt_task_options {
    const char *bootstrap, *group_id;
    const char *instance; /* of this worker, stable; NULL: it is alone, tasks need no seat */
    bool bounded;
    struct rt_registry registry;
    const char *connector;
    uint32_t index, count;
    const struct cn_config *config; /* unresolved; copied */
    rt_task_report *report;
    void *ctx;
};

/* What the plugins call cn_task. Owned by the host's thread; the fields are its own thread's. */
struct cn_task {
    struct rt_task_options options; /* texts are copies */
    struct cn_config *config;       /* resolved */
    const struct cn_plugin *plugin;
    pthread_t thread;
    int wake_fd;          /* an eventfd: readable when the task is to stop */
    struct rt_seat *seat; /* held while the source or sink runs */
    void *side;           /* of source.c or sink.c */
    struct bs_metric records, rejected;
    bool tolerant, log_errors;
    struct bs_error reason; /* of a rejected record that is not tolerated */
};

struct cn_task *rt_connector_task_start(const struct rt_task_options *options);
/* Any thread; does not wait. */
void rt_connector_task_stop(struct cn_task *task);
/* After its last report. Joins the thread. */
void rt_connector_task_free(struct cn_task *task);

/* For source.c and sink.c. */
/* To stop: told so, or the seat is lost. */
bool rt_connector_task_stopping(struct cn_task *task);
bool rt_connector_task_wait(struct cn_task *task, int64_t ms); /* true: it is to stop */
/* A record that is not taken: counted, logged when asked for; true: tolerated. */
bool rt_connector_task_reject(struct cn_task *task, const char *text);
int64_t rt_connector_now_ms(void); /* monotonic */
/* Pause before try n (from 0) of a call that answered CN_RETRY. */
int64_t rt_connector_task_pause_ms(const struct cn_task *task, unsigned tries);

/* The two kinds of work; each returns 0 when it was told to stop, or BS_E… with the reason. */
int rt_source_run(struct cn_task *task, struct bs_error *err);
int rt_sink_run(struct cn_task *task, struct bs_error *err);
/* Functions of the host table that belong to one kind. */
int rt_source_emit(struct cn_task *task, const struct cn_record *record, struct cn_error *error);
void rt_source_position(struct cn_task *task, const struct cn_value *partition,
                        const struct cn_value *offset);
const struct cn_value *rt_source_stored(struct cn_task *task, const struct cn_value *partition);
int rt_sink_reject_record(struct cn_task *task, size_t index, const struct cn_error *error);

extern const struct cn_host rt_connector_table;

#endif
