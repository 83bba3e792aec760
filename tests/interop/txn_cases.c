/* Transactions. One thread. */
#include "tests/interop/cases.h"
#include "tests/interop/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTITIONS = 2 };

static void well(rd_kafka_error_t *error, const char *what)
{
    CHECK(!error, "%s: %s (%s)", what, rd_kafka_error_string(error), rd_kafka_error_name(error));
}

static rd_kafka_t *txn_producer(const char *id)
{
    rd_kafka_t *rk = client_producer("transactional.id", id, "transaction.timeout.ms", "20000",
                                     "linger.ms", "1", NULL);
    well(rd_kafka_init_transactions(rk, CLIENT_TIMEOUT_MS), "init_transactions");
    return rk;
}

static void send_round(rd_kafka_t *rk, const char *topic, const char *value, int count)
{
    for (int i = 0; i < count; i++)
        client_send(rk, topic, i % PARTITIONS, "k", value);
    client_flush(rk);
}

struct tally {
    int committed, aborted, other;
};

static void see_value(void *ctx, const rd_kafka_message_t *message)
{
    struct tally *tally = ctx;
    if (message->len == 6 && memcmp(message->payload, "commit", 6) == 0)
        tally->committed++;
    else if (message->len == 5 && memcmp(message->payload, "abort", 5) == 0)
        tally->aborted++;
    else
        tally->other++;
}

