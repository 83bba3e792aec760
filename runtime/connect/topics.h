/* Topics: the three internal topics and the forms of their keys, as Kafka Connect writes them. */
#ifndef WEIR_RUNTIME_CONNECT_TOPICS_H
#define WEIR_RUNTIME_CONNECT_TOPICS_H

#include "runtime/connect/kafka.h"

#include "lib/base/buf.h"

#define RT_TOPIC_CONFIGS "connect-configs"
#define RT_TOPIC_OFFSETS "connect-offsets"
#define RT_TOPIC_STATUS  "connect-status"

/* Makes those that are not there (compacted). */
int rt_topics_make(rd_kafka_t *client, struct bs_error *err);

/* ["connector",{partition}]; replaces what is in out. */
void rt_topics_offset_key(const char *connector, const char *partition_json, struct bs_buf *out);
/* All stored positions of one connector, in order; a later one replaces an earlier one. JSON texts,
 * borrowed for the call. */
typedef void rt_topics_each_offset(void *ctx, const char *partition_json, const char *offset_json);
int rt_topics_read_offsets(const char *bootstrap, const char *connector,
                           rt_topics_each_offset *each, void *ctx, struct bs_error *err);

#endif
