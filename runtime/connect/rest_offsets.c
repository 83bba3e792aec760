/* REST: offsets of connectors. A source's are read from and written to connect-offsets, a sink's
 * are those of its consumer group. Reading and writing is done on the HTTP thread by clients of its
 * own and by the host's query client; only the state of the connector is asked of the host's
 * thread. */
#include "lib/base/mem.h"
#include "runtime/connect/progress.h"
#include "runtime/connect/rest.h"
#include "runtime/connect/topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CALL_MS = 10000, ALTER_MS = 12000, ALTER_PAUSE_MS = 250 };

struct about {
    struct rt_rest *rest;
    bool source, stopped, file;
};

static int ask(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct about *about = arg;
    const struct rt_connector *connector = rt_herder_find(host, about->rest->name);
    (void)err;
    if (!connector)
        return rt_rest_error(about->rest, 404, "Connector %s not found", about->rest->name);
    const struct cn_plugin *plugin = connector->config->plugin;
    about->source = plugin && plugin->kind == CN_SOURCE;
    about->file = about->source && rt_config_get(connector->config, "file") != NULL;
    about->stopped = connector->target == RT_TARGET_STOPPED && connector->slot_count == 0;
    return 0;
}

/* ---- reading ---- */

static void take(void *ctx, const char *partition, const char *offset)
{
    if (offset)
        json_object_set_new(ctx, partition, json_loads(offset, JSON_DECODE_ANY, NULL));
    else
        json_object_del(ctx, partition);
}

/* {partition text → offset} */
static json_t *source_offsets(struct rt_connect_host *host, struct rt_rest *rest)
{
    struct bs_error err = {0};
    json_t *map = json_object();
    if (rt_topics_read_offsets(host->bootstrap, rest->name, take, map, &err) < 0)
        rt_rest_error(rest, 500, "%s", err.text);
    return map;
}

static void get_source(struct rt_connect_host *host, struct rt_rest *rest)
{
    json_t *map = source_offsets(host, rest), *list = json_array(), *offset;
    const char *partition;
    json_object_foreach(map, partition, offset) json_array_append_new(
        list, json_pack("{s:o, s:O}", "partition", json_loads(partition, JSON_DECODE_ANY, NULL),
                        "offset", offset));
    json_decref(map);
    rest->out = json_pack("{s:o}", "offsets", list);
}

static void get_sink(struct rt_connect_host *host, struct rt_rest *rest)
{
    struct bs_error err = {0};
    rd_kafka_topic_partition_list_t *committed = NULL;
    json_t *list = json_array();
    if (rt_progress_committed(host->query, rest->name, &committed, &err) < 0)
        rt_rest_error(rest, 500, "%s", err.text);
    for (int i = 0; committed && i < committed->cnt; i++)
        if (committed->elems[i].offset >= 0)
            json_array_append_new(
                list, json_pack("{s:{s:s, s:i}, s:{s:I}}", "partition", "kafka_topic",
                                committed->elems[i].topic, "kafka_partition",
                                (int)committed->elems[i].partition, "offset", "kafka_offset",
                                (json_int_t)committed->elems[i].offset));
    if (committed)
        rd_kafka_topic_partition_list_destroy(committed);
    rest->out = json_pack("{s:o}", "offsets", list);
}

int rt_rest_offsets_get(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct rt_rest rest = {.name = request->params[0]};
    struct about about = {.rest = &rest};
    rt_herder_call(ctx, ask, &about, NULL);
    if (!rest.message && about.source)
        get_source(ctx, &rest);
    else if (!rest.message)
        get_sink(ctx, &rest);
    return rt_rest_answer(&rest, request, response);
}

/* ---- writing: sources ---- */

static int produce(struct rt_connect_host *host, const char *connector, const char *partition,
                   const char *offset)
{
    struct bs_buf key = BS_BUF_INIT;
    rt_topics_offset_key(connector, partition, &key);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        host->producer, RD_KAFKA_V_TOPIC(RT_TOPIC_OFFSETS),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key.data, key.len),
        RD_KAFKA_V_VALUE((void *)offset, offset ? strlen(offset) : 0), RD_KAFKA_V_END);
    bs_buf_deinit(&key);
    return rt_kafka_error(code);
}

