/* Kafka: making librdkafka handles, topics, and reading a topic to its end. */
#include "runtime/connect/kafka.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "runtime/connect/config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ADMIN_MS = 30000, METADATA_MS = 30000, WAIT_MS = 60000, WAIT_STEP_MS = 1000 };

static const struct bs_event said = {"connect.client", BS_LOG_DEBUG,
                                     "What the Kafka client library reports about a connection."};

static const struct bs_event waiting = {"connect.waiting_for_broker", BS_LOG_WARN,
                                        "No broker answers yet; start one, or mend the address."};

static void log_cb(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)level;
    bs_log(&said, "%s %s: %s", rd_kafka_name(client), facility, text);
}

rd_kafka_conf_t *rt_kafka_conf(const char *bootstrap, const char *client_id,
                               const char *const *pairs)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, log_cb);
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof(text));
    rd_kafka_conf_set(conf, "client.id", client_id, text, sizeof(text));
    for (; pairs && *pairs; pairs += 2)
        rd_kafka_conf_set(conf, pairs[0], pairs[1], text, sizeof(text));
    return conf;
}

/* Java client settings that users have, without a meaning for librdkafka. */
static const char *const java_only[] = {
    "max.poll.records", "key.serializer",          "value.serializer",
    "key.deserializer", "value.deserializer",      "max.block.ms",
    "buffer.memory",    "metrics.recording.level", "default.api.timeout.ms"};

int rt_kafka_override(rd_kafka_conf_t *conf, const struct cn_config *config, const char *prefix,
                      struct bs_error *err)
{
    char text[512];
    size_t len = strlen(prefix);
    for (size_t i = 0; i < config->count; i++) {
        const char *name = config->names[i];
        bool known_elsewhere = false;
        if (strncmp(name, prefix, len) != 0)
            continue;
        for (size_t j = 0; j < sizeof(java_only) / sizeof(java_only[0]); j++)
            known_elsewhere |= !strcmp(name + len, java_only[j]);
        if (!known_elsewhere && rd_kafka_conf_set(conf, name + len, config->values[i], text,
                                                  sizeof(text)) != RD_KAFKA_CONF_OK)
            return bs_error_set(err, BS_EINVAL, "option %s: %s", name, text);
    }
    return 0;
}

int rt_kafka_open(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret,
                  struct bs_error *err)
{
    char text[512];
    *ret = rd_kafka_new(type, conf, text, sizeof(text));
    if (*ret)
        return 0;
    rd_kafka_conf_destroy(conf);
    return bs_error_set(err, BS_EINVAL, "cannot make a Kafka client: %s", text);
}

int rt_kafka_error(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return 0;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        return BS_ECONNECT;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        return BS_ETIMEOUT;
    case RD_KAFKA_RESP_ERR__FATAL: /* this client is done for; a new one may go on */
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return BS_EFENCED;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return BS_ENOTFOUND;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
        return BS_EEXIST;
    default:
        return BS_EIO;
    }
}

static int fail(struct bs_error *err, rd_kafka_resp_err_t code, const char *what, const char *topic,
                const char *text)
{
    return bs_error_set(err, rt_kafka_error(code), "%s %s: %s", what, topic,
                        text ? text : rd_kafka_err2str(code));
}

int rt_kafka_wait(rd_kafka_t *client, const char *bootstrap, struct bs_error *err)
{
    for (int waited_ms = 0;; waited_ms += WAIT_STEP_MS) {
        const struct rd_kafka_metadata *metadata = NULL;
        rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, NULL, &metadata, WAIT_STEP_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(metadata);
            return 0;
        }
        if (waited_ms >= WAIT_MS)
            return bs_error_set(err, rt_kafka_error(code),
                                "no answer for %d s; is it running, and is bootstrap.servers "
                                "(--bootstrap) its address?",
                                WAIT_MS / 1000);
        if (waited_ms % (5 * WAIT_STEP_MS) == 0)
            bs_log(&waiting, "the broker at %s does not answer; the worker waits for it",
                   bootstrap);
    }
}

