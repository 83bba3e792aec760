/* Sink: runs a sink task: consumes by the group connect-<name>, hands batches to the plugin,
 * commits what the plugin has made durable.
 *
 * Order: put → flush → dead letters stored → offsets committed with the plugin's metadata. A crash
 * between two of them repeats records, never loses one. What is consumed is read_committed; at the
 * end of a partition the end itself is committed (behind commit markers), so "committed equals end"
 * means caught up. While the plugin asks to wait, the partitions are paused and the group is still
 * served. The consumer leaves nothing to the library: assignment in the rebalance callback, on this
 * thread, with a flush and commit before partitions are given away. One thread: the task's. */
#include "runtime/connect/kafka.h"
#include "runtime/connect/convert.h"
#include "runtime/connect/letters.h"
#include "runtime/connect/task.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
    BATCH_DEFAULT = 3000,
    BATCH_MAX = 100000,
    POLL_MS = 100,
    COMMIT_MS = 250,
    CALL_MS = 10000,
    TOPICS_WAIT_MS = 30000,
};

static const struct bs_event topic_missing = {
    "connect.topic_missing", BS_LOG_WARN,
    "A sink's topic does not exist (yet); it is looked for again and again."};
static const struct bs_event trouble = {"connect.consumer", BS_LOG_WARN,
                                        "What a sink's consumer reports; it goes on by itself."};

struct part {
    char *topic;
    int32_t partition;
    int64_t next;      /* behind the last record of a batch that was put, or the end */
    int64_t committed; /* −1: nothing yet */
    int64_t end;       /* where the broker said the partition ends, behind what was collected */
};

struct side {
    struct cn_task *task;
    rd_kafka_t *consumer;
    struct rt_converter *key, *value;
    struct rt_letters *letters;
    void *plugin;
    struct part *parts;
    size_t part_count;
    rd_kafka_message_t **messages;
    struct cn_record *records;
    size_t *sources; /* record → its message */
    bool *rejected;
    size_t count, record_count, batch_max;
    struct bs_arena arena;
    struct bs_error failure; /* found in a callback, or by reject_record */
    bool missing_said, waiting;
    int64_t last_commit_ms;
};

static struct part *part_of(struct side *side, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < side->part_count; i++)
        if (side->parts[i].partition == partition && !strcmp(side->parts[i].topic, topic))
            return &side->parts[i];
    return NULL;
}

static void drop_parts(struct side *side)
{
    for (size_t i = 0; i < side->part_count; i++)
        bs_free(side->parts[i].topic);
    bs_free(side->parts);
    side->parts = NULL;
    side->part_count = 0;
}

/* ---- commit ---- */

static bool uncommitted(const struct side *side)
{
    for (size_t i = 0; i < side->part_count; i++)
        if (side->parts[i].next >= 0 && side->parts[i].next != side->parts[i].committed)
            return true;
    return false;
}

static int commit_offsets(struct side *side, const char *metadata, struct bs_error *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)side->part_count + 1);
    for (size_t i = 0; i < side->part_count; i++) {
        const struct part *part = &side->parts[i];
        if (part->next < 0)
            continue;
        rd_kafka_topic_partition_t *at =
            rd_kafka_topic_partition_list_add(list, part->topic, part->partition);
        at->offset = part->next;
        if (metadata) {
            at->metadata = strdup(metadata);
            at->metadata_size = strlen(metadata);
        }
    }
    rd_kafka_resp_err_t code =
        list->cnt ? rd_kafka_commit(side->consumer, list, 0) : RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return bs_error_set(err, rt_kafka_error(code), "cannot commit offsets: %s",
                            rd_kafka_err2str(code));
    for (size_t i = 0; i < side->part_count; i++)
        side->parts[i].committed = side->parts[i].next;
    side->last_commit_ms = rt_connector_now_ms();
    return 0;
}

