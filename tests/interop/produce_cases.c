/* Producing and reading back. One thread. */
#include "tests/interop/cases.h"
#include "tests/interop/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTITIONS = 3, LARGE_BYTES = 900000, IDEMPOTENT_COUNT = 3000 };

static void send_full(rd_kafka_t *rk, const char *topic, int partition, int64_t timestamp_ms,
                      const char *key, const void *value, size_t value_len)
{
    rd_kafka_resp_err_t err = rd_kafka_producev(
        rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_TIMESTAMP(timestamp_ms), RD_KAFKA_V_KEY(key, key ? strlen(key) : 0),
        RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_len),
        RD_KAFKA_V_HEADER("origin", "interop", -1), RD_KAFKA_V_HEADER("empty", NULL, 0),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    CHECK(!err, "produce: %s", rd_kafka_err2str(err));
}

struct seen {
    int count, nulls, large;
};

static void see_record(void *ctx, const rd_kafka_message_t *message)
{
    struct seen *seen = ctx;
    rd_kafka_timestamp_type_t type;
    const void *value;
    size_t len;
    rd_kafka_headers_t *headers;
    CHECK(rd_kafka_message_timestamp(message, &type) == 1700000000000 + message->offset,
          "timestamp %lld at offset %lld", (long long)rd_kafka_message_timestamp(message, &type),
          (long long)message->offset);
    CHECK(type == RD_KAFKA_TIMESTAMP_CREATE_TIME, "the timestamp is of another type");
    CHECK(rd_kafka_message_headers(message, &headers) == 0 && rd_kafka_header_cnt(headers) == 2,
          "the headers are gone");
    CHECK(rd_kafka_header_get_last(headers, "origin", &value, &len) == 0 && len == 7, "header");
    CHECK(rd_kafka_header_get_last(headers, "empty", &value, &len) == 0 && !value, "null header");
    seen->count++;
    seen->nulls += message->payload == NULL;
    seen->large += message->len == LARGE_BYTES;
}

static void check_time_lookup(rd_kafka_t *rk, const char *topic, int64_t asked, int64_t wanted)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = asked;
    rd_kafka_resp_err_t err = rd_kafka_offsets_for_times(rk, list, CLIENT_TIMEOUT_MS);
    CHECK(!err && !list->elems[0].err, "offsets_for_times: %s", rd_kafka_err2str(err));
    CHECK(list->elems[0].offset == wanted, "time %lld gave offset %lld, not %lld", (long long)asked,
          (long long)list->elems[0].offset, (long long)wanted);
    rd_kafka_topic_partition_list_destroy(list);
}

static void produce_codec(const char *codec)
{
    const char *topic = client_topic(codec, PARTITIONS);
    rd_kafka_t *rk = client_producer("compression.type", codec, "linger.ms", "20", NULL);
    char *large = malloc(LARGE_BYTES);
    memset(large, 'w', LARGE_BYTES);
    for (int i = 0; i < 200; i++) {
        char key[16], value[64];
        snprintf(key, sizeof key, "key %d", i);
        snprintf(value, sizeof value, "value %d of %s", i, codec);
        for (int p = 0; p < PARTITIONS; p++)
            send_full(rk, topic, p, 1700000000000 + i, i % 2 ? key : NULL, i % 10 ? value : NULL,
                      i % 10 ? strlen(value) : 0);
    }
    send_full(rk, topic, 0, 1700000000200, "large", large, LARGE_BYTES);
    client_flush(rk);
    struct seen seen = {0};
    int count = client_read_all(topic, PARTITIONS, true, see_record, &seen);
    CHECK(count == 200 * PARTITIONS + 1, "%s: %d messages came back", codec, count);
    CHECK(seen.nulls == 20 * PARTITIONS, "%s: %d null values", codec, seen.nulls);
    CHECK(seen.large == 1, "%s: the large record is gone", codec);
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t err =
        rd_kafka_query_watermark_offsets(rk, topic, 0, &low, &high, CLIENT_TIMEOUT_MS);
    CHECK(!err && low == 0 && high == 201, "watermarks %lld, %lld: %s", (long long)low,
          (long long)high, rd_kafka_err2str(err));
    check_time_lookup(rk, topic, 1700000000000, 0);
    check_time_lookup(rk, topic, 1700000000123, 123);
    check_time_lookup(rk, topic, 1, 0);
    check_time_lookup(rk, topic, 1900000000000, RD_KAFKA_OFFSET_END);
    free(large);
    client_producer_close(rk);
    printf("produce: %s is well\n", codec);
}

