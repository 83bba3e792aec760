/* Source: runs a source task, exactly once.
 *
 * Records and the position that covers them go out in one transaction: begun with the first record,
 * committed when the source has nothing more at the moment, or after 100 ms, 50,000 records or 16
 * MiB, always between two polls, so the last position told covers every record in it. A crash
 * before the commit leaves neither; at the start init_transactions ends what an earlier run (or
 * another worker) left open and fences it, and only then the positions are read. An abort goes back
 * to the stored position by opening the plugin anew.
 *
 * One thread: the task's. Format of positions: topic connect-offsets, key
 * ["connector",{partition}], value {offset}, as Kafka Connect. */
#include "runtime/connect/kafka.h"
#include "runtime/connect/convert.h"
#include "runtime/connect/task.h"
#include "runtime/connect/topics.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/serde/json.h"
#include "runtime/connect/tree.h"

#include <stdio.h>
#include <string.h>

enum {
    TXN_RECORDS_MAX = 50000,
    TXN_BYTES_MAX = 16 << 20,
    TXN_AGE_MS = 100,
    POLL_RECORDS = 10000,
    IDLE_MS = 100,
    CALL_MS = 30000,
    ABORTS_MAX = 5,
    TOPICS_MAX = 1000,
};

static const struct bs_event aborted = {
    "connect.transaction_aborted", BS_LOG_WARN,
    "A source's transaction was aborted; it goes on from the last stored position."};
static const struct bs_event waiting_registry = {
    "connect.waiting_registry", BS_LOG_WARN, "The schema registry cannot be reached; tried again."};

struct position {
    struct position *next;
    char *partition; /* JSON */
    char *offset;    /* JSON; the last one that was told or stored */
    bool changed;
};

struct topic {
    struct topic *next;
    char *name;
    rd_kafka_topic_t *handle;
};

struct side {
    struct cn_task *task;
    rd_kafka_t *producer;
    rd_kafka_topic_t *offsets;
    struct topic *topics;
    size_t topic_count;
    struct rt_converter *key, *value;
    struct bs_bytes key_header, value_header; /* schema ids of the record at hand */
    struct position *positions;
    struct bs_arena arena;        /* of the record in hand */
    struct bs_arena stored_arena; /* of what `stored` gave */
    struct bs_buf key_bytes, value_bytes, text;
    void *plugin;
    bool open; /* a transaction is under way */
    size_t txn_records, txn_bytes;
    int64_t txn_started_ms;
    size_t emitted; /* in this poll */
    int emit_code;  /* BS_E… of the last failure in emit */
};

/* ---- positions ---- */

static const char *value_text(struct side *side, const struct cn_value *value, struct bs_buf *out)
{
    struct sd_value tree;
    bs_buf_reset(out);
    rt_tree_to_serde(value, &side->arena, &tree);
    sd_json_write(&tree, true, out, NULL);
    return bs_buf_text(out);
}

static struct position *position_of(struct side *side, const char *partition, bool make)
{
    struct position *at = side->positions;
    while (at && strcmp(at->partition, partition) != 0)
        at = at->next;
    if (at || !make)
        return at;
    at = bs_new(struct position);
    *at = (struct position){.next = side->positions, .partition = bs_strdup(partition)};
    return side->positions = at;
}

void rt_source_position(struct cn_task *task, const struct cn_value *partition,
                        const struct cn_value *offset)
{
    struct side *side = task->side;
    struct position *position = position_of(side, value_text(side, partition, &side->text), true);
    const char *text = value_text(side, offset, &side->text);
    if (position->offset && !strcmp(position->offset, text))
        return;
    bs_free(position->offset);
    position->offset = bs_strdup(text);
    position->changed = true;
    bs_arena_reset(&side->arena);
}

const struct cn_value *rt_source_stored(struct cn_task *task, const struct cn_value *partition)
{
    struct side *side = task->side;
    struct sd_value tree;
    struct position *position = position_of(side, value_text(side, partition, &side->text), false);
    if (!position || !position->offset ||
        sd_json_read(bs_bytes_text(position->offset), &side->stored_arena, &tree, NULL) < 0)
        return NULL;
    struct cn_value *value = bs_arena_alloc(&side->stored_arena, sizeof(*value));
    rt_tree_from_serde(&tree, &side->stored_arena, value);
    return value;
}