static bool file_offset_ok(struct rt_rest *rest, const json_t *partition, const json_t *offset)
{
    const json_t *position = json_object_get(offset, "position");
    if (!json_object_get(partition, "filename"))
        rt_rest_error(rest, 500, "Partition objects should contain the key 'filename'");
    else if (json_is_null(offset))
        return true;
    else if (!position)
        rt_rest_error(rest, 500,
                      "Offset objects should either be null or contain the key 'position'");
    else if (!json_is_integer(position))
        rt_rest_error(
            rest, 500,
            "The value for the 'position' key in the offset is expected to be a Long value");
    else if (json_integer_value(position) < 0)
        rt_rest_error(
            rest, 500,
            "The value for the 'position' key in the offset should be a non-negative value");
    return !rest->message;
}

static void patch_source(struct rt_connect_host *host, struct rt_rest *rest, const json_t *list,
                         bool file)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        const json_t *partition = json_object_get(entry, "partition");
        if (file && !file_offset_ok(rest, partition, json_object_get(entry, "offset")))
            return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i), *offset = json_object_get(entry, "offset");
        char *partition = json_dumps(json_object_get(entry, "partition"), JSON_COMPACT);
        char *text = json_is_null(offset) || !offset ? NULL : json_dumps(offset, JSON_COMPACT);
        if (produce(host, rest->name, partition, text) < 0)
            rt_rest_error(rest, 500, "Failed to alter offsets of connector %s", rest->name);
        free(partition);
        free(text);
    }
}

static void delete_source(struct rt_connect_host *host, struct rt_rest *rest)
{
    json_t *map = source_offsets(host, rest), *offset;
    const char *partition;
    json_object_foreach(map, partition, offset) if (produce(host, rest->name, partition, NULL) < 0)
        rt_rest_error(rest, 500, "Failed to reset offsets of connector %s", rest->name);
    json_decref(map);
}

/* ---- writing: sinks ---- */

static bool number(const json_t *value, int64_t *ret)
{
    if (json_is_integer(value))
        *ret = json_integer_value(value);
    return json_is_integer(value) ||
           (json_is_string(value) &&
            bs_parse_int(json_string_value(value), INT64_MIN, INT64_MAX, ret) == 0);
}

static char *shown(const json_t *value)
{
    return json_is_string(value) ? strdup(json_string_value(value))
                                 : json_dumps(value, JSON_ENCODE_ANY);
}

static bool sink_entry(struct rt_rest *rest, const json_t *entry,
                       rd_kafka_topic_partition_list_t *list)
{
    const json_t *partition = json_object_get(entry, "partition");
    const json_t *offset = json_object_get(entry, "offset");
    const json_t *topic = json_object_get(partition, "kafka_topic");
    const json_t *index = json_object_get(partition, "kafka_partition");
    const json_t *value = json_object_get(offset, "kafka_offset");
    int64_t n = 0, at = 0;
    if (!json_is_string(topic) || !index) {
        rt_rest_error(
            rest, 400,
            "The partition for a sink connector offset must contain the keys 'kafka_topic' "
            "and 'kafka_partition'");
        return false;
    }
    if (!number(index, &n) || n < 0 || n > INT32_MAX) {
        char *text = shown(index);
        rt_rest_error(
            rest, 400,
            "Failed to parse the following Kafka partition value in the provided offsets: "
            "'%s'. Partition values for sink connectors need to be integers.",
            text);
        free(text);
        return false;
    }
    if (!json_is_null(offset) && (!number(value, &at) || at < 0)) {
        char *text = shown(value);
        rt_rest_error(rest, 400,
                      "Failed to parse the following Kafka offset value in the provided offsets: "
                      "'%s'. Offset values for sink connectors need to be integers.",
                      text ? text : "null");
        free(text);
        return false;
    }
    rd_kafka_topic_partition_list_add(list, json_string_value(topic), (int32_t)n)->offset =
        json_is_null(offset) ? 0 : at;
    return true;
}

static rd_kafka_resp_err_t alter_once(struct rt_connect_host *host, const char *group,
                                      const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_AlterConsumerGroupOffsets_t *want =
        rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(host->query);
    rd_kafka_AlterConsumerGroupOffsets(host->query, &want, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, CALL_MS);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const rd_kafka_AlterConsumerGroupOffsets_result_t *answer =
        event && !code ? rd_kafka_event_AlterConsumerGroupOffsets_result(event) : NULL;
    size_t count = 0;
    const rd_kafka_group_result_t **groups =
        answer ? rd_kafka_AlterConsumerGroupOffsets_result_groups(answer, &count) : NULL;
    if (count == 1 && rd_kafka_group_result_error(groups[0]))
        code = rd_kafka_error_code(rd_kafka_group_result_error(groups[0]));
    const rd_kafka_topic_partition_list_t *parts =
        count == 1 ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    for (int i = 0; parts && i < parts->cnt && !code; i++)
        code = parts->elems[i].err;
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AlterConsumerGroupOffsets_destroy(want);
    return code;
}

