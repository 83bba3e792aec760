/* Journal: see journal.h. Here: one producer (idempotent, acks=all) whose batches are
 * journal_write.h's, one consumer assigned to partition 0 from its beginning, and the thread that
 * reads it and asks whether it is still the same topic (trail.h). Threads share the stop flag, an
 * atomic because librdkafka's poll cannot be woken by a mailbox, the largest record, and what a
 * connection has said last. */
#include "schema-registry/journal.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/option.h"
#include "schema-registry/journal_topic.h"
#include "schema-registry/journal_write.h"
#include "schema-registry/trail.h"

#include <librdkafka/rdkafka.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct bs_event left_behind = {"registry.client-left", BS_LOG_WARN,
                                            "The Kafka client did not end in time, because its "
                                            "broker is gone; the process ends without it."};
static const struct bs_event waiting = {
    "registry.waiting", BS_LOG_INFO,
    "Start-up waits for the step that is named; nothing to do unless it lasts."};
static const struct bs_event replayed = {"registry.replayed", BS_LOG_INFO,
                                         "The topic has been read to its end."};
static const struct bs_event broker_error = {
    "registry.broker-error", BS_LOG_WARN,
    "The connection to the broker reports an error; librdkafka goes on trying."};

/* Room for records that are read and not applied yet. librdkafka 2.0 does not look again for up to
 * a second once it is full: a replay or a burst of writes must rarely fill it. */
#define QUEUED_KB "32768"

/* A batch must not become larger than the topic takes because of what else is written then; a
 * record that is larger goes alone. */
#define BATCH_BYTES "16384"
/* Our own clients leave the bound to the topic. */
#define REQUEST_BYTES "104857600"

enum {
    POLL_MS = 100,
    STEP_MS = 50,
    ASK_MS = 2000,
    END_SECONDS = 3,
    LOOK_MS = 10000,
    RECORD_MAX = 1000000, /* where the broker does not tell: below the default of all */
};

void (*sr_journal_hook)(const char *step);

struct sr_journal {
    struct sr_journal_options options;
    rd_kafka_t *producer, *consumer;
    pthread_t thread;
    bool started;
    struct sr_writes *writes;
    size_t request_max;        /* of the producer */
    _Atomic size_t record_max; /* set before the topic has been read */
    pthread_mutex_t lock;      /* guards what follows */
    char broker_said[256];     /* last error of a connection since a broker answered; "": none */
    _Atomic bool stop;
    int64_t deadline_ms;
    char step[256];
    bool failed, at_end, lost;
    bool doubtful; /* the topic was away: is it the same? */
    struct sr_trail trail;
    int64_t look_ms; /* of the clock, at the latest */
    int64_t end;     /* of the topic when reading began */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    (void)opaque;
    bs_log(&broker_error, "%s: %s", rd_kafka_err2str((rd_kafka_resp_err_t)code), reason);
}

static void on_client_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct sr_journal *j = opaque;
    on_error(rk, code, reason, NULL);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return; /* the reason came before it */
    pthread_mutex_lock(&j->lock);
    snprintf(j->broker_said, sizeof j->broker_said, "%s", reason);
    pthread_mutex_unlock(&j->lock);
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct bs_error *err)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return 0;
    return bs_error_set(err, BS_EINVAL, "kafkastore property %s=%s: %s", name, value, text);
}

