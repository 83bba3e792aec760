/* Produce load: sends N records of SIZE bytes with librdkafka and prints the rate as one JSON line.
 *
 *   produce_load BOOTSTRAP TOPIC SIZE COUNT [NAME=VALUE …]     librdkafka options
 */
#include "lib/base/option.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t delivered, failed;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk, (void)opaque;
    if (message->err)
        failed++;
    else
        delivered++;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static rd_kafka_t *open_producer(int argc, char **argv)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    rd_kafka_t *rk;
    rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof text);
    rd_kafka_conf_set(conf, "linger.ms", "5", text, sizeof text);
    rd_kafka_conf_set(conf, "batch.size", "1000000", text, sizeof text);
    rd_kafka_conf_set(conf, "queue.buffering.max.messages", "500000", text, sizeof text);
    for (int i = 5; i < argc; i++) {
        char *sign = strchr(argv[i], '=');
        if (sign)
            *sign = '\0';
        if (sign == NULL || rd_kafka_conf_set(conf, argv[i], sign + 1, text, sizeof text)) {
            fprintf(stderr, "produce_load: %s: %s\n", argv[i], sign ? text : "write NAME=VALUE");
            exit(2);
        }
    }
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (rk == NULL) {
        fprintf(stderr, "produce_load: %s\n", text);
        exit(1);
    }
    return rk;
}

int main(int argc, char **argv)
{
    int64_t size = 0, count = 0;
    double began, seconds;
    rd_kafka_topic_t *topic;
    rd_kafka_t *rk;
    char *data;
    if (argc < 5 || bs_parse_int(argv[3], 1, 1 << 20, &size) != 0 ||
        bs_parse_int(argv[4], 1, INT64_C(1) << 40, &count) != 0) {
        fprintf(stderr, "usage: produce_load BOOTSTRAP TOPIC SIZE COUNT [NAME=VALUE...]\n");
        return 2;
    }
    rk = open_producer(argc, argv);
    topic = rd_kafka_topic_new(rk, argv[2], NULL);
    data = calloc(1, (size_t)size);
    if (data == NULL)
        return 1;
    memset(data, 'w', (size_t)size);
    began = now_s();
    for (int64_t i = 0; i < count; i++) {
        while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, data,
                                (size_t)size, NULL, 0, NULL) != 0)
            rd_kafka_poll(rk, 5);
        if (i % 1000 == 0)
            rd_kafka_poll(rk, 0);
    }
    while (rd_kafka_outq_len(rk) > 0)
        rd_kafka_flush(rk, 1000);
    seconds = now_s() - began;
    printf("{\"bench\":\"produce\",\"record_bytes\":%" PRId64 ",\"records\":%" PRId64
           ",\"failed\":%" PRId64 ",\"seconds\":%.3f,\"mb_per_s\":%.1f}\n",
           size, delivered, failed, seconds, (double)delivered * (double)size / 1e6 / seconds);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
    free(data);
    return failed ? 1 : 0;
}