struct verdict {
    int count;
    rd_kafka_resp_err_t err;
};

static void on_verdict(rd_kafka_t *rk, const rd_kafka_message_t *message, void *ctx)
{
    (void)rk;
    struct verdict *verdict = ctx;
    verdict->count++;
    verdict->err = message->err;
}

/* The broker refuses what is over max.message.bytes, and goes on. */
static void produce_too_large(const char *topic)
{
    struct verdict verdict = {0};
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", client_bootstrap, why, sizeof why);
    rd_kafka_conf_set(conf, "message.max.bytes", "5000000", why, sizeof why);
    rd_kafka_conf_set_dr_msg_cb(conf, on_verdict);
    rd_kafka_conf_set_opaque(conf, &verdict);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    CHECK(rk, "%s", why);
    char *large = malloc(2 * LARGE_BYTES);
    memset(large, 'w', 2 * LARGE_BYTES);
    send_full(rk, topic, 0, 1700000000000, "k", large, 2 * LARGE_BYTES);
    client_flush(rk);
    CHECK(verdict.count == 1 && verdict.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
          "1.8 MB were answered with %s", rd_kafka_err2name(verdict.err));
    send_full(rk, topic, 0, 1700000000000, "k", "v", 1);
    client_flush(rk);
    CHECK(verdict.count == 2 && verdict.err == 0, "then: %s", rd_kafka_err2name(verdict.err));
    rd_kafka_destroy(rk);
    free(large);
}

static void produce_acks(const char *acks)
{
    char tag[16];
    snprintf(tag, sizeof tag, "acks%s", acks);
    const char *topic = client_topic(tag, 1);
    rd_kafka_t *rk = client_producer("acks", acks, "linger.ms", "1", NULL);
    for (int i = 0; i < 500; i++)
        client_send(rk, topic, 0, "k", "v");
    client_flush(rk);
    int64_t limit = client_now_ms() + CLIENT_TIMEOUT_MS;
    int count;
    while ((count = client_read_all(topic, 1, true, NULL, NULL)) < 500) /* acks 0 runs behind */
        CHECK(client_now_ms() < limit, "acks %s: %d messages came back", acks, count);
    CHECK(count == 500, "acks %s: %d messages came back", acks, count);
    client_producer_close(rk);
}

void case_produce(void)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        produce_codec(codecs[i]);
    produce_acks("0");
    produce_acks("1");
    produce_acks("all");
    produce_too_large(client_topic("too-large", 1));
}

/* Each partition's values are 0, 1, 2, … with no gap and no repetition. */
static void see_next(void *ctx, const rd_kafka_message_t *message)
{
    int *next = ctx;
    int value = atoi(message->payload);
    CHECK(value == next[message->partition], "partition %d, offset %lld: %d instead of %d",
          message->partition, (long long)message->offset, value, next[message->partition]);
    next[message->partition]++;
}

void case_idempotent(void)
{
    const char *topic = client_topic("idempotent", PARTITIONS);
    rd_kafka_t *rk =
        client_producer("enable.idempotence", "true", "linger.ms", "1", "batch.num.messages", "50",
                        "compression.type", "lz4", "reconnect.backoff.max.ms", "200", NULL);
    for (int i = 0; i < IDEMPOTENT_COUNT; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        for (int p = 0; p < PARTITIONS; p++)
            client_send(rk, topic, p, "k", value);
        if (i % 500 == 0) {
            printf("idempotent: %d\n", i); /* a script may end and start the broker here */
            rd_kafka_poll(rk, 300);
        }
    }
    client_producer_close(rk);
    int next[PARTITIONS] = {0};
    int count = client_read_all(topic, PARTITIONS, true, see_next, next);
    CHECK(count == IDEMPOTENT_COUNT * PARTITIONS, "%d messages instead of %d", count,
          IDEMPOTENT_COUNT * PARTITIONS);
}
