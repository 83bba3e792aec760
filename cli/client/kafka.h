/* Kafka: what the client commands share of librdkafka: where the broker is, and how a failure to
 * reach it is told. The errors made here say what to try. One thread: librdkafka's callbacks come
 * only from its poll functions. */
#ifndef WEIR_CLI_CLIENT_KAFKA_H
#define WEIR_CLI_CLIENT_KAFKA_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <argp.h>
#include <librdkafka/rdkafka.h>

struct cl_kafka {
    const char *bootstrap; /* flag, or WEIR_BOOTSTRAP, or 127.0.0.1:9092 */
    int timeout_ms;
    const char **settings; /* "name=value" of librdkafka */
    size_t setting_count;
    rd_kafka_t *rk;
    bool all_down;       /* no broker could be reached */
    char last_text[512]; /* librdkafka's sentence about it */
};

/* Child parser (--bootstrap, --timeout, --kafka); its input is a struct cl_kafka. */
extern const struct argp cl_kafka_argp;

void cl_kafka_init(struct cl_kafka *kafka);
void cl_kafka_deinit(struct cl_kafka *kafka); /* accepts a half-made one */
/* The configuration to add to before cl_kafka_open; its names must be right (a bug aborts). */
rd_kafka_conf_t *cl_kafka_conf(struct cl_kafka *kafka, struct bs_error *err);
void cl_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value);
/* Takes conf, whether it succeeds or not. */
int cl_kafka_open(struct cl_kafka *kafka, rd_kafka_type_t type, rd_kafka_conf_t *conf,
                  struct bs_error *err);

/* Sets err (BS_ECONNECT) when no broker can be reached; else 0. */
int cl_kafka_check(const struct cl_kafka *kafka, struct bs_error *err);
/* Metadata of all topics; free with rd_kafka_metadata_destroy. Asking for one by name would make a
 * broker with auto.create.topics.enable create it. */
int cl_kafka_metadata(struct cl_kafka *kafka, const struct rd_kafka_metadata **ret,
                      struct bs_error *err);
/* The same, and in it the topic of that name; BS_ENOTFOUND when it does not exist. *ret_metadata is
 * to be destroyed in any case when it is set. */
int cl_kafka_topic(struct cl_kafka *kafka, const char *name,
                   const struct rd_kafka_metadata **ret_metadata,
                   const struct rd_kafka_metadata_topic **ret_topic, struct bs_error *err);
/* Waits for the one answer on an admin queue; free with rd_kafka_event_destroy. */
int cl_kafka_event(struct cl_kafka *kafka, rd_kafka_queue_t *queue, rd_kafka_event_t **ret,
                   struct bs_error *err);
int cl_kafka_error(struct bs_error *err, rd_kafka_resp_err_t code, const char *what);
/* Why a record was not delivered. */
int cl_kafka_undelivered(const struct cl_kafka *kafka, rd_kafka_resp_err_t code, const char *topic,
                         struct bs_error *err);

#endif
