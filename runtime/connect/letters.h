/* Letters: the dead letter queue of a sink task. */
#ifndef WEIR_RUNTIME_CONNECT_LETTERS_H
#define WEIR_RUNTIME_CONNECT_LETTERS_H

#include "runtime/connect/kafka.h"
#include "runtime/connect/task.h"

struct rt_letters;

/* *ret is NULL when the configuration names no queue. */
int rt_letters_open(struct cn_task *task, struct rt_letters **ret, struct bs_error *err);
void rt_letters_close(struct rt_letters *letters); /* accepts NULL */
/* The record as it came, with headers that say why when they are asked for. `stage` as Connect's.
 */
int rt_letters_send(struct rt_letters *letters, const rd_kafka_message_t *message,
                    const char *stage, const char *why, struct bs_error *err);
/* All sent ones are stored; before the offsets of their originals are committed. */
int rt_letters_flush(struct rt_letters *letters, struct bs_error *err);

#endif