/* 0; 1: not now (err says why); negative: the task cannot go on. */
static int flush(struct side *side, struct bs_error *err)
{
    struct cn_error error = {.struct_size = sizeof(error)};
    const char *metadata = NULL;
    if (!uncommitted(side))
        return 0;
    int verdict = side->task->plugin->sink->flush(side->plugin, &metadata, &error);
    if (verdict == CN_RETRY) {
        bs_error_set(err, BS_EBUSY, "%s", error.text);
        return 1;
    }
    if (verdict != CN_OK)
        return bs_error_set(err, BS_EIO, "%s", error.text);
    int result = rt_letters_flush(side->letters, err);
    if (result == 0)
        result = commit_offsets(side, metadata, err);
    /* A rebalance or a coordinator that moves: the records come again, which is within the promise.
     */
    if (result < 0 && result != BS_EFENCED)
        return 1;
    return result;
}

/* ---- partitions ---- */

static void assign(struct side *side, rd_kafka_topic_partition_list_t *list)
{
    struct cn_error error = {.struct_size = sizeof(error)};
    rd_kafka_resp_err_t code = rd_kafka_committed(side->consumer, list, CALL_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        bs_error_set(&side->failure, rt_kafka_error(code), "cannot read committed offsets: %s",
                     rd_kafka_err2str(code));
        return;
    }
    drop_parts(side);
    side->part_count = (size_t)list->cnt;
    side->parts = bs_array(side->part_count + 1, sizeof(*side->parts));
    struct cn_partition *given = bs_array(side->part_count + 1, sizeof(*given));
    for (size_t i = 0; i < side->part_count; i++) {
        rd_kafka_topic_partition_t *at = &list->elems[i];
        int64_t offset = at->offset >= 0 ? at->offset : -1;
        side->parts[i] = (struct part){.topic = bs_strdup(at->topic),
                                       .partition = at->partition,
                                       .next = offset,
                                       .committed = offset,
                                       .end = -1};
        given[i] = (struct cn_partition){
            .topic = side->parts[i].topic, .partition = at->partition, .offset = offset};
        given[i].metadata =
            at->metadata ? bs_strndup(at->metadata, at->metadata_size) : bs_strdup("");
    }
    const struct cn_sink *sink = side->task->plugin->sink;
    if (CN_HAS(sink, close) && sink->assign && side->part_count &&
        sink->assign(side->plugin, given, side->part_count, sizeof(*given), &error) != CN_OK)
        bs_error_set(&side->failure, BS_EIO, "%s", error.text);
    for (size_t i = 0; i < side->part_count; i++)
        bs_free((char *)given[i].metadata);
    bs_free(given);
}

static void rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list, void *ctx)
{
    struct side *side = ctx;
    struct bs_error err = {0};
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        assign(side, list);
        rd_kafka_assign(consumer, list);
        return;
    }
    if (!rd_kafka_assignment_lost(consumer) && side->plugin)
        flush(side, &err);
    drop_parts(side);
    rd_kafka_assign(consumer, NULL);
}

