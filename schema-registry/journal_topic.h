/* Journal topic: the topic is there, has one partition and is compacted. */
#ifndef WEIR_SR_JOURNAL_TOPIC_H
#define WEIR_SR_JOURNAL_TOPIC_H

#include "lib/base/err.h"

#include <librdkafka/rdkafka.h>

/* Creates the topic when absent. *ret_max is set to the bytes of a batch that it takes, if the
 * broker tells. An error of class BS_RETRY says what is waited for (no broker, no leader yet); any
 * other one needs a person (more than one partition, cleanup.policy=delete). */
int sr_topic_prepare(rd_kafka_t *client, const char *topic, int replication, size_t *ret_max,
                     struct bs_error *err);

#endif
