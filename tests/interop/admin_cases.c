/* Administration. One thread; each call waits for its answer. */
#include "tests/interop/cases.h"
#include "tests/interop/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
};

static rd_kafka_event_t *answer(struct admin *admin, const char *what)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(admin->queue, CLIENT_TIMEOUT_MS);
    CHECK(event, "%s: no answer", what);
    CHECK(!rd_kafka_event_error(event), "%s: %s", what, rd_kafka_event_error_string(event));
    return event;
}

/* The value of a topic's setting; free() it. */
static char *config_get(struct admin *admin, const char *topic, const char *name)
{
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_DescribeConfigs(admin->rk, &resource, 1, NULL, admin->queue);
    rd_kafka_event_t *event = answer(admin, "DescribeConfigs");
    size_t count, entry_count;
    const rd_kafka_ConfigResource_t **all = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    CHECK(count == 1 && !rd_kafka_ConfigResource_error(all[0]), "DescribeConfigs: %s",
          rd_kafka_ConfigResource_error_string(all[0]));
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(all[0], &entry_count);
    char *value = NULL;
    for (size_t i = 0; i < entry_count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0)
            value = strdup(rd_kafka_ConfigEntry_value(entries[i]));
    CHECK(value, "%s has no setting %s", topic, name);
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    return value;
}

static void check_config(struct admin *admin, const char *topic, const char *name,
                         const char *wanted)
{
    char *value = config_get(admin, topic, name);
    CHECK(strcmp(value, wanted) == 0, "%s of %s is %s, not %s", name, topic, value, wanted);
    free(value);
}

static rd_kafka_resp_err_t create_topic(struct admin *admin, const char *topic, int partitions,
                                        const char *key, const char *value)
{
    char why[256];
    rd_kafka_NewTopic_t *wish = rd_kafka_NewTopic_new(topic, partitions, 1, why, sizeof why);
    CHECK(wish, "%s", why);
    if (key)
        rd_kafka_NewTopic_set_config(wish, key, value);
    rd_kafka_CreateTopics(admin->rk, &wish, 1, NULL, admin->queue);
    rd_kafka_event_t *event = answer(admin, "CreateTopics");
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    CHECK(count == 1, "CreateTopics gave %zu results", count);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(wish);
    return err;
}

static rd_kafka_resp_err_t delete_topic(struct admin *admin, const char *topic)
{
    rd_kafka_DeleteTopic_t *wish = rd_kafka_DeleteTopic_new(topic);
    rd_kafka_DeleteTopics(admin->rk, &wish, 1, NULL, admin->queue);
    rd_kafka_event_t *event = answer(admin, "DeleteTopics");
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(wish);
    return err;
}

/* Partitions of a topic; 0: there is none. */
static int partition_count(struct admin *admin, const char *topic)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t err = rd_kafka_metadata(admin->rk, 1, NULL, &metadata, CLIENT_TIMEOUT_MS);
    CHECK(!err, "metadata: %s", rd_kafka_err2str(err));
    int count = 0;
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0)
            count = metadata->topics[i].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return count;
}

static void check_topics(struct admin *admin, const char *topic)
{
    CHECK(create_topic(admin, topic, 2, "retention.ms", "1234567") == 0, "cannot create");
    CHECK(create_topic(admin, topic, 2, NULL, NULL) == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS,
          "created twice");
    CHECK(create_topic(admin, "a/b", 1, NULL, NULL) == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
          "a bad name was taken");
    CHECK(create_topic(admin, "interop-none", 1, "retention.ms", "x") ==
              RD_KAFKA_RESP_ERR_INVALID_CONFIG,
          "a bad setting was taken");
    check_config(admin, topic, "retention.ms", "1234567");
    check_config(admin, topic, "cleanup.policy", "delete");
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_ConfigResource_set_config(resource, "cleanup.policy", "compact");
    rd_kafka_AlterConfigs(admin->rk, &resource, 1, NULL, admin->queue);
    rd_kafka_event_destroy(answer(admin, "AlterConfigs"));
    rd_kafka_ConfigResource_destroy(resource);
    check_config(admin, topic, "cleanup.policy", "compact");
    check_config(admin, topic, "retention.ms", "604800000"); /* AlterConfigs replaces all */
    char why[256];
    rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(topic, 5, why, sizeof why);
    rd_kafka_CreatePartitions(admin->rk, &more, 1, NULL, admin->queue);
    rd_kafka_event_destroy(answer(admin, "CreatePartitions"));
    rd_kafka_NewPartitions_destroy(more);
    int64_t limit = client_now_ms() + CLIENT_TIMEOUT_MS;
    while (partition_count(admin, topic) != 5)
        CHECK(client_now_ms() < limit, "there are %d partitions", partition_count(admin, topic));
}