static void pause_all(struct side *side, bool pause)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    if (rd_kafka_assignment(side->consumer, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (pause)
        rd_kafka_pause_partitions(side->consumer, list);
    else
        rd_kafka_resume_partitions(side->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- records ---- */

static void drop_messages(struct side *side)
{
    for (size_t i = 0; i < side->count; i++)
        rd_kafka_message_destroy(side->messages[i]);
    side->count = side->record_count = 0;
    bs_arena_reset(&side->arena);
}

/* A record that is passed over or ends the task. */
static int reject(struct side *side, const rd_kafka_message_t *message, const char *stage,
                  const char *why, struct bs_error *err)
{
    if (!rt_connector_task_reject(side->task, why))
        return bs_error_set(err, BS_EINVAL, "%s", why);
    return side->letters ? rt_letters_send(side->letters, message, stage, why, err) : 0;
}

int rt_sink_reject_record(struct cn_task *task, size_t index, const struct cn_error *error)
{
    struct side *side = task->side;
    if (index >= side->record_count)
        return CN_FAIL;
    if (side->rejected[index])
        return CN_OK;
    if (reject(side, side->messages[side->sources[index]], "TASK_PUT", error->text,
               &side->failure) < 0)
        return CN_FAIL;
    side->rejected[index] = true;
    return CN_OK;
}

static void put_headers(struct side *side, const rd_kafka_message_t *message,
                        struct cn_record *record)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t len;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    size_t n = rd_kafka_header_cnt(headers);
    struct cn_header *list = bs_arena_array(&side->arena, n, sizeof(*list));
    for (size_t i = 0; i < n && !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++) {
        list[i].name = (struct cn_text){name, strlen(name)};
        if (value)
            list[i].value = (struct cn_value){.type = CN_BYTES, .text = {value, len}};
    }
    record->headers = list;
    record->header_count = n;
}

/* The last one of that name; without pointer: none. */
static struct bs_bytes last_header(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value = NULL;
    size_t len = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return (struct bs_bytes){0};
    return bs_bytes(value, len);
}

static int convert(struct side *side, const rd_kafka_message_t *message, struct bs_error *err)
{
    struct bs_error why = {0};
    rd_kafka_timestamp_type_t kind;
    struct cn_record *record = &side->records[side->record_count];
    *record = (struct cn_record){.topic = rd_kafka_topic_name(message->rkt),
                                 .partition = message->partition,
                                 .offset = message->offset,
                                 .timestamp = rd_kafka_message_timestamp(message, &kind)};
    const char *stage = "KEY_CONVERTER";
    int result =
        rt_converter_read(side->key, record->topic, last_header(message, rc_schema_header(true)),
                          bs_bytes(message->key, message->key_len), &side->arena, &record->key,
                          &record->key_schema, &why);
    if (result == 0) {
        stage = "VALUE_CONVERTER";
        result = rt_converter_read(side->value, record->topic,
                                   last_header(message, rc_schema_header(false)),
                                   bs_bytes(message->payload, message->len), &side->arena,
                                   &record->value, &record->value_schema, &why);
    }
    if (rt_converter_may_pass(result))
        return bs_error_set(err, result, "%s", why.text);
    if (result < 0) {
        bs_error_wrap(&why, "%s[%d]@%lld: %s", record->topic, (int)record->partition,
                      (long long)record->offset, stage[0] == 'K' ? "key" : "value");
        return reject(side, message, stage, why.text, err);
    }
    put_headers(side, message, record);
    side->rejected[side->record_count] = false;
    side->record_count++;
    return 0;
}

/* ---- the loop ---- */

/* Waits while the group is still served. true: the task is to stop. */
static bool wait_served(struct side *side, const char *why, unsigned tries)
{
    struct cn_task *task = side->task;
    int64_t until = rt_connector_now_ms() + rt_connector_task_pause_ms(task, tries);
    task->options.report(task->options.ctx, task, RT_TASK_WAITING, why);
    pause_all(side, true);
    while (!rt_connector_task_stopping(task) && !side->failure.code) {
        int64_t left = until - rt_connector_now_ms();
        if (left <= 0)
            break;
        rd_kafka_message_t *message =
            rd_kafka_consumer_poll(side->consumer, (int)(left < POLL_MS ? left : POLL_MS));
        if (message)
            rd_kafka_message_destroy(message); /* an error or an end: told again later */
    }
    pause_all(side, false);
    side->waiting = true;
    return rt_connector_task_stopping(task);
}

/* A message that is not a record. */
static int take_event(struct side *side, const rd_kafka_message_t *message, struct bs_error *err)
{
    struct part *part;
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        part = part_of(side, rd_kafka_topic_name(message->rkt), message->partition);
        if (part)
            part->end = message->offset;
        return 0;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        if (!side->missing_said)
            bs_log(&topic_missing, "%s: %s", side->task->options.connector,
                   rd_kafka_message_errstr(message));
        side->missing_said = true;
        return 0;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED: {
        char text[512];
        rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(side->consumer, text, sizeof(text));
        return bs_error_set(err, rt_kafka_error(fatal ? fatal : message->err), "%s",
                            fatal ? text : rd_kafka_message_errstr(message));
    }
    default:
        bs_log(&trouble, "%s: %s", side->task->options.connector, rd_kafka_message_errstr(message));
        return 0;
    }
}

/* Collects up to batch_max records; *ret_idle: nothing more at the moment. */
static int collect(struct side *side, bool *ret_idle, struct bs_error *err)
{
    int timeout_ms = POLL_MS;
    *ret_idle = false;
    while (side->count < side->batch_max) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(side->consumer, timeout_ms);
        if (side->failure.code) {
            if (message)
                rd_kafka_message_destroy(message);
            return bs_error_set(err, side->failure.code, "%s", side->failure.text);
        }
        if (!message) {
            *ret_idle = true;
            return 0;
        }
        timeout_ms = 0;
        if (message->err) {
            bool end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
            int result = take_event(side, message, err);
            rd_kafka_message_destroy(message);
            if (result < 0)
                return result;
            *ret_idle = end;
            if (end)
                return 0;
            continue;
        }
        side->messages[side->count++] = message;
    }
    return 0;
}