/* What a user may not set, and why. */
static int check_property(const char *name, struct bs_error *err)
{
    static const char *const rows[][2] = {
        {"bootstrap.servers", "kafkastore.bootstrap.servers sets it"},
        {"metadata.broker.list", "kafkastore.bootstrap.servers sets it"},
        {"group.id", "schema.registry.group.id sets it"},
        {"message.timeout.ms", "kafkastore.timeout.ms sets it"},
        {"delivery.timeout.ms", "kafkastore.timeout.ms sets it"},
        {"acks", "it is always all, or schemas could be lost"},
        {"request.required.acks", "it is always all, or schemas could be lost"},
        {"enable.idempotence", "it is always true, or schemas could be written twice"},
        {"enable.auto.commit", "it is always false: the topic is read from its beginning"},
        {"auto.offset.reset", "it is always earliest: the topic is read from its beginning"},
        {"enable.partition.eof", "it is always true: the end of the topic has to be known"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(name, rows[i][0]) == 0)
            return bs_error_set(err, BS_EINVAL, "kafkastore.properties: %s cannot be set here: %s",
                                name, rows[i][1]);
    return 0;
}

static int set_properties(rd_kafka_conf_t *conf, const char *properties, struct bs_error *err)
{
    char *copy, *part, *rest;
    int rc = 0;
    if (properties == NULL)
        return 0;
    rest = copy = bs_strdup(properties);
    while (rc == 0 && (part = strsep(&rest, ","))) {
        char *value = strchr(part, '=');
        if (*part == '\0')
            continue;
        if (value == NULL) {
            rc = bs_error_set(err, BS_EINVAL, "kafkastore.properties: \"%s\" is not name=value",
                              part);
            break;
        }
        *value = '\0';
        if ((rc = check_property(part, err)) == 0)
            rc = set(conf, part, value + 1, err);
    }
    bs_free(copy);
    return rc;
}

/* For the first client of a process libsasl2 opens its plugins, and a database for one of them: 0.6
 * MB that stay resident, which only Kerberos has a use for. Without a folder it finds none. */
static void spare_plugins(const char *properties)
{
    if (properties == NULL || strcasestr(properties, "sasl") == NULL)
        setenv("SASL_PATH", "", 0);
}

int sr_journal_conf(rd_kafka_conf_t *conf, const char *bootstrap, const char *properties,
                    struct bs_error *err)
{
    int rc;
    spare_plugins(properties);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, NULL);
    if ((rc = set(conf, "bootstrap.servers", bootstrap, err)) < 0 ||
        (rc = set(conf, "client.id", "weir-registry", err)) < 0 ||
        (rc = set(conf, "allow.auto.create.topics", "false", err)) < 0 ||
        (rc = set(conf, "reconnect.backoff.ms", "50", err)) < 0 ||
        (rc = set(conf, "reconnect.backoff.max.ms", "1000", err)) < 0)
        return rc;
    return set_properties(conf, properties, err);
}

static int open_client(struct sr_journal *j, rd_kafka_type_t type, rd_kafka_t **ret,
                       struct bs_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256], timeout[32], socket[32];
    int64_t socket_ms = j->options.timeout_ms;
    int rc;
    snprintf(timeout, sizeof timeout, "%lld", (long long)j->options.timeout_ms);
    socket_ms = socket_ms < 2000 ? 2000 : socket_ms > 60000 ? 60000 : socket_ms;
    snprintf(socket, sizeof socket, "%lld", (long long)socket_ms);
    /* These first: the user's own come over them. The socket's, or a question to a broker that is
     * away lasts a minute. */
    if (type == RD_KAFKA_PRODUCER)
        sr_writes_configure(conf, j->options.timeout_ms);
    if ((rc = set(conf, "socket.timeout.ms", socket, err)) == 0 &&
        (rc = set(conf, "fetch.wait.max.ms", "100", err)) == 0 &&
        (rc = set(conf, "batch.size", BATCH_BYTES, err)) == 0 &&
        (rc = set(conf, "message.max.bytes", REQUEST_BYTES, err)) == 0 &&
        (rc = set(conf, "queued.max.messages.kbytes", QUEUED_KB, err)) == 0)
        rc = sr_journal_conf(conf, j->options.bootstrap, j->options.properties, err);
    rd_kafka_conf_set_opaque(conf, j);
    rd_kafka_conf_set_error_cb(conf, on_client_error);
    if (rc == 0 && type == RD_KAFKA_PRODUCER) {
        if ((rc = set(conf, "enable.idempotence", "true", err)) == 0 &&
            (rc = set(conf, "acks", "all", err)) == 0)
            rc = set(conf, "message.timeout.ms", timeout, err);
    } else if (rc == 0) {
        if ((rc = set(conf, "group.id", "weir-registry-unused", err)) == 0 &&
            (rc = set(conf, "enable.auto.commit", "false", err)) == 0 &&
            (rc = set(conf, "enable.partition.eof", "true", err)) == 0)
            rc = set(conf, "auto.offset.reset", "earliest", err);
    }
    if (rc == 0) {
        *ret = rd_kafka_new(type, conf, text, sizeof text);
        if (*ret)
            return 0;
        rc = bs_error_set(err, BS_EINVAL, "kafkastore: %s", text);
    }
    rd_kafka_conf_destroy(conf);
    return rc;
}

/* ---- the reading thread ---- */

static void say_step(struct sr_journal *j, const char *step)
{
    if (strcmp(j->step, step) != 0) {
        snprintf(j->step, sizeof j->step, "%s", step);
        bs_log(&waiting, "%s", step);
    }
    j->options.on_step(j->options.ctx, step);
}

static bool stopped(const struct sr_journal *j)
{
    return atomic_load_explicit(&j->stop, memory_order_acquire);
}

