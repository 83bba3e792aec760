/* Client: the Kafka clients of a worker, made from rows of librdkafka properties, and its errors in
 * ours. Any thread. */
#ifndef WEIR_RUNTIME_WORKER_CLIENT_H
#define WEIR_RUNTIME_WORKER_CLIENT_H

#include "runtime/pipeline/pipeline.h"

#include <librdkafka/rdkafka.h>

struct rt_client_option {
    const char *name, *value;
};

struct rt_client_spec {
    rd_kafka_type_t type;
    const char *bootstrap, *client_id;
    const struct rt_client_option *options; /* ended by a row without a name */
    const struct rt_setting *extra; /* the pipeline's kafka = {…}; those of the other client
                                     * kind are passed over, unknown ones an error */
    size_t extra_count;
    const char *where; /* for errors about extra: the pipeline's file */
    void *opaque;
    void (*delivery)(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque);
    void (*rebalance)(rd_kafka_t *client, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *list, void *opaque);
};

int rt_client_open(const struct rt_client_spec *spec, rd_kafka_t **ret, struct bs_error *err);

/* Our code for librdkafka's. */
int rt_client_code(rd_kafka_resp_err_t code);
/* "what: librdkafka's sentence". */
int rt_client_fail(struct bs_error *err, rd_kafka_resp_err_t code, const char *what);
/* Takes the error over. */
int rt_client_fail_error(struct bs_error *err, rd_kafka_error_t *error, const char *what);

/* First and end offset, retried while the broker is not ready for the topic. The end is that of the
 * client's isolation level. */
int rt_client_ends(rd_kafka_t *client, const char *topic, int32_t partition, int64_t *ret_first,
                   int64_t *ret_end, struct bs_error *err);
/* Number of partitions, 0: no such topic. */
int rt_client_partitions(rd_kafka_t *client, const char *topic, int32_t *ret, struct bs_error *err);

int64_t rt_now_ms(void); /* never goes back */

#endif
