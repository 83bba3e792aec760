/* A pipeline's thread: opens its clients, serves the group, feeds its tasks, commits.
 *
 * One round: callbacks of the clients, a slice of restore, refill of empty buffers, up to SLICE
 * records of each task, a commit when one is due. With nothing to do it sleeps on an eventfd that
 * librdkafka writes when a queue becomes non-empty. A session ends by an error; BS_EFENCED begins a
 * new one, any other ends the pipeline. Owner: this thread. */
#include "runtime/worker/thread.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/io/clock.h"
#include "runtime/worker/peers.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static const struct bs_event RESTART = {
    "worker.session-restart", BS_LOG_WARN,
    "A thread lost its place as producer or group member and joins anew from the last commit."};
static const struct bs_event CONSUMER = {"worker.consumer-error", BS_LOG_WARN,
                                         "The consumer met an error and goes on by itself."};

enum {
    SLICE = 1000,
    HEADERS_MAX = 1024,
    INIT_WAIT_MS = 5000,
    RESTARTS_MAX = 20,
    RESTART_WAIT_MS = 200,
    TICK_MS = 100,
    IDLE_WAIT_MS = 100,
};

const char *rt_thread_name(const struct rt_thread *thread, char out[80])
{
    snprintf(out, 80, "%.60s-%d", thread->plan->app_id, thread->index);
    return out;
}

static int open_producer(struct rt_thread *thread, struct bs_error *err)
{
    const struct rt_settings *settings = thread->app->shared->settings;
    char id[300], timeout[24];
    const struct rt_client_option exact[] = {{"transactional.id", id},
                                             {"transaction.timeout.ms", timeout},
                                             {"linger.ms", "10"},
                                             {"batch.size", "1000000"},
                                             {"batch.num.messages", "10000"},
                                             {"compression.type", "lz4"},
                                             {"queue.buffering.max.messages", "500000"},
                                             {"queue.buffering.max.kbytes", "65536"},
                                             {0}};
    const struct rt_client_option once[] = {{"enable.idempotence", "true"},
                                            {"linger.ms", "10"},
                                            {"batch.size", "1000000"},
                                            {"batch.num.messages", "10000"},
                                            {"compression.type", "lz4"},
                                            {"queue.buffering.max.messages", "500000"},
                                            {"queue.buffering.max.kbytes", "65536"},
                                            {"message.timeout.ms", "300000"},
                                            {0}};
    struct rt_client_spec spec = {.type = RD_KAFKA_PRODUCER,
                                  .bootstrap = settings->bootstrap,
                                  .client_id = id,
                                  .options = thread->plan->exactly_once ? exact : once,
                                  .extra = thread->plan->kafka,
                                  .extra_count = thread->plan->kafka_count,
                                  .where = thread->plan->file,
                                  .opaque = thread,
                                  .delivery = rt_output_delivered};
    rd_kafka_error_t *error = NULL;
    int rc;
    snprintf(id, sizeof id, "%s-%s-%d", thread->plan->app_id, thread->app->shared->identity->id,
             thread->index);
    snprintf(timeout, sizeof timeout, "%lld", (long long)settings->transaction_timeout_ms);
    rc = rt_client_open(&spec, &thread->producer, err);
    if (rc != 0 || !thread->plan->exactly_once)
        return rc;
    for (;;) {
        error = rd_kafka_init_transactions(thread->producer, INIT_WAIT_MS);
        if (!error)
            return 0;
        if (!rd_kafka_error_is_retriable(error) || rt_progress_stopping(thread->app->progress))
            return rt_client_fail_error(err, error, "opening the transactional producer");
        rd_kafka_error_destroy(error);
    }
}

