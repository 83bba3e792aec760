/* Topic config: the topic-level options (Kafka's names and defaults), the broker option that each
 * takes its default from, and what they come to for one topic. */
#ifndef WEIR_BROKER_CLUSTER_TOPIC_CONFIG_H
#define WEIR_BROKER_CLUSTER_TOPIC_CONFIG_H

#include "broker/cluster/image.h"
#include "broker/log/log_config.h"

extern const struct bs_option_table bk_topic_options;
/* Cluster rows: num.partitions, default.replication.factor, max.partitions, … */
extern const struct bs_option_table bk_cluster_options;

enum bk_config_source { /* DescribeConfigs' numbers */
                        BK_SOURCE_TOPIC = 1,
                        BK_SOURCE_BROKER = 4,
                        BK_SOURCE_DEFAULT = 5
};
/* The broker option behind a topic option ("log.retention.ms"), or NULL. */
const char *bk_topic_config_synonym(const char *name);
/* The value in force of bk_topic_options row `row`; topic may be NULL (no overrides). The text
 * lives as long as topic and config; numbers that come from another unit (log.retention.hours) are
 * written to scratch. */
const char *bk_topic_config_value(const struct bk_topic *topic, const struct bs_config *config,
                                  size_t row, char scratch[32], enum bk_config_source *ret_source);
/* All of them, as the log takes them. */
struct bk_log_config bk_topic_config_log(const struct bk_topic *topic,
                                         const struct bs_config *config);
/* BS_ENOTFOUND or BS_EINVAL with a sentence. */
int bk_topic_config_check(const char *name, const char *value, struct bs_error *err);

#endif
