/* Progress: what a pipeline's threads tell the rest of the worker, and the other way round that
 * they shall stop. The one place that several threads share: a lock around small copies, taken once
 * per round of a thread's loop, never per record. */
#ifndef WEIR_RUNTIME_WORKER_PROGRESS_H
#define WEIR_RUNTIME_WORKER_PROGRESS_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

enum rt_phase {
    RT_PHASE_STARTING,  /* loading, waiting for topics, schemas, bounded sources */
    RT_PHASE_RESTORING, /* global tables are read */
    RT_PHASE_RUNNING,
    RT_PHASE_FAILED,
    RT_PHASE_STOPPED,
};

/* One partition as its thread sees it. */
struct rt_place {
    char topic[250];
    int32_t partition;
    int32_t subtopology;
    int64_t position; /* the next offset to read; behind control records too */
    bool at_end;      /* everything up to position was read, nothing is buffered */
};

struct rt_progress;

struct rt_progress *rt_progress_new(int threads_max);
void rt_progress_free(struct rt_progress *progress); /* accepts NULL */

void rt_progress_stop(struct rt_progress *progress); /* any thread */
bool rt_progress_stopping(struct rt_progress *progress);

/* `detail`: what is waited for, or the error; copied; NULL: none. FAILED is final and asks the
 * other threads to stop. */
void rt_progress_phase(struct rt_progress *progress, enum rt_phase phase, const char *detail);
enum rt_phase rt_progress_get(struct rt_progress *progress, struct bs_buf *detail /* or NULL */);

/* A thread's picture, whole; assigned: it has had an assignment; restoring: tasks are. */
void rt_progress_publish(struct rt_progress *progress, int thread, const struct rt_place *places,
                         size_t count, bool assigned, bool busy, size_t restoring);
void rt_progress_count(struct rt_progress *progress, int64_t processed, int64_t committed,
                       int64_t dropped);

struct rt_snapshot {
    struct rt_place *places; /* owned by the snapshot */
    size_t count;
    uint64_t version; /* moves with every change of any thread */
    bool assigned;    /* every thread */
    bool idle;        /* no thread has anything uncommitted, buffered or to restore */
    size_t restoring;
    int64_t processed, committed, dropped; /* records */
};
void rt_progress_snapshot(struct rt_progress *progress, int threads, struct rt_snapshot *ret);
void rt_snapshot_deinit(struct rt_snapshot *snapshot);

#endif