static void drop_positions(struct side *side)
{
    while (side->positions) {
        struct position *next = side->positions->next;
        bs_free(side->positions->partition);
        bs_free(side->positions->offset);
        bs_free(side->positions);
        side->positions = next;
    }
}

static void take_position(void *ctx, const char *partition, const char *offset)
{
    struct position *position = position_of(ctx, partition, true);
    bs_free(position->offset);
    position->offset = bs_strdup(offset);
}

static int read_positions(struct side *side, struct bs_error *err)
{
    drop_positions(side);
    return rt_topics_read_offsets(side->task->options.bootstrap, side->task->options.connector,
                                  take_position, side, err);
}

/* ---- producing ---- */

static int make_topic(struct side *side, const char *name, struct bs_error *err)
{
    static const char prefix[] = "topic.creation.default.";
    const struct cn_config *config = side->task->config;
    const char **pairs = bs_array(config->count * 2 + 1, sizeof(*pairs));
    size_t n = 0;
    for (size_t i = 0; i < config->count; i++) {
        const char *option = config->names[i];
        if (strncmp(option, prefix, sizeof(prefix) - 1) != 0)
            continue;
        option += sizeof(prefix) - 1;
        if (!strcmp(option, "partitions") || !strcmp(option, "replication.factor"))
            continue;
        pairs[n++] = option;
        pairs[n++] = config->values[i];
    }
    int result = rt_kafka_topic_make(
        side->producer, name, (int)rt_config_int(config, "topic.creation.default.partitions", -1),
        (int)rt_config_int(config, "topic.creation.default.replication.factor", -1), pairs, err);
    bs_free(pairs);
    return result;
}

static int topic_of(struct side *side, const char *name, rd_kafka_topic_t **ret,
                    struct bs_error *err)
{
    for (struct topic *at = side->topics; at; at = at->next)
        if (!strcmp(at->name, name)) {
            *ret = at->handle;
            return 0;
        }
    if (side->topic_count == TOPICS_MAX)
        return bs_error_set(err, BS_ELIMIT, "more than %d topics", TOPICS_MAX);
    int result = make_topic(side, name, err);
    if (result < 0)
        return result;
    struct topic *topic = bs_new(struct topic);
    *topic = (struct topic){.next = side->topics,
                            .name = bs_strdup(name),
                            .handle = rd_kafka_topic_new(side->producer, name, NULL)};
    side->topics = topic;
    side->topic_count++;
    *ret = topic->handle;
    return 0;
}

static int begin(struct side *side, struct bs_error *err)
{
    if (side->open)
        return 0;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(side->producer);
    if (error) {
        int result = bs_error_set(err, rt_kafka_error(rd_kafka_error_code(error)),
                                  "cannot begin a transaction: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        return result;
    }
    side->open = true;
    side->txn_records = side->txn_bytes = 0;
    side->txn_started_ms = rt_connector_now_ms();
    return 0;
}

static rd_kafka_headers_t *headers_of(struct side *side, const struct cn_record *record)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count + 2);
    for (size_t i = 0; i < record->header_count; i++) {
        const struct cn_header *header = &record->headers[i];
        bool plain = header->value.type == CN_STRING || header->value.type == CN_BYTES;
        const char *text =
            plain ? header->value.text.ptr : value_text(side, &header->value, &side->text);
        size_t len = plain ? header->value.text.len : side->text.len;
        if (header->value.type == CN_NULL)
            text = NULL;
        rd_kafka_header_add(headers, header->name.ptr, (ssize_t)header->name.len, text,
                            text ? (ssize_t)len : 0);
    }
    if (side->key_header.ptr)
        rd_kafka_header_add(headers, rc_schema_header(true), -1, side->key_header.ptr,
                            (ssize_t)side->key_header.len);
    if (side->value_header.ptr)
        rd_kafka_header_add(headers, rc_schema_header(false), -1, side->value_header.ptr,
                            (ssize_t)side->value_header.len);
    return headers;
}