static int subscribe(struct rt_thread *thread, struct bs_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    rd_kafka_resp_err_t code;
    for (size_t i = 0; i < thread->plan->subtopology_count; i++)
        for (size_t t = 0; t < thread->plan->subtopologies[i].topic_count; t++)
            rd_kafka_topic_partition_list_add(list, thread->plan->subtopologies[i].topics[t],
                                              RD_KAFKA_PARTITION_UA);
    code = rd_kafka_subscribe(thread->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : rt_client_fail(err, code, "subscribe");
}

static int open_consumer(struct rt_thread *thread, struct bs_error *err)
{
    static const uint64_t ONE = 1;
    const struct rt_settings *settings = thread->app->shared->settings;
    char id[RT_PEERS_CLIENT_ID_CAP], instance[64], session[24], heartbeat[24];
    const struct rt_client_option options[] = {{"group.id", thread->plan->app_id},
                                               {"group.instance.id", instance},
                                               {"session.timeout.ms", session},
                                               {"heartbeat.interval.ms", heartbeat},
                                               {"partition.assignment.strategy", "range"},
                                               {"isolation.level", "read_committed"},
                                               {"enable.auto.commit", "false"},
                                               {"enable.auto.offset.store", "false"},
                                               {"auto.offset.reset", "earliest"},
                                               {"enable.partition.eof", "true"},
                                               {"fetch.wait.max.ms", "100"},
                                               {"fetch.error.backoff.ms", "50"},
                                               {"queued.max.messages.kbytes", "16384"},
                                               {"topic.metadata.refresh.interval.ms", "60000"},
                                               {0}};
    struct rt_client_spec spec = {.type = RD_KAFKA_CONSUMER,
                                  .bootstrap = settings->bootstrap,
                                  .client_id = id,
                                  .options = options,
                                  .extra = thread->plan->kafka,
                                  .extra_count = thread->plan->kafka_count,
                                  .where = thread->plan->file,
                                  .opaque = thread,
                                  .rebalance = rt_assign_rebalance};
    int rc;
    rt_peers_client_id(thread->plan->fingerprint, thread->app->shared->identity->id, thread->index,
                       id);
    snprintf(instance, sizeof instance, "%s-%d", thread->app->shared->identity->id, thread->index);
    snprintf(session, sizeof session, "%lld", (long long)settings->session_timeout_ms);
    snprintf(heartbeat, sizeof heartbeat, "%lld", (long long)settings->session_timeout_ms / 4);
    rc = rt_client_open(&spec, &thread->consumer, err);
    if (rc != 0)
        return rc;
    rd_kafka_poll_set_consumer(thread->consumer);
    thread->events = rd_kafka_queue_get_consumer(thread->consumer);
    rd_kafka_queue_io_event_enable(thread->events, thread->wake_fd, &ONE, sizeof ONE);
    return subscribe(thread, err);
}

static void close_session(struct rt_thread *thread)
{
    if (thread->events) {
        rd_kafka_queue_io_event_enable(thread->events, -1, NULL, 0);
        rd_kafka_queue_destroy(thread->events);
    }
    if (thread->consumer)
        rd_kafka_consumer_close(thread->consumer); /* revokes: commits what is done */
    rt_assign_close_all(thread);
    if (thread->consumer)
        rd_kafka_destroy(thread->consumer);
    rt_output_close(thread);
    if (thread->producer)
        rd_kafka_destroy(thread->producer);
    for (size_t i = 0; i < thread->graveyard_count; i++)
        bs_free(thread->graveyard[i]);
    bs_free(thread->graveyard);
    thread->events = NULL;
    thread->consumer = thread->producer = NULL;
    thread->graveyard = NULL;
    thread->graveyard_count = 0;
    thread->assigned = thread->in_txn = thread->dirty = false;
    rt_assign_publish(thread);
}

/* Callbacks of the consumer: rebalances inside the poll, errors as messages. */
static int serve(struct rt_thread *thread, struct bs_error *err)
{
    rd_kafka_message_t *message;
    int rc = 0;
    while (rc == 0 && (message = rd_kafka_consumer_poll(thread->consumer, 0)) != NULL) {
        rd_kafka_resp_err_t code = message->err;
        if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
            char text[300];
            rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(thread->consumer, text, sizeof text);
            rc =
                bs_error_set(err, BS_ECONFLICT,
                             "group '%s': %s\n  hint: does another worker run with a copy of this "
                             "state.dir?",
                             thread->plan->app_id, fatal ? text : rd_kafka_message_errstr(message));
        } else if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
                   code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
            rc = rt_client_fail(err, code, rd_kafka_message_errstr(message));
        } else if (code == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
            rc = bs_error_set(err, BS_EFENCED, "%s", rd_kafka_message_errstr(message));
        } else if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            bs_log(&CONSUMER, "%s: %s", thread->plan->app_id, rd_kafka_message_errstr(message));
        } else {
            rc = bs_error_set(err, BS_EFENCED, "a record came past its partition's queue");
        }
        rd_kafka_message_destroy(message);
    }
    if (rc == 0 && thread->failed != 0) {
        rc = thread->failed;
        if (err)
            *err = thread->failure;
        thread->failed = 0;
    }
    if (thread->producer)
        rd_kafka_poll(thread->producer, 0);
    return rc;
}