static void send_offsets(rd_kafka_t *producer, rd_kafka_t *consumer, const char *topic,
                         int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(consumer);
    well(rd_kafka_send_offsets_to_transaction(producer, list, group, CLIENT_TIMEOUT_MS),
         "send_offsets_to_transaction");
    rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Offsets sent in a transaction count when it commits, and only then. */
static void check_offsets(rd_kafka_t *producer, const char *topic, const char *out)
{
    char group[64];
    snprintf(group, sizeof group, "interop-txn-%d", (int)getpid());
    rd_kafka_t *consumer = client_consumer("group.id", group, NULL);
    client_subscribe(consumer, topic);
    rd_kafka_message_t *message = client_poll(consumer, CLIENT_TIMEOUT_MS);
    CHECK(message, "nothing to read in %s", topic);
    rd_kafka_message_destroy(message);
    well(rd_kafka_begin_transaction(producer), "begin_transaction");
    send_round(producer, out, "abort", 4);
    send_offsets(producer, consumer, topic, 3);
    well(rd_kafka_abort_transaction(producer, CLIENT_TIMEOUT_MS), "abort_transaction");
    int64_t offset = client_committed(consumer, topic, 0);
    CHECK(offset == RD_KAFKA_OFFSET_INVALID, "an aborted offset counts: %lld", (long long)offset);
    well(rd_kafka_begin_transaction(producer), "begin_transaction");
    send_round(producer, out, "commit", 4);
    send_offsets(producer, consumer, topic, 5);
    well(rd_kafka_commit_transaction(producer, CLIENT_TIMEOUT_MS), "commit_transaction");
    offset = client_committed(consumer, topic, 0);
    CHECK(offset == 5, "the committed offset is %lld, not 5", (long long)offset);
    client_consumer_close(consumer);
}

void case_transaction(void)
{
    const char *topic = client_topic("txn", PARTITIONS), *out = client_topic("txn-out", PARTITIONS);
    char id[64];
    snprintf(id, sizeof id, "interop-%d", (int)getpid());
    rd_kafka_t *rk = txn_producer(id);
    for (int round = 0; round < 6; round++) {
        bool commit = round % 2 == 0;
        well(rd_kafka_begin_transaction(rk), "begin_transaction");
        send_round(rk, topic, commit ? "commit" : "abort", 10);
        if (commit)
            well(rd_kafka_commit_transaction(rk, CLIENT_TIMEOUT_MS), "commit_transaction");
        else
            well(rd_kafka_abort_transaction(rk, CLIENT_TIMEOUT_MS), "abort_transaction");
    }
    struct tally tally = {0};
    client_read_all(topic, PARTITIONS, true, see_value, &tally);
    CHECK(tally.committed == 30 && tally.aborted == 0 && tally.other == 0,
          "read_committed saw %d committed, %d aborted, %d others", tally.committed, tally.aborted,
          tally.other);
    tally = (struct tally){0};
    client_read_all(topic, PARTITIONS, false, see_value, &tally);
    CHECK(tally.committed == 30 && tally.aborted == 30, "read_uncommitted saw %d and %d",
          tally.committed, tally.aborted);
    /* While a transaction is open, read_committed ends before it. */
    well(rd_kafka_begin_transaction(rk), "begin_transaction");
    send_round(rk, topic, "commit", 10);
    tally = (struct tally){0};
    client_read_all(topic, PARTITIONS, true, see_value, &tally);
    CHECK(tally.committed == 30, "an open transaction is seen: %d", tally.committed);
    well(rd_kafka_commit_transaction(rk, CLIENT_TIMEOUT_MS), "commit_transaction");
    tally = (struct tally){0};
    client_read_all(topic, PARTITIONS, true, see_value, &tally);
    CHECK(tally.committed == 40, "after the commit %d are seen", tally.committed);
    check_offsets(rk, topic, out);
    tally = (struct tally){0};
    client_read_all(out, PARTITIONS, true, see_value, &tally);
    CHECK(tally.committed == 4 && tally.aborted == 0, "%d and %d in the output", tally.committed,
          tally.aborted);
    client_producer_close(rk);
}

void case_fencing(void)
{
    const char *topic = client_topic("fencing", PARTITIONS);
    char id[64];
    snprintf(id, sizeof id, "interop-fencing-%d", (int)getpid());
    rd_kafka_t *old = txn_producer(id);
    well(rd_kafka_begin_transaction(old), "begin_transaction");
    send_round(old, topic, "abort", 10);
    rd_kafka_t *newer = txn_producer(id); /* ends the older one's transaction */
    well(rd_kafka_begin_transaction(newer), "begin_transaction");
    send_round(newer, topic, "commit", 10);
    well(rd_kafka_commit_transaction(newer, CLIENT_TIMEOUT_MS), "commit_transaction");
    rd_kafka_error_t *error = rd_kafka_commit_transaction(old, CLIENT_TIMEOUT_MS);
    CHECK(error, "the fenced producer could commit");
    CHECK(rd_kafka_error_is_fatal(error), "the fenced producer's error is not fatal: %s",
          rd_kafka_error_string(error));
    CHECK(rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__FENCED, "not fenced but: %s",
          rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    client_producer_drop(old);
    struct tally tally = {0};
    client_read_all(topic, PARTITIONS, true, see_value, &tally);
    CHECK(tally.committed == 10 && tally.aborted == 0, "%d committed, %d aborted are seen",
          tally.committed, tally.aborted);
    client_producer_close(newer);
}

void case_abandoned(void)
{
    const char *topic = client_topic("abandoned", PARTITIONS);
    char id[64];
    snprintf(id, sizeof id, "interop-abandoned-%d", (int)getpid());
    rd_kafka_t *gone = client_producer("transactional.id", id, "transaction.timeout.ms", "2000",
                                       "message.timeout.ms", "2000", "linger.ms", "1", NULL);
    well(rd_kafka_init_transactions(gone, CLIENT_TIMEOUT_MS), "init_transactions");
    well(rd_kafka_begin_transaction(gone), "begin_transaction");
    send_round(gone, topic, "abort", 10);
    client_producer_drop(gone); /* says nothing to the broker */
    rd_kafka_t *rk = client_producer("linger.ms", "1", NULL);
    send_round(rk, topic, "commit", 10);
    client_producer_close(rk);
    int64_t limit = client_now_ms() + CLIENT_TIMEOUT_MS;
    struct tally tally;
    do { /* the broker aborts the transaction when its time is over */
        tally = (struct tally){0};
        client_read_all(topic, PARTITIONS, true, see_value, &tally);
        CHECK(tally.aborted == 0, "%d records of an abandoned transaction are seen", tally.aborted);
        CHECK(client_now_ms() < limit, "the abandoned transaction still hides what follows");
    } while (tally.committed < 10);
}
