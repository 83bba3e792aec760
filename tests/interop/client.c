/* Client: see client.h. One thread; the count of failed deliveries is the process's. */
#include "tests/interop/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *client_bootstrap;
static int failed_count;

void client_fail(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "FAILED: %s:%d: ", file, line);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    _exit(1);
}

int client_failed_count(void)
{
    return failed_count;
}

int64_t client_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *ctx)
{
    (void)rk;
    (void)ctx;
    failed_count += message->err != 0;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];
    CHECK(rd_kafka_conf_set(conf, key, value, why, sizeof why) == RD_KAFKA_CONF_OK, "%s", why);
}

static rd_kafka_t *open_handle(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
    char why[256];
    set(conf, "bootstrap.servers", client_bootstrap);
    set(conf, "client.id", "interop");
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    CHECK(rk, "%s", why);
    return rk;
}

static void set_list(rd_kafka_conf_t *conf, const char *key, va_list ap)
{
    for (; key; key = va_arg(ap, const char *))
        set(conf, key, va_arg(ap, const char *));
}

rd_kafka_t *client_producer(const char *key, ...)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    va_list ap;
    va_start(ap, key);
    set_list(conf, key, ap);
    va_end(ap);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return open_handle(RD_KAFKA_PRODUCER, conf);
}

rd_kafka_t *client_consumer(const char *key, ...)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    va_list ap;
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.partition.eof", "true");
    va_start(ap, key);
    set_list(conf, key, ap);
    va_end(ap);
    rd_kafka_t *rk = open_handle(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

void client_flush(rd_kafka_t *rk)
{
    rd_kafka_resp_err_t err = rd_kafka_flush(rk, CLIENT_TIMEOUT_MS);
    CHECK(!err, "flush: %s", rd_kafka_err2str(err));
}

void client_producer_close(rd_kafka_t *rk)
{
    client_flush(rk);
    CHECK(failed_count == 0, "%d messages were not delivered", failed_count);
    rd_kafka_destroy(rk);
}

void client_producer_drop(rd_kafka_t *rk)
{
    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(rk, 1000);
    rd_kafka_destroy(rk);
    failed_count = 0;
}

void client_consumer_close(rd_kafka_t *rk)
{
    rd_kafka_resp_err_t err = rd_kafka_consumer_close(rk);
    CHECK(!err, "close: %s", rd_kafka_err2str(err));
    rd_kafka_destroy(rk);
}

const char *client_topic(const char *tag, int partitions)
{
    static char names[8][64];
    static int next;
    char *name = names[next++ % 8];
    char why[256];
    snprintf(name, sizeof names[0], "interop-%s-%d", tag, (int)getpid());
    rd_kafka_t *rk = client_producer(NULL, NULL);
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, why, sizeof why);
    CHECK(topic, "%s", why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CLIENT_TIMEOUT_MS);
    CHECK(event && !rd_kafka_event_error(event), "CreateTopics: %s",
          event ? rd_kafka_event_error_string(event) : "no answer");
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    CHECK(count == 1 && !rd_kafka_topic_result_error(results[0]), "CreateTopics %s: %s", name,
          rd_kafka_topic_result_error_string(results[0]));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_destroy(rk);
    return name;
}

void client_send(rd_kafka_t *rk, const char *topic, int partition, const char *key,
                 const char *value)
{
    rd_kafka_resp_err_t err;
    while ((err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                    RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
                                    RD_KAFKA_V_VALUE((void *)(uintptr_t)value, strlen(value)),
                                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END)) ==
           RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(rk, 100);
    CHECK(!err, "produce: %s", rd_kafka_err2str(err));
    rd_kafka_poll(rk, 0);
}

rd_kafka_message_t *client_poll(rd_kafka_t *rk, int timeout_ms)
{
    int64_t end = client_now_ms() + timeout_ms;
    do {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);
        if (!message)
            continue;
        if (!message->err)
            return message;
        CHECK(message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF, "consume: %s",
              rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
    } while (client_now_ms() < end);
    return NULL;
}

int client_read_all(const char *topic, int partitions, bool committed_only, client_see *see,
                    void *ctx)
{
    rd_kafka_t *rk = client_consumer("group.id", "interop-reader", "isolation.level",
                                     committed_only ? "read_committed" : "read_uncommitted", NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t err = rd_kafka_assign(rk, list);
    CHECK(!err, "assign: %s", rd_kafka_err2str(err));
    int count = 0, ends = 0;
    int64_t limit = client_now_ms() + CLIENT_TIMEOUT_MS;
    while (ends < partitions) {
        CHECK(client_now_ms() < limit, "%s: %d messages, %d of %d ends within %d ms", topic, count,
              ends, partitions, CLIENT_TIMEOUT_MS);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 100);
        if (!message)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ends++;
        } else {
            CHECK(!message->err, "consume: %s", rd_kafka_message_errstr(message));
            count++;
            if (see)
                see(ctx, message);
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(list);
    client_consumer_close(rk);
    return count;
}

void client_subscribe(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t err = rd_kafka_subscribe(rk, list);
    CHECK(!err, "subscribe: %s", rd_kafka_err2str(err));
    rd_kafka_topic_partition_list_destroy(list);
}

int client_assigned_count(rd_kafka_t *rk)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t err = rd_kafka_assignment(rk, &list);
    CHECK(!err, "assignment: %s", rd_kafka_err2str(err));
    int count = list->cnt;
    rd_kafka_topic_partition_list_destroy(list);
    return count;
}

int64_t client_committed(rd_kafka_t *rk, const char *topic, int partition)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t err = rd_kafka_committed(rk, list, CLIENT_TIMEOUT_MS);
    CHECK(!err, "committed: %s", rd_kafka_err2str(err));
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
}
