/* Kafka: librdkafka handles as the connector host needs them. */
#ifndef WEIR_RUNTIME_CONNECT_KAFKA_H
#define WEIR_RUNTIME_CONNECT_KAFKA_H

#include "lib/base/err.h"

#include <librdkafka/rdkafka.h>

struct cn_config;

/* A configuration with bootstrap.servers, client.id and the log callback set, then `pairs` (name,
 * value, …, NULL). */
rd_kafka_conf_t *rt_kafka_conf(const char *bootstrap, const char *client_id,
                               const char *const *pairs);
/* Takes every "<prefix>NAME" of a connector's configuration into conf. A name that librdkafka lacks
 * is an error, except for a few of the Java client's that have no meaning here. */
int rt_kafka_override(rd_kafka_conf_t *conf, const struct cn_config *config, const char *prefix,
                      struct bs_error *err);
/* Owns conf from here on. */
int rt_kafka_open(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret,
                  struct bs_error *err);

/* Waits until a broker answers, up to a minute; says in the log that it does. */
int rt_kafka_wait(rd_kafka_t *client, const char *bootstrap, struct bs_error *err);
/* Makes a topic; one that is there already is fine. partitions, copies −1: the cluster's default.
 * `pairs`: topic settings (name, value, …, NULL) or NULL. */
int rt_kafka_topic_make(rd_kafka_t *client, const char *topic, int partitions, int copies,
                        const char *const *pairs, struct bs_error *err);
/* Number of partitions, 0 when the topic is not there. */
int rt_kafka_partitions(rd_kafka_t *client, const char *topic, int *ret, struct bs_error *err);
/* The BS_E… that an error of librdkafka stands for. */
int rt_kafka_error(rd_kafka_resp_err_t code);

/* Reads all of a topic, oldest first, read_committed, up to its present end. The message is
 * borrowed for the call. A topic that is not there is empty. */
typedef void rt_kafka_each(void *ctx, const rd_kafka_message_t *message);
int rt_kafka_read_all(const char *bootstrap, const char *topic, rt_kafka_each *each, void *ctx,
                      struct bs_error *err);

#endif
