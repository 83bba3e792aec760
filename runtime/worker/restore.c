/* Restore: brings a task's stores up to their changelogs before the task starts.
 *
 * A store says where it stands; what the changelog has behind that is read (committed records only)
 * up to the end that the log has now, transactions that are still open included: they belong to the
 * tasks' last owner, and until the broker has decided them the end cannot be reached. A store whose
 * position the log does not have (any more) is wiped and read whole. Each batch goes to disk with
 * the position behind it, so a restart goes on from there. One consumer per thread reads for all
 * its tasks, in slices between rounds of the loop. Owner: the thread. */
#include "runtime/worker/thread.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <string.h>

static const struct bs_event BEGIN = {"worker.restore-begin", BS_LOG_INFO,
                                      "A store is behind its changelog and is read up."};
static const struct bs_event GOING = {"worker.restore-progress", BS_LOG_INFO,
                                      "How far the restore of a store is."};
static const struct bs_event END = {"worker.restore-end", BS_LOG_INFO,
                                    "A store equals its changelog."};
static const struct bs_event WIPED = {
    "worker.restore-wiped", BS_LOG_WARN,
    "A store's position is not in its changelog (any more); it is built again from the start."};

enum {
    SLICE = 2000,
    SETTLE_MS = 500,
    OPEN_WAIT_MS = 30000,
    COMMIT_BYTES = 4 << 20,
    PROGRESS_RECORDS = 500000,
};

static int open_state(struct rt_run *run, struct bs_error *err)
{
    struct rt_app *app = run->thread->app;
    const struct rt_subtopology *sub = &run->thread->plan->subtopologies[run->subtopology];
    char *dir = bs_asprintf("%s/%zu_%d", app->dir, run->subtopology, run->partition);
    struct rt_state_options options = {.dir = dir,
                                       .specs = sub->stores,
                                       .spec_count = sub->store_count,
                                       .change = rt_output_change,
                                       .change_ctx = run,
                                       .rocks = app->shared->rocks,
                                       .cache_bytes = app->shared->settings->cache_bytes};
    int rc = rt_state_open(&options, &run->state, err);
    bs_free(dir);
    return rc;
}

static int open_restorer(struct rt_thread *thread, struct bs_error *err)
{
    char group[300], id[300];
    const struct rt_client_option options[] = {{"group.id", group},
                                               {"isolation.level", "read_committed"},
                                               {"enable.auto.commit", "false"},
                                               {"auto.offset.reset", "error"},
                                               {"enable.partition.eof", "true"},
                                               {"fetch.error.backoff.ms", "20"},
                                               {"fetch.wait.max.ms", "50"},
                                               {0}};
    struct rt_client_spec spec = {.type = RD_KAFKA_CONSUMER,
                                  .bootstrap = thread->app->shared->settings->bootstrap,
                                  .client_id = id,
                                  .options = options,
                                  .where = thread->plan->file};
    int rc;
    snprintf(group, sizeof group, "%s-restore", thread->plan->app_id);
    snprintf(id, sizeof id, "weir-%s-restore-%d", thread->plan->app_id, thread->index);
    rc = rt_client_open(&spec, &thread->restorer, err);
    if (rc == 0)
        rd_kafka_poll_set_consumer(thread->restorer);
    return rc;
}

