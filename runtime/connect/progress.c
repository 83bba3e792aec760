/* Progress: have bounded sources delivered everything, and have sinks committed all there is?
 *
 * What the tasks know is asked on the host's thread; what the broker knows (ends of topics as a
 * read_committed consumer sees them, committed offsets of groups) on the caller's. A sink commits a
 * partition's end when it meets it, so caught up is: committed ≥ end, for every partition. */
#include "runtime/connect/progress.h"

#include "lib/base/mem.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

enum { CALL_MS = 10000 };

struct ask {
    const char *topic; /* or NULL: of all */
    bool done;
    json_t *sinks; /* [{"name","topics","regex"}] */
};

static int failed(const struct rt_connector *connector, struct bs_error *err)
{
    if (connector->state == RT_STATE_FAILED)
        return bs_error_set(err, BS_ESTATE, "connector %s failed: %s", connector->name,
                            connector->trace ? connector->trace : "");
    for (size_t i = 0; i < connector->slot_count; i++)
        if (connector->slots[i].state == RT_STATE_FAILED && !connector->slots[i].restart)
            return bs_error_set(err, BS_ESTATE, "connector %s, task %zu failed: %s",
                                connector->name, i,
                                connector->slots[i].trace ? connector->slots[i].trace : "");
    return 0;
}

static bool complete(const struct rt_connector *connector)
{
    for (size_t i = 0; i < connector->slot_count; i++)
        if (!connector->slots[i].complete)
            return false;
    return connector->slot_count > 0;
}

static bool is_source(const struct rt_connector *connector)
{
    return connector->config->plugin && connector->config->plugin->kind == CN_SOURCE;
}

static int ask_complete(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct ask *ask = arg;
    struct rt_connector *connector, *next;
    ask->done = true;
    HASH_ITER (hh, host->connectors, connector, next) {
        const char *topic =
            connector->topic ? connector->topic : rt_config_option(connector->config, "topic");
        if (ask->topic && (!topic || strcmp(topic, ask->topic) != 0))
            continue;
        int result = failed(connector, err);
        if (result < 0)
            return result;
        if (is_source(connector) && connector->bounded && !complete(connector))
            ask->done = false;
    }
    return 0;
}

int rt_connect_topic_complete(struct rt_connect_host *host, const char *topic, bool *ret,
                              struct bs_error *err)
{
    struct ask ask = {.topic = topic};
    int result = rt_herder_call(host, ask_complete, &ask, err);
    *ret = result == 0 && ask.done;
    return result;
}

static int ask_all(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct ask *ask = arg;
    struct rt_connector *connector, *next;
    int result = ask_complete(host, ask, err);
    HASH_ITER (hh, host->connectors, connector, next)
        if (!is_source(connector) && connector->target == RT_TARGET_STARTED)
            json_array_append_new(ask->sinks,
                                  json_pack("{s:s, s:s?, s:s?}", "name", connector->name, "topics",
                                            rt_config_option(connector->config, "topics"), "regex",
                                            rt_config_option(connector->config, "topics.regex")));
    return result;
}

/* ---- offsets of a group ---- */

int rt_progress_committed(rd_kafka_t *client, const char *connector,
                          rd_kafka_topic_partition_list_t **ret, struct bs_error *err)
{
    char text[512];
    char *group = bs_asprintf("connect-%s", connector);
    rd_kafka_ListConsumerGroupOffsets_t *want = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_AdminOptions_set_request_timeout(options, CALL_MS, text, sizeof(text));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_ListConsumerGroupOffsets(client, &want, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS + 5000);
    const rd_kafka_ListConsumerGroupOffsets_result_t *answer =
        event ? rd_kafka_event_ListConsumerGroupOffsets_result(event) : NULL;
    size_t count = 0;
    const rd_kafka_group_result_t **groups =
        answer ? rd_kafka_ListConsumerGroupOffsets_result_groups(answer, &count) : NULL;
    const rd_kafka_error_t *error = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
    int result = 0;
    *ret = NULL;
    if (!event || rd_kafka_event_error(event))
        result = bs_error_set(err, BS_ETIMEOUT, "cannot read the offsets of group %s: %s", group,
                              event ? rd_kafka_event_error_string(event) : "no answer");
    else if (error)
        result = bs_error_set(err, rt_kafka_error(rd_kafka_error_code(error)),
                              "cannot read the offsets of group %s: %s", group,
                              rd_kafka_error_string(error));
    else if (count == 1 && rd_kafka_group_result_partitions(groups[0]))
        *ret = rd_kafka_topic_partition_list_copy(rd_kafka_group_result_partitions(groups[0]));
    if (result == 0 && !*ret)
        *ret = rd_kafka_topic_partition_list_new(1);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(want);
    bs_free(group);
    return result;
}

