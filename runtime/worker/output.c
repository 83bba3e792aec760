/* Outputs: records of tasks and of their changelogs into the thread's producer.
 *
 * Partitions are computed here (murmur2, as Kafka's own clients do), not by librdkafka. A full
 * queue is the back-pressure: the thread serves delivery reports until there is room. Owner: the
 * thread; reports come while it polls. */
#include "runtime/worker/thread.h"

#include "lib/base/mem.h"
#include "lib/kafka/partitioner.h"

#include <stdio.h>
#include <string.h>

enum { QUEUE_WAIT_MS = 50, HEADERS_MAX = 4096 };

static int open_sink(struct rt_thread *thread, const char *topic, struct rt_sink **ret,
                     struct bs_error *err)
{
    int32_t partitions = rt_topics_partitions(&thread->app->topics, topic);
    struct rt_sink *sink;
    int rc = 0;
    if (partitions == 0) { /* chosen by a function: not in the plan */
        rc = rt_client_partitions(thread->producer, topic, &partitions, err);
        if (rc == 0 && partitions == 0)
            rc = bs_error_set(err, BS_ENOTFOUND,
                              "topic '%s' does not exist\n  hint: weir topic create %s "
                              "--partitions N",
                              topic, topic);
        if (rc != 0)
            return rc;
    }
    sink = bs_new(struct rt_sink);
    sink->name = bs_strdup(topic);
    sink->partitions = partitions;
    sink->handle = rd_kafka_topic_new(thread->producer, topic, NULL);
    sink->next = thread->sinks;
    *ret = thread->sinks = sink;
    return 0;
}

static int find_sink(struct rt_thread *thread, const char *topic, struct rt_sink **ret,
                     struct bs_error *err)
{
    for (struct rt_sink *sink = thread->sinks; sink; sink = sink->next)
        if (strcmp(sink->name, topic) == 0) {
            *ret = sink;
            return 0;
        }
    return open_sink(thread, topic, ret, err);
}

void rt_output_close(struct rt_thread *thread)
{
    struct rt_sink *next;
    for (struct rt_sink *sink = thread->sinks; sink; sink = next) {
        next = sink->next;
        rd_kafka_topic_destroy(sink->handle);
        bs_free(sink->name);
        bs_free(sink);
    }
    thread->sinks = NULL;
}

int32_t rt_output_partitions(struct rt_thread *thread, const char *topic)
{
    struct rt_sink *sink;
    int rc = find_sink(thread, topic, &sink, NULL);
    return rc != 0 ? rc : sink->partitions;
}

static rd_kafka_headers_t *make_headers(const struct rt_output *output)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(output->header_count);
    for (size_t i = 0; i < output->header_count; i++) {
        const struct rt_header *h = &output->headers[i];
        rd_kafka_header_add(headers, (const char *)h->name.ptr, (ssize_t)h->name.len, h->value.ptr,
                            h->value.ptr ? (ssize_t)h->value.len : 0);
    }
    return headers;
}

static int produce(struct rt_thread *thread, const struct rt_sink *sink, int32_t partition,
                   const struct rt_output *output, int64_t *cell, struct bs_error *err)
{
    rd_kafka_headers_t *headers = output->header_count ? make_headers(output) : NULL;
    rd_kafka_resp_err_t code;
    for (;;) {
        code = headers
                   ? rd_kafka_producev(
                         thread->producer, RD_KAFKA_V_RKT(sink->handle),
                         RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                         RD_KAFKA_V_KEY(output->key.ptr, output->key.len),
                         RD_KAFKA_V_VALUE((void *)output->value.ptr, output->value.len),
                         RD_KAFKA_V_TIMESTAMP(output->timestamp), RD_KAFKA_V_HEADERS(headers),
                         RD_KAFKA_V_OPAQUE(cell), RD_KAFKA_V_END)
                   : rd_kafka_producev(
                         thread->producer, RD_KAFKA_V_RKT(sink->handle),
                         RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                         RD_KAFKA_V_KEY(output->key.ptr, output->key.len),
                         RD_KAFKA_V_VALUE((void *)output->value.ptr, output->value.len),
                         RD_KAFKA_V_TIMESTAMP(output->timestamp), RD_KAFKA_V_OPAQUE(cell),
                         RD_KAFKA_V_END);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            break;
        rd_kafka_poll(thread->producer, QUEUE_WAIT_MS);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0; /* the headers went with it */
    if (headers)
        rd_kafka_headers_destroy(headers);
    if (code == RD_KAFKA_RESP_ERR__STATE || code == RD_KAFKA_RESP_ERR__FATAL) {
        /* The transaction failed meanwhile; what it was says the commit. */
        bs_error_set(err, BS_ECANCELLED, "topic '%s': %s", sink->name, rd_kafka_err2str(code));
        return BS_ECANCELLED;
    }
    return bs_error_set(
        err, rt_client_code(code), "record of %zu bytes to topic '%s': %s%s",
        output->key.len + output->value.len, sink->name, rd_kafka_err2str(code),
        code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE
            ? "\n  hint: smaller records, or both the topic's max.message.bytes and "
              "weir.app { kafka = { [\"message.max.bytes\"] = … } } larger"
            : "");
}

int rt_output_emit(void *ctx, const struct rt_output *output, struct bs_error *err)
{
    struct rt_run *run = ctx;
    struct rt_thread *thread = run->thread;
    struct rt_sink *sink;
    int32_t partition = output->partition;
    int rc = rt_commit_begin(thread, err);
    if (rc == 0)
        rc = find_sink(thread, output->topic, &sink, err);
    if (rc != 0)
        return rc;
    if (output->header_count > HEADERS_MAX)
        return bs_error_set(err, BS_ELIMIT, "a record with %zu headers to topic '%s', at most %d",
                            output->header_count, sink->name, HEADERS_MAX);
    if (partition < 0)
        partition = output->key.ptr ? kp_partition_for_key(output->key, sink->partitions)
                                    : (thread->sticky & INT32_MAX) % sink->partitions;
    else if (partition >= sink->partitions)
        return bs_error_set(err, BS_ERANGE, "partition %d of topic '%s', which has %d", partition,
                            sink->name, sink->partitions);
    run->touched = true;
    return produce(thread, sink, partition, output, NULL, err);
}

int rt_output_change(void *ctx, const struct rt_store_spec *spec, struct bs_bytes key,
                     struct bs_bytes value, int64_t timestamp, struct bs_error *err)
{
    struct rt_run *run = ctx;
    struct rt_output output = {.key = key, .value = value, .timestamp = timestamp};
    size_t i = 0;
    int rc = rt_commit_begin(run->thread, err);
    struct rt_sink *sink;
    while (strcmp(rt_store_spec(rt_state_store(run->state, i))->name, spec->name) != 0)
        i++;
    if (rc == 0)
        rc = find_sink(run->thread, run->restores[i].topic, &sink, err);
    if (rc != 0)
        return rc;
    return produce(run->thread, sink, run->partition, &output, &run->changelog[i], err);
}

void rt_output_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct rt_thread *thread = opaque;
    int64_t *cell = message->_private;
    (void)client;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (thread->delivery_code == 0) {
            thread->delivery_code = rt_client_code(message->err);
            snprintf(thread->delivery_text, sizeof thread->delivery_text,
                     "delivery to topic '%s': %s",
                     message->rkt ? rd_kafka_topic_name(message->rkt) : "?",
                     rd_kafka_err2str(message->err));
        }
        return;
    }
    if (cell && message->offset + 1 > *cell)
        *cell = message->offset + 1;
}