int rt_kafka_topic_make(rd_kafka_t *client, const char *topic, int partitions, int copies,
                        const char *const *pairs, struct bs_error *err)
{
    char text[512];
    int result = 0;
    rd_kafka_NewTopic_t *want =
        rd_kafka_NewTopic_new(topic, partitions, copies, text, sizeof(text));
    if (!want)
        return bs_error_set(err, BS_EINVAL, "cannot make topic %s: %s", topic, text);
    for (; pairs && *pairs; pairs += 2)
        rd_kafka_NewTopic_set_config(want, pairs[0], pairs[1]);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_MS, text, sizeof(text));
    rd_kafka_AdminOptions_set_operation_timeout(options, ADMIN_MS, text, sizeof(text));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &want, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_MS + 5000);
    const rd_kafka_CreateTopics_result_t *answer =
        event ? rd_kafka_event_CreateTopics_result(event) : NULL;
    size_t count = 0;
    const rd_kafka_topic_result_t **topics =
        answer ? rd_kafka_CreateTopics_result_topics(answer, &count) : NULL;
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const char *why = event ? rd_kafka_event_error_string(event) : NULL;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && count == 1) {
        code = rd_kafka_topic_result_error(topics[0]);
        why = rd_kafka_topic_result_error_string(topics[0]);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        result = fail(err, code, "cannot make topic", topic, why);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_NewTopic_destroy(want);
    return result;
}

int rt_kafka_partitions(rd_kafka_t *client, const char *topic, int *ret, struct bs_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, METADATA_MS);
    *ret = 0;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
        code = metadata->topics[0].err;
        *ret = code == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[0].partition_cnt : 0;
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return 0;
    return fail(err, code, "cannot look up topic", topic, NULL);
}

static int read_assigned(rd_kafka_t *client, int partitions, rt_kafka_each *each, void *ctx,
                         const char *topic, struct bs_error *err)
{
    int left = partitions;
    while (left > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, METADATA_MS);
        if (!message)
            return bs_error_set(err, BS_ETIMEOUT, "topic %s cannot be read: no answer in %d s",
                                topic, METADATA_MS / 1000);
        rd_kafka_resp_err_t code = message->err;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            each(ctx, message);
        else if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            left--;
        else if (rt_kafka_error(code) != BS_ECONNECT)
            fail(err, code, "cannot read topic", topic, rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__PARTITION_EOF &&
            rt_kafka_error(code) != BS_ECONNECT)
            return rt_kafka_error(code);
    }
    return 0;
}

int rt_kafka_read_all(const char *bootstrap, const char *topic, rt_kafka_each *each, void *ctx,
                      struct bs_error *err)
{
    static const char *const pairs[] = {"group.id",
                                        "weir-connect-reader",
                                        "enable.auto.commit",
                                        "false",
                                        "auto.offset.reset",
                                        "earliest",
                                        "isolation.level",
                                        "read_committed",
                                        "enable.partition.eof",
                                        "true",
                                        "fetch.wait.max.ms",
                                        "50",
                                        NULL};
    rd_kafka_t *client = NULL;
    int partitions = 0;
    int result = rt_kafka_open(RD_KAFKA_CONSUMER, rt_kafka_conf(bootstrap, "weir-connect", pairs),
                               &client, err);
    if (result < 0)
        return result;
    rd_kafka_poll_set_consumer(client);
    result = rt_kafka_partitions(client, topic, &partitions, err);
    if (result == 0 && partitions > 0) {
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
        for (int i = 0; i < partitions; i++)
            rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
        rd_kafka_assign(client, list);
        rd_kafka_topic_partition_list_destroy(list);
        result = read_assigned(client, partitions, each, ctx, topic, err);
    }
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return result;
}
