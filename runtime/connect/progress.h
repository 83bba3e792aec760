/* Progress: committed offsets of a sink's group. */
#ifndef WEIR_RUNTIME_CONNECT_PROGRESS_H
#define WEIR_RUNTIME_CONNECT_PROGRESS_H

#include "runtime/connect/herder.h"

/* All that the group connect-<connector> has committed; destroy the list. */
int rt_progress_committed(rd_kafka_t *client, const char *connector,
                          rd_kafka_topic_partition_list_t **ret, struct bs_error *err);

#endif