static int topic_caught_up(struct rt_connect_host *host, const char *topic,
                           const rd_kafka_topic_partition_list_t *committed, bool *ret,
                           struct bs_error *err)
{
    int partitions = 0;
    int result = rt_kafka_partitions(host->query, topic, &partitions, err);
    *ret = true;
    for (int i = 0; result == 0 && *ret && i < partitions; i++) {
        int64_t low, high;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(host->query, topic, i, &low, &high, CALL_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return bs_error_set(err, rt_kafka_error(code), "cannot read the end of %s[%d]: %s",
                                topic, i, rd_kafka_err2str(code));
        const rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_find(
            (rd_kafka_topic_partition_list_t *)committed, topic, i);
        *ret = high == low || (at && at->offset >= high);
    }
    return result;
}

/* Topics whose names match, separated by commas; owned. */
static char *matching(struct rt_connect_host *host, const char *regex)
{
    const struct rd_kafka_metadata *metadata = NULL;
    struct bs_buf out = BS_BUF_INIT;
    regex_t compiled;
    char *pattern = bs_asprintf("^(%s)$", regex);
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0) {
        if (!rd_kafka_metadata(host->query, 1, NULL, &metadata, CALL_MS))
            for (int i = 0; i < metadata->topic_cnt; i++)
                if (!regexec(&compiled, metadata->topics[i].topic, 0, NULL, 0))
                    bs_buf_printf(&out, "%s,", metadata->topics[i].topic);
        regfree(&compiled);
    }
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    bs_free(pattern);
    char *list = bs_strdup(bs_buf_text(&out));
    bs_buf_deinit(&out);
    return list;
}

static int sink_caught_up(struct rt_connect_host *host, const json_t *sink, bool *ret,
                          struct bs_error *err)
{
    const char *topics = json_string_value(json_object_get(sink, "topics"));
    const char *regex = json_string_value(json_object_get(sink, "regex"));
    rd_kafka_topic_partition_list_t *committed = NULL;
    int result = rt_progress_committed(
        host->query, json_string_value(json_object_get(sink, "name")), &committed, err);
    char *list = regex && *regex ? matching(host, regex) : bs_strdup(topics ? topics : "");
    char *rest = list;
    *ret = true;
    for (char *topic; result == 0 && *ret && (topic = strsep(&rest, ",")) != NULL;) {
        topic += strspn(topic, " ");
        topic[strcspn(topic, " ")] = 0;
        if (*topic)
            result = topic_caught_up(host, topic, committed, ret, err);
    }
    bs_free(list);
    if (committed)
        rd_kafka_topic_partition_list_destroy(committed);
    return result;
}

int rt_connect_caught_up(struct rt_connect_host *host, bool *ret, struct bs_error *err)
{
    struct ask ask = {.sinks = json_array()};
    int result = rt_herder_call(host, ask_all, &ask, err);
    bool done = result == 0 && ask.done;
    for (size_t i = 0; done && result == 0 && i < json_array_size(ask.sinks); i++)
        result = sink_caught_up(host, json_array_get(ask.sinks, i), &done, err);
    json_decref(ask.sinks);
    *ret = result == 0 && done;
    /* A broker that does not answer at the moment is "not yet", not a failed task. */
    return result == BS_ETIMEOUT || result == BS_ECONNECT ? 0 : result;
}
