/* Follow: a thread with a consumer on the one partition of connect-configs. It keeps nothing; every
 * record is handed on, the host's own ones too (they are recognized by their offsets). */
#include "runtime/connect/watch.h"

#include "lib/base/mem.h"
#include "runtime/connect/kafka.h"
#include "runtime/connect/topics.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_MS = 200 };

struct rt_watch {
    rd_kafka_t *consumer;
    rt_watch_each *each;
    void *ctx;
    pthread_t thread;
    bool running;
    int stop_fd;
};

static bool stopping(const struct rt_watch *watch)
{
    struct pollfd fd = {.fd = watch->stop_fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static void *run(void *ptr)
{
    struct rt_watch *watch = ptr;
    pthread_setname_np(pthread_self(), "connect-watch");
    while (!stopping(watch)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(watch->consumer, POLL_MS);
        if (message && !message->err && message->key) {
            char *key = bs_strndup(message->key, message->key_len);
            char *value = message->payload ? bs_strndup(message->payload, message->len) : NULL;
            watch->each(watch->ctx, key, value, message->offset);
            bs_free(key);
            bs_free(value);
        }
        if (message)
            rd_kafka_message_destroy(
                message); /* errors pass: the client connects again by itself */
    }
    return NULL;
}

int rt_watch_open(const char *bootstrap, int64_t from, rt_watch_each *each, void *ctx,
                  struct rt_watch **ret, struct bs_error *err)
{
    static const char *const pairs[] = {"group.id",
                                        "weir-connect-watch",
                                        "enable.auto.commit",
                                        "false",
                                        "auto.offset.reset",
                                        "earliest",
                                        "isolation.level",
                                        "read_committed",
                                        "fetch.wait.max.ms",
                                        "1000",
                                        NULL};
    struct rt_watch *watch = bs_new(struct rt_watch);
    watch->each = each;
    watch->ctx = ctx;
    watch->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result =
        rt_kafka_open(RD_KAFKA_CONSUMER, rt_kafka_conf(bootstrap, "weir-connect-watch", pairs),
                      &watch->consumer, err);
    if (result < 0) {
        rt_watch_close(watch);
        return result;
    }
    rd_kafka_poll_set_consumer(watch->consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, RT_TOPIC_CONFIGS, 0)->offset = from;
    rd_kafka_assign(watch->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    watch->running = pthread_create(&watch->thread, NULL, run, watch) == 0;
    *ret = watch;
    return 0;
}

void rt_watch_close(struct rt_watch *watch)
{
    if (!watch)
        return;
    if (watch->running) {
        eventfd_write(watch->stop_fd, 1);
        pthread_join(watch->thread, NULL);
    }
    if (watch->consumer) {
        rd_kafka_consumer_close(watch->consumer);
        rd_kafka_destroy(watch->consumer);
    }
    close(watch->stop_fd);
    bs_free(watch);
}
