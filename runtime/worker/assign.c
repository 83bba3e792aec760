/* Assignment: what the group gives to a thread becomes tasks, and what it takes away is committed
 * and closed.
 *
 * A task is (subtopology, partition number): `range` gives equal numbers of equally sized topics to
 * one member. Each partition keeps a queue of its own, not forwarded to the consumer's: the thread
 * takes from it what it can use, which is all the back-pressure there is; pausing would throw away
 * what was fetched. Callbacks run inside the thread's poll; an error they meet waits in
 * thread->failure. Owner: the thread. */
#include "runtime/worker/thread.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/io/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bs_event ASSIGNED = {"worker.assigned", BS_LOG_INFO,
                                         "The group gave partitions to a thread."};
static const struct bs_event REVOKED = {"worker.revoked", BS_LOG_INFO,
                                        "The group took a thread's partitions back."};

enum { COMMITTED_WAIT_MS = 5000, COMMITTED_MARGIN_MS = 20000, SEEK_WAIT_MS = 10000 };

static int find_subtopology(const struct rt_plan *plan, const char *topic, size_t *ret)
{
    for (size_t i = 0; i < plan->subtopology_count; i++)
        for (size_t t = 0; t < plan->subtopologies[i].topic_count; t++)
            if (strcmp(plan->subtopologies[i].topics[t], topic) == 0) {
                *ret = i;
                return 0;
            }
    return BS_ENOTFOUND;
}

static struct rt_run *get_run(struct rt_thread *thread, size_t subtopology, int32_t partition)
{
    const struct rt_subtopology *sub = &thread->plan->subtopologies[subtopology];
    struct rt_run *run;
    for (run = thread->runs; run; run = run->next)
        if (run->subtopology == subtopology && run->partition == partition)
            return run;
    run = bs_new(struct rt_run);
    run->thread = thread;
    run->subtopology = subtopology;
    run->partition = partition;
    run->committed_time = -1;
    run->opened_ms = rt_now_ms();
    run->restores = bs_array(sub->store_count + 1, sizeof *run->restores);
    run->changelog = bs_array(sub->store_count + 1, sizeof *run->changelog);
    for (size_t i = 0; i < sub->store_count; i++) {
        run->restores[i].topic = rt_topics_changelog(thread->plan, sub->stores[i].name);
        run->changelog[i] = -1;
    }
    run->next = thread->runs;
    thread->runs = run;
    return run;
}

static void add_source(struct rt_thread *thread, struct rt_run *run, const char *topic,
                       int32_t partition)
{
    static const uint64_t ONE = 1;
    struct rt_source *source = bs_new(struct rt_source);
    source->topic = bs_strdup(topic);
    source->partition = partition;
    source->position = source->committed = -1;
    source->timed_offset = -1;
    source->buffer =
        bs_array((size_t)thread->app->shared->settings->buffered_max, sizeof *source->buffer);
    source->queue = rd_kafka_queue_get_partition(thread->consumer, topic, partition);
    rd_kafka_queue_forward(source->queue, NULL);
    rd_kafka_queue_io_event_enable(source->queue, thread->wake_fd, &ONE, sizeof ONE);
    source->next = run->sources;
    run->sources = source;
}

static struct rt_source *find_source(struct rt_thread *thread, const char *topic, int32_t partition,
                                     struct rt_run **ret_run)
{
    for (struct rt_run *run = thread->runs; run; run = run->next)
        for (struct rt_source *s = run->sources; s; s = s->next)
            if (s->partition == partition && strcmp(s->topic, topic) == 0) {
                *ret_run = run;
                return s;
            }
    return NULL;
}

void rt_source_clear(struct rt_source *source)
{
    for (; source->head < source->count; source->head++)
        rd_kafka_message_destroy(source->buffer[source->head]);
    source->head = source->count = 0;
}

static void close_source(struct rt_source *source)
{
    rt_source_clear(source);
    rd_kafka_queue_io_event_enable(source->queue, -1, NULL, 0);
    rd_kafka_queue_destroy(source->queue);
    bs_free(source->buffer);
    bs_free(source->topic);
    bs_free(source);
}