static int produce(struct side *side, rd_kafka_topic_t *topic, const struct cn_record *record,
                   bool null_key, bool null_value, struct bs_error *err)
{
    static const uint8_t empty[1];
    const struct bs_buf *key = &side->key_bytes, *value = &side->value_bytes;
    for (;;) {
        rd_kafka_resp_err_t code;
        const void *k = null_key ? NULL : key->len ? key->data : empty;
        const void *v = null_value ? NULL : value->len ? value->data : empty;
        if (record->header_count == 0 && record->timestamp < 0 && !side->key_header.ptr &&
            !side->value_header.ptr) {
            int failed =
                rd_kafka_produce(topic, record->partition, RD_KAFKA_MSG_F_COPY, (void *)v,
                                 null_value ? 0 : value->len, k, null_key ? 0 : key->len, NULL);
            code = failed ? rd_kafka_last_error() : RD_KAFKA_RESP_ERR_NO_ERROR;
        } else {
            rd_kafka_headers_t *headers = headers_of(side, record);
            code = rd_kafka_producev(
                side->producer, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(record->partition),
                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                RD_KAFKA_V_VALUE((void *)v, null_value ? 0 : value->len),
                RD_KAFKA_V_KEY(k, null_key ? 0 : key->len),
                RD_KAFKA_V_TIMESTAMP(record->timestamp < 0 ? 0 : record->timestamp),
                RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
            if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
                rd_kafka_headers_destroy(headers);
        }
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return bs_error_set(err, rt_kafka_error(code), "cannot produce to topic %s: %s",
                                rd_kafka_topic_name(topic), rd_kafka_err2str(code));
        rd_kafka_poll(side->producer, 100);
        if (rt_connector_task_stopping(side->task))
            return bs_error_set(err, BS_ECANCELLED, "stopped");
    }
}

static int convert(struct side *side, const struct cn_record *record, bool *ret_null_key,
                   bool *ret_null_value, struct bs_error *err)
{
    bs_arena_reset(&side->arena);
    bs_buf_reset(&side->key_bytes);
    bs_buf_reset(&side->value_bytes);
    int result =
        rt_converter_write(side->key, record->topic, &record->key, record->key_schema, &side->arena,
                           &side->key_bytes, ret_null_key, &side->key_header, err);
    if (result < 0)
        return bs_error_wrap(err, "key");
    result = rt_converter_write(side->value, record->topic, &record->value, record->value_schema,
                                &side->arena, &side->value_bytes, ret_null_value,
                                &side->value_header, err);
    return result < 0 ? bs_error_wrap(err, "value") : 0;
}

int rt_source_emit(struct cn_task *task, const struct cn_record *record, struct cn_error *error)
{
    struct side *side = task->side;
    struct bs_error err = {0};
    rd_kafka_topic_t *topic = NULL;
    bool null_key, null_value;
    int result;
    for (unsigned tries = 0;; tries++) {
        result = convert(side, record, &null_key, &null_value, &err);
        if (!rt_converter_may_pass(result))
            break;
        if (tries % 16 == 0)
            bs_log(&waiting_registry, "%s: %s", task->options.connector, err.text);
        if (rt_connector_task_wait(task, rt_connector_task_pause_ms(task, tries)))
            return CN_STOP;
    }
    if ((result == BS_EINVAL || result == BS_ERANGE) && task->tolerant &&
        rt_connector_task_reject(task, err.text))
        return CN_OK;
    if (result == 0)
        result = topic_of(side, record->topic, &topic, &err);
    if (result == 0)
        result = begin(side, &err);
    if (result == 0)
        result = produce(side, topic, record, null_key, null_value, &err);
    if (result == BS_ECANCELLED)
        return CN_STOP;
    side->emit_code = result;
    if (result < 0) {
        snprintf(error->text, sizeof(error->text), "%.990s", err.text);
        return CN_FAIL;
    }
    side->emitted++;
    side->txn_records++;
    side->txn_bytes += side->key_bytes.len + side->value_bytes.len + 64;
    return CN_OK;
}

/* ---- transactions ---- */

static int produce_positions(struct side *side, struct bs_error *err)
{
    for (struct position *at = side->positions; at; at = at->next) {
        struct cn_record record = {.partition = RD_KAFKA_PARTITION_UA, .timestamp = -1};
        side->key_header = side->value_header = (struct bs_bytes){0};
        if (!at->changed)
            continue;
        rt_topics_offset_key(side->task->options.connector, at->partition, &side->key_bytes);
        bs_buf_reset(&side->value_bytes);
        bs_buf_puts(&side->value_bytes, at->offset);
        int result = produce(side, side->offsets, &record, false, false, err);
        if (result < 0)
            return result;
    }
    return 0;
}

/* A negative code with *ret_abort: the transaction can be aborted and tried again; without, nothing
 * can go on. */
static int commit(struct side *side, bool *ret_abort, struct bs_error *err)
{
    *ret_abort = false;
    int result = begin(side, err);
    if (result == 0)
        result = produce_positions(side, err);
    if (result < 0)
        return result;
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(side->producer, CALL_MS);
        if (!error)
            break;
        bool again = rd_kafka_error_is_retriable(error);
        *ret_abort = rd_kafka_error_txn_requires_abort(error);
        result = bs_error_set(err, rt_kafka_error(rd_kafka_error_code(error)),
                              "cannot commit a transaction: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (!again || *ret_abort)
            return result;
        if (rt_connector_task_stopping(side->task))
            return result;
    }
    side->open = false;
    bs_metric_add(&side->task->records, (int64_t)side->txn_records);
    for (struct position *at = side->positions; at; at = at->next)
        at->changed = false;
    return 0;
}

static bool anything_changed(const struct side *side)
{
    for (const struct position *at = side->positions; at; at = at->next)
        if (at->changed)
            return true;
    return false;
}

static void abort_transaction(struct side *side)
{
    if (!side->open)
        return;
    rd_kafka_error_t *error = rd_kafka_abort_transaction(side->producer, CALL_MS);
    if (error)
        rd_kafka_error_destroy(error);
    side->open = false;
}

/* ---- life ---- */

static int open_producer(struct side *side, struct bs_error *err)
{
    struct cn_task *task = side->task;
    char *id = bs_asprintf("connect-%s-%s-%u", task->options.group_id, task->options.connector,
                           task->options.index);
    const char *pairs[] = {"transactional.id",
                           id,
                           "transaction.timeout.ms",
                           "10000",
                           "linger.ms",
                           "5",
                           "batch.size",
                           "1000000",
                           "batch.num.messages",
                           "20000",
                           "queue.buffering.max.messages",
                           "200000",
                           "queue.buffering.max.kbytes",
                           "65536",
                           "partitioner",
                           "murmur2_random",
                           "message.timeout.ms",
                           "10000",
                           NULL};
    rd_kafka_conf_t *conf = rt_kafka_conf(task->options.bootstrap, id, pairs);
    int result = rt_kafka_override(conf, task->config, "producer.override.", err);
    if (result < 0)
        rd_kafka_conf_destroy(conf);
    else
        result = rt_kafka_open(RD_KAFKA_PRODUCER, conf, &side->producer, err);
    bs_free(id);
    if (result ==
        0) { /* connected first, the coordinator is found at once, not at the next half second */
        const struct rd_kafka_metadata *metadata = NULL;
        if (!rd_kafka_metadata(side->producer, 0, NULL, &metadata, CALL_MS))
            rd_kafka_metadata_destroy(metadata);
    }
    for (unsigned tries = 0; result == 0; tries++) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(side->producer, CALL_MS);
        if (!error)
            break;
        bool again = rd_kafka_error_is_retriable(error);
        bs_error_set(err, rt_kafka_error(rd_kafka_error_code(error)),
                     "cannot start transactions: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (!again)
            return err ? err->code : BS_EIO;
        task->options.report(task->options.ctx, task, RT_TASK_WAITING, err ? err->text : NULL);
        if (rt_connector_task_wait(task, rt_connector_task_pause_ms(task, tries)))
            return bs_error_set(err, BS_ECANCELLED, "stopped");
    }
    if (result == 0)
        side->offsets = rd_kafka_topic_new(side->producer, RT_TOPIC_OFFSETS, NULL);
    return result;
}

static int open_converters(struct side *side, struct bs_error *err)
{
    struct cn_task *task = side->task;
    struct cn_description about = {.struct_size = sizeof(about)};
    task->plugin->describe(task->config, &about);
    int result =
        rt_converter_new(task->config, "key", "string", &task->options.registry, &side->key, err);
    if (result == 0)
        result = rt_converter_new(task->config, "value",
                                  about.value_converter ? about.value_converter : "json",
                                  &task->options.registry, &side->value, err);
    return result;
}

static void close_plugin(struct side *side)
{
    if (side->plugin)
        side->task->plugin->source->close(side->plugin);
    side->plugin = NULL;
}

/* Opens the plugin at the stored positions; waits while it asks to. 1: told to stop. */
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
        close_plugin(side);
        int verdict = task->plugin->source->open(&open, &side->plugin, &error);
        bs_arena_reset(&side->stored_arena);
        if (verdict == CN_OK) {
            task->options.report(task->options.ctx, task, RT_TASK_RUNNING, NULL);
            return 0;
        }
        if (verdict != CN_RETRY)
            return bs_error_set(err, BS_EINVAL, "%s", error.text);
        task->options.report(task->options.ctx, task, RT_TASK_WAITING, error.text);
        if (rt_connector_task_wait(task, rt_connector_task_pause_ms(task, tries)))
            return 1;
    }
}

