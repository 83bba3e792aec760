/* weir topic describe: partitions with their offsets, then the topic's options. */
#include "cli/client/commands.h"

#include <inttypes.h>
#include <stdio.h>

static int print_partitions(struct cl_kafka *kafka, const struct rd_kafka_metadata_topic *topic,
                            struct bs_error *err)
{
    int64_t records = 0;
    printf("topic %s, %d partition%s\n\n%9s %7s %14s %14s\n", topic->topic, topic->partition_cnt,
           topic->partition_cnt == 1 ? "" : "s", "partition", "leader", "first offset",
           "next offset");
    for (int i = 0; i < topic->partition_cnt; i++) {
        int64_t low = 0, high = 0;
        int32_t id = topic->partitions[i].id;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(kafka->rk, topic->topic, id,
                                                                    &low, &high, kafka->timeout_ms);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return cl_kafka_error(err, code, topic->topic);
        printf("%9" PRId32 " %7" PRId32 " %14" PRId64 " %14" PRId64 "\n", id,
               topic->partitions[i].leader, low, high);
        records += high - low;
    }
    printf("%9s %7s %14s %14" PRId64 " offsets in all\n", "", "", "", records);
    return 0;
}

static void print_entries(const rd_kafka_ConfigResource_t *resource)
{
    size_t count = 0;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
    printf("\noptions (* set on the topic)\n");
    for (size_t i = 0; i < count; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        bool own =
            rd_kafka_ConfigEntry_source(entries[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
        printf("%c %s=%s\n", own ? '*' : ' ', rd_kafka_ConfigEntry_name(entries[i]),
               value ? value : "");
    }
}

static int print_options(struct cl_kafka *kafka, const char *topic, struct bs_error *err)
{
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->rk);
    rd_kafka_event_t *event = NULL;
    int rc;
    rd_kafka_DescribeConfigs(kafka->rk, &ask, 1, NULL, queue);
    rc = cl_kafka_event(kafka, queue, &event, err);
    if (rc == 0) {
        size_t count = 0;
        const rd_kafka_ConfigResource_t **answers = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &count);
        if (count == 1 && rd_kafka_ConfigResource_error(answers[0]) == RD_KAFKA_RESP_ERR_NO_ERROR)
            print_entries(answers[0]);
        else
            rc = bs_error_set(err, BS_EINVAL, "%s: options: %s", topic,
                              count == 1 ? rd_kafka_ConfigResource_error_string(answers[0])
                                         : "no answer about this topic");
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(ask);
    return rc;
}

int cl_topic_describe(struct cl_kafka *kafka, const struct rd_kafka_metadata_topic *topic,
                      struct bs_error *err)
{
    int rc = print_partitions(kafka, topic, err);
    return rc != 0 ? rc : print_options(kafka, topic->topic, err);
}
