/* Global tables. All partitions of each table's topic are read by every worker, committed records
 * only, outside any group. Rows and positions go to RocksDB in one batch; a position that the topic
 * does not have (any more) rebuilds its table. The first read runs on the app's thread, the rest on
 * one of its own. */
#include "runtime/worker/keeper.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static const struct bs_event READ = {"worker.global-table-read", BS_LOG_INFO,
                                     "A global table was read to its end; the pipeline may start."};
static const struct bs_event REBUILT = {
    "worker.global-table-rebuilt", BS_LOG_WARN,
    "A global table stood where its topic has no records (any more); it is read from the start."};

enum { BATCH = 1000, POLL_MS = 100 };

struct place {
    size_t table;
    int32_t partition;
    int64_t position, target;
};

struct rt_keeper {
    struct rt_app *app;
    rd_kafka_t *consumer;
    struct place *places;
    size_t count;
    int64_t records;
    pthread_t thread;
    bool started;
};

static int add_table(struct rt_keeper *keeper, size_t table, struct bs_error *err)
{
    struct rt_app *app = keeper->app;
    const char *topic = app->plan->globals[table].topic;
    int32_t partitions = rt_topics_partitions(&app->topics, topic);
    size_t first_place = keeper->count;
    bool rebuild = false;
    int rc = 0;
    keeper->places =
        bs_realloc(keeper->places, (keeper->count + (size_t)partitions) * sizeof *keeper->places);
    for (int32_t p = 0; p < partitions && rc == 0; p++) {
        struct place *place = &keeper->places[keeper->count++];
        int64_t first, end;
        *place = (struct place){.table = table, .partition = p};
        rc = rt_globals_position(app->globals, table, p, &place->position, err);
        if (rc == 0)
            rc = rt_client_ends(app->admin, topic, p, &first, &end, err);
        if (rc != 0)
            break;
        place->target = end;
        rebuild = rebuild || place->position > end;
        if (place->position < first)
            place->position = first;
    }
    if (rc != 0 || !rebuild)
        return rc;
    bs_log(&REBUILT, "topic %s", topic);
    for (size_t i = first_place; i < keeper->count; i++)
        keeper->places[i].position = 0;
    return rt_globals_wipe(app->globals, table, partitions, err);
}

static int open_consumer(struct rt_keeper *keeper, struct bs_error *err)
{
    char group[300];
    const struct rt_client_option options[] = {{"group.id", group},
                                               {"isolation.level", "read_committed"},
                                               {"enable.auto.commit", "false"},
                                               {"auto.offset.reset", "earliest"},
                                               {"enable.partition.eof", "true"},
                                               {"fetch.error.backoff.ms", "20"},
                                               {"fetch.wait.max.ms", "50"},

                                               {"queued.max.messages.kbytes", "4096"},
                                               {0}};
    struct rt_client_spec spec = {.type = RD_KAFKA_CONSUMER,
                                  .bootstrap = keeper->app->shared->settings->bootstrap,
                                  .client_id = group,
                                  .options = options,
                                  .where = keeper->app->plan->file};
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;
    int rc;
    snprintf(group, sizeof group, "%s-global", keeper->app->plan->app_id);
    rc = rt_client_open(&spec, &keeper->consumer, err);
    if (rc != 0)
        return rc;
    rd_kafka_poll_set_consumer(keeper->consumer);
    list = rd_kafka_topic_partition_list_new((int)keeper->count);
    for (size_t i = 0; i < keeper->count; i++)
        rd_kafka_topic_partition_list_add(list,
                                          keeper->app->plan->globals[keeper->places[i].table].topic,
                                          keeper->places[i].partition)
            ->offset = keeper->places[i].position;
    code = rd_kafka_assign(keeper->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : rt_client_fail(err, code, "global tables");
}

/* Rows are kept as their topic has them, but for schema ids that stand in headers: rows have none.
 */
static int take_schema_header(struct rt_keeper *keeper, const rd_kafka_message_t *message, bool key,
                              struct bs_buf *buf, struct bs_bytes *data, struct bs_error *err)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    int rc;
    if (!data->ptr || rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, rc_schema_header(key), &value, &len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        !value)
        return 0;
    bs_buf_reset(buf);
    rc = rt_schema_plain(&keeper->app->shared->schemas, bs_bytes(value, len), *data, buf, err);
    *data = bs_buf_bytes(buf);
    return rc == 0 ? 0
                   : bs_error_wrap(err, "%s[%d]@%lld", rd_kafka_topic_name(message->rkt),
                                   (int)message->partition, (long long)message->offset);
}