static void check_delete_records(struct admin *admin, const char *topic)
{
    for (int i = 0; i < 100; i++)
        client_send(admin->rk, topic, 0, "k", "v");
    client_flush(admin->rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = 40;
    rd_kafka_DeleteRecords_t *wish = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(admin->rk, &wish, 1, NULL, admin->queue);
    rd_kafka_event_t *event = answer(admin, "DeleteRecords");
    const rd_kafka_topic_partition_list_t *done =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    CHECK(done->cnt == 1 && !done->elems[0].err && done->elems[0].offset == 40, "DeleteRecords: %s",
          rd_kafka_err2str(done->elems[0].err));
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(wish);
    rd_kafka_topic_partition_list_destroy(list);
    int64_t low = -1, high = -1;
    rd_kafka_query_watermark_offsets(admin->rk, topic, 0, &low, &high, CLIENT_TIMEOUT_MS);
    CHECK(low == 40 && high == 100, "watermarks %lld and %lld", (long long)low, (long long)high);
    int count = client_read_all(topic, 1, true, NULL, NULL);
    CHECK(count == 60, "%d records are left", count);
}

static bool group_listed(struct admin *admin, const char *group)
{
    rd_kafka_ListConsumerGroups(admin->rk, NULL, admin->queue);
    rd_kafka_event_t *event = answer(admin, "ListConsumerGroups");
    size_t count;
    const rd_kafka_ConsumerGroupListing_t **all = rd_kafka_ListConsumerGroups_result_valid(
        rd_kafka_event_ListConsumerGroups_result(event), &count);
    bool there = false;
    for (size_t i = 0; i < count; i++)
        there = there || strcmp(rd_kafka_ConsumerGroupListing_group_id(all[i]), group) == 0;
    rd_kafka_event_destroy(event);
    return there;
}

static void check_group_state(struct admin *admin, const char *group, size_t members,
                              rd_kafka_consumer_group_state_t state)
{
    rd_kafka_DescribeConsumerGroups(admin->rk, &group, 1, NULL, admin->queue);
    rd_kafka_event_t *event = answer(admin, "DescribeConsumerGroups");
    size_t count;
    const rd_kafka_ConsumerGroupDescription_t **all = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    CHECK(count == 1 && !rd_kafka_ConsumerGroupDescription_error(all[0]), "%s", group);
    CHECK(rd_kafka_ConsumerGroupDescription_member_count(all[0]) == members,
          "%s has %zu members, not %zu", group,
          rd_kafka_ConsumerGroupDescription_member_count(all[0]), members);
    CHECK(rd_kafka_ConsumerGroupDescription_state(all[0]) == state, "%s is %s", group,
          rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(all[0])));
    rd_kafka_event_destroy(event);
}

static rd_kafka_resp_err_t delete_group(struct admin *admin, const char *group)
{
    rd_kafka_DeleteGroup_t *wish = rd_kafka_DeleteGroup_new(group);
    rd_kafka_DeleteGroups(admin->rk, &wish, 1, NULL, admin->queue);
    rd_kafka_event_t *event = answer(admin, "DeleteGroups");
    size_t count;
    const rd_kafka_group_result_t **results =
        rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count);
    const rd_kafka_error_t *error = rd_kafka_group_result_error(results[0]);
    rd_kafka_resp_err_t err = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteGroup_destroy(wish);
    return err;
}

static void check_groups(struct admin *admin, const char *topic)
{
    char group[64];
    snprintf(group, sizeof group, "interop-admin-%d", (int)getpid());
    rd_kafka_t *consumer = client_consumer("group.id", group, NULL);
    client_subscribe(consumer, topic);
    rd_kafka_message_t *message = client_poll(consumer, CLIENT_TIMEOUT_MS);
    CHECK(message, "nothing to read");
    rd_kafka_resp_err_t err = rd_kafka_commit_message(consumer, message, 0);
    CHECK(!err, "commit: %s", rd_kafka_err2str(err));
    rd_kafka_message_destroy(message);
    CHECK(group_listed(admin, group), "the group is not listed");
    check_group_state(admin, group, 1, RD_KAFKA_CONSUMER_GROUP_STATE_STABLE);
    CHECK(delete_group(admin, group) == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP,
          "a group with a member was deleted");
    client_consumer_close(consumer);
    check_group_state(admin, group, 0, RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY);
    consumer = client_consumer("group.id", group, NULL);
    CHECK(client_committed(consumer, topic, 0) == 41, "the committed offset is gone");
    CHECK(delete_group(admin, group) == 0, "an empty group cannot be deleted");
    CHECK(!group_listed(admin, group), "the deleted group is listed");
    CHECK(client_committed(consumer, topic, 0) == RD_KAFKA_OFFSET_INVALID,
          "the deleted group's offset is there");
    CHECK(delete_group(admin, group) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND, "deleted twice");
    client_consumer_close(consumer);
}

void case_admin(void)
{
    struct admin admin = {.rk = client_producer("linger.ms", "1", NULL)};
    admin.queue = rd_kafka_queue_new(admin.rk);
    char topic[64], records[64];
    snprintf(topic, sizeof topic, "interop-admin-%d", (int)getpid());
    snprintf(records, sizeof records, "interop-records-%d", (int)getpid());
    char *cluster = rd_kafka_clusterid(admin.rk, CLIENT_TIMEOUT_MS);
    CHECK(cluster && *cluster, "no cluster id");
    rd_kafka_mem_free(admin.rk, cluster);
    CHECK(rd_kafka_controllerid(admin.rk, CLIENT_TIMEOUT_MS) >= 0, "no controller");
    check_topics(&admin, topic);
    CHECK(create_topic(&admin, records, 1, NULL, NULL) == 0, "cannot create");
    check_delete_records(&admin, records);
    check_groups(&admin, records);
    CHECK(delete_topic(&admin, topic) == 0, "cannot delete");
    CHECK(delete_topic(&admin, topic) == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "deleted twice");
    CHECK(partition_count(&admin, topic) == 0, "the deleted topic is there");
    CHECK(create_topic(&admin, topic, 1, NULL, NULL) == 0, "cannot create it again");
    CHECK(client_read_all(topic, 1, true, NULL, NULL) == 0, "the new topic is not empty");
    rd_kafka_queue_destroy(admin.queue);
    client_producer_close(admin.rk);
}
