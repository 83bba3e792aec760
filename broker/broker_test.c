/* The broker as its clients see it: the role on a free port, and librdkafka in the same process:
 * topics, idempotent produce, groups, transactions with read_committed, and a restart on the same
 * data. */
#include "broker/broker.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { WAIT_MS = 20000 };

struct world {
    char dir[64];
    struct bs_config *config;
    void *self;
    char listen[64];
    const char *rewrite_bytes;
};

static void start(struct world *w, const char *listen)
{
    struct bs_error err = {0};
    struct bs_buf health = BS_BUF_INIT;
    char *at;
    w->config = bs_config_new(bk_role.tables, bk_role.table_count);
    assert_int_equal(bs_config_set(w->config, "listeners", listen, "test", &err), 0);
    assert_int_equal(bs_config_set(w->config, "log.dirs", w->dir, "test", &err), 0);
    assert_int_equal(
        bs_config_set(w->config, "group.initial.rebalance.delay.ms", "0", "test", &err), 0);
    if (w->rewrite_bytes)
        assert_int_equal(bs_config_set(w->config, "weir.coordinator.rewrite.bytes",
                                       w->rewrite_bytes, "test", &err),
                         0);
    if (bk_role.open(w->config, NULL, &w->self, &err))
        fail_msg("%s", err.text);
    bk_role.health(w->self, &health);
    at = strstr(bs_buf_text(&health), "\"listen\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"listen\":\"%63[^\"]", w->listen), 1);
    bs_buf_deinit(&health);
}

static void stop(struct world *w)
{
    bk_role.close(w->self);
    bs_config_free(w->config);
}

static int setup(void **state)
{
    struct world *w = bs_new(struct world);
    snprintf(w->dir, sizeof w->dir, "/tmp/weir-broker-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    start(w, "127.0.0.1:0");
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    char *command;
    stop(w);
    command = bs_asprintf("rm -rf '%s'", w->dir);
    assert_int_equal(system(command), 0);
    bs_free(command);
    bs_free(w);
    return 0;
}

static rd_kafka_t *client(struct world *w, rd_kafka_type_t type, const char *const *settings)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *rk;
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", w->listen, text, sizeof text),
                     RD_KAFKA_CONF_OK);
    for (; settings && *settings; settings += 2)
        if (rd_kafka_conf_set(conf, settings[0], settings[1], text, sizeof text))
            fail_msg("%s", text);
    rk = rd_kafka_new(type, conf, text, sizeof text);
    if (!rk)
        fail_msg("%s", text);
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(rk);
    return rk;
}

static void create_topic(struct world *w, const char *name, int partitions)
{
    rd_kafka_t *rk = client(w, RD_KAFKA_PRODUCER, NULL);
    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_event_t *event;
    const rd_kafka_topic_result_t **results;
    size_t count;
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    event = rd_kafka_queue_poll(queue, WAIT_MS);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    assert_int_equal(count, 1);
    assert_int_equal(rd_kafka_topic_result_error(results[0]), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_destroy(rk);
}

static void produce(rd_kafka_t *rk, const char *topic, const char *prefix, int from, int to)
{
    for (int i = from; i < to; i++) {
        char value[64];
        int len = snprintf(value, sizeof value, "%s%d", prefix, i);
        assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(i % 2),
                                           RD_KAFKA_V_VALUE(value, (size_t)len),
                                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                           RD_KAFKA_V_END),
                         0);
    }
    assert_int_equal(rd_kafka_flush(rk, WAIT_MS), 0);
}

/* Consumes by group until every partition's end; gives the count of records that start with
 * `prefix`, and of all. */
static int consume(struct world *w, const char *group, const char *topic, const char *isolation,
                   const char *prefix, int *ret_all)
{
    const char *settings[] = {"group.id",
                              group,
                              "auto.offset.reset",
                              "earliest",
                              "isolation.level",
                              isolation,
                              "enable.partition.eof",
                              "true",
                              "enable.auto.commit",
                              "false",
                              NULL};
    rd_kafka_t *rk = client(w, RD_KAFKA_CONSUMER, settings);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    int ends = 0, found = 0, all = 0;
    rd_kafka_topic_partition_list_add(topics, topic, RD_KAFKA_PARTITION_UA);
    assert_int_equal(rd_kafka_subscribe(rk, topics), 0);
    rd_kafka_topic_partition_list_destroy(topics);
    while (ends < 2) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
        assert_non_null(message);
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ends++;
        } else if (message->err) {
            fail_msg("%s", rd_kafka_message_errstr(message));
        } else {
            all++;
            found += message->len > strlen(prefix) &&
                     memcmp(message->payload, prefix, strlen(prefix)) == 0;
        }
        rd_kafka_message_destroy(message);
    }
    if (all)
        assert_int_equal(rd_kafka_commit(rk, NULL, 0), 0);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    if (ret_all)
        *ret_all = all;
    return found;
}