/* Takes what the client has for a source whose buffer is empty. 1: something came. */
static int refill(struct rt_thread *thread, struct rt_source *source, struct bs_error *err)
{
    size_t max = (size_t)thread->app->shared->settings->buffered_max, kept = 0;
    ssize_t n = rd_kafka_consume_batch_queue(source->queue, 0, source->buffer, max);
    int rc = n > 0;
    source->head = source->count = 0;
    for (ssize_t i = 0; i < n; i++) {
        rd_kafka_message_t *message = source->buffer[i];
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            source->at_end = false;
            source->buffer[kept++] = message;
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            thread->publish = thread->publish || !source->at_end;
            source->at_end = true;
            source->end = message->offset;
            source->idle_since_ms = rt_now_ms();
        } else if (bs_error_class(rt_client_code(message->err)) != BS_RETRY && rc >= 0) {
            bs_error_set(err, rt_client_code(message->err), "reading %s[%d]: %s", source->topic,
                         source->partition, rd_kafka_message_errstr(message));
            rc = rt_client_code(message->err);
        }
        rd_kafka_message_destroy(message);
    }
    source->count = kept;
    if (source->at_end && kept == 0 && source->end > source->position) {
        source->position = source->end; /* behind control records */
        thread->publish = true;
    }
    return rc;
}

static struct rt_message message_of(const struct rt_source *source)
{
    rd_kafka_message_t *in = source->buffer[source->head];
    rd_kafka_timestamp_type_t type;
    return (struct rt_message){
        .topic = source->topic,
        .partition = source->partition,
        .offset = in->offset,
        .timestamp = rd_kafka_message_timestamp(in, &type),
        .key = bs_bytes(in->key, in->key_len),
        .value = bs_bytes(in->payload, in->payload ? in->len : 0),
    };
}

/* Asked once per record: a timestamp function is the user's code. */
static int64_t head_time(const struct rt_run *run, struct rt_source *source)
{
    struct rt_message message = message_of(source);
    if (source->timed_offset != message.offset) {
        source->head_time = rt_task_head_time(run->task, &message);
        source->timed_offset = message.offset;
    }
    return source->head_time;
}

/* R04: the head with the lowest timestamp; NULL while an input has to be waited for. */
static struct rt_source *choose(const struct rt_run *run, int64_t idle_ms, int64_t now_ms)
{
    struct rt_source *best = NULL;
    int64_t lowest = 0;
    if (!run->sources->next)
        return run->sources->head < run->sources->count ? run->sources : NULL;
    for (struct rt_source *s = run->sources; s; s = s->next) {
        int64_t timestamp;
        if (s->head == s->count) {
            if (!s->at_end || (idle_ms > 0 && now_ms - s->idle_since_ms < idle_ms))
                return NULL;
            continue;
        }
        timestamp = head_time(run, s);
        if (!best || timestamp < lowest) {
            best = s;
            lowest = timestamp;
        }
    }
    return best;
}

