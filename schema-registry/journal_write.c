/* Journal's writes: see journal_write.h.
 *
 *   waiting ──► under way, in one batch ──► acknowledged, unread ──► done
 *
 * A write is in the frame of the thread that waits for it, which sleeps once for all of that. A
 * thread of this file takes what waits, hands it over, and serves the delivery reports until there
 * are no more; the thread that reads the topic moves on what is unread. */
#include "schema-registry/journal_write.h"

#include "lib/base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { POLL_MS = 100 };

struct sent {
    struct write *write;
    struct sr_message *message;
    rd_kafka_headers_t *headers; /* until it is handed over */
};

struct write {
    struct sr_writes *writes;
    struct sent *sent;
    size_t count, pending;          /* pending: handed over and not delivered */
    int64_t from;                   /* what was read before */
    int64_t last, read_ms, wait_ms; /* wait_ms: of the clock, when it has to be read by then */
    rd_kafka_resp_err_t error;
    bool unknown, done;
    pthread_cond_t ended;
    struct write *next; /* in the list it is in */
};

struct sr_writes {
    rd_kafka_t *producer;
    const char *topic;
    pthread_t thread;
    size_t under_way;     /* messages; the thread's own, as a write is from waiting to settled */
    pthread_mutex_t lock; /* guards what follows, and every write that is not under way */
    pthread_cond_t work;
    struct write *waiting, **waiting_end, *unread;
    int64_t passed; /* offset */
    bool stop;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void at_step(const char *step)
{
    if (sr_journal_hook)
        sr_journal_hook(step);
}

static struct timespec at_ms(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
}

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* ---- with the lock ---- */

static void end(struct write *write)
{
    write->done = true;
    pthread_cond_signal(&write->ended);
}

/* All of it is acknowledged, or failed. */
static void settle(struct sr_writes *writes, struct write *write)
{
    at_step("acknowledged");
    if (write->error || write->read_ms == 0 || write->last <= writes->passed) {
        end(write);
        return;
    }
    write->wait_ms = now_ms() + write->read_ms;
    write->next = writes->unread;
    writes->unread = write;
}

/* What came behind a write of unknown outcome was not sent, and is not: nobody has to wait as long
 * once more to hear it. */
static void withdraw(struct sr_writes *writes, rd_kafka_resp_err_t error)
{
    struct write *write;
    while ((write = writes->waiting)) {
        writes->waiting = write->next;
        write->error = error;
        end(write);
    }
    writes->waiting_end = &writes->waiting;
}

/* ---- the thread ---- */

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct sent *sent = message->_private;
    struct write *write = sent->write;
    struct sr_writes *writes = write->writes;
    (void)client;
    (void)opaque;
    writes->under_way--;
    if (!message->err && message->offset <= write->from) { /* another topic: see trail.h */
        write->error = RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
        write->unknown = true;
    } else if (!message->err) {
        sent->message->offset = message->offset;
        write->last = message->offset;
    } else if (!write->error) {
        write->error = message->err;
    }
    if (message->err && rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        write->unknown = true;
        pthread_mutex_lock(&writes->lock);
        withdraw(writes, message->err);
        pthread_mutex_unlock(&writes->lock);
    }
    if (--write->pending > 0)
        return;
    pthread_mutex_lock(&writes->lock);
    settle(writes, write);
    pthread_mutex_unlock(&writes->lock);
}

static rd_kafka_resp_err_t produce(struct sr_writes *writes, struct sent *sent)
{
    const struct sr_message *m = sent->message;
    rd_kafka_resp_err_t code = rd_kafka_producev(
        writes->producer, RD_KAFKA_V_TOPIC(writes->topic), RD_KAFKA_V_PARTITION(0),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY((void *)m->key.ptr, m->key.len),
        RD_KAFKA_V_VALUE((void *)m->value.ptr, m->value.len), RD_KAFKA_V_HEADERS(sent->headers),
        RD_KAFKA_V_OPAQUE(sent), RD_KAFKA_V_END);
    if (!code)
        sent->headers = NULL; /* the message has them now */
    return code;
}

static void hand_over(struct sr_writes *writes, struct write *write)
{
    for (size_t i = 0; i < write->count && !write->error; i++) {
        if (i)
            at_step("between");
        write->error = produce(writes, &write->sent[i]);
        write->pending += !write->error;
        write->unknown = write->error && i > 0;
    }
    writes->under_way += write->pending;
    if (write->pending)
        return;
    pthread_mutex_lock(&writes->lock);
    settle(writes, write);
    pthread_mutex_unlock(&writes->lock);
}

static void write_batch(struct sr_writes *writes, struct write *batch)
{
    for (struct write *write = batch, *next; write; write = next) {
        next = write->next;
        hand_over(writes, write);
    }
    at_step("sent");
    while (writes->under_way) /* ends: every message is delivered or times out */
        rd_kafka_flush(writes->producer, POLL_MS);
}

