/* A topic with one partition as compaction would leave it, at any point of its work: of the first
 * PREFIX records only the last of each key is kept, the others stay as they are. Headers and times
 * are kept too.
 *
 *   topic_copy BOOTSTRAP FROM print                   a JSON line for each: offset, epoch, rest, …
 *   topic_copy BOOTSTRAP FROM TO PREFIX [expired]     TO is created; "expired": without the
 *                                                     tombstones, as after delete.retention.ms */
#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 20000, RECORDS_MAX = 1000000 };

static void die(const char *what, const char *why)
{
    fprintf(stderr, "topic_copy: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *bootstrap)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    rd_kafka_t *rk;
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, NULL, 0);
    if (type == RD_KAFKA_PRODUCER) {
        rd_kafka_conf_set(conf, "enable.idempotence", "true", NULL, 0);
    } else {
        rd_kafka_conf_set(conf, "group.id", "topic-copy", NULL, 0);
        rd_kafka_conf_set(conf, "enable.auto.commit", "false", NULL, 0);
    }
    rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL)
        die("client", text);
    return rk;
}

static size_t read_all(const char *bootstrap, const char *topic, rd_kafka_message_t **messages)
{
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, bootstrap);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    int64_t first = 0, end = 0, next = 0;
    size_t count = 0;
    if (rd_kafka_query_watermark_offsets(rk, topic, 0, &first, &end, WAIT_MS))
        die(topic, "its end is not told");
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = first;
    rd_kafka_assign(rk, list);
    for (next = first; next < end;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
        if (message == NULL || message->err || count == RECORDS_MAX)
            die(topic, message && message->err ? rd_kafka_message_errstr(message) : "no record");
        next = message->offset + 1;
        messages[count++] = message; /* they live as long as this process */
    }
    rd_kafka_topic_partition_list_destroy(list);
    return count;
}

static struct bs_bytes header(const rd_kafka_message_t *message, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t len;
    if (rd_kafka_message_headers(message, &headers) ||
        rd_kafka_header_get_last(headers, name, &value, &len))
        return bs_bytes(NULL, 0);
    return bs_bytes(value, len);
}

static void put(struct bs_buf *out, const char *name, struct bs_bytes text)
{
    bs_buf_printf(out, ",\"%s\":", name);
    if (text.ptr)
        bs_buf_put_json_string(out, (const char *)text.ptr, text.len);
    else
        bs_buf_puts(out, "null");
}

static void print(rd_kafka_message_t *const *messages, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bs_buf out = BS_BUF_INIT;
        bs_buf_printf(&out, "{\"offset\":%lld", (long long)messages[i]->offset);
        put(&out, "epoch", header(messages[i], "weir-epoch"));
        put(&out, "rest", header(messages[i], "weir-rest"));
        put(&out, "key", bs_bytes(messages[i]->key, messages[i]->key_len));
        put(&out, "value", bs_bytes(messages[i]->payload, messages[i]->len));
        printf("%s}\n", bs_buf_text(&out));
        bs_buf_deinit(&out);
    }
}

static void create(rd_kafka_t *rk, const char *topic)
{
    char text[256];
    rd_kafka_NewTopic_t *row = rd_kafka_NewTopic_new(topic, 1, 1, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_event_t *event;
    const rd_kafka_topic_result_t **rows;
    size_t count = 0;
    rd_kafka_NewTopic_set_config(row, "cleanup.policy", "compact");
    rd_kafka_CreateTopics(rk, &row, 1, NULL, queue);
    event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL || rd_kafka_event_error(event))
        die(topic, "it is not created");
    rows = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    if (count != 1 || rd_kafka_topic_result_error(rows[0]))
        die(topic, count ? rd_kafka_topic_result_error_string(rows[0]) : "no answer");
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(row);
}

/* Is there a later record of the same key within the prefix? */
static bool superseded(rd_kafka_message_t *const *messages, size_t count, size_t i, int64_t prefix)
{
    const rd_kafka_message_t *one = messages[i];
    for (size_t k = i + 1; k < count && messages[k]->offset < prefix; k++)
        if (one->key && messages[k]->key_len == one->key_len &&
            memcmp(messages[k]->key, one->key, one->key_len) == 0)
            return true;
    return false;
}

static void copy(const char *bootstrap, rd_kafka_message_t *const *messages, size_t count,
                 const char *topic, int64_t prefix, bool expired)
{
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, bootstrap);
    size_t kept = 0;
    create(rk, topic);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_message_t *m = messages[i];
        rd_kafka_headers_t *headers = NULL;
        rd_kafka_resp_err_t code;
        if (m->offset < prefix &&
            (superseded(messages, count, i, prefix) || (expired && m->payload == NULL)))
            continue;
        if (rd_kafka_message_headers(m, &headers) == 0)
            headers = rd_kafka_headers_copy(headers);
        code = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(m->key, m->key_len),
            RD_KAFKA_V_VALUE(m->payload, m->len), RD_KAFKA_V_HEADERS(headers),
            RD_KAFKA_V_TIMESTAMP(rd_kafka_message_timestamp(m, NULL)), RD_KAFKA_V_END);
        if (code)
            die(topic, rd_kafka_err2str(code));
        kept++;
    }
    if (rd_kafka_flush(rk, WAIT_MS))
        die(topic, "not everything was written");
    rd_kafka_destroy(rk);
    printf("%zu of %zu records\n", kept, count);
}

int main(int argc, char **argv)
{
    rd_kafka_message_t **messages = bs_array(RECORDS_MAX, sizeof(rd_kafka_message_t *));
    size_t count;
    if (argc < 4) {
        fprintf(stderr, "usage: topic_copy BOOTSTRAP FROM print | "
                        "topic_copy BOOTSTRAP FROM TO PREFIX [expired]\n");
        return 2;
    }
    count = read_all(argv[1], argv[2], messages);
    if (strcmp(argv[3], "print") == 0)
        print(messages, count);
    else if (argc == 5 || (argc == 6 && strcmp(argv[5], "expired") == 0))
        copy(argv[1], messages, count, argv[3], strtoll(argv[4], NULL, 10), argc == 6);
    else
        return 2;
    fflush(stdout);
    _Exit(0);
}
