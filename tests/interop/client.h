/* Client: what the cases share: librdkafka handles from "key", "value" lists, and calls that end
 * the program with a sentence when they fail. One thread. */
#ifndef WEIR_TESTS_INTEROP_CLIENT_H
#define WEIR_TESTS_INTEROP_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>

#define CHECK(condition, ...)                             \
    do {                                                  \
        if (!(condition))                                 \
            client_fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

enum { CLIENT_TIMEOUT_MS = 30000 };

void client_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), noreturn));

extern const char *client_bootstrap;

/* The list ends with NULL. */
rd_kafka_t *client_producer(const char *key, ...);
rd_kafka_t *client_consumer(const char *key, ...);
void client_producer_close(rd_kafka_t *rk); /* flushes; every message must have been delivered */
void client_consumer_close(rd_kafka_t *rk);
/* Ends a producer that is not well any more: what it still holds is dropped. */
void client_producer_drop(rd_kafka_t *rk);

/* A topic of this process's own, so that cases can share a broker. Static memory, one at a time per
 * tag. */
const char *client_topic(const char *tag, int partitions);

/* key NULL: null. Waits when the queue is full. */
void client_send(rd_kafka_t *rk, const char *topic, int partition, const char *key,
                 const char *value);
void client_flush(rd_kafka_t *rk);
/* Messages that a producer could not deliver since its start. */
int client_failed_count(void);

/* Calls see for every message of all partitions from the beginning to the end; the count. */
typedef void client_see(void *ctx, const rd_kafka_message_t *message);
int client_read_all(const char *topic, int partitions, bool committed_only, client_see *see,
                    void *ctx);
/* The next message of a subscribed consumer; NULL when none comes within timeout_ms. */
rd_kafka_message_t *client_poll(rd_kafka_t *rk, int timeout_ms);
void client_subscribe(rd_kafka_t *rk, const char *topic);
int client_assigned_count(rd_kafka_t *rk);
/* Committed offset of a group, -1001 for none. */
int64_t client_committed(rd_kafka_t *rk, const char *topic, int partition);
int64_t client_now_ms(void);

#endif
