/* THE commit cycle. Outputs, changelog records and positions of all tasks of a thread move together
 * or not at all.
 *
 * Exactly once:
 *
 *   1  begin     a transaction is opened with the first record that is processed
 *   2  process   outputs go into it; state changes stay in the overlays
 *   3  flush     tasks hand out what they hold back; each changed row becomes one changelog record,
 *                in the transaction
 *   4  offsets   the sources' positions (with the stream time as metadata) join the transaction,
 *                with the group's metadata: a member that lost its tasks is refused here
 *   5  commit    the broker decides: outputs, changelog and positions become visible as one
 *   6  store     the overlays and the changelog positions they belong to go to RocksDB, in one
 * batch per task
 *
 * What a crash means, by where it hits:
 *
 *   before 1     nothing was done; the restart reads on from the last commit
 *   1–4          the transaction is open. The restarted thread has the same transactional id; its
 *                init_transactions aborts it (another worker that takes the tasks over waits for
 * its positions until the broker has aborted it by transaction.timeout.ms). Nothing of it is
 * visible, nothing of it is in RocksDB: the records are processed again in 5         the broker
 * decided or it did not. If not: as above. If so: as the next line 5–6          committed, but
 * RocksDB is behind. The positions say which changelog records it lacks; they are read before the
 * task starts. The records are not processed again in 6         a RocksDB batch is whole or not
 * there; tasks of the thread may differ, each has its own position and is brought up by itself
 *   after 6      nothing is lost and nothing is open
 *
 * The state store is thus never ahead of what is committed: no wipe after a crash.
 *
 * Errors: one that the broker wants answered by an abort (also: the group is rebalancing) aborts,
 * drops the overlays, makes the tasks anew and reads again from the last commit. Being fenced, or
 * an outcome that is not known, ends the session: clients and tasks are closed and opened again,
 * which is the restart of above without the crash.
 *
 * At least once: no transaction; 3, then all outputs and changelog records are delivered, then 6,
 * then the positions are committed. A crash after delivery repeats outputs; one between 6 and the
 * positions also applies records to the state twice. Nothing is ever lost, since positions move
 * last.
 *
 * Owner: the thread. */
#include "runtime/worker/thread.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bs_event ABORTED = {
    "worker.transaction-aborted", BS_LOG_WARN,
    "A transaction could not be committed; its records are processed again from the last commit."};

enum { FLUSH_SLICE_MS = 1000 };

void (*rt_commit_hook)(const char *step);

static void step(const char *name)
{
    if (rt_commit_hook)
        rt_commit_hook(name);
}

int rt_commit_begin(struct rt_thread *thread, struct bs_error *err)
{
    rd_kafka_error_t *error;
    if (thread->in_txn)
        return 0;
    for (struct rt_run *run = thread->runs; run; run = run->next)
        for (size_t i = 0; run->state && i < rt_state_count(run->state); i++)
            run->changelog[i] = -1;
    thread->delivery_code = 0;
    if (thread->plan->exactly_once) {
        error = rd_kafka_begin_transaction(thread->producer);
        if (error) {
            rt_client_fail_error(err, error, "begin of a transaction");
            return BS_EFENCED; /* only a producer that is fenced or lost refuses this */
        }
    }
    thread->in_txn = true;
    thread->txn_since_ms = rt_now_ms();
    return 0;
}

/* Step 3. */
static int flush_tasks(struct rt_thread *thread, struct bs_error *err)
{
    int rc = 0;
    for (struct rt_run *run = thread->runs; run && rc == 0; run = run->next) {
        if (run->phase != RT_RUN_READY || !run->touched)
            continue;
        thread->current = run;
        rc = rt_task_flush(run->task, err);
        if (rc == 0)
            rc = rt_state_flush(run->state, err);
        thread->current = NULL;
    }
    return rc;
}

static char *metadata_of(const struct rt_run *run)
{
    char text[48];
    snprintf(text, sizeof text, "weir1 %lld", (long long)rt_task_stream_time(run->task));
    return strdup(text); /* librdkafka frees it with free() */
}

/* Positions that moved since the last commit; NULL: none. */
static rd_kafka_topic_partition_list_t *moved(const struct rt_thread *thread)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    for (struct rt_run *run = thread->runs; run; run = run->next)
        for (struct rt_source *s = run->sources; s && run->phase == RT_RUN_READY; s = s->next) {
            rd_kafka_topic_partition_t *row;
            if (s->position < 0 || s->position == s->committed || !run->touched)
                continue;
            if (!list)
                list = rd_kafka_topic_partition_list_new(8);
            row = rd_kafka_topic_partition_list_add(list, s->topic, s->partition);
            row->offset = s->position;
            row->metadata = metadata_of(run);
            row->metadata_size = strlen(row->metadata);
        }
    return list;
}

/* 0; BS_ECANCELLED: abort and go back; BS_EFENCED: close everything and begin anew. */
static int judge(rd_kafka_error_t *error, const char *what, struct bs_error *err)
{
    int rc = rd_kafka_error_txn_requires_abort(error) ? BS_ECANCELLED : BS_EFENCED;
    rt_client_fail_error(err, error, what);
    return rc;
}

/* Step 4. */
static int send_offsets(struct rt_thread *thread, const rd_kafka_topic_partition_list_t *list,
                        struct bs_error *err)
{
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(thread->consumer);
    rd_kafka_error_t *error;
    do {
        error = rd_kafka_send_offsets_to_transaction(thread->producer, list, group, -1);
        if (!error || !rd_kafka_error_is_retriable(error))
            break;
        rd_kafka_error_destroy(error);
    } while (true);
    rd_kafka_consumer_group_metadata_destroy(group);
    return error ? judge(error, "positions into the transaction", err) : 0;
}

