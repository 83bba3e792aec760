/* Seat: membership in a group of its own for each task, on the one partition of connect-configs;
 * who is assigned it runs the task. Nothing is read from it.
 *
 * Members are static, so a worker that starts again takes its seat at once; one that is killed
 * loses it after the session time-out. The assignor is cooperative-sticky: a newcomer moves nobody.
 * Owner: the task's thread, librdkafka's callbacks come from its poll there. */
#include "runtime/connect/seat.h"

#include "lib/base/mem.h"
#include "runtime/connect/kafka.h"
#include "runtime/connect/task.h"
#include "runtime/connect/topics.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_MS = 500 };

struct rt_seat {
    rd_kafka_t *consumer;
    bool held;
};

static void on_rebalance(rd_kafka_t *consumer, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *ctx)
{
    struct rt_seat *seat = ctx;
    rd_kafka_error_t *error;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        error = rd_kafka_incremental_assign(consumer, list);
        rd_kafka_pause_partitions(consumer, list);
        seat->held = seat->held || list->cnt > 0;
    } else {
        error = rd_kafka_incremental_unassign(consumer, list);
        seat->held = seat->held && list->cnt == 0;
    }
    if (error)
        rd_kafka_error_destroy(error);
}

static int join(struct cn_task *task, struct rt_seat *seat, struct bs_error *err)
{
    const struct rt_task_options *o = &task->options;
    char *group = bs_asprintf("%s-%s-%u", o->group_id, o->connector, o->index);
    char *member = bs_asprintf("%s-%s-%u", o->instance, o->connector, o->index);
    const char *pairs[] = {"group.id",
                           group,
                           "group.instance.id",
                           member,
                           "enable.auto.commit",
                           "false",
                           "auto.offset.reset",
                           "latest",
                           "partition.assignment.strategy",
                           "cooperative-sticky",
                           "session.timeout.ms",
                           "6000",
                           "heartbeat.interval.ms",
                           "1000",
                           "max.poll.interval.ms",
                           "86400000",
                           NULL};
    rd_kafka_conf_t *conf = rt_kafka_conf(o->bootstrap, member, pairs);
    int result;
    rd_kafka_conf_set_opaque(conf, seat);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    result = rt_kafka_open(RD_KAFKA_CONSUMER, conf, &seat->consumer, err);
    if (result == 0) {
        rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
        rd_kafka_poll_set_consumer(seat->consumer);
        rd_kafka_topic_partition_list_add(topics, RT_TOPIC_CONFIGS, RD_KAFKA_PARTITION_UA);
        rd_kafka_subscribe(seat->consumer, topics);
        rd_kafka_topic_partition_list_destroy(topics);
    }
    bs_free(group);
    bs_free(member);
    return result;
}

static int poll_seat(struct rt_seat *seat, int ms, struct bs_error *err)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(seat->consumer, ms);
    int result = 0;
    /* What passes (a broker away, a topic just made) librdkafka tries again itself. */
    if (message && message->err == RD_KAFKA_RESP_ERR__FATAL)
        result = bs_error_set(err, BS_EFENCED,
                              "another worker runs with this one's identity: %s; give each its own "
                              "state.dir",
                              rd_kafka_message_errstr(message));
    if (message)
        rd_kafka_message_destroy(message);
    return result;
}

struct look {
    const char *key;
    bool complete;
};

static void take_status(void *ctx, const rd_kafka_message_t *message)
{
    struct look *look = ctx;
    json_t *value;
    if (message->key_len != strlen(look->key) ||
        memcmp(message->key, look->key, message->key_len) != 0)
        return;
    value = message->payload ? json_loadb(message->payload, message->len, 0, NULL) : NULL;
    look->complete = json_is_true(json_object_get(value, "complete"));
    json_decref(value);
}

static bool complete_elsewhere(struct cn_task *task)
{
    char *key = bs_asprintf("status-task-%s-%u", task->options.connector, task->options.index);
    struct look look = {.key = key};
    struct bs_error err = {0};
    int result =
        rt_kafka_read_all(task->options.bootstrap, RT_TOPIC_STATUS, take_status, &look, &err);
    bs_free(key);
    return result == 0 && look.complete;
}

int rt_seat_take(struct cn_task *task, struct rt_seat **ret, struct bs_error *err)
{
    struct rt_seat *seat = bs_new(struct rt_seat);
    int64_t look_ms = rt_connector_now_ms() + LOOK_MS;
    bool elsewhere = !task->options.bounded;
    int result = join(task, seat, err);
    while (result == 0 && !seat->held) {
        if (rt_connector_task_wait(task, 0)) {
            result = 1;
            break;
        }
        result = poll_seat(seat, 50, err);
        if (elsewhere || seat->held || rt_connector_now_ms() < look_ms)
            continue;
        elsewhere = complete_elsewhere(task);
        if (elsewhere)
            task->options.report(task->options.ctx, task, RT_TASK_ELSEWHERE, NULL);
        look_ms = rt_connector_now_ms() + LOOK_MS;
    }
    if (result != 0) {
        rt_seat_leave(seat);
        seat = NULL;
    }
    *ret = seat;
    return result;
}

bool rt_seat_held(struct rt_seat *seat)
{
    return poll_seat(seat, 0, NULL) == 0 && seat->held;
}

void rt_seat_leave(struct rt_seat *seat)
{
    if (!seat)
        return;
    if (seat->consumer) {
        rd_kafka_consumer_close(seat->consumer);
        rd_kafka_destroy(seat->consumer);
    }
    bs_free(seat);
}