static void test_produce_and_groups(void **state)
{
    struct world *w = *state;
    const char *settings[] = {"enable.idempotence", "true", "compression.type", "lz4", NULL};
    rd_kafka_t *rk;
    int all;
    create_topic(w, "plain", 2);
    rk = client(w, RD_KAFKA_PRODUCER, settings);
    produce(rk, "plain", "a", 0, 1000);
    rd_kafka_destroy(rk);
    assert_int_equal(consume(w, "g1", "plain", "read_uncommitted", "a", &all), 1000);
    assert_int_equal(all, 1000);
    /* The group has committed: nothing again. Another group sees all. */
    consume(w, "g1", "plain", "read_uncommitted", "a", &all);
    assert_int_equal(all, 0);
    assert_int_equal(consume(w, "g2", "plain", "read_committed", "a", NULL), 1000);
}

static void check(rd_kafka_error_t *error)
{
    if (error)
        fail_msg("%s", rd_kafka_error_string(error));
}

static void test_transactions(void **state)
{
    struct world *w = *state;
    const char *settings[] = {"transactional.id", "tx1", NULL};
    rd_kafka_t *rk, *again;
    rd_kafka_error_t *error;
    int all;
    create_topic(w, "txn", 2);
    rk = client(w, RD_KAFKA_PRODUCER, settings);
    check(rd_kafka_init_transactions(rk, WAIT_MS));
    for (int round = 0; round < 5; round++) {
        check(rd_kafka_begin_transaction(rk));
        produce(rk, "txn", "kept", round * 10, round * 10 + 10);
        check(rd_kafka_commit_transaction(rk, WAIT_MS));
        check(rd_kafka_begin_transaction(rk));
        produce(rk, "txn", "gone", round * 10, round * 10 + 10);
        check(rd_kafka_abort_transaction(rk, WAIT_MS));
    }
    assert_int_equal(consume(w, "gc", "txn", "read_committed", "kept", &all), 50);
    assert_int_equal(all, 50);
    assert_int_equal(consume(w, "gu", "txn", "read_uncommitted", "gone", &all), 50);
    assert_int_equal(all, 100);
    /* Open: read_committed stops before it. A second instance takes over and fences the first. */
    check(rd_kafka_begin_transaction(rk));
    produce(rk, "txn", "open", 0, 10);
    consume(w, "gc2", "txn", "read_committed", "open", &all);
    assert_int_equal(all, 50);
    again = client(w, RD_KAFKA_PRODUCER, settings);
    check(rd_kafka_init_transactions(again, WAIT_MS));
    error = rd_kafka_commit_transaction(rk, WAIT_MS);
    assert_non_null(error);
    rd_kafka_error_destroy(error);
    rd_kafka_destroy(rk);
    check(rd_kafka_begin_transaction(again));
    produce(again, "txn", "kept", 50, 60);
    check(rd_kafka_commit_transaction(again, WAIT_MS));
    rd_kafka_destroy(again);
    assert_int_equal(consume(w, "gc3", "txn", "read_committed", "kept", &all), 60);
    assert_int_equal(all, 60);
}

static int64_t committed(struct world *w, const char *group, const char *topic)
{
    const char *settings[] = {"group.id", group, NULL};
    rd_kafka_t *rk = client(w, RD_KAFKA_CONSUMER, settings);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int64_t offset;
    rd_kafka_topic_partition_list_add(list, topic, 0);
    assert_int_equal(rd_kafka_committed(rk, list, WAIT_MS), 0);
    offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return offset;
}

static void send_offset(rd_kafka_t *producer, rd_kafka_t *consumer, const char *topic,
                        int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
    check(rd_kafka_send_offsets_to_transaction(producer, list, group, WAIT_MS));
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
}

static void test_offsets_in_transactions(void **state)
{
    struct world *w = *state;
    const char *settings[] = {"transactional.id", "tx2", NULL};
    const char *group[] = {"group.id", "eos", NULL};
    rd_kafka_t *producer, *consumer;
    create_topic(w, "in", 2);
    producer = client(w, RD_KAFKA_PRODUCER, settings);
    consumer = client(w, RD_KAFKA_CONSUMER, group);
    check(rd_kafka_init_transactions(producer, WAIT_MS));
    check(rd_kafka_begin_transaction(producer));
    send_offset(producer, consumer, "in", 5);
    check(rd_kafka_commit_transaction(producer, WAIT_MS));
    assert_int_equal(committed(w, "eos", "in"), 5);
    check(rd_kafka_begin_transaction(producer));
    send_offset(producer, consumer, "in", 9);
    check(rd_kafka_abort_transaction(producer, WAIT_MS));
    assert_int_equal(committed(w, "eos", "in"), 5);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    rd_kafka_destroy(producer);
}