/* Converts and puts what was collected. 1: told to stop before it was put. */
static int deliver(struct side *side, struct bs_error *err)
{
    for (size_t i = 0; i < side->count; i++) {
        size_t before = side->record_count;
        int result;
        for (unsigned tries = 0;; tries++) {
            result = convert(side, side->messages[i], err);
            if (!rt_converter_may_pass(result))
                break;
            if (wait_served(side, err->text, tries))
                return 1;
        }
        if (result < 0)
            return result;
        if (side->record_count > before)
            side->sources[before] = i;
    }
    struct cn_batch batch = {.struct_size = sizeof(batch),
                             .record_size = sizeof(struct cn_record),
                             .records = side->records,
                             .count = side->record_count};
    for (unsigned tries = 0; side->record_count; tries++) {
        struct cn_error error = {.struct_size = sizeof(error)};
        int verdict = side->task->plugin->sink->put(side->plugin, &batch, &error);
        if (verdict == CN_OK)
            break;
        if (verdict != CN_RETRY) {
            if (side->failure.code)
                return bs_error_set(err, side->failure.code, "%s", side->failure.text);
            return bs_error_set(err, BS_EINVAL, "%s", error.text);
        }
        if (wait_served(side, error.text, tries))
            return 1;
        if (side->failure.code)
            return bs_error_set(err, side->failure.code, "%s", side->failure.text);
        if (!side->part_count) /* the partitions went to another task meanwhile, records and all */
            return 0;
    }
    for (size_t i = 0; i < side->count; i++) {
        const rd_kafka_message_t *message = side->messages[i];
        struct part *part = part_of(side, rd_kafka_topic_name(message->rkt), message->partition);
        if (part && message->offset + 1 > part->next)
            part->next = message->offset + 1;
    }
    bs_metric_add(&side->task->records, (int64_t)side->record_count);
    return 0;
}

/* What was waited for has come. */
static void waited(struct side *side)
{
    if (side->waiting)
        side->task->options.report(side->task->options.ctx, side->task, RT_TASK_RUNNING, NULL);
    side->waiting = false;
}

/* What was collected is put: ends that were met lie behind it. An empty partition's end, 0, is no
 * position to commit. */
static void take_ends(struct side *side)
{
    for (size_t i = 0; i < side->part_count; i++) {
        struct part *part = &side->parts[i];
        if (part->end > 0 && part->end > part->next)
            part->next = part->end;
        part->end = -1;
    }
}