static void close_run(struct rt_thread *thread, struct rt_run *run)
{
    size_t stores = thread->plan->subtopologies[run->subtopology].store_count;
    struct rt_source *next;
    for (struct rt_source *source = run->sources; source; source = next) {
        next = source->next;
        close_source(source);
    }
    rt_task_free(run->task);
    rt_state_close(run->state);
    for (size_t i = 0; i < stores; i++)
        bs_free(run->restores[i].topic);
    bs_free(run->restores);
    thread->graveyard =
        bs_realloc(thread->graveyard, (thread->graveyard_count + 1) * sizeof *thread->graveyard);
    thread->graveyard[thread->graveyard_count++] = run->changelog;
    bs_free(run);
}

void rt_assign_close_all(struct rt_thread *thread)
{
    while (thread->runs) {
        struct rt_run *run = thread->runs;
        thread->runs = run->next;
        close_run(thread, run);
    }
    if (thread->restorer) {
        rd_kafka_consumer_close(thread->restorer);
        rd_kafka_destroy(thread->restorer);
        thread->restorer = NULL;
    }
    thread->in_txn = thread->dirty = false;
    thread->publish = true;
}

/* Each partition's committed position and stream time. While a transaction of the tasks' last owner
 * is undecided the broker does not tell: that is waited for. */
static int read_committed(struct rt_thread *thread, rd_kafka_topic_partition_list_t *list,
                          struct bs_error *err)
{
    int64_t deadline =
        rt_now_ms() + COMMITTED_MARGIN_MS + thread->app->shared->settings->transaction_timeout_ms;
    for (;;) {
        rd_kafka_resp_err_t code = rd_kafka_committed(thread->consumer, list, COMMITTED_WAIT_MS);
        for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
            code = list->elems[i].err;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (rt_now_ms() > deadline || rt_progress_stopping(thread->app->progress))
            return rt_client_fail(err, code, "committed positions");
    }
}

static void adopt(struct rt_thread *thread, rd_kafka_topic_partition_t *row)
{
    struct rt_run *run = NULL;
    struct rt_source *source = find_source(thread, row->topic, row->partition, &run);
    long long time;
    char text[64];
    if (row->offset < 0)
        row->offset = RD_KAFKA_OFFSET_BEGINNING;
    else
        source->position = source->committed = row->offset;
    if (!row->metadata || row->metadata_size == 0 || row->metadata_size >= sizeof text)
        return;
    memcpy(text, row->metadata, row->metadata_size);
    text[row->metadata_size] = '\0';
    if (sscanf(text, "weir1 %lld", &time) == 1 && time > run->committed_time)
        run->committed_time = time;
}

static int assign(struct rt_thread *thread, rd_kafka_topic_partition_list_t *list,
                  struct bs_error *err)
{
    int rc = 0;
    for (int i = 0; i < list->cnt; i++) {
        size_t sub;
        if (find_subtopology(thread->plan, list->elems[i].topic, &sub) != 0)
            return bs_error_set(err, BS_ESTATE,
                                "the group assigned topic '%s', which %s does not "
                                "read",
                                list->elems[i].topic, thread->plan->file);
        add_source(thread, get_run(thread, sub, list->elems[i].partition), list->elems[i].topic,
                   list->elems[i].partition);
    }
    if (list->cnt > 0)
        rc = read_committed(thread, list, err);
    for (int i = 0; i < list->cnt && rc == 0; i++)
        adopt(thread, &list->elems[i]);
    return rc;
}

static void revoke(struct rt_thread *thread)
{
    struct bs_error err = {0};
    int rc = 0;
    if (rd_kafka_assignment_lost(thread->consumer)) {
        /* Somebody else has the tasks already. */
        if (thread->in_txn && thread->plan->exactly_once) {
            rd_kafka_error_t *error = rd_kafka_abort_transaction(thread->producer, -1);
            if (error) {
                rt_client_fail_error(&err, error, "abort of a transaction");
                rc = BS_EFENCED;
            }
        }
        thread->processed = 0;
    } else {
        rc = rt_commit(thread, &err);
        if (rc == 0 && !thread->broken)
            rt_restore_settle(thread);
    }
    rt_assign_close_all(thread);
    if (rc != 0 && thread->failed == 0) {
        thread->failed = rc;
        thread->failure = err;
    }
}