static void *write_all(void *arg)
{
    struct sr_writes *writes = arg;
    pthread_mutex_lock(&writes->lock);
    while (!writes->stop) {
        struct write *batch = writes->waiting;
        writes->waiting = NULL;
        writes->waiting_end = &writes->waiting;
        if (batch == NULL) {
            struct timespec until = at_ms(now_ms() + POLL_MS);
            pthread_cond_timedwait(&writes->work, &writes->lock, &until);
        }
        pthread_mutex_unlock(&writes->lock);
        if (batch)
            write_batch(writes, batch);
        else
            rd_kafka_poll(writes->producer, 0); /* errors are told */
        pthread_mutex_lock(&writes->lock);
    }
    pthread_mutex_unlock(&writes->lock);
    return NULL;
}

void sr_writes_configure(rd_kafka_conf_t *conf, int64_t timeout_ms)
{
    char linger[32];
    snprintf(linger, sizeof linger, "%lld", (long long)timeout_ms / 2);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set(conf, "linger.ms", timeout_ms < 2000 ? linger : "1000", NULL, 0);
}

int sr_writes_open(rd_kafka_t *producer, const char *topic, struct sr_writes **ret,
                   struct bs_error *err)
{
    struct sr_writes *writes = bs_new(struct sr_writes);
    int rc;
    writes->producer = producer;
    writes->topic = topic;
    writes->waiting_end = &writes->waiting;
    writes->passed = -1;
    pthread_mutex_init(&writes->lock, NULL);
    cond_init(&writes->work);
    rc = pthread_create(&writes->thread, NULL, write_all, writes);
    if (rc != 0) {
        sr_writes_free(writes);
        return bs_error_sys(err, rc, "cannot start the registry's writing thread");
    }
    *ret = writes;
    return 0;
}

void sr_writes_stop(struct sr_writes *writes)
{
    if (writes == NULL)
        return;
    pthread_mutex_lock(&writes->lock);
    writes->stop = true;
    pthread_cond_signal(&writes->work);
    pthread_mutex_unlock(&writes->lock);
    pthread_join(writes->thread, NULL);
}

void sr_writes_free(struct sr_writes *writes)
{
    if (writes == NULL)
        return;
    pthread_cond_destroy(&writes->work);
    pthread_mutex_destroy(&writes->lock);
    bs_free(writes);
}

/* ---- the other threads ---- */

void sr_writes_passed(struct sr_writes *writes, int64_t offset)
{
    pthread_mutex_lock(&writes->lock);
    writes->passed = offset;
    for (struct write **at = &writes->unread; *at;) {
        struct write *write = *at;
        if (write->last > offset) {
            at = &write->next;
            continue;
        }
        *at = write->next;
        end(write);
    }
    pthread_mutex_unlock(&writes->lock);
}

/* false: it was not read in time. */
static bool wait_for(struct sr_writes *writes, struct write *write)
{
    struct write **at = &writes->unread;
    while (!write->done) {
        int64_t until_ms = write->wait_ms ? write->wait_ms : now_ms() + write->read_ms;
        struct timespec until = at_ms(until_ms);
        if (write->wait_ms && now_ms() >= until_ms)
            break;
        if (write->read_ms)
            pthread_cond_timedwait(&write->ended, &writes->lock, &until);
        else
            pthread_cond_wait(&write->ended, &writes->lock);
    }
    if (write->done)
        return true;
    while (*at != write)
        at = &(*at)->next;
    *at = write->next;
    return false;
}

static void prepare(struct write *write, struct sr_message *messages)
{
    write->sent = bs_array(write->count, sizeof *write->sent);
    for (size_t i = 0; i < write->count; i++) {
        struct sr_message *m = &messages[i];
        rd_kafka_headers_t *headers = NULL;
        char epoch[32];
        snprintf(epoch, sizeof epoch, "%lld", (long long)m->epoch);
        if (m->epoch >= 0) {
            headers = rd_kafka_headers_new(2);
            rd_kafka_header_add(headers, SR_HEADER_EPOCH, -1, epoch, -1);
            if (m->rest.ptr)
                rd_kafka_header_add(headers, SR_HEADER_REST, -1, m->rest.ptr, (ssize_t)m->rest.len);
        }
        m->offset = -1;
        write->sent[i] = (struct sent){.write = write, .message = m, .headers = headers};
    }
    cond_init(&write->ended);
}

int sr_writes_append(struct sr_writes *writes, struct sr_message *messages, size_t count,
                     int64_t read_ms, rd_kafka_resp_err_t *ret_code, bool *ret_unknown,
                     struct bs_error *err)
{
    struct write write = {.writes = writes, .count = count, .last = -1, .read_ms = read_ms};
    bool in_time;
    at_step("append");
    prepare(&write, messages);
    pthread_mutex_lock(&writes->lock);
    write.from = writes->passed;
    *writes->waiting_end = &write;
    writes->waiting_end = &write.next;
    pthread_cond_signal(&writes->work);
    in_time = wait_for(writes, &write);
    pthread_mutex_unlock(&writes->lock);
    pthread_cond_destroy(&write.ended);
    for (size_t i = 0; i < count; i++)
        if (write.sent[i].headers)
            rd_kafka_headers_destroy(write.sent[i].headers);
    bs_free(write.sent);
    *ret_unknown = write.unknown || !in_time || (write.error && write.last >= 0); /* half there */
    *ret_code = write.error;
    if (!in_time)
        return bs_error_set(err, BS_ETIMEOUT, "offset %lld was not read in %lld ms",
                            (long long)write.last, (long long)read_ms);
    return 0;
}
