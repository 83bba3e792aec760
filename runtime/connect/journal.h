/* Journal: configurations and states in the topics connect-configs and connect-status, in Kafka
 * Connect's own record formats. On the host's thread, except for the replay at open. */
#ifndef WEIR_RUNTIME_CONNECT_JOURNAL_H
#define WEIR_RUNTIME_CONNECT_JOURNAL_H

#include "runtime/connect/herder.h"

/* Delivery callback of host->producer. */
void rt_journal_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *ctx);
/* Reads connect-configs to its end and puts what is configured into the host, which starts it. */
int rt_journal_replay(struct rt_connect_host *host, struct bs_error *err);

/* A record of connect-configs that came after the replay: another worker's change is taken over, an
 * own one is known already. */
void rt_journal_follow(struct rt_connect_host *host, const char *key, const char *value,
                       int64_t offset);
void rt_journal_forget(struct rt_connect_host *host); /* frees what it remembers */

/* These return when the record is stored (acknowledged by all replicas). */
int rt_journal_config(struct rt_connect_host *host, const char *name,
                      const struct cn_config *config, struct bs_error *err);
int rt_journal_target(struct rt_connect_host *host, const char *name, enum rt_target target,
                      struct bs_error *err);
int rt_journal_delete(struct rt_connect_host *host, const char *name, struct bs_error *err);
/* These are sent, and stored soon after. */
void rt_journal_task_configs(struct rt_connect_host *host, const struct rt_connector *connector);
void rt_journal_connector_state(struct rt_connect_host *host, const char *name, const char *state,
                                const char *trace);
void rt_journal_task_state(struct rt_connect_host *host, const char *name, size_t task,
                           const char *state, const char *trace, bool complete);
void rt_journal_task_gone(struct rt_connect_host *host, const char *name, size_t task);
void rt_journal_connector_gone(struct rt_connect_host *host, const char *name);

#endif