/* After an abort: from the stored position again. */
static int start_again(struct side *side, unsigned *aborts, struct bs_error *err)
{
    bs_log(&aborted, "%s-%u: %s", side->task->options.connector, side->task->options.index,
           err->text);
    abort_transaction(side);
    if (++*aborts > ABORTS_MAX)
        return err->code;
    if (rt_connector_task_wait(side->task, rt_connector_task_pause_ms(side->task, *aborts)))
        return 1;
    int result = read_positions(side, err);
    return result < 0 ? result : open_plugin(side, err);
}

static bool commit_due(const struct side *side, int verdict)
{
    if (!side->open)
        return anything_changed(side);
    return side->emitted == 0 || verdict != CN_OK || side->txn_records >= TXN_RECORDS_MAX ||
           side->txn_bytes >= TXN_BYTES_MAX ||
           rt_connector_now_ms() - side->txn_started_ms >= TXN_AGE_MS;
}

/* 0: told to stop. */
static int loop(struct side *side, struct bs_error *err)
{
    struct cn_task *task = side->task;
    unsigned tries = 0, aborts = 0;
    bool stop = false;
    while (!stop) {
        struct cn_error error = {.struct_size = sizeof(error)};
        bool abort = false;
        side->emitted = 0;
        side->emit_code = 0;
        int verdict = task->plugin->source->poll(side->plugin, POLL_RECORDS, &error);
        if (verdict == CN_FAIL) {
            if (task->reason.code)
                return bs_error_set(err, task->reason.code, "%s", task->reason.text);
            return bs_error_set(err, side->emit_code ? side->emit_code : BS_EINVAL, "%s",
                                error.text);
        }
        stop = verdict == CN_STOP || rt_connector_task_stopping(task);
        if (commit_due(side, verdict) || (stop && side->open)) {
            int result = commit(side, &abort, err);
            if (result < 0 && !abort)
                return result;
            if (result < 0) {
                if ((result = start_again(side, &aborts, err)) != 0)
                    return result < 0 ? result : 0;
                continue;
            }
            aborts = 0;
            if (task->plugin->source->commit)
                task->plugin->source->commit(side->plugin);
        }
        if (verdict == CN_COMPLETE) {
            task->options.report(task->options.ctx, task, RT_TASK_COMPLETE, NULL);
            rt_connector_task_wait(task, -1);
            return 0;
        }
        if (verdict == CN_RETRY) {
            task->options.report(task->options.ctx, task, RT_TASK_WAITING, error.text);
            stop = stop || rt_connector_task_wait(task, rt_connector_task_pause_ms(task, tries++));
        } else {
            tries = 0;
            if (!stop && side->emitted == 0)
                stop = rt_connector_task_wait(task, IDLE_MS);
        }
    }
    return 0;
}

