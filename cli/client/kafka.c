/* Kafka: librdkafka handles for the client commands. */
#include "cli/client/kafka.h"

#include "lib/base/mem.h"
#include "lib/base/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEY_TIMEOUT = 0x3000, KEY_KAFKA };

static const struct argp_option OPTIONS[] = {
    {.name = "bootstrap",
     .key = 'b',
     .arg = "HOST:PORT",
     .doc = "A broker; default $WEIR_BOOTSTRAP or 127.0.0.1:9092"},
    {.name = "timeout",
     .key = KEY_TIMEOUT,
     .arg = "DURATION",
     .doc = "How long to wait for an answer; default 10s"},
    {.name = "kafka",
     .key = KEY_KAFKA,
     .arg = "NAME=VALUE",
     .doc = "Any option of librdkafka; may be repeated"},
    {0}};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct cl_kafka *kafka = state->input;
    int64_t ms = 0;
    switch (key) {
    case 'b':
        kafka->bootstrap = arg;
        return 0;
    case KEY_TIMEOUT:
        if (bs_parse_duration_ms(arg, &ms) != 0 || ms <= 0 || ms > 3600000)
            argp_error(state, "--timeout takes a duration up to 1h, such as 10s, not '%s'", arg);
        kafka->timeout_ms = (int)ms;
        return 0;
    case KEY_KAFKA:
        if (strchr(arg, '=') == NULL)
            argp_error(state, "--kafka takes NAME=VALUE, not '%s'", arg);
        kafka->settings =
            bs_realloc(kafka->settings, (kafka->setting_count + 1) * sizeof *kafka->settings);
        kafka->settings[kafka->setting_count++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cl_kafka_argp = {.options = OPTIONS, .parser = parse_option};

void cl_kafka_init(struct cl_kafka *kafka)
{
    const char *bootstrap = getenv("WEIR_BOOTSTRAP");
    *kafka = (struct cl_kafka){.bootstrap = bootstrap && *bootstrap ? bootstrap : "127.0.0.1:9092",
                               .timeout_ms = 10000};
}

void cl_kafka_deinit(struct cl_kafka *kafka)
{
    if (kafka->rk)
        rd_kafka_destroy(kafka->rk);
    bs_free(kafka->settings);
    *kafka = (struct cl_kafka){0};
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct cl_kafka *kafka = opaque;
    (void)rk;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        kafka->all_down = true;
    else
        snprintf(kafka->last_text, sizeof kafka->last_text, "%s", reason);
}

/* What librdkafka would write to stderr comes through on_error already. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

void cl_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "weir: bug: %s\n", text);
        abort();
    }
}

rd_kafka_conf_t *cl_kafka_conf(struct cl_kafka *kafka, struct bs_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    rd_kafka_conf_set_opaque(conf, kafka);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    cl_kafka_conf_set(conf, "client.id", "weir");
    if (rd_kafka_conf_set(conf, "bootstrap.servers", kafka->bootstrap, text, sizeof text) !=
        RD_KAFKA_CONF_OK) {
        bs_error_set(err, BS_EINVAL, "--bootstrap %s: %s", kafka->bootstrap, text);
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    for (size_t i = 0; i < kafka->setting_count; i++) {
        const char *sign = strchr(kafka->settings[i], '=');
        char *name = bs_strndup(kafka->settings[i], (size_t)(sign - kafka->settings[i]));
        bool bad = rd_kafka_conf_set(conf, name, sign + 1, text, sizeof text) != RD_KAFKA_CONF_OK;
        bs_free(name);
        if (bad) {
            bs_error_set(err, BS_EINVAL, "--kafka %s: %s", kafka->settings[i], text);
            rd_kafka_conf_destroy(conf);
            return NULL;
        }
    }
    return conf;
}

int cl_kafka_open(struct cl_kafka *kafka, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                  struct bs_error *err)
{
    char text[256];
    kafka->rk = rd_kafka_new(type, conf, text, sizeof text);
    if (kafka->rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return bs_error_set(err, BS_EINVAL, "Kafka client: %s", text);
    }
    if (type == RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(kafka->rk);
    return 0;
}

static void hint_broker(struct bs_error *err)
{
    bs_error_hint(err, "is a broker running there? `weir dev` starts one; --bootstrap HOST:PORT "
                       "names another");
}

static void hint_topic(struct bs_error *err)
{
    bs_error_hint(err, "weir topic create NAME makes one; weir topic list shows those that exist");
}

int cl_kafka_check(const struct cl_kafka *kafka, struct bs_error *err)
{
    if (!kafka->all_down)
        return 0;
    bs_error_set(err, BS_ECONNECT, "no broker answers at %s%s%s", kafka->bootstrap,
                 *kafka->last_text ? ": " : "", kafka->last_text);
    hint_broker(err);
    return BS_ECONNECT;
}

int cl_kafka_undelivered(const struct cl_kafka *kafka, rd_kafka_resp_err_t code, const char *topic,
                         struct bs_error *err)
{
    if (code != RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || *kafka->last_text == '\0')
        return cl_kafka_error(err, code, topic);
    bs_error_set(err, BS_ECONNECT, "%s: not delivered: %s", topic, kafka->last_text);
    hint_broker(err);
    return BS_ECONNECT;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int no_answer(const struct cl_kafka *kafka, struct bs_error *err)
{
    return bs_error_set(err, BS_ETIMEOUT, "no answer from %s within %d ms%s%s", kafka->bootstrap,
                        kafka->timeout_ms, *kafka->last_text ? ": " : "", kafka->last_text);
}

int cl_kafka_metadata(struct cl_kafka *kafka, const struct rd_kafka_metadata **ret,
                      struct bs_error *err)
{
    int64_t end_ms = now_ms() + kafka->timeout_ms;
    rd_kafka_queue_t *events = rd_kafka_queue_get_main(kafka->rk);
    int rc = BS_ETIMEOUT;
    while (rc == BS_ETIMEOUT && now_ms() < end_ms) {
        rd_kafka_resp_err_t code = rd_kafka_metadata(kafka->rk, 1, NULL, ret, 300);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rc = 0;
            break;
        }
        /* error callbacks wait in the main queue until it is polled; nothing else is there yet */
        rd_kafka_queue_poll_callback(events, 0);
        if (cl_kafka_check(kafka, err) != 0)
            rc = BS_ECONNECT;
        else if (code != RD_KAFKA_RESP_ERR__TRANSPORT && code != RD_KAFKA_RESP_ERR__TIMED_OUT)
            rc = cl_kafka_error(err, code, "metadata");
    }
    if (rc == BS_ETIMEOUT)
        no_answer(kafka, err);
    rd_kafka_queue_destroy(events);
    return rc;
}

