/* Journal topic: see journal_topic.h. A topic that deletes old records would lose schemas: it is
 * refused. A broker that cannot describe configs is believed. */
#include "schema-registry/journal_topic.h"

#include "lib/base/log.h"
#include "lib/base/option.h"

#include <string.h>

enum { CALL_MS = 2000, DESCRIBE_MS = 800 };

static const struct bs_event created = {
    "registry.topic-created", BS_LOG_INFO,
    "The topic for schemas was not there and has been created, compacted."};
static const struct bs_event unverified = {
    "registry.topic-unverified", BS_LOG_WARN,
    "The broker does not tell the topic's cleanup.policy; it must be compact."};

/* Calls one admin request and gives its result event, or NULL with err set. */
static rd_kafka_event_t *wait_event(rd_kafka_queue_t *queue, int timeout_ms, const char *what,
                                    struct bs_error *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);
    if (event == NULL) {
        bs_error_set(err, BS_ETIMEOUT, "%s: no answer", what);
        return NULL;
    }
    if (rd_kafka_event_error(event)) {
        bs_error_set(err, BS_EBUSY, "%s: %s", what, rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

static rd_kafka_AdminOptions_t *admin_options(rd_kafka_t *client, rd_kafka_admin_op_t op)
{
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, op);
    char text[128];
    rd_kafka_AdminOptions_set_request_timeout(options, CALL_MS, text, sizeof text);
    return options;
}

static int create(rd_kafka_t *client, const char *topic, int replication, struct bs_error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *row = rd_kafka_NewTopic_new(topic, 1, replication, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AdminOptions_t *options = admin_options(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_event_t *event = NULL;
    const rd_kafka_topic_result_t **rows;
    size_t count = 0;
    int rc = 0;
    if (row == NULL) {
        rc = bs_error_set(err, BS_EINVAL, "topic %s: %s", topic, text);
        goto done;
    }
    rd_kafka_NewTopic_set_config(row, "cleanup.policy", "compact");
    rd_kafka_CreateTopics(client, &row, 1, options, queue);
    event = wait_event(queue, CALL_MS * 2, "creating the topic for schemas", err);
    if (event == NULL) {
        rc = BS_EBUSY;
        goto done;
    }
    rows = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    if (count && rd_kafka_topic_result_error(rows[0]) &&
        rd_kafka_topic_result_error(rows[0]) != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        rc = bs_error_set(err, BS_EBUSY, "creating topic %s: %s", topic,
                          rd_kafka_topic_result_error_string(rows[0])
                              ? rd_kafka_topic_result_error_string(rows[0])
                              : rd_kafka_err2name(rd_kafka_topic_result_error(rows[0])));
    else
        bs_log(&created, "topic %s, 1 partition, replication %d", topic, replication);
done:
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    if (row)
        rd_kafka_NewTopic_destroy(row);
    return rc;
}

static int check_config(const rd_kafka_event_t *event, const char *topic, size_t *ret_max,
                        struct bs_error *err)
{
    bool compact = false;
    int64_t max;
    size_t count = 0, entries = 0;
    const rd_kafka_ConfigResource_t **rows = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result((rd_kafka_event_t *)event), &count);
    const rd_kafka_ConfigEntry_t **list;
    if (count == 0 || rd_kafka_ConfigResource_error(rows[0])) {
        bs_log(&unverified, "topic %s", topic);
        return 0;
    }
    list = rd_kafka_ConfigResource_configs(rows[0], &entries);
    for (size_t i = 0; i < entries; i++) {
        const char *value = rd_kafka_ConfigEntry_value(list[i]);
        const char *name = rd_kafka_ConfigEntry_name(list[i]);
        if (value && strcmp(name, "max.message.bytes") == 0 &&
            bs_parse_int(value, 1, INT32_MAX, &max) == 0)
            *ret_max = (size_t)max;
        if (value == NULL || strcmp(name, "cleanup.policy") != 0)
            continue;
        if (strcmp(value, "compact") != 0)
            return bs_error_set(err, BS_EINVAL,
                                "topic %s has cleanup.policy=%s and would lose schemas; set it to "
                                "compact",
                                topic, value);
        compact = true;
    }
    if (!compact)
        bs_log(&unverified, "topic %s", topic);
    return 0;
}

static int verify(rd_kafka_t *client, const char *topic, size_t *ret_max, struct bs_error *err)
{
    rd_kafka_ConfigResource_t *row = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AdminOptions_t *options = admin_options(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    struct bs_error ignored = {0};
    rd_kafka_event_t *event;
    int rc = 0;
    rd_kafka_DescribeConfigs(client, &row, 1, options, queue);
    event = wait_event(queue, DESCRIBE_MS, "describing the topic", &ignored);
    if (event)
        rc = check_config(event, topic, ret_max, err);
    else
        bs_log(&unverified, "topic %s: %s", topic, ignored.text);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(row);
    return rc;
}

int sr_topic_prepare(rd_kafka_t *client, const char *topic, int replication, size_t *ret_max,
                     struct bs_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    const struct rd_kafka_metadata_topic *found;
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, CALL_MS);
    int brokers, rc;
    rd_kafka_topic_destroy(handle);
    if (code)
        return bs_error_set(err, BS_ECONNECT, "waiting for the broker: %s", rd_kafka_err2str(code));
    brokers = metadata->broker_cnt;
    found = metadata->topic_cnt ? &metadata->topics[0] : NULL;
    if (found == NULL || found->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        rc = create(client, topic,
                    replication < brokers ? replication
                    : brokers > 0         ? brokers
                                          : 1,
                    err);
        if (rc == 0)
            rc = bs_error_set(err, BS_EBUSY, "waiting for topic %s to appear", topic);
    } else if (found->err || found->partition_cnt == 0 || found->partitions[0].leader < 0) {
        rc = bs_error_set(err, BS_EBUSY, "waiting for a leader of topic %s: %s", topic,
                          rd_kafka_err2str(found->err));
    } else if (found->partition_cnt != 1) {
        rc = bs_error_set(err, BS_EINVAL,
                          "topic %s has %d partitions; schemas need exactly one, for their order",
                          topic, found->partition_cnt);
    } else {
        rc = verify(client, topic, ret_max, err);
    }
    rd_kafka_metadata_destroy(metadata);
    return rc;
}