static void close_side(struct side *side)
{
    close_plugin(side);
    while (side->topics) {
        struct topic *next = side->topics->next;
        rd_kafka_topic_destroy(side->topics->handle);
        bs_free(side->topics->name);
        bs_free(side->topics);
        side->topics = next;
    }
    if (side->offsets)
        rd_kafka_topic_destroy(side->offsets);
    if (side->producer)
        rd_kafka_destroy(side->producer);
    rt_converter_free(side->key);
    rt_converter_free(side->value);
    drop_positions(side);
    bs_arena_deinit(&side->arena);
    bs_arena_deinit(&side->stored_arena);
    bs_buf_deinit(&side->key_bytes);
    bs_buf_deinit(&side->value_bytes);
    bs_buf_deinit(&side->text);
}

int rt_source_run(struct cn_task *task, struct bs_error *err)
{
    struct side side = {.task = task};
    task->side = &side;
    int result = open_converters(&side, err);
    if (result == 0)
        result = open_producer(&side, err);
    if (result == 0)
        result = read_positions(&side, err);
    if (result == 0)
        result = open_plugin(&side, err);
    if (result == 0)
        result = loop(&side, err);
    abort_transaction(&side);
    close_side(&side);
    task->side = NULL;
    return result == BS_ECANCELLED || result > 0 ? 0 : result;
}
