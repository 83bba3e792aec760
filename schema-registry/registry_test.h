/* Registry under test: the role as a whole, asked over HTTP. Its topic is on librdkafka's mock
 * cluster, or on the broker that WEIR_TEST_BOOTSTRAP names (then in a topic of its own, which
 * stays). */
#ifndef WEIR_SR_REGISTRY_TEST_H
#define WEIR_SR_REGISTRY_TEST_H

#include "schema-registry/role.h"

#include "lib/base/mem.h"
#include "lib/registry/client.h"
#include "lib/serde/json.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
    char bootstrap[256], topic[128];
    struct bs_config *config;
    void *role;
    struct rc_client *client;
    const char *users;     /* a file, for authentication.method=BASIC; or NULL */
    const char *user_info; /* of the client */
} t;

static inline rd_kafka_conf_t *quiet(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    return conf;
}

static inline void start(void)
{
    struct bs_error err = {0};
    struct rc_options options = {.timeout_ms = 30000, .user_info = t.user_info};
    struct bs_buf health = BS_BUF_INIT;
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value json;
    char url[300];
    int rc;
    t.config = bs_config_new(sr_role.tables, sr_role.table_count);
    bs_config_set(t.config, "listeners", "http://127.0.0.1:0", "test", NULL);
    bs_config_set(t.config, "kafkastore.bootstrap.servers", t.bootstrap, "test", NULL);
    bs_config_set(t.config, "kafkastore.topic", t.topic, "test", NULL);
    bs_config_set(t.config, "kafkastore.timeout.ms", "20000", "test", NULL);
    if (t.users) {
        bs_config_set(t.config, "authentication.method", "BASIC", "test", NULL);
        bs_config_set(t.config, "authentication.file", t.users, "test", NULL);
    }
    if (sr_role.open(t.config, (const char *const[]){NULL}, &t.role, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; (rc = sr_role.health(t.role, &health)) == 1 && i < 3000; i++) {
        poll(NULL, 0, 10); /* between two looks at the condition */
        bs_buf_reset(&health);
    }
    if (rc != 0)
        fail_msg("not ready: %s", bs_buf_text(&health));
    assert_int_equal(sd_json_read(bs_buf_bytes(&health), &arena, &json, NULL), 0);
    snprintf(url, sizeof url, "http://%.*s",
             (int)sd_value_get(&json, bs_bytes_text("listen"))->bytes.len,
             (const char *)sd_value_get(&json, bs_bytes_text("listen"))->bytes.ptr);
    options.url = url;
    assert_int_equal(rc_client_new(&options, &t.client, &err), 0);
    bs_arena_deinit(&arena);
    bs_buf_deinit(&health);
}

static inline void stop(void)
{
    rc_client_free(t.client);
    sr_role.close(t.role);
    bs_config_free(t.config);
}

static inline int setup(void **state)
{
    const char *given = getenv("WEIR_TEST_BOOTSTRAP");
    static int number;
    (void)state;
    snprintf(t.topic, sizeof t.topic, "_schemas_%d_%ld_%d", (int)getpid(), (long)time(NULL),
             number++);
    if (given) {
        snprintf(t.bootstrap, sizeof t.bootstrap, "%s", given);
    } else {
        t.rk = rd_kafka_new(RD_KAFKA_PRODUCER, quiet(), NULL, 0);
        t.cluster = rd_kafka_mock_cluster_new(t.rk, 1);
        snprintf(t.bootstrap, sizeof t.bootstrap, "%s",
                 rd_kafka_mock_cluster_bootstraps(t.cluster));
        rd_kafka_mock_topic_create(t.cluster, t.topic, 1, 1);
    }
    start();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    stop();
    if (t.cluster) {
        rd_kafka_mock_cluster_destroy(t.cluster);
        rd_kafka_destroy(t.rk);
    }
    return 0;
}

/* A record as another registry would have written it; value NULL: a tombstone. Returns when the
 * broker has it. */
static inline void put_record(const char *key, const char *value)
{
    rd_kafka_conf_t *conf = quiet();
    rd_kafka_t *producer;
    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", t.bootstrap, NULL, 0), 0);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(t.topic), RD_KAFKA_V_PARTITION(0),
                                       RD_KAFKA_V_KEY((void *)key, strlen(key)),
                                       RD_KAFKA_V_VALUE((void *)value, value ? strlen(value) : 0),
                                       RD_KAFKA_V_END),
                     0);
    assert_int_equal(rd_kafka_flush(producer, 30000), 0);
    rd_kafka_destroy(producer);
}

/* All records of the topic from its beginning as "key value\n" lines; a tombstone's value is
 * "null".
 */
static inline void read_records(struct bs_buf *out)
{
    rd_kafka_conf_t *conf = quiet();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_t *consumer;
    bool end = false;
    rd_kafka_conf_set(conf, "bootstrap.servers", t.bootstrap, NULL, 0);
    rd_kafka_conf_set(conf, "group.id", "test", NULL, 0);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
    consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    rd_kafka_topic_partition_list_add(list, t.topic, 0)->offset = 0;
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (int i = 0; !end && i < 300; i++) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, 100);
        if (m == NULL)
            continue;
        end = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (!m->err)
            bs_buf_printf(out, "%.*s %.*s\n", (int)m->key_len, (const char *)m->key,
                          m->payload ? (int)m->len : 4, m->payload ? (char *)m->payload : "null");
        rd_kafka_message_destroy(m);
    }
    assert_true(end);
    rd_kafka_destroy(consumer);
}

/* Asks and compares: the answer is `want`, or begins with it when that ends with "…", or has it
 * inside when it begins with "…". */
static inline void expect(const char *method, const char *path, const char *body, int status,
                          const char *want)
{
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    size_t dots = strlen("…"), len = strlen(want);
    int got;
    bool fine;
    if (rc_request(t.client, method, path, body, &out, &got, &err) < 0)
        fail_msg("%s", err.text);
    if (strncmp(want, "…", dots) == 0)
        fine = strstr(bs_buf_text(&out), want + dots) != NULL;
    else if (len > dots && strcmp(want + len - dots, "…") == 0)
        fine = strncmp(bs_buf_text(&out), want, len - dots) == 0;
    else
        fine = strcmp(bs_buf_text(&out), want) == 0;
    if (got != status || !fine)
        fail_msg("%s %s\n got  %d %s\n want %d %s", method, path, got, bs_buf_text(&out), status,
                 want);
    bs_buf_deinit(&out);
}

#define INT_SCHEMA "{\"schema\":\"\\\"int\\\"\"}"
#define RECORD(fields)                                                                          \
    "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"R\\\",\\\"fields\\\":[" fields \
    "]}\"}"
#define FIELD(name, type) "{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":" type "}"
#define WITH_DEFAULT(name, type, value) \
    "{\\\"name\\\":\\\"" name "\\\",\\\"type\\\":" type ",\\\"default\\\":" value "}"
#define INT    "\\\"int\\\""
#define STRING "\\\"string\\\""

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