void rt_assign_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct rt_thread *thread = opaque;
    struct bs_error err = {0};
    char name[80];
    int rc;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rc = assign(thread, list, &err);
        if (rc != 0) {
            rt_assign_close_all(thread);
            thread->failed = rc;
            thread->failure = err;
            rd_kafka_assign(client, NULL);
            return;
        }
        rd_kafka_assign(client, list);
        thread->assigned = thread->publish = thread->check_peers = true;
        bs_log(&ASSIGNED, "%s: %d partition%s", rt_thread_name(thread, name), list->cnt,
               bs_plural(list->cnt));
        return;
    }
    if (thread->runs) {
        int count = list ? list->cnt : 0;
        bs_log(&REVOKED, "%s: %d partition%s", rt_thread_name(thread, name), count,
               bs_plural(count));
    }
    revoke(thread);
    thread->assigned = false;
    rd_kafka_assign(client, NULL);
}

static struct rt_store *find_store(void *ctx, const char *name)
{
    struct rt_run *run = ctx;
    struct rt_store *store = rt_state_find(run->state, name);
    for (size_t i = 0; !store && i < run->thread->plan->global_count; i++)
        if (strcmp(run->thread->plan->globals[i].store.name, name) == 0)
            store = run->thread->globals[i];
    return store;
}

static int32_t count_partitions(void *ctx, const char *topic)
{
    return rt_output_partitions(((struct rt_run *)ctx)->thread, topic);
}

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return io_clock_wall_ms(io_clock_real());
}

int rt_assign_make_task(struct rt_run *run, struct bs_error *err)
{
    struct rt_ports ports = {.ctx = run,
                             .emit = rt_output_emit,
                             .store = find_store,
                             .partition_count = count_partitions,
                             .wall_ms = wall_ms};
    int rc;
    rt_task_free(run->task);
    run->task = NULL;
    run->dropped_seen = 0;
    run->touched = false;
    rc = rt_task_new(run->thread->pipeline, run->subtopology, run->partition, &ports, &run->task,
                     err);
    if (rc == 0 && run->committed_time >= 0)
        rt_task_set_stream_time(run->task, run->committed_time);
    return rc;
}

int rt_assign_rewind(struct rt_thread *thread, struct bs_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    rd_kafka_error_t *error = NULL;
    int rc = 0;
    for (struct rt_run *run = thread->runs; run && rc == 0; run = run->next) {
        if (run->phase != RT_RUN_READY)
            continue;
        rt_state_abort(run->state);
        rc = rt_assign_make_task(run, err);
        for (struct rt_source *s = run->sources; s; s = s->next) {
            rt_source_clear(s);
            s->position = s->committed;
            s->at_end = false;
            rd_kafka_topic_partition_list_add(list, s->topic, s->partition)->offset =
                s->committed >= 0 ? s->committed : RD_KAFKA_OFFSET_BEGINNING;
        }
    }
    if (rc == 0 && list->cnt > 0) {
        error = rd_kafka_seek_partitions(thread->consumer, list, SEEK_WAIT_MS);
        for (int i = 0; i < list->cnt && !error && rc == 0; i++)
            if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
                rt_client_fail(err, list->elems[i].err, "going back to the last commit");
                rc = BS_EFENCED; /* a new session begins at the last commit by itself */
            }
        if (error) {
            rt_client_fail_error(err, error, "going back to the last commit");
            rc = BS_EFENCED;
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    thread->publish = true;
    return rc;
}

void rt_assign_publish(struct rt_thread *thread)
{
    struct rt_place *places;
    size_t count = 0, restoring = 0;
    bool busy = thread->in_txn || thread->dirty;
    for (struct rt_run *run = thread->runs; run; run = run->next) {
        restoring += run->phase != RT_RUN_READY;
        for (struct rt_source *s = run->sources; s; s = s->next)
            count++;
    }
    places = bs_array(count + 1, sizeof *places);
    count = 0;
    for (struct rt_run *run = thread->runs; run; run = run->next)
        for (struct rt_source *s = run->sources; s; s = s->next) {
            struct rt_place *place = &places[count++];
            snprintf(place->topic, sizeof place->topic, "%s", s->topic);
            place->partition = s->partition;
            place->subtopology = (int32_t)run->subtopology;
            place->position = s->position;
            place->at_end = s->at_end && s->head == s->count;
        }
    rt_progress_publish(thread->app->progress, thread->index, places, count, thread->assigned, busy,
                        restoring);
    bs_free(places);
    thread->publish = false;
}