static int read_headers(const rd_kafka_message_t *message, struct rt_header *headers,
                        size_t *ret_count, struct bs_error *err)
{
    rd_kafka_headers_t *list;
    size_t count;
    *ret_count = 0;
    if (rd_kafka_message_headers(message, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    count = rd_kafka_header_cnt(list);
    if (count > HEADERS_MAX)
        return bs_error_set(err, BS_ELIMIT, "record %s[%d]@%lld has %zu headers, at most %d",
                            rd_kafka_topic_name(message->rkt), message->partition,
                            (long long)message->offset, count, HEADERS_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const void *value;
        size_t len;
        rd_kafka_header_get_all(list, i, &name, &value, &len);
        headers[i] = (struct rt_header){.name = bs_bytes_text(name), .value = bs_bytes(value, len)};
    }
    *ret_count = count;
    return 0;
}

static int process(struct rt_run *run, struct rt_source *source, struct bs_error *err)
{
    rd_kafka_message_t *in = source->buffer[source->head];
    struct rt_header headers[HEADERS_MAX];
    struct rt_message message = message_of(source);
    int rc = rt_commit_begin(run->thread, err);
    message.headers = headers;
    if (rc == 0)
        rc = read_headers(in, headers, &message.header_count, err);
    if (rc != 0)
        return rc;
    run->touched = run->thread->dirty = true;
    run->thread->current = run;
    rc = rt_task_process(run->task, &message, err);
    run->thread->current = NULL;
    if (rc != 0)
        return rc;
    source->position = in->offset + 1;
    source->head++;
    run->thread->processed++;
    rd_kafka_message_destroy(in);
    if (source->head == source->count && source->at_end && source->end > source->position)
        source->position = source->end;
    return 0;
}

static size_t uncommitted(const struct rt_thread *thread)
{
    size_t bytes = 0;
    for (struct rt_run *run = thread->runs; run; run = run->next)
        if (run->phase == RT_RUN_READY)
            bytes += rt_state_uncommitted_bytes(run->state);
    return bytes;
}

static int feed(struct rt_thread *thread, bool *ret_did, struct bs_error *err)
{
    const struct rt_settings *settings = thread->app->shared->settings;
    int64_t now = rt_now_ms();
    int rc = 0;
    for (struct rt_run *run = thread->runs; run && rc >= 0; run = run->next) {
        if (run->phase != RT_RUN_READY)
            continue;
        for (int n = 0; n < SLICE && rc >= 0; n++) {
            struct rt_source *source;
            for (struct rt_source *s = run->sources; s && rc >= 0; s = s->next)
                if (s->head == s->count && (n == 0 || !s->at_end)) {
                    rc = refill(thread, s, err);
                    *ret_did = *ret_did || rc == 1;
                }
            if (rc < 0)
                break;
            source = choose(run, settings->task_idle_ms, now);
            if (!source)
                break;
            rc = process(run, source, err);
            *ret_did = true;
        }
        if (rc >= 0 && uncommitted(thread) > settings->uncommitted_max_bytes)
            rc = rt_commit(thread, err);
    }
    return rc < 0 ? rc : 0;
}

static int tick(struct rt_thread *thread, int64_t now_ms, struct bs_error *err)
{
    int64_t wall = io_clock_wall_ms(io_clock_real());
    int rc = 0;
    if (now_ms - thread->tick_ms < TICK_MS)
        return 0;
    thread->tick_ms = now_ms;
    for (struct rt_run *run = thread->runs; run && rc == 0; run = run->next) {
        if (run->phase != RT_RUN_READY)
            continue;
        thread->current = run;
        rc = rt_task_tick(run->task, wall, err);
        thread->current = NULL;
    }
    return rc;
}

static void sleep_until_due(struct rt_thread *thread, int64_t now_ms)
{
    struct pollfd wait = {.fd = thread->wake_fd, .events = POLLIN};
    int64_t ms = IDLE_WAIT_MS;
    uint64_t count;
    if (thread->in_txn) {
        int64_t left = thread->txn_since_ms + thread->plan->commit_interval_ms - now_ms;
        ms = left < ms ? left : ms;
    }
    if (ms > 0 && poll(&wait, 1, (int)ms) > 0 && read(thread->wake_fd, &count, sizeof count) < 0) {
        /* somebody read it already: only the waking mattered */
    }
}

/* One round; an abort that a callback or a task asked for is done here. */
static int turn(struct rt_thread *thread, struct bs_error *err)
{
    bool did = false, restoring = false;
    int64_t now;
    int rc = serve(thread, err);
    if (rc == 0 && thread->check_peers) {
        rc = rt_peers_check(thread->consumer, thread->plan, thread->app->shared->identity->id, err);
        thread->check_peers = false;
    }
    if (rc == 0)
        rc = rt_restore_step(thread, &restoring, err);
    if (rc == 0)
        rc = feed(thread, &did, err);
    now = rt_now_ms();
    if (rc == 0)
        rc = tick(thread, now, err);
    if (rc == 0 && thread->in_txn && now - thread->txn_since_ms >= thread->plan->commit_interval_ms)
        rc = rt_commit(thread, err);
    if (rc == BS_ECANCELLED) {
        struct bs_error cause = *err;
        rc = rt_commit_again(thread, &cause, err);
    }
    if (rc == 0 && thread->publish && !thread->in_txn)
        rt_assign_publish(thread);
    if (rc == 0 && !did && !restoring)
        sleep_until_due(thread, now);
    return rc;
}

static int open_session(struct rt_thread *thread, struct bs_error *err)
{
    int rc = open_producer(thread, err);
    return rc == 0 ? open_consumer(thread, err) : rc;
}

static int session(struct rt_thread *thread, struct bs_error *err)
{
    int rc = open_session(thread, err);
    thread->failed = 0;
    while (rc == 0 && !rt_progress_stopping(thread->app->progress))
        rc = turn(thread, err);
    if (rc == 0)
        rc = rt_commit(thread, err);
    if (rc != 0 && rc != BS_EFENCED && thread->in_txn)
        (void)rt_commit_abort(thread, NULL); /* the error that ends the pipeline is err's */
    if (rc != 0)
        thread->in_txn = false; /* nothing of it may be committed by what closing calls back */
    thread->broken = rc != 0;
    close_session(thread);
    return rc;
}

static int open_readers(struct rt_thread *thread)
{
    thread->globals = bs_array(thread->plan->global_count + 1, sizeof *thread->globals);
    for (size_t i = 0; i < thread->plan->global_count; i++)
        thread->globals[i] = rt_globals_reader_new(thread->app->globals, i,
                                                   thread->app->shared->settings->cache_bytes);
    return 0;
}

void rt_thread_main(struct rt_thread *thread)
{
    struct bs_error err = {0};
    char name[80];
    int restarts = 0, rc = 0;
    if (!thread->pipeline)
        rc = rt_app_load(thread->app, &thread->pipeline, &err);
    if (rc == 0) {
        thread->plan = rt_pipeline_plan(thread->pipeline);
        if (thread->plan->fingerprint != thread->app->plan->fingerprint)
            rc = bs_error_set(&err, BS_ECONFLICT, "%s changed while it was being started",
                              thread->plan->file);
        else
            rc = open_readers(thread);
    }
    thread->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    while (rc == 0 && !rt_progress_stopping(thread->app->progress)) {
        rc = session(thread, &err);
        if (rc == BS_EFENCED && ++restarts <= RESTARTS_MAX) {
            bs_log(&RESTART, "%s: %s", rt_thread_name(thread, name), err.text);
            usleep(RESTART_WAIT_MS * 1000);
            rc = 0;
        }
    }
    if (rc != 0 && !(rc == BS_ECANCELLED && rt_progress_stopping(thread->app->progress)))
        rt_progress_phase(thread->app->progress, RT_PHASE_FAILED, err.text);
    for (size_t i = 0; thread->globals && i < thread->app->plan->global_count; i++)
        rt_globals_reader_free(thread->globals[i]);
    bs_free(thread->globals);
    close(thread->wake_fd);
}