/* Step 5. */
static int commit_transaction(struct rt_thread *thread, struct bs_error *err)
{
    rd_kafka_error_t *error;
    for (;;) {
        error = rd_kafka_commit_transaction(thread->producer, -1);
        if (!error)
            return 0;
        if (!rd_kafka_error_is_retriable(error))
            return judge(error, "commit of a transaction", err);
        rd_kafka_error_destroy(error);
    }
}

/* Step 6. */
static int store(struct rt_thread *thread, struct bs_error *err)
{
    int rc = 0;
    for (struct rt_run *run = thread->runs; run && rc == 0; run = run->next) {
        if (run->phase != RT_RUN_READY || !run->touched)
            continue;
        rc = rt_state_commit(run->state, run->changelog, err);
        step("task-stored");
    }
    return rc;
}

static void settle(struct rt_thread *thread)
{
    int64_t dropped = 0;
    for (struct rt_run *run = thread->runs; run; run = run->next) {
        uint64_t seen;
        if (run->phase != RT_RUN_READY)
            continue;
        for (struct rt_source *s = run->sources; s && run->touched; s = s->next)
            s->committed = s->position;
        seen = rt_task_dropped(run->task);
        dropped += (int64_t)(seen - run->dropped_seen);
        run->dropped_seen = seen;
        run->committed_time = rt_task_stream_time(run->task);
        run->touched = false;
    }
    rt_progress_count(thread->app->progress, thread->processed, thread->processed, dropped);
    bs_metric_add(&thread->app->processed, thread->processed);
    bs_metric_add(&thread->app->committed, thread->processed);
    bs_metric_add(&thread->app->dropped, dropped);
    thread->processed = 0;
    thread->in_txn = thread->dirty = false;
    thread->publish = true;
    thread->aborts = 0;
    thread->sticky++;
}

static int exactly_once(struct rt_thread *thread, struct bs_error *err)
{
    rd_kafka_topic_partition_list_t *list = moved(thread);
    int rc = 0;
    step("flushed");
    if (list)
        rc = send_offsets(thread, list, err);
    if (rc == 0)
        step("offsets-sent");
    if (rc == 0)
        rc = commit_transaction(thread, err);
    if (rc == 0) {
        step("committed");
        rc = store(thread, err);
    }
    if (rc == 0)
        step("stored");
    if (list)
        rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

static int deliver(struct rt_thread *thread, struct bs_error *err)
{
    while (rd_kafka_outq_len(thread->producer) > 0)
        rd_kafka_flush(thread->producer, FLUSH_SLICE_MS);
    if (thread->delivery_code == 0)
        return 0;
    bs_error_set(err, thread->delivery_code, "%s", thread->delivery_text);
    return BS_ECANCELLED;
}

static int at_least_once(struct rt_thread *thread, struct bs_error *err)
{
    rd_kafka_topic_partition_list_t *list = moved(thread);
    rd_kafka_resp_err_t code;
    int rc = deliver(thread, err);
    step("flushed");
    if (rc == 0)
        rc = store(thread, err);
    step("stored");
    if (rc == 0 && list) {
        code = rd_kafka_commit(thread->consumer, list, 0);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            /* The positions stay; the next commit or the next owner carries on from them. */
            rt_client_fail(err, code, "commit of positions");
            rc = BS_ECANCELLED;
        }
    }
    if (list)
        rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

int rt_commit(struct rt_thread *thread, struct bs_error *err)
{
    struct bs_error cause = {0};
    int64_t began_ms = rt_now_ms();
    int rc;
    if (!thread->in_txn)
        return 0;
    rc = flush_tasks(thread, &cause);
    if (rc == 0)
        rc = thread->plan->exactly_once ? exactly_once(thread, &cause)
                                        : at_least_once(thread, &cause);
    if (rc == 0) {
        settle(thread);
        bs_metric_add(&thread->app->commits, 1);
        bs_metric_add(&thread->app->commit_ms, rt_now_ms() - began_ms);
        return 0;
    }
    if (rc == BS_ECANCELLED)
        return rt_commit_again(thread, &cause, err);
    if (err)
        *err = cause;
    return rc;
}

int rt_commit_again(struct rt_thread *thread, const struct bs_error *cause, struct bs_error *err)
{
    char name[80];
    bs_log(&ABORTED, "%s: %s", rt_thread_name(thread, name), cause->text);
    if (++thread->aborts > RT_ABORTS_MAX)
        return bs_error_set(err, BS_EIO, "%s (aborted %d times in a row)", cause->text,
                            thread->aborts);
    return rt_commit_abort(thread, err);
}

int rt_commit_abort(struct rt_thread *thread, struct bs_error *err)
{
    rd_kafka_error_t *error;
    if (thread->plan->exactly_once && thread->in_txn) {
        for (;;) {
            error = rd_kafka_abort_transaction(thread->producer, -1);
            if (!error)
                break;
            if (!rd_kafka_error_is_retriable(error)) {
                rt_client_fail_error(err, error, "abort of a transaction");
                return BS_EFENCED;
            }
            rd_kafka_error_destroy(error);
        }
    }
    thread->in_txn = thread->dirty = false;
    thread->processed = 0;
    return rt_assign_rewind(thread, err);
}
