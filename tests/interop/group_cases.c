/* Consumer groups: two members in one thread, polled in turns. */
#include "tests/interop/cases.h"
#include "tests/interop/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PARTITIONS = 4, COUNT = 400, OFFSET_MAX = 1024 };

struct member {
    rd_kafka_t *rk;
    int read;
    bool uncommitted;
};

/* Which records came, by partition and offset. librdkafka 2.0.2 reads the partitions it keeps in a
 * cooperative rebalance again, whatever the broker; so there a record may come twice, but none may
 * be missing. With the other assignors twice is wrong. */
static struct {
    bool repeats_allowed;
    bool came[PARTITIONS][OFFSET_MAX];
} seen;

static void note(struct member *member, const rd_kafka_message_t *message)
{
    CHECK(message->partition < PARTITIONS && message->offset < OFFSET_MAX, "offset %lld",
          (long long)message->offset);
    bool *came = &seen.came[message->partition][message->offset];
    CHECK(!*came || seen.repeats_allowed, "partition %d, offset %lld came twice",
          message->partition, (long long)message->offset);
    member->read += !*came;
    member->uncommitted = true;
    *came = true;
}

static void produce(const char *topic, int count)
{
    rd_kafka_t *rk = client_producer("linger.ms", "1", NULL);
    for (int i = 0; i < count; i++)
        client_send(rk, topic, i % PARTITIONS, "k", "v");
    client_producer_close(rk);
}

static void member_open(struct member *member, const char *group, const char *topic,
                        const char *assignor, const char *instance)
{
    if (instance)
        member->rk = client_consumer("group.id", group, "partition.assignment.strategy", assignor,
                                     "session.timeout.ms", "10000", "heartbeat.interval.ms", "200",
                                     "group.instance.id", instance, NULL);
    else
        member->rk =
            client_consumer("group.id", group, "partition.assignment.strategy", assignor,
                            "session.timeout.ms", "10000", "heartbeat.interval.ms", "200", NULL);
    client_subscribe(member->rk, topic);
}

/* Commits what was read. Within a rebalance the broker refuses; the next turn tries again. */
static void member_commit(struct member *member)
{
    rd_kafka_resp_err_t err = rd_kafka_commit(member->rk, NULL, 0);
    if (err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
        err == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS)
        return;
    CHECK(!err || err == RD_KAFKA_RESP_ERR__NO_OFFSET, "commit: %s", rd_kafka_err2str(err));
    member->uncommitted = false;
}

/* One turn: reads what is there and commits it. */
static void member_turn(struct member *member)
{
    if (!member->rk)
        return;
    rd_kafka_message_t *message;
    while ((message = rd_kafka_consumer_poll(member->rk, 20))) {
        CHECK(!message->err || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF, "consume: %s",
              rd_kafka_message_errstr(message));
        if (!message->err)
            note(member, message);
        rd_kafka_message_destroy(message);
    }
    if (member->uncommitted)
        member_commit(member);
}

static void wait_share(struct member *a, int share_a, struct member *b, int share_b)
{
    int64_t limit = client_now_ms() + CLIENT_TIMEOUT_MS;
    for (;;) {
        member_turn(a);
        member_turn(b);
        int has_a = client_assigned_count(a->rk), has_b = b->rk ? client_assigned_count(b->rk) : 0;
        if (has_a == share_a && has_b == share_b)
            return;
        CHECK(client_now_ms() < limit, "the members have %d and %d partitions, not %d and %d",
              has_a, has_b, share_a, share_b);
    }
}

static void wait_read(struct member *a, struct member *b, int count)
{
    int64_t limit = client_now_ms() + CLIENT_TIMEOUT_MS;
    while (a->read + b->read < count || a->uncommitted || b->uncommitted) {
        member_turn(a);
        member_turn(b);
        CHECK(client_now_ms() < limit, "%d and %d of %d records came", a->read, b->read, count);
    }
    member_turn(a);
    member_turn(b);
    CHECK(a->read + b->read == count, "%d and %d records came, not %d", a->read, b->read, count);
}

static void rebalance(const char *assignor)
{
    const char *topic = client_topic(assignor, PARTITIONS);
    char group[64];
    snprintf(group, sizeof group, "interop-%s-%d", assignor, (int)getpid());
    struct member a = {0}, b = {0};
    produce(topic, COUNT);
    member_open(&a, group, topic, assignor, NULL);
    wait_share(&a, PARTITIONS, &b, 0);
    wait_read(&a, &b, COUNT);
    member_open(&b, group, topic, assignor, NULL);
    wait_share(&a, PARTITIONS / 2, &b, PARTITIONS / 2);
    produce(topic, COUNT);
    wait_read(&a, &b, 2 * COUNT);
    CHECK(b.read == COUNT / 2, "the second member read %d of %d", b.read, COUNT / 2);
    client_consumer_close(b.rk);
    b.rk = NULL;
    wait_share(&a, PARTITIONS, &b, 0);
    produce(topic, COUNT);
    wait_read(&a, &b, 3 * COUNT);
    client_consumer_close(a.rk);
    /* A new member goes on where the group ended: nothing is left. */
    struct member c = {0};
    a.rk = NULL;
    member_open(&c, group, topic, assignor, NULL);
    wait_share(&c, PARTITIONS, &a, 0);
    produce(topic, 8);
    wait_read(&c, &a, 8 + a.read);
    CHECK(c.read == 8, "the new member read %d, not 8", c.read);
    client_consumer_close(c.rk);
}

void case_eager(void)
{
    rebalance("range");
}

void case_cooperative(void)
{
    seen.repeats_allowed = true;
    rebalance("cooperative-sticky");
}

void case_static(void)
{
    const char *topic = client_topic("static", PARTITIONS);
    char group[64];
    snprintf(group, sizeof group, "interop-static-%d", (int)getpid());
    struct member a = {0}, b = {0};
    produce(topic, COUNT);
    member_open(&a, group, topic, "range", "one");
    member_open(&b, group, topic, "range", "two");
    wait_share(&a, PARTITIONS / 2, &b, PARTITIONS / 2);
    wait_read(&a, &b, COUNT);
    rd_kafka_consumer_group_metadata_t *before = rd_kafka_consumer_group_metadata(a.rk);
    /* Gone without leaving, as a static member does, and back: the other keeps its generation. */
    client_consumer_close(b.rk);
    b.rk = NULL;
    member_open(&b, group, topic, "range", "two");
    wait_share(&a, PARTITIONS / 2, &b, PARTITIONS / 2);
    produce(topic, COUNT);
    wait_read(&a, &b, 2 * COUNT);
    rd_kafka_consumer_group_metadata_t *after = rd_kafka_consumer_group_metadata(a.rk);
    void *bytes_before = NULL, *bytes_after = NULL;
    size_t len_before = 0, len_after = 0;
    rd_kafka_consumer_group_metadata_write(before, &bytes_before, &len_before);
    rd_kafka_consumer_group_metadata_write(after, &bytes_after, &len_after);
    CHECK(len_before == len_after && memcmp(bytes_before, bytes_after, len_before) == 0,
          "the return of a static member caused a rebalance");
    rd_kafka_mem_free(a.rk, bytes_before);
    rd_kafka_mem_free(a.rk, bytes_after);
    rd_kafka_consumer_group_metadata_destroy(before);
    rd_kafka_consumer_group_metadata_destroy(after);
    client_consumer_close(a.rk);
    client_consumer_close(b.rk);
}