static void say_failed(struct sr_journal *j, const struct bs_error *err)
{
    if (!j->failed)
        j->options.on_failed(j->options.ctx, err);
    j->failed = true;
}

/* One step of start-up; errors are the step's text until the time is over. */
static void prepare(struct sr_journal *j)
{
    size_t max = RECORD_MAX;
    bool ready = false;
    while (!ready && !stopped(j)) {
        struct bs_error err = {0};
        int rc =
            sr_topic_prepare(j->producer, j->options.topic, j->options.replication, &max, &err);
        ready = rc == 0;
        if (ready)
            break;
        say_step(j, err.text);
        if (bs_error_class(rc) != BS_RETRY || now_ms() > j->deadline_ms) {
            bs_error_wrap(&err, "start");
            say_failed(j, &err);
        }
        rd_kafka_poll(j->producer, STEP_MS);
    }
    atomic_store_explicit(&j->record_max, max < j->request_max ? max : j->request_max,
                          memory_order_release);
}

/* Offset 0 instead of "the beginning" spares a request; where the log begins later, the reset
 * policy finds it. Asking for metadata first spares the timer of half a second that would else find
 * the leader. */
static int assign(struct sr_journal *j)
{
    int64_t first;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(j->consumer, j->options.topic, NULL);
    rd_kafka_resp_err_t code;
    if (rd_kafka_metadata(j->consumer, 0, topic, &metadata, ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_metadata_destroy(metadata);
    /* Where the end is: the broker tells it by itself only when nothing has come for a while. */
    if (rd_kafka_query_watermark_offsets(j->consumer, j->options.topic, 0, &first, &j->end, ASK_MS))
        j->end = INT64_MAX;
    rd_kafka_topic_partition_list_add(list, j->options.topic, 0)->offset = 0;
    code = rd_kafka_assign(j->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_topic_destroy(topic);
    return code ? BS_EIO : 0;
}

static void say_lost(struct sr_journal *j, int64_t offset)
{
    struct bs_error err = {0};
    bs_error_set(&err, BS_ECORRUPT,
                 "topic %s is not as it was read up to offset %lld (now: %lld): it was deleted and "
                 "created anew, or has lost records. Restore it, or start this registry again to "
                 "go on with what it has; another one's or an export's schemas can be imported",
                 j->options.topic, (long long)j->trail.next - 1, (long long)offset);
    j->lost = true;
    j->options.on_lost(j->options.ctx, &err);
}

static bool seek_to(struct sr_journal *j, int64_t offset)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(j->consumer, j->options.topic, NULL);
    bool done = rd_kafka_seek(topic, 0, offset, 0) == RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_destroy(topic);
    return done;
}

/* A record that was read comes once more, if it is there still. */
static void look_again(struct sr_journal *j)
{
    int64_t offset = j->at_end && !j->lost ? sr_trail_look(&j->trail) : -1;
    j->look_ms = now_ms() + LOOK_MS;
    if (offset >= 0)
        j->doubtful = !seek_to(j, offset);
}

static void reach_end(struct sr_journal *j, int64_t next_offset)
{
    if (!sr_trail_end(&j->trail, next_offset)) {
        say_lost(j, next_offset - 1);
        return;
    }
    if (!j->at_end)
        bs_log(&replayed, "topic %s is read up to offset %lld", j->options.topic,
               (long long)next_offset);
    j->at_end = true;
    j->options.on_end(j->options.ctx, next_offset);
    sr_writes_passed(j->writes, next_offset - 1);
}

static struct bs_bytes header(const rd_kafka_headers_t *headers, const char *name)
{
    const void *value = NULL;
    size_t len = 0;
    if (headers == NULL || rd_kafka_header_get_last(headers, name, &value, &len))
        return bs_bytes(NULL, 0);
    return bs_bytes(value, len);
}

static int64_t epoch_of(struct bs_bytes text)
{
    char copy[32];
    int64_t epoch;
    if (text.ptr == NULL || text.len >= sizeof copy)
        return -1;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return bs_parse_int(copy, 0, INT64_MAX, &epoch) < 0 ? -1 : epoch;
}

static void take_record(struct sr_journal *j, const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    struct sr_read read = {
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = bs_bytes(message->key, message->key_len),
        .value = bs_bytes(message->payload, message->len),
    };
    switch (sr_trail_record(&j->trail, read.offset, read.timestamp_ms, read.key, read.value)) {
    case SR_TRAIL_NEW:
        break;
    case SR_TRAIL_SAME:
        seek_to(j, j->trail.next);
        return;
    case SR_TRAIL_KNOWN:
        return;
    case SR_TRAIL_LOST:
        say_lost(j, read.offset);
        return;
    }
    if (rd_kafka_message_headers(message, &headers))
        headers = NULL;
    read.epoch = epoch_of(header(headers, SR_HEADER_EPOCH));
    read.rest = header(headers, SR_HEADER_REST);
    j->options.on_record(j->options.ctx, &read);
    sr_writes_passed(j->writes, read.offset);
    if (!j->at_end && message->offset + 1 >= j->end)
        reach_end(j, message->offset + 1);
}

static void take_message(struct sr_journal *j, const rd_kafka_message_t *message)
{
    if (j->lost)
        return;
    j->doubtful = j->doubtful || message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                  message->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
                  message->err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        reach_end(j, message->offset);
    else if (message->err)
        bs_log(&broker_error, "reading %s: %s", j->options.topic, rd_kafka_message_errstr(message));
    else
        take_record(j, message);
}

/* A second after the last record, and every ten seconds, the topic is looked at again; the
 * allocator returns what requests and records took for a moment: it keeps freed memory in every
 * thread's arena, many times what the schemas take. */
static void rest(struct sr_journal *j, int *quiet, bool record)
{
    *quiet = record ? 0 : *quiet + 1;
    if (*quiet == 1000 / POLL_MS)
        malloc_trim(0);
    if (j->doubtful || *quiet == 1000 / POLL_MS || now_ms() >= j->look_ms)
        look_again(j);
    if (*quiet == 11000 / POLL_MS)
        *quiet = 1000 / POLL_MS - 1;
}

static void *read_topic(void *arg)
{
    struct sr_journal *j = arg;
    struct bs_error err = {0};
    int quiet = 0;
    prepare(j);
    if (!stopped(j) && assign(j) < 0) {
        bs_error_set(&err, BS_EIO, "topic %s cannot be read", j->options.topic);
        say_failed(j, &err);
    }
    if (!stopped(j))
        say_step(j, "reading the topic to its end");
    if (!stopped(j) && j->end == 0)
        reach_end(j, 0);
    while (!stopped(j)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(j->consumer, POLL_MS);
        bool record = message && !message->err && message->offset >= j->trail.next;
        if (message) {
            take_message(j, message);
            rd_kafka_message_destroy(message);
        }
        rest(j, &quiet, record);
        if (!j->at_end && now_ms() > j->deadline_ms) {
            bs_error_set(&err, BS_ETIMEOUT, "start: topic %s was not read to its end in %lld ms",
                         j->options.topic, (long long)j->options.init_ms);
            say_failed(j, &err);
        }
    }
    return NULL;
}

/* What the user has set, perhaps. */
static size_t request_max(rd_kafka_t *producer)
{
    char text[32];
    size_t len = sizeof text;
    int64_t max;
    if (rd_kafka_conf_get(rd_kafka_conf(producer), "message.max.bytes", text, &len) !=
            RD_KAFKA_CONF_OK ||
        bs_parse_int(text, 1, INT32_MAX, &max) < 0)
        return RECORD_MAX;
    return (size_t)max;
}

int sr_journal_open(const struct sr_journal_options *options, struct sr_journal **ret,
                    struct bs_error *err)
{
    struct sr_journal *j = bs_new(struct sr_journal);
    int rc;
    j->options = *options;
    j->options.bootstrap = bs_strdup(options->bootstrap);
    j->options.topic = bs_strdup(options->topic);
    j->options.properties = bs_strdup(options->properties);
    j->deadline_ms = now_ms() + options->init_ms;
    atomic_init(&j->stop, false);
    atomic_init(&j->record_max, RECORD_MAX);
    sr_trail_init(&j->trail);
    pthread_mutex_init(&j->lock, NULL);
    if ((rc = open_client(j, RD_KAFKA_PRODUCER, &j->producer, err)) < 0 ||
        (rc = open_client(j, RD_KAFKA_CONSUMER, &j->consumer, err)) < 0)
        goto failed;
    j->request_max = request_max(j->producer);
    rd_kafka_poll_set_consumer(j->consumer);
    *ret = j; /* the callbacks may use it */
    if ((rc = sr_writes_open(j->producer, j->options.topic, &j->writes, err)) < 0)
        goto failed;
    if ((rc = pthread_create(&j->thread, NULL, read_topic, j)) != 0) {
        rc = bs_error_sys(err, rc, "cannot start the registry's reading thread");
        goto failed;
    }
    j->started = true;
    return 0;
failed:
    sr_journal_close(j);
    *ret = NULL;
    return rc;
}

static void *destroy_clients(void *arg)
{
    struct sr_journal *j = arg;
    if (j->consumer) /* it is in no group that would have to be left */
        rd_kafka_destroy_flags(j->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    if (j->producer)
        rd_kafka_destroy(j->producer);
    return NULL;
}

/* librdkafka 2.0 waits for ever to end a client when its topic was deleted and the broker is gone.
 * false: it was left behind, with all that it still uses. */
static bool end_clients(struct sr_journal *j)
{
    struct timespec until;
    pthread_t thread;
    if (pthread_create(&thread, NULL, destroy_clients, j) != 0) {
        destroy_clients(j);
        return true;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += END_SECONDS;
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
        return true;
    bs_log(&left_behind, "topic %s, brokers %s", j->options.topic, j->options.bootstrap);
    pthread_detach(thread);
    return false;
}

void sr_journal_close(struct sr_journal *j)
{
    if (j == NULL)
        return;
    atomic_store_explicit(&j->stop, true, memory_order_release);
    if (j->started)
        pthread_join(j->thread, NULL);
    sr_writes_stop(j->writes);
    if (!end_clients(j))
        return;
    sr_writes_free(j->writes);
    pthread_mutex_destroy(&j->lock);
    bs_free((char *)j->options.bootstrap);
    bs_free((char *)j->options.topic);
    bs_free((char *)j->options.properties);
    bs_free(j);
}

void sr_journal_cluster(struct sr_journal *j, char *ret, size_t cap)
{
    char *id = rd_kafka_clusterid(j->producer, 0);
    snprintf(ret, cap, "%s", id ? id : "");
    if (id)
        rd_kafka_mem_free(j->producer, id);
}

/* ---- appending ---- */

static int error_code(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return BS_ETIMEOUT;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return BS_ELIMIT;
    default:
        return BS_EIO;
    }
}

static void copy_said(struct sr_journal *j, char ret[sizeof j->broker_said])
{
    pthread_mutex_lock(&j->lock);
    memcpy(ret, j->broker_said, sizeof j->broker_said);
    pthread_mutex_unlock(&j->lock);
}

/* With what a connection has said: the client itself only knows that time is over. */
static int append_error(struct sr_journal *j, rd_kafka_resp_err_t code, struct bs_error *err)
{
    char said[sizeof j->broker_said];
    copy_said(j, said);
    if (code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
        return bs_error_set(err, BS_ETIMEOUT,
                            "writing to topic %s: not acknowledged in %lld ms: %s",
                            j->options.topic, (long long)j->options.timeout_ms,
                            *said ? said : "a broker answers and does not take it; see its log");
    return bs_error_set(err, error_code(code), "writing to topic %s: %s%s%s", j->options.topic,
                        rd_kafka_err2str(code), *said ? "; " : "", said);
}

int sr_journal_append(struct sr_journal *j, struct sr_message *messages, size_t count,
                      int64_t read_ms, bool *ret_unknown, struct bs_error *err)
{
    rd_kafka_resp_err_t code;
    int rc = sr_writes_append(j->writes, messages, count, read_ms, &code, ret_unknown, err);
    return code ? append_error(j, code, err) : rc;
}

size_t sr_journal_record_max(const struct sr_journal *j)
{
    return atomic_load_explicit(&j->record_max, memory_order_acquire);
}

int64_t sr_journal_end(struct sr_journal *j)
{
    int64_t first = 0, end = 0;
    if (rd_kafka_get_watermark_offsets(j->consumer, j->options.topic, 0, &first, &end))
        return 0;
    return end;
}

int sr_journal_ask(struct sr_journal *j, int timeout_ms, struct bs_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(j->producer, j->options.topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(j->producer, 0, topic, &metadata, timeout_ms);
    int rc = 0;
    if (code) {
        char said[sizeof j->broker_said];
        copy_said(j, said);
        rc = bs_error_set(err, error_code(code), "no broker of %s answers in %d ms%s%s",
                          j->options.bootstrap, timeout_ms, *said ? ": " : "", said);
    } else if (metadata->topic_cnt == 1 &&
               metadata->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        rc = bs_error_set(err, BS_ENOTFOUND, "topic %s is not there any more", j->options.topic);
    } else {
        pthread_mutex_lock(&j->lock);
        j->broker_said[0] = '\0';
        pthread_mutex_unlock(&j->lock);
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    return rc;
}
