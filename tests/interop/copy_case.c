/* Consume, produce, commit as one: a program that copies a topic in transactions and starts over at
 * every error, as one that was killed does. However often the broker dies meanwhile, the copy is
 * exact. One thread. */
#include "tests/interop/cases.h"
#include "tests/interop/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PARTITIONS = 2,
    COUNT = 2000,
    BATCH = 50,
    DEATH_EVERY = 9, /* batches */
    RESTARTS_MAX = 200,
    COPY_MS_MAX = 120000
};

struct copy {
    const char *in, *out;
    char group[64], id[64];
    rd_kafka_t *producer, *consumer;
    int64_t done[PARTITIONS]; /* committed offsets */
    int restarts, batches;
};

static void copy_close(struct copy *copy)
{
    if (copy->producer)
        client_producer_drop(copy->producer);
    if (copy->consumer)
        rd_kafka_destroy(copy->consumer);
    copy->producer = copy->consumer = NULL;
}

/* False: said why; try again. */
static bool went_well(struct copy *copy, rd_kafka_error_t *error, const char *what)
{
    if (!error)
        return true;
    printf("copy: %s: %s%s\n", what, rd_kafka_error_string(error),
           rd_kafka_error_is_fatal(error) ? " (fatal)" : "");
    CHECK(++copy->restarts < RESTARTS_MAX, "still: %s: %s", what, rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return false;
}

/* Ends what an earlier life left, then takes up where it had committed. */
static bool copy_open(struct copy *copy)
{
    copy->producer =
        client_producer("transactional.id", copy->id, "transaction.timeout.ms", "30000",
                        "linger.ms", "1", "reconnect.backoff.max.ms", "200", NULL);
    if (!went_well(copy, rd_kafka_init_transactions(copy->producer, CLIENT_TIMEOUT_MS),
                   "init_transactions"))
        return false;
    copy->consumer = client_consumer("group.id", copy->group, "isolation.level", "read_committed",
                                     "reconnect.backoff.max.ms", "200", NULL);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, copy->in, p);
    rd_kafka_resp_err_t err = rd_kafka_committed(copy->consumer, list, CLIENT_TIMEOUT_MS);
    for (int p = 0; !err && p < PARTITIONS; p++) {
        err = list->elems[p].err;
        copy->done[p] = list->elems[p].offset < 0 ? 0 : list->elems[p].offset;
        list->elems[p].offset = copy->done[p];
    }
    err = err ? err : rd_kafka_assign(copy->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return went_well(copy, err ? rd_kafka_error_new(err, "%s", rd_kafka_err2str(err)) : NULL,
                     "committed");
}

/* One transaction of up to BATCH records. */
static bool copy_batch(struct copy *copy)
{
    int64_t next[PARTITIONS] = {copy->done[0], copy->done[1]};
    int count = 0;
    if (!went_well(copy, rd_kafka_begin_transaction(copy->producer), "begin_transaction"))
        return false;
    int64_t limit = client_now_ms() + 500;
    while (count < BATCH && client_now_ms() < limit) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(copy->consumer, 20);
        if (!message)
            continue;
        if (!message->err) {
            CHECK(message->offset == next[message->partition], "input offset %lld, not %lld",
                  (long long)message->offset, (long long)next[message->partition]);
            char value[16];
            snprintf(value, sizeof value, "%.*s", (int)message->len,
                     (const char *)message->payload);
            client_send(copy->producer, copy->out, message->partition, "k", value);
            next[message->partition]++;
            count++;
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, copy->in, p)->offset = next[p];
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(copy->consumer);
    rd_kafka_error_t *error =
        rd_kafka_send_offsets_to_transaction(copy->producer, list, group, CLIENT_TIMEOUT_MS);
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    if (!went_well(copy, error, "send_offsets_to_transaction"))
        return false;
    if (++copy->batches % DEATH_EVERY == 0) {
        copy->restarts++;
        return false; /* all is sent, nothing committed */
    }
    if (!went_well(copy, rd_kafka_commit_transaction(copy->producer, CLIENT_TIMEOUT_MS),
                   "commit_transaction"))
        return false;
    memcpy(copy->done, next, sizeof next);
    return true;
}

static void see_next(void *ctx, const rd_kafka_message_t *message)
{
    int *next = ctx;
    int value = atoi(message->payload);
    CHECK(value == next[message->partition], "copy %d, offset %lld: %d instead of %d",
          message->partition, (long long)message->offset, value, next[message->partition]);
    next[message->partition]++;
}

void case_copy(void)
{
    struct copy copy = {.in = client_topic("copy-in", PARTITIONS),
                        .out = client_topic("copy-out", PARTITIONS)};
    snprintf(copy.group, sizeof copy.group, "interop-copy-%d", (int)getpid());
    snprintf(copy.id, sizeof copy.id, "interop-copy-%d", (int)getpid());
    rd_kafka_t *rk = client_producer("linger.ms", "1", NULL);
    for (int i = 0; i < COUNT; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        for (int p = 0; p < PARTITIONS; p++)
            client_send(rk, copy.in, p, "k", value);
    }
    client_producer_close(rk);
    int64_t limit = client_now_ms() + COPY_MS_MAX;
    while (copy.done[0] < COUNT || copy.done[1] < COUNT) {
        CHECK(client_now_ms() < limit, "copied %lld and %lld", (long long)copy.done[0],
              (long long)copy.done[1]);
        if ((!copy.producer && !copy_open(&copy)) || !copy_batch(&copy))
            copy_close(&copy);
        printf("copy: done %lld\n", (long long)(copy.done[0] + copy.done[1]));
    }
    copy_close(&copy);
    int next[PARTITIONS] = {0};
    int count = client_read_all(copy.out, PARTITIONS, true, see_next, next);
    CHECK(count == COUNT * PARTITIONS, "%d records in the copy", count);
    printf("copy: %d restarts\n", copy.restarts);
}