/* A stopped task's static member stays in the group until its session ends: wait for that. */
static void alter_sink(struct rt_connect_host *host, struct rt_rest *rest,
                       const rd_kafka_topic_partition_list_t *list)
{
    char *group = bs_asprintf("connect-%s", rest->name);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    int64_t until = rt_connector_now_ms() + ALTER_MS;
    while (list->cnt && (code = alter_once(host, group, list)) != RD_KAFKA_RESP_ERR_NO_ERROR &&
           (code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
            code == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP ||
            code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS) &&
           rt_connector_now_ms() < until) {
        struct timespec pause = {.tv_nsec = ALTER_PAUSE_MS * 1000000L};
        nanosleep(&pause, NULL);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rt_rest_error(rest, 500, "Failed to alter consumer group offsets for connector %s: %s",
                      rest->name, rd_kafka_err2str(code));
    bs_free(group);
}

static void patch_sink(struct rt_connect_host *host, struct rt_rest *rest, const json_t *list)
{
    rd_kafka_topic_partition_list_t *wanted =
        rd_kafka_topic_partition_list_new((int)json_array_size(list));
    bool ok = true;
    for (size_t i = 0; ok && i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        ok = sink_entry(rest, entry, wanted);
        if (ok && json_object_size(json_object_get(entry, "partition")) != 2) {
            rt_rest_error(rest, 500, "Failed to alter consumer group offsets for connector %s",
                          rest->name);
            ok = false;
        }
    }
    if (ok)
        alter_sink(host, rest, wanted);
    rd_kafka_topic_partition_list_destroy(wanted);
}

static void delete_sink(struct rt_connect_host *host, struct rt_rest *rest)
{
    struct bs_error err = {0};
    rd_kafka_topic_partition_list_t *committed = NULL;
    if (rt_progress_committed(host->query, rest->name, &committed, &err) < 0)
        rt_rest_error(rest, 500, "%s", err.text);
    for (int i = 0; committed && i < committed->cnt; i++)
        committed->elems[i].offset = 0;
    if (!rest->message)
        alter_sink(host, rest, committed);
    if (committed)
        rd_kafka_topic_partition_list_destroy(committed);
}

/* ---- handlers ---- */

/* false: the answer is set. */
static bool may_alter(struct rt_connect_host *host, struct rt_rest *rest, struct about *about)
{
    rt_herder_call(host, ask, about, NULL);
    if (!rest->message && !about->stopped)
        rt_rest_error(
            rest, 400,
            "Connectors must be in the STOPPED state before their offsets can be modified. "
            "This can be done for the specified connector by issuing a 'PUT' request to the "
            "'/connectors/%s/stop' endpoint",
            rest->name);
    return !rest->message;
}

/* On the host's thread, which serves its producer alone. */
static int flush(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    (void)err;
    if (rd_kafka_flush(host->producer, CALL_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        rt_rest_error(arg, 500, "the offsets were not stored in time");
    return 0;
}

static void finish(struct rt_connect_host *host, struct rt_rest *rest, const char *what)
{
    if (!rest->message)
        rt_herder_call(host, flush, rest, NULL);
    if (rest->message)
        return;
    char *text = bs_asprintf("The offsets for this connector have been %s successfully", what);
    rest->out = json_pack("{s:s}", "message", text);
    bs_free(text);
}

int rt_rest_offsets_patch(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct rt_rest rest = {.name = request->params[0]};
    struct about about = {.rest = &rest};
    if (!rt_rest_body(&rest, request))
        return rt_rest_answer(&rest, request, response);
    const json_t *list = json_object_get(rest.body, "offsets");
    if (may_alter(ctx, &rest, &about)) {
        if (!json_is_array(list) || !json_array_size(list))
            rt_rest_error(&rest, 400,
                          "Partitions / offsets need to be provided for an alter offsets "
                          "request");
        else if (about.source)
            patch_source(ctx, &rest, list, about.file);
        else
            patch_sink(ctx, &rest, list);
        finish(ctx, &rest, "altered");
    }
    return rt_rest_answer(&rest, request, response);
}

int rt_rest_offsets_delete(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct rt_rest rest = {.name = request->params[0]};
    struct about about = {.rest = &rest};
    if (may_alter(ctx, &rest, &about)) {
        if (about.source)
            delete_source(ctx, &rest);
        else
            delete_sink(ctx, &rest);
        finish(ctx, &rest, "reset");
    }
    return rt_rest_answer(&rest, request, response);
}