static void test_restart(void **state)
{
    struct world *w = *state;
    char listen[64];
    int all;
    snprintf(listen, sizeof listen, "%s", w->listen);
    stop(w);
    start(w, listen);
    assert_string_equal(w->listen, listen);
    assert_int_equal(consume(w, "g3", "plain", "read_uncommitted", "a", NULL), 1000);
    consume(w, "g1", "plain", "read_uncommitted", "a", &all);
    assert_int_equal(all, 0);
    assert_int_equal(consume(w, "gr", "txn", "read_committed", "kept", &all), 60);
    assert_int_equal(all, 60);
    assert_int_equal(committed(w, "eos", "in"), 5);
}

static void commit_offset(rd_kafka_t *rk, const char *topic, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
    assert_int_equal(rd_kafka_commit(rk, list, 0), 0);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Lowest offset of all partitions of a coordinator's topic that has one above 0. */
static int64_t log_start(struct world *w, const char *topic, int partitions)
{
    rd_kafka_t *rk = client(w, RD_KAFKA_PRODUCER, NULL);
    int64_t most = 0;
    for (int p = 0; p < partitions; p++) {
        int64_t low, high;
        assert_int_equal(rd_kafka_query_watermark_offsets(rk, topic, p, &low, &high, WAIT_MS), 0);
        most = low > most ? low : most;
    }
    rd_kafka_destroy(rk);
    return most;
}

/* The coordinators write their state anew, and it is all there after a restart. */
static void test_rewrite(void **state)
{
    enum { COMMITS = 400 };
    struct world *w = *state;
    const char *group[] = {"group.id", "rewritten", NULL};
    const char *settings[] = {"transactional.id", "tx3", NULL};
    char listen[64];
    rd_kafka_t *rk;
    int all;
    snprintf(listen, sizeof listen, "%s", w->listen);
    stop(w);
    w->rewrite_bytes = "4K";
    start(w, listen);
    rk = client(w, RD_KAFKA_CONSUMER, group);
    for (int i = 1; i <= COMMITS; i++)
        commit_offset(rk, "in", i);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    rk = client(w, RD_KAFKA_PRODUCER, settings);
    check(rd_kafka_init_transactions(rk, WAIT_MS));
    for (int i = 0; i < 60; i++) {
        check(rd_kafka_begin_transaction(rk));
        produce(rk, "txn", "kept", 60 + i, 61 + i);
        check(rd_kafka_commit_transaction(rk, WAIT_MS));
    }
    rd_kafka_destroy(rk);
    assert_true(log_start(w, "__consumer_offsets", 4) > COMMITS / 2);
    assert_true(log_start(w, "__transaction_state", 4) > 60);
    stop(w);
    start(w, listen);
    assert_int_equal(committed(w, "rewritten", "in"), COMMITS);
    assert_int_equal(committed(w, "eos", "in"), 5);
    consume(w, "g1", "plain", "read_uncommitted", "a", &all);
    assert_int_equal(all, 0);
    rk = client(w, RD_KAFKA_PRODUCER, settings);
    check(rd_kafka_init_transactions(rk, WAIT_MS));
    rd_kafka_destroy(rk);
    assert_int_equal(consume(w, "gw", "txn", "read_committed", "kept", NULL), 120);
}

static void test_open_errors(void **state)
{
    struct world *w = *state;
    struct world other = {0};
    struct bs_error err = {0};
    void *self = NULL;
    /* The same folder. */
    other.config = bs_config_new(bk_role.tables, bk_role.table_count);
    bs_config_set(other.config, "listeners", "127.0.0.1:0", "test", NULL);
    bs_config_set(other.config, "log.dirs", w->dir, "test", NULL);
    assert_int_not_equal(bk_role.open(other.config, NULL, &self, &err), 0);
    assert_non_null(strstr(err.text, w->dir));
    bs_config_free(other.config);
    /* The same port. */
    snprintf(other.dir, sizeof other.dir, "/tmp/weir-broker-XXXXXX");
    assert_non_null(mkdtemp(other.dir));
    other.config = bs_config_new(bk_role.tables, bk_role.table_count);
    bs_config_set(other.config, "listeners", w->listen, "test", NULL);
    bs_config_set(other.config, "log.dirs", other.dir, "test", NULL);
    assert_int_not_equal(bk_role.open(other.config, NULL, &self, &err), 0);
    assert_non_null(strstr(err.text, w->listen));
    bs_config_free(other.config);
    char *command = bs_asprintf("rm -rf '%s'", other.dir);
    assert_int_equal(system(command), 0);
    bs_free(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_produce_and_groups),
        cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_offsets_in_transactions),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_rewrite),
        cmocka_unit_test(test_open_errors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
