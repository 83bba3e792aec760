/* Follow: a thread with a consumer on the one partition of connect-configs. It keeps nothing; every
 * record is handed on, the host's own ones too (they are recognized by their offsets). */
#include "runtime/connect/follow.h"

#include "lib/base/mem.h"
#include "runtime/connect/kafka.h"
#include "runtime/connect/topics.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_MS = 200 };

struct rt_follow {
    rd_kafka_t *consumer;
    rt_follow_each *each;
    void *ctx;
    pthread_t thread;
    bool running;
    int stop_fd;
};

static bool stopping(const struct rt_follow *follow)
{
    struct pollfd fd = {.fd = follow->stop_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static void *run(void *ptr)
{
    struct rt_follow *follow = ptr;
    pthread_setname_np(pthread_self(), "connect-follow");
    while (!stopping(follow)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(follow->consumer, POLL_MS);
        if (message && !message->err && message->key) {
            char *key = bs_strndup(message->key, message->key_len);
            char *value = message->payload ? bs_strndup(message->payload, message->len) : NULL;
            follow->each(follow->ctx, key, value, message->offset);
            bs_free(key);
            bs_free(value);
        }
        if (message)
            rd_kafka_message_destroy(
                message); /* errors pass: the client connects again by itself */
    }
    return NULL;
}

int rt_follow_open(const char *bootstrap, int64_t from, rt_follow_each *each, void *ctx,
                   struct rt_follow **ret, struct bs_error *err)
{
    static const char *const pairs[] = {"group.id",
                                        "weir-connect-follow",
                                        "enable.auto.commit",
                                        "false",
                                        "auto.offset.reset",
                                        "earliest",
                                        "isolation.level",
                                        "read_committed",
                                        "fetch.wait.max.ms",
                                        "1000",
                                        NULL};
    struct rt_follow *follow = bs_new(struct rt_follow);
    follow->each = each;
    follow->ctx = ctx;
    follow->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result =
        rt_kafka_open(RD_KAFKA_CONSUMER, rt_kafka_conf(bootstrap, "weir-connect-follow", pairs),
                      &follow->consumer, err);
    if (result < 0) {
        rt_follow_close(follow);
        return result;
    }
    rd_kafka_poll_set_consumer(follow->consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, RT_TOPIC_CONFIGS, 0)->offset = from;
    rd_kafka_assign(follow->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    follow->running = pthread_create(&follow->thread, NULL, run, follow) == 0;
    *ret = follow;
    return 0;
}

void rt_follow_close(struct rt_follow *follow)
{
    if (!follow)
        return;
    if (follow->running) {
        eventfd_write(follow->stop_fd, 1);
        pthread_join(follow->thread, NULL);
    }
    if (follow->consumer) {
        rd_kafka_consumer_close(follow->consumer);
        rd_kafka_destroy(follow->consumer);
    }
    close(follow->stop_fd);
    bs_free(follow);
}