static int loop(struct side *side, struct bs_error *err)
{
    bool idle = false;
    while (!rt_connector_task_stopping(side->task)) {
        int result = collect(side, &idle, err);
        if (result == 0 && side->count)
            result = deliver(side, err);
        drop_messages(side);
        if (result != 0)
            return result < 0 ? result : 0;
        waited(side);
        take_ends(side);
        if (uncommitted(side) &&
            (idle || rt_connector_now_ms() - side->last_commit_ms >= COMMIT_MS)) {
            result = flush(side, err);
            for (unsigned tries = 0; result == 1; tries++) {
                if (wait_served(side, err->text, tries))
                    return 0;
                result = flush(side, err);
            }
            if (result < 0)
                return result;
            waited(side);
        }
    }
    return flush(side, err) < 0 ? err->code : 0;
}

/* ---- life ---- */

/* A subscription looks for missing topics only now and then, so a while is spent on looking before:
 * at a first start the topic is made by its writer a moment later. */
static bool wait_topics(struct side *side, const rd_kafka_topic_partition_list_t *list)
{
    int64_t until = rt_connector_now_ms() + TOPICS_WAIT_MS;
    for (int i = 0; i < list->cnt;) {
        const char *topic = list->elems[i].topic;
        int partitions = 0;
        if (*topic == '^' || rt_kafka_partitions(side->consumer, topic, &partitions, NULL) < 0 ||
            partitions > 0 || rt_connector_now_ms() >= until) {
            i++;
            continue;
        }
        if (!side->missing_said)
            bs_log(&topic_missing, "%s: topic %s does not exist", side->task->options.connector,
                   topic);
        side->missing_said = true;
        if (rt_connector_task_wait(side->task, POLL_MS))
            return false;
    }
    return true;
}

static int subscribe(struct side *side, struct bs_error *err)
{
    const char *topics = rt_config_option(side->task->config, "topics");
    const char *regex = rt_config_option(side->task->config, "topics.regex");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);
    if (regex && *regex) {
        char *pattern = bs_asprintf("^%s", *regex == '^' ? regex + 1 : regex);
        rd_kafka_topic_partition_list_add(list, pattern, RD_KAFKA_PARTITION_UA);
        bs_free(pattern);
    }
    for (const char *at = topics ? topics : ""; *at;) {
        size_t len = strcspn(at, ","), from = strspn(at, " "), to = len;
        while (to > from && at[to - 1] == ' ')
            to--;
        char *topic = bs_strndup(at + from, to - from);
        if (*topic)
            rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
        bs_free(topic);
        at += len + (at[len] == ',');
    }
    if (!wait_topics(side, list)) {
        rd_kafka_topic_partition_list_destroy(list);
        return BS_ECANCELLED;
    }
    rd_kafka_resp_err_t code = rd_kafka_subscribe(side->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? bs_error_set(err, rt_kafka_error(code), "cannot subscribe: %s",
                               rd_kafka_err2str(code))
                : 0;
}

static int open_consumer(struct side *side, struct bs_error *err)
{
    struct cn_task *task = side->task;
    char *group = bs_asprintf("connect-%s", task->options.connector);
    char *member = bs_asprintf("connect-%s-%u", task->options.connector, task->options.index);
    const char *pairs[] = {"group.id",
                           group,
                           "group.instance.id",
                           member,
                           "enable.auto.commit",
                           "false",
                           "enable.auto.offset.store",
                           "false",
                           "auto.offset.reset",
                           "earliest",
                           "isolation.level",
                           "read_committed",
                           "enable.partition.eof",
                           "true",
                           "partition.assignment.strategy",
                           "range",
                           "session.timeout.ms",
                           "6000",
                           "heartbeat.interval.ms",
                           "1000",
                           "topic.metadata.refresh.interval.ms",
                           "1000",
                           "allow.auto.create.topics",
                           "false",
                           "queued.max.messages.kbytes",
                           "32768",
                           "fetch.wait.max.ms",
                           "100",
                           "fetch.queue.backoff.ms",
                           "10",
                           NULL};
    rd_kafka_conf_t *conf = rt_kafka_conf(task->options.bootstrap, member, pairs);
    rd_kafka_conf_set_rebalance_cb(conf, rebalance);
    rd_kafka_conf_set_opaque(conf, side);
    int result = rt_kafka_override(conf, task->config, "consumer.override.", err);
    if (result < 0)
        rd_kafka_conf_destroy(conf);
    else
        result = rt_kafka_open(RD_KAFKA_CONSUMER, conf, &side->consumer, err);
    bs_free(group);
    bs_free(member);
    if (result < 0)
        return result;
    rd_kafka_poll_set_consumer(side->consumer);
    return subscribe(side, err);
}