static int read_from(struct rt_thread *thread, struct rt_restore *restore, int32_t partition,
                     struct bs_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_error_t *error;
    int rc = thread->restorer ? 0 : open_restorer(thread, err);
    rd_kafka_topic_partition_list_add(list, restore->topic, partition)->offset = restore->position;
    if (rc == 0) {
        error = rd_kafka_incremental_assign(thread->restorer, list);
        if (error)
            rc = rt_client_fail_error(err, error, restore->topic);
        restore->reading = rc == 0;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return rc;
}

static int begin_store(struct rt_run *run, size_t i, struct bs_error *err)
{
    struct rt_thread *thread = run->thread;
    struct rt_restore *restore = &run->restores[i];
    int64_t first, end;
    int rc;
    if (!rt_store_spec(rt_state_store(run->state, i))->logged) {
        restore->done = true;
        return 0;
    }
    rc = rt_client_ends(thread->app->admin, restore->topic, run->partition, &first, &end, err);
    if (rc != 0)
        return rc;
    restore->target = end;
    restore->position = rt_state_position(run->state, i);
    if (restore->position > end || (restore->position >= 0 && restore->position < first)) {
        bs_log(&WIPED, "%s[%d]: position %lld, the log has %lld to %lld", restore->topic,
               run->partition, (long long)restore->position, (long long)first, (long long)end);
        rc = rt_state_wipe(run->state, i, err);
        restore->position = -1;
    }
    if (restore->position < 0)
        restore->position = first;
    if (rc != 0)
        return rc;
    restore->done = restore->position >= end;
    if (restore->done)
        return 0;
    bs_log(&BEGIN, "%s[%d]: from %lld to %lld", restore->topic, run->partition,
           (long long)restore->position, (long long)end);
    return read_from(thread, restore, run->partition, err);
}

/* What was read so far goes to disk, with the position behind it. */
static int keep(struct rt_run *run, struct bs_error *err)
{
    size_t count = rt_state_count(run->state);
    int64_t *positions = bs_array(count + 1, sizeof *positions);
    int rc;
    for (size_t i = 0; i < count; i++)
        positions[i] = run->restores[i].count > 0 ? run->restores[i].position : -1;
    rc = rt_state_commit(run->state, positions, err);
    bs_free(positions);
    return rc;
}

static int end_store(struct rt_run *run, size_t i, struct bs_error *err)
{
    struct rt_restore *restore = &run->restores[i];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_error_t *error;
    int rc = keep(run, err);
    rd_kafka_topic_partition_list_add(list, restore->topic, run->partition);
    error = rd_kafka_incremental_unassign(run->thread->restorer, list);
    if (error && rc == 0)
        rc = rt_client_fail_error(err, error, restore->topic);
    rd_kafka_topic_partition_list_destroy(list);
    restore->reading = false;
    restore->done = true;
    bs_log(&END, "%s[%d]: %lld record%s read", restore->topic, run->partition,
           (long long)restore->count, bs_plural(restore->count));
    return rc;
}

static struct rt_run *find_run(struct rt_thread *thread, const char *topic, int32_t partition,
                               size_t *ret_store)
{
    for (struct rt_run *run = thread->runs; run; run = run->next) {
        if (run->phase != RT_RUN_RESTORING || run->partition != partition)
            continue;
        for (size_t i = 0; i < rt_state_count(run->state); i++)
            if (run->restores[i].reading && strcmp(run->restores[i].topic, topic) == 0) {
                *ret_store = i;
                return run;
            }
    }
    return NULL;
}

static int take(struct rt_thread *thread, const rd_kafka_message_t *message, struct bs_error *err)
{
    struct rt_restore *restore;
    struct rt_run *run;
    size_t i;
    int rc = 0;
    bool eof = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !eof) {
        if (bs_error_class(rt_client_code(message->err)) == BS_RETRY)
            return 0; /* librdkafka goes on by itself */
        return rt_client_fail(err, message->err, "reading a changelog");
    }
    run = find_run(thread, rd_kafka_topic_name(message->rkt), message->partition, &i);
    if (!run)
        return 0;
    restore = &run->restores[i];
    restore->position = eof ? message->offset : message->offset + 1;
    if (!eof) {
        rd_kafka_timestamp_type_t type;
        rc = rt_state_restore(run->state, i, bs_bytes(message->key, message->key_len),
                              bs_bytes(message->payload, message->payload ? message->len : 0),
                              rd_kafka_message_timestamp(message, &type), err);
        if (++restore->count % PROGRESS_RECORDS == 0)
            bs_log(&GOING, "%s[%d]: at %lld of %lld", restore->topic, run->partition,
                   (long long)restore->position, (long long)restore->target);
    } else if (restore->count == 0) {
        restore->count = 1; /* only control records: the position still moves */
    }
    if (rc == 0 && restore->position >= restore->target)
        return end_store(run, i, err);
    if (rc == 0 && rt_state_uncommitted_bytes(run->state) > COMMIT_BYTES)
        rc = keep(run, err);
    return rc;
}

static int begin_run(struct rt_run *run, struct bs_error *err)
{
    int rc = open_state(run, err);
    /* The last owner, perhaps a thread of this very process, may still be closing it. */
    if (rc == BS_EBUSY && rt_now_ms() - run->opened_ms < OPEN_WAIT_MS)
        return 0;
    for (size_t i = 0; rc == 0 && i < rt_state_count(run->state); i++)
        rc = begin_store(run, i, err);
    if (rc == 0)
        run->phase = RT_RUN_RESTORING;
    return rc;
}

static int finish_run(struct rt_run *run, struct bs_error *err)
{
    int rc;
    for (size_t i = 0; i < rt_state_count(run->state); i++)
        if (!run->restores[i].done)
            return 0;
    rc = rt_assign_make_task(run, err);
    if (rc == 0) {
        run->phase = RT_RUN_READY;
        run->thread->publish = true;
    }
    return rc;
}

/* Behind the last commit's records stands the mark that committed them. When nothing is undecided
 * the log's end is the store's position too; saying so spares the next start a read. */
void rt_restore_settle(struct rt_thread *thread)
{
    for (struct rt_run *run = thread->runs; run; run = run->next) {
        size_t count = run->phase == RT_RUN_READY ? rt_state_count(run->state) : 0;
        int64_t *positions = bs_array(count + 1, sizeof *positions);
        bool moved = false;
        for (size_t i = 0; i < count; i++) {
            const char *topic = run->restores[i].topic;
            int64_t first, committed, end;
            positions[i] = -1;
            if (!rt_store_spec(rt_state_store(run->state, i))->logged ||
                rd_kafka_query_watermark_offsets(thread->consumer, topic, run->partition, &first,
                                                 &committed, SETTLE_MS) != 0 ||
                rd_kafka_query_watermark_offsets(thread->app->admin, topic, run->partition, &first,
                                                 &end, SETTLE_MS) != 0)
                continue;
            if (committed == end && end > rt_state_position(run->state, i)) {
                positions[i] = end;
                moved = true;
            }
        }
        if (moved)
            (void)rt_state_commit(run->state, positions, NULL);
        bs_free(positions);
    }
}

int rt_restore_step(struct rt_thread *thread, bool *ret_busy, struct bs_error *err)
{
    bool reading = false;
    int rc = 0;
    *ret_busy = false;
    for (struct rt_run *run = thread->runs; run && rc == 0; run = run->next) {
        if (run->phase == RT_RUN_OPENING)
            rc = begin_run(run, err);
        if (rc == 0 && run->phase == RT_RUN_RESTORING)
            rc = finish_run(run, err);
        if (run->phase != RT_RUN_READY)
            *ret_busy = true;
        reading = reading || run->phase == RT_RUN_RESTORING;
    }
    for (int i = 0; i < SLICE && reading && thread->restorer && rc == 0; i++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(thread->restorer, i == 0 ? 20 : 0);
        if (!message)
            break;
        rc = take(thread, message, err);
        rd_kafka_message_destroy(message);
    }
    if (!*ret_busy && thread->restorer) {
        rd_kafka_consumer_close(thread->restorer);
        rd_kafka_destroy(thread->restorer);
        thread->restorer = NULL;
    }
    return rc;
}
