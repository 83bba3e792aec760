/* Group: see group.h.
 *
 * The session of 6 s is the shortest that brokers take by default; with it a killed leader is
 * replaced within 7 s. The assignor is range, which sorts members by their ids, which begin with
 * client.id: that has the time of joining, so who comes later does not take the partition away (the
 * sticky assignor of librdkafka 2.0 ends the process in some closings). Not a static member: a
 * clean end must free the lock at once. */
#include "schema-registry/group.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "schema-registry/journal.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { POLL_MS = 100 };

static const struct bs_event problem = {
    "registry.group-problem", BS_LOG_WARN,
    "This process cannot be in the group that chooses the leader; it writes nothing."};

struct sr_group {
    struct sr_group_options options;
    rd_kafka_t *consumer;
    pthread_t thread;
    bool started, owner, told;
    bool leaves;       /* set before stop */
    _Atomic bool stop; /* librdkafka's poll cannot be woken by a mailbox */
};

static void set_owner(struct sr_group *group, bool owner)
{
    group->owner = owner;
    group->options.on_owner(group->options.ctx, owner);
}

static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct sr_group *group = opaque;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        for (int i = 0; i < partitions->cnt; i++)
            partitions->elems[i].offset = RD_KAFKA_OFFSET_END;
        rd_kafka_assign(rk, partitions);
        rd_kafka_pause_partitions(rk, partitions);
        if (partitions->cnt)
            set_owner(group, true);
    } else {
        if (partitions->cnt)
            set_owner(group, false);
        rd_kafka_assign(rk, NULL);
    }
    if (group->told)
        group->options.on_problem(group->options.ctx, NULL, false);
    group->told = false;
}

static void tell_problem(struct sr_group *group, const rd_kafka_message_t *message)
{
    char text[512];
    const char *what = rd_kafka_message_errstr(message);
    if (message->err == RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL)
        snprintf(text, sizeof text,
                 "group %s is held by another product's registry (another group protocol); two "
                 "products must not write to one topic: stop the other one, or set "
                 "schema.registry.group.id",
                 group->options.id);
    else
        snprintf(text, sizeof text, "group %s: %s", group->options.id,
                 what ? what : rd_kafka_err2str(message->err));
    if (!group->told)
        bs_log(&problem, "%s", text);
    group->told = true;
    group->options.on_problem(group->options.ctx, text,
                              message->err == RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL);
}

static void *serve(void *arg)
{
    struct sr_group *group = arg;
    while (!atomic_load_explicit(&group->stop, memory_order_acquire)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(group->consumer, POLL_MS);
        if (message == NULL)
            continue;
        if (message->err && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            tell_problem(group, message);
        rd_kafka_message_destroy(message);
    }
    if (group->leaves)
        rd_kafka_consumer_close(group->consumer);
    return NULL;
}

static int configure(rd_kafka_conf_t *conf, const struct sr_group_options *options,
                     struct bs_error *err)
{
    static const char *const rows[][2] = {
        {"session.timeout.ms", "6000"},   {"heartbeat.interval.ms", "500"},
        {"max.poll.interval.ms", "6000"}, {"partition.assignment.strategy", "range"},
        {"enable.auto.commit", "false"},  {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "latest"},  {"socket.timeout.ms", "6000"},
    };
    char text[256], client[64];
    struct timespec now;
    int rc = sr_journal_conf(conf, options->bootstrap, options->properties, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rd_kafka_conf_set(conf, rows[i][0], rows[i][1], text, sizeof text))
            return bs_error_set(err, BS_EINVAL, "%s", text);
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(client, sizeof client, "weir-registry-%013lld",
             (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (rd_kafka_conf_set(conf, "client.id", client, text, sizeof text))
        return bs_error_set(err, BS_EINVAL, "%s", text);
    if (rd_kafka_conf_set(conf, "group.id", options->id, text, sizeof text))
        return bs_error_set(err, BS_EINVAL, "schema.registry.group.id=%s: %s", options->id, text);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    return 0;
}

int sr_group_open(const struct sr_group_options *options, struct sr_group **ret,
                  struct bs_error *err)
{
    struct sr_group *group = bs_new(struct sr_group);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *topics = NULL;
    char text[256];
    int rc;
    group->options = *options;
    atomic_init(&group->stop, false);
    rd_kafka_conf_set_opaque(conf, group);
    if ((rc = configure(conf, options, err)) < 0) {
        rd_kafka_conf_destroy(conf);
        goto failed;
    }
    group->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (group->consumer == NULL) {
        rd_kafka_conf_destroy(conf);
        rc = bs_error_set(err, BS_EINVAL, "kafkastore: %s", text);
        goto failed;
    }
    rd_kafka_poll_set_consumer(group->consumer);
    topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, options->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(group->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    if ((rc = pthread_create(&group->thread, NULL, serve, group)) != 0) {
        rc = bs_error_sys(err, rc, "cannot start the thread of the registry's group");
        goto failed;
    }
    group->started = true;
    *ret = group;
    return 0;
failed:
    sr_group_close(group, false);
    return rc;
}

void sr_group_close(struct sr_group *group, bool reachable)
{
    if (group == NULL)
        return;
    group->leaves = reachable;
    atomic_store_explicit(&group->stop, true, memory_order_release);
    if (group->started)
        pthread_join(group->thread, NULL);
    if (group->consumer)
        rd_kafka_destroy_flags(group->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    bs_free(group);
}