static int open_plugin(struct side *side, struct bs_error *err)
{
    struct cn_task *task = side->task;
    for (unsigned tries = 0;; tries++) {
        struct cn_error error = {.struct_size = sizeof(error)};
        struct cn_open open = {.struct_size = sizeof(open),
                               .task = task,
                               .config = task->config,
                               .connector = task->options.connector,
                               .index = task->options.index,
                               .count = task->options.count};
        if (side->plugin)
            task->plugin->sink->close(side->plugin);
        side->plugin = NULL;
        int verdict = task->plugin->sink->open(&open, &side->plugin, &error);
        if (verdict == CN_OK)
            return 0;
        if (verdict != CN_RETRY)
            return bs_error_set(err, BS_EINVAL, "%s", error.text);
        task->options.report(task->options.ctx, task, RT_TASK_WAITING, error.text);
        if (rt_connector_task_wait(task, rt_connector_task_pause_ms(task, tries)))
            return BS_ECANCELLED;
    }
}

static int open_side(struct side *side, struct bs_error *err)
{
    struct cn_task *task = side->task;
    struct cn_description about = {.struct_size = sizeof(about)};
    int64_t most = rt_config_int(task->config, "consumer.override.max.poll.records", 0);
    if (most <= 0)
        most = rt_config_int(task->config, "batch.size", BATCH_DEFAULT);
    side->batch_max = most < 1 ? 1 : most > BATCH_MAX ? BATCH_MAX : (size_t)most;
    side->messages = bs_array(side->batch_max, sizeof(*side->messages));
    side->records = bs_array(side->batch_max, sizeof(*side->records));
    side->sources = bs_array(side->batch_max, sizeof(*side->sources));
    side->rejected = bs_array(side->batch_max, sizeof(*side->rejected));
    task->plugin->describe(task->config, &about);
    int result =
        rt_converter_new(task->config, "key", "string", &task->options.registry, &side->key, err);
    if (result == 0)
        result = rt_converter_new(task->config, "value",
                                  about.value_converter ? about.value_converter : "auto",
                                  &task->options.registry, &side->value, err);
    if (result == 0)
        result = rt_letters_open(task, &side->letters, err);
    if (result == 0)
        result = open_plugin(side, err);
    if (result == 0)
        task->options.report(task->options.ctx, task, RT_TASK_RUNNING, NULL);
    if (result == 0)
        result = open_consumer(side, err);
    return result;
}

static void close_side(struct side *side)
{
    drop_messages(side);
    if (side->consumer) {
        rd_kafka_consumer_close(side->consumer);
        rd_kafka_destroy(side->consumer);
    }
    if (side->plugin)
        side->task->plugin->sink->close(side->plugin);
    rt_letters_close(side->letters);
    rt_converter_free(side->key);
    rt_converter_free(side->value);
    drop_parts(side);
    bs_free(side->messages);
    bs_free(side->records);
    bs_free(side->sources);
    bs_free(side->rejected);
    bs_arena_deinit(&side->arena);
}

int rt_sink_run(struct cn_task *task, struct bs_error *err)
{
    struct side side = {.task = task};
    task->side = &side;
    int result = open_side(&side, err);
    if (result == 0)
        result = loop(&side, err);
    close_side(&side);
    task->side = NULL;
    return result == BS_ECANCELLED ? 0 : result;
}
