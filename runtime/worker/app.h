/* App: one pipeline file in this worker: its threads, its global tables, its life. */
#ifndef WEIR_RUNTIME_WORKER_APP_H
#define WEIR_RUNTIME_WORKER_APP_H

#include "runtime/connect/host.h"
#include "runtime/state/global.h"
#include "runtime/worker/identity.h"
#include "runtime/schemas.h"
#include "runtime/worker/topics.h"

#include "lib/base/metric.h"

/* What all pipelines of a worker share; filled before the first is opened. */
struct rt_shared {
    const struct rt_settings *settings;
    const struct rt_identity *identity;
    struct rt_schema_port schemas;
    struct rt_connect_host *host; /* or NULL: no connectors here */
    struct rt_rocks_shared *rocks;
};

struct rt_app {
    const struct rt_shared *shared;
    char *file;
    struct rt_progress *progress;
    /* Set while starting, then only read: */
    struct rt_pipeline *first; /* the first thread's; its plan is the app's */
    const struct rt_plan *plan;
    int threads;
    char *dir;         /* <state dir>/<app id> */
    int lock_fd;       /* of `lock` in it: one pipeline of that id, in this worker or another */
    rd_kafka_t *admin; /* read_uncommitted: sees the true end of a log */
    struct rt_topics topics;
    struct rt_globals *globals; /* or NULL */
    struct bs_metric processed, committed, dropped, commits, commit_ms;
};

struct rt_app_run; /* the threads behind it */

/* Starts the pipeline's thread and returns; what goes wrong is in its progress. */
int rt_app_open(const struct rt_shared *shared, const char *file, struct rt_app_run **ret,
                struct bs_error *err);
struct rt_app *rt_app_of(struct rt_app_run *run);
/* Everything read, processed and committed, now and a moment ago. Any one thread; asks the broker.
 */
bool rt_app_caught_up(struct rt_app_run *run);
/* Status as JSON. Any thread. */
void rt_app_status(struct rt_app_run *run, struct bs_buf *out);
void rt_app_stop(struct rt_app_run *run);  /* asks, does not wait */
void rt_app_close(struct rt_app_run *run); /* stops, joins, frees; accepts NULL */

/* Of a thread of the app. */
int rt_app_load(struct rt_app *app, struct rt_pipeline **ret, struct bs_error *err);

#endif