static int put_row(struct rt_keeper *keeper, size_t table, const rd_kafka_message_t *message,
                   struct bs_error *err)
{
    const struct rt_global *global = &keeper->app->plan->globals[table];
    struct bs_bytes key = bs_bytes(message->key, message->key_len);
    struct bs_bytes value = bs_bytes(message->payload, message->payload ? message->len : 0);
    struct bs_buf key_buf = BS_BUF_INIT, value_buf = BS_BUF_INIT;
    rd_kafka_timestamp_type_t type;
    int rc = 0;
    if (global->avro_key)
        rc = take_schema_header(keeper, message, true, &key_buf, &key, err);
    if (rc == 0 && global->avro_value)
        rc = take_schema_header(keeper, message, false, &value_buf, &value, err);
    if (rc == 0)
        rt_globals_put(keeper->app->globals, table, key, value,
                       rd_kafka_message_timestamp(message, &type));
    bs_buf_deinit(&key_buf);
    bs_buf_deinit(&value_buf);
    return rc;
}

static int take(struct rt_keeper *keeper, const rd_kafka_message_t *message, struct bs_error *err)
{
    bool eof = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    int rc = 0;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !eof) {
        if (bs_error_class(rt_client_code(message->err)) == BS_RETRY)
            return 0;
        return rt_client_fail(err, message->err, "reading a global table");
    }
    for (size_t i = 0; i < keeper->count; i++) {
        struct place *place = &keeper->places[i];
        if (place->partition != message->partition ||
            strcmp(keeper->app->plan->globals[place->table].topic,
                   rd_kafka_topic_name(message->rkt)) != 0)
            continue;
        place->position = eof ? message->offset : message->offset + 1;
        rt_globals_set_position(keeper->app->globals, place->table, place->partition,
                                place->position);
        if (eof || !message->key) /* a row without a key is no row: Kafka Streams skips it too */
            continue;
        rc = put_row(keeper, place->table, message, err);
        if (rc != 0)
            break;
        keeper->records++;
    }
    return rc;
}

static int read_batch(struct rt_keeper *keeper, struct bs_error *err)
{
    int rc = 0, n = 0;
    for (; n < BATCH && rc == 0; n++) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(keeper->consumer, n ? 0 : POLL_MS);
        if (!message)
            break;
        rc = take(keeper, message, err);
        rd_kafka_message_destroy(message);
    }
    return rc == 0 && n > 0 ? rt_globals_write(keeper->app->globals, err) : rc;
}

static bool at_targets(const struct rt_keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++)
        if (keeper->places[i].position < keeper->places[i].target)
            return false;
    return true;
}

static void *run(void *arg)
{
    struct rt_keeper *keeper = arg;
    struct bs_error err = {0};
    while (!rt_progress_stopping(keeper->app->progress))
        if (read_batch(keeper, &err) != 0) {
            rt_progress_phase(keeper->app->progress, RT_PHASE_FAILED, err.text);
            break;
        }
    return NULL;
}

int rt_keeper_open(struct rt_app *app, struct rt_keeper **ret, struct bs_error *err)
{
    struct rt_keeper *keeper = bs_new(struct rt_keeper);
    int rc = 0;
    keeper->app = app;
    for (size_t i = 0; i < app->plan->global_count && rc == 0; i++)
        rc = add_table(keeper, i, err);
    if (rc == 0)
        rc = open_consumer(keeper, err);
    while (rc == 0 && !at_targets(keeper)) {
        rc = read_batch(keeper, err);
        if (rc == 0 && rt_progress_stopping(app->progress))
            rc = bs_error_set(err, BS_ECANCELLED, "stopped while reading global tables");
    }
    if (rc == 0) {
        bs_log(&READ, "%s: %zu tables, %lld new records", app->plan->app_id,
               app->plan->global_count, (long long)keeper->records);
        keeper->started = pthread_create(&keeper->thread, NULL, run, keeper) == 0;
        if (!keeper->started)
            rc = bs_error_set(err, BS_ENOMEM, "cannot start a thread for global tables");
    }
    if (rc != 0) {
        rt_keeper_close(keeper);
        keeper = NULL;
    }
    *ret = keeper;
    return rc;
}

void rt_keeper_close(struct rt_keeper *keeper)
{
    if (!keeper)
        return;
    if (keeper->started)
        pthread_join(keeper->thread, NULL);
    if (keeper->consumer) {
        rd_kafka_consumer_close(keeper->consumer);
        rd_kafka_destroy(keeper->consumer);
    }
    bs_free(keeper->places);
    bs_free(keeper);
}