int cl_kafka_topic(struct cl_kafka *kafka, const char *name,
                   const struct rd_kafka_metadata **ret_metadata,
                   const struct rd_kafka_metadata_topic **ret_topic, struct bs_error *err)
{
    int rc = cl_kafka_metadata(kafka, ret_metadata, err);
    if (rc != 0)
        return rc;
    for (int i = 0; i < (*ret_metadata)->topic_cnt; i++) {
        const struct rd_kafka_metadata_topic *topic = &(*ret_metadata)->topics[i];
        if (strcmp(topic->topic, name) != 0)
            continue;
        *ret_topic = topic;
        return topic->err == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : cl_kafka_error(err, topic->err, name);
    }
    bs_error_set(err, BS_ENOTFOUND, "topic '%s' does not exist", name);
    hint_topic(err);
    return BS_ENOTFOUND;
}

int cl_kafka_event(struct cl_kafka *kafka, rd_kafka_queue_t *queue, rd_kafka_event_t **ret,
                   struct bs_error *err)
{
    int64_t end_ms = now_ms() + kafka->timeout_ms + 1000;
    while (now_ms() < end_ms) {
        *ret = rd_kafka_queue_poll(queue, 100);
        if (*ret) {
            rd_kafka_resp_err_t code = rd_kafka_event_error(*ret);
            int rc = 0;
            if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
                return 0;
            rd_kafka_poll(kafka->rk, 0);
            rc = cl_kafka_check(kafka, err);
            if (rc == 0)
                rc = cl_kafka_error(err, code, rd_kafka_event_error_string(*ret));
            rd_kafka_event_destroy(*ret);
            *ret = NULL;
            return rc;
        }
        rd_kafka_poll(kafka->rk, 0);
        if (cl_kafka_check(kafka, err) != 0)
            return BS_ECONNECT;
    }
    return no_answer(kafka, err);
}

int cl_kafka_error(struct bs_error *err, rd_kafka_resp_err_t code, const char *what)
{
    int mapped = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART  ? BS_ENOTFOUND
                 : code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? BS_EEXIST
                 : code == RD_KAFKA_RESP_ERR__TIMED_OUT           ? BS_ETIMEOUT
                                                                  : BS_EINVAL;
    bs_error_set(err, mapped, "%s: %s", what, rd_kafka_err2str(code));
    if (mapped == BS_ENOTFOUND)
        hint_topic(err);
    return mapped;
}
