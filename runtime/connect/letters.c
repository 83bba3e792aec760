/* Letters: raw bytes of records that a sink passed over, sent to a topic that is made with one
 * partition when it is not there. Owned by the sink task's thread. */
#include "runtime/connect/letters.h"

#include "lib/base/mem.h"
#include "lib/base/option.h"

#include <stdio.h>
#include <string.h>

enum { FLUSH_MS = 30000 };

struct rt_letters {
    struct cn_task *task;
    rd_kafka_t *producer;
    const char *topic;
    bool headers;
    struct bs_error failed; /* of a delivery */
};

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *ctx)
{
    struct rt_letters *letters = ctx;
    (void)producer;
    if (message->err)
        bs_error_set(&letters->failed, rt_kafka_error(message->err),
                     "cannot send to the dead letter queue %s: %s", letters->topic,
                     rd_kafka_err2str(message->err));
}

int rt_letters_open(struct cn_task *task, struct rt_letters **ret, struct bs_error *err)
{
    static const char *const pairs[] = {"enable.idempotence", "true", NULL};
    const char *topic = rt_config_option(task->config, "errors.deadletterqueue.topic.name");
    *ret = NULL;
    if (!topic || !*topic || !task->tolerant)
        return 0;
    struct rt_letters *letters = bs_new(struct rt_letters);
    letters->task = task;
    letters->topic = topic;
    letters->headers =
        rt_config_is(task->config, "errors.deadletterqueue.context.headers.enable", "true");
    rd_kafka_conf_t *conf = rt_kafka_conf(task->options.bootstrap, "weir-connect-letters", pairs);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_opaque(conf, letters);
    int result = rt_kafka_open(RD_KAFKA_PRODUCER, conf, &letters->producer, err);
    if (result == 0) {
        const char *copies =
            rt_config_get(task->config, "errors.deadletterqueue.topic.replication.factor");
        int64_t n = -1;
        if (copies)
            bs_parse_int(copies, 1, 100, &n);
        result = rt_kafka_topic_make(letters->producer, topic, 1, (int)n, NULL, err);
    }
    if (result < 0)
        rt_letters_close(letters);
    else
        *ret = letters;
    return result;
}

void rt_letters_close(struct rt_letters *letters)
{
    if (!letters)
        return;
    if (letters->producer)
        rd_kafka_destroy(letters->producer);
    bs_free(letters);
}

static void add(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    char full[80];
    snprintf(full, sizeof(full), "__connect.errors.%s", name);
    rd_kafka_header_add(headers, full, -1, value, -1);
}

static rd_kafka_headers_t *headers_of(const struct rt_letters *letters,
                                      const rd_kafka_message_t *message, const char *stage,
                                      const char *why)
{
    char number[32];
    rd_kafka_headers_t *old = NULL, *headers;
    headers = rd_kafka_message_headers(message, &old) == RD_KAFKA_RESP_ERR_NO_ERROR
                  ? rd_kafka_headers_copy(old)
                  : rd_kafka_headers_new(10);
    if (!letters->headers)
        return headers;
    add(headers, "topic", rd_kafka_topic_name(message->rkt));
    snprintf(number, sizeof(number), "%d", (int)message->partition);
    add(headers, "partition", number);
    snprintf(number, sizeof(number), "%lld", (long long)message->offset);
    add(headers, "offset", number);
    add(headers, "connector.name", letters->task->options.connector);
    snprintf(number, sizeof(number), "%u", letters->task->options.index);
    add(headers, "task.id", number);
    add(headers, "stage", stage);
    add(headers, "class.name", letters->task->plugin->name);
    add(headers, "exception.class.name", "org.apache.kafka.connect.errors.DataException");
    add(headers, "exception.message", why);
    add(headers, "exception.stacktrace", why);
    return headers;
}

int rt_letters_send(struct rt_letters *letters, const rd_kafka_message_t *message,
                    const char *stage, const char *why, struct bs_error *err)
{
    for (;;) {
        rd_kafka_headers_t *headers = headers_of(letters, message, stage, why);
        rd_kafka_resp_err_t code =
            rd_kafka_producev(letters->producer, RD_KAFKA_V_TOPIC(letters->topic),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_VALUE(message->payload, message->len),
                              RD_KAFKA_V_KEY(message->key, message->key_len),
                              RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            return 0;
        rd_kafka_headers_destroy(headers);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return bs_error_set(err, rt_kafka_error(code),
                                "cannot send to the dead letter queue %s: %s", letters->topic,
                                rd_kafka_err2str(code));
        rd_kafka_poll(letters->producer, 100);
    }
}

int rt_letters_flush(struct rt_letters *letters, struct bs_error *err)
{
    if (!letters)
        return 0;
    if (rd_kafka_flush(letters->producer, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return bs_error_set(err, BS_ETIMEOUT, "the dead letter queue %s does not answer",
                            letters->topic);
    return letters->failed.code
               ? bs_error_set(err, letters->failed.code, "%s", letters->failed.text)
               : 0;
}
