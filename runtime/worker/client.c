/* Kafka clients of a worker. librdkafka's own log lines become events. No state here. */
#include "runtime/worker/client.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/io/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct bs_event CLIENT = {"worker.kafka-client", BS_LOG_WARN,
                                       "librdkafka said something about its connection; it goes on "
                                       "by itself unless an error follows."};
static const struct bs_event CLIENT_DEBUG = {"worker.kafka-client-detail", BS_LOG_DEBUG,
                                             "What librdkafka says of its everyday work."};

int64_t rt_now_ms(void)
{
    return io_clock_mono_ms(io_clock_real());
}

static void on_log(const rd_kafka_t *client, int level, const char *fac, const char *text)
{
    bs_log(level <= 3 ? &CLIENT : &CLIENT_DEBUG, "%s: %s: %s", client ? rd_kafka_name(client) : "?",
           fac, text);
}

/* Connection trouble is reported once by the log above and then retried by librdkafka. */
static void on_error(rd_kafka_t *client, int code, const char *text, void *opaque)
{
    (void)opaque;
    bs_log(&CLIENT, "%s: %s: %s", rd_kafka_name(client), rd_kafka_err2name(code), text);
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, const char *where,
               struct bs_error *err)
{
    char text[400];
    rd_kafka_conf_res_t rc = rd_kafka_conf_set(conf, name, value, text, sizeof text);
    if (rc == RD_KAFKA_CONF_OK)
        return 0;
    return bs_error_set(err, rc == RD_KAFKA_CONF_UNKNOWN ? BS_ENOTFOUND : BS_EINVAL,
                        "%s: kafka option '%s': %s", where, name, text);
}

/* What decides on exactly-once is not the pipeline's to change. */
static bool ours(const char *name)
{
    static const char *const NAMES[] = {"group.id",           "transactional.id",
                                        "isolation.level",    "enable.auto.commit",
                                        "group.instance.id",  "partition.assignment.strategy",
                                        "enable.idempotence", "enable.partition.eof"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (strcmp(name, NAMES[i]) == 0)
            return true;
    return false;
}

static int configure(rd_kafka_conf_t *conf, const struct rt_client_spec *spec, struct bs_error *err)
{
    int rc = set(conf, "bootstrap.servers", spec->bootstrap, "bootstrap.servers", err);
    if (rc == 0)
        rc = set(conf, "client.id", spec->client_id, "worker", err);
    for (const struct rt_client_option *row = spec->options; row->name && rc == 0; row++)
        rc = set(conf, row->name, row->value, "worker", err);
    for (size_t i = 0; i < spec->extra_count && rc == 0; i++) {
        if (ours(spec->extra[i].name))
            return bs_error_set(err, BS_EDENIED,
                                "%s: kafka option '%s' is the worker's own\n  hint: leave it out",
                                spec->where, spec->extra[i].name);
        rc = set(conf, spec->extra[i].name, spec->extra[i].value, spec->where, err);
    }
    return rc;
}

int rt_client_open(const struct rt_client_spec *spec, rd_kafka_t **ret, struct bs_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[400];
    int rc = configure(conf, spec, err);
    *ret = NULL;
    if (rc != 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, spec->opaque);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (spec->delivery)
        rd_kafka_conf_set_dr_msg_cb(conf, spec->delivery);
    if (spec->rebalance)
        rd_kafka_conf_set_rebalance_cb(conf, spec->rebalance);
    *ret = rd_kafka_new(spec->type, conf, text, sizeof text);
    if (!*ret) {
        rd_kafka_conf_destroy(conf);
        return bs_error_set(err, BS_EINVAL, "Kafka client: %s", text);
    }
    return 0;
}

int rt_client_code(rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return 0;
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
        return BS_EFENCED;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return BS_ETIMEOUT;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        return BS_ECONNECT;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return BS_ENOTFOUND;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
        return BS_EEXIST;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        return BS_ELIMIT;
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return BS_EBUSY;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return BS_EDENIED;
    default:
        return BS_EIO;
    }
}

int rt_client_fail(struct bs_error *err, rd_kafka_resp_err_t code, const char *what)
{
    return bs_error_set(err, rt_client_code(code), "%s: %s", what, rd_kafka_err2str(code));
}

int rt_client_fail_error(struct bs_error *err, rd_kafka_error_t *error, const char *what)
{
    int code = rt_client_code(rd_kafka_error_code(error));
    bs_error_set(err, code, "%s: %s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return code;
}

static bool not_ready(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
           code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

int rt_client_ends(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *ret_first,
                   int64_t *ret_end, struct bs_error *err)
{
    int64_t deadline = rt_now_ms() + 15000;
    rd_kafka_resp_err_t code;
    char what[300];
    for (;;) {
        code = rd_kafka_query_watermark_offsets(client, topic, partition, ret_first, ret_end, 5000);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        if (!not_ready(code) || rt_now_ms() > deadline)
            break;
        usleep(50000);
    }
    snprintf(what, sizeof what, "offsets of %s[%d]", topic, partition);
    return rt_client_fail(err, code, what);
}

int rt_client_partitions(rd_kafka_t *client, const char *topic, int32_t *ret, struct bs_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    rd_kafka_resp_err_t code =
        handle ? rd_kafka_metadata(client, 0, handle, &metadata, 5000) : rd_kafka_last_error();
    int rc = 0;
    *ret = 0;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rc = rt_client_fail(err, code, topic);
    else if (metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR)
        *ret = metadata->topics[0].partition_cnt;
    else if (metadata->topic_cnt == 1 &&
             metadata->topics[0].err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
             metadata->topics[0].err != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC &&
             metadata->topics[0].err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        rc = rt_client_fail(err, metadata->topics[0].err, topic);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    if (handle)
        rd_kafka_topic_destroy(handle);
    return rc;
}
