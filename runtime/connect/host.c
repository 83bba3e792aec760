/* Host: the thread that owns the connectors, and the doors to it.
 *
 * One thread, one mailbox. REST handlers and the worker send calls and wait for their answers;
 * tasks send reports and the watcher records of other workers, and do not wait. Each side frees
 * what it made. Every worker of a group knows every connector; which of them runs a task is settled
 * by the task's seat. The order at close: the watcher ends, tasks are told to stop, their last
 * reports are taken, then the clients go. */
#include "runtime/connect/host.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "runtime/connect/definition.h"
#include "runtime/connect/watch.h"
#include "runtime/connect/herder.h"
#include "runtime/connect/journal.h"
#include "runtime/connect/topics.h"

#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { BOX_MAX = 65536, CLOSE_MS = 30000 };

static const struct bs_event ready = {
    "connect.ready", BS_LOG_INFO, "The connector host runs: plugins found, connectors started."};

enum message_kind { MESSAGE_CALL, MESSAGE_REPORT, MESSAGE_FOLLOW };

struct message {
    enum message_kind kind;
    /* CALL: lives on the caller's stack; answered through `done` */
    rt_herder_fn *fn;
    void *arg;
    struct bs_error *err;
    int result;
    sem_t done; /* a mailbox would still be touched by its putter when the caller frees it */
    /* REPORT: on the heap */
    struct cn_task *task;
    enum rt_task_event event;
    char *text;
    /* FOLLOW: on the heap; the value is in text */
    char *key;
    int64_t offset;
};

void rt_connect_task_report(void *ctx, struct cn_task *task, enum rt_task_event event,
                            const char *text)
{
    struct rt_connect_host *host = ctx;
    struct message *message = bs_new(struct message);
    *message = (struct message){.kind = MESSAGE_REPORT,
                                .task = task,
                                .event = event,
                                .text = text ? bs_strdup(text) : NULL};
    io_mailbox_put(host->box, message, -1);
}

static void followed(void *ctx, const char *key, const char *value, int64_t offset)
{
    struct rt_connect_host *host = ctx;
    struct message *message = bs_new(struct message);
    *message = (struct message){.kind = MESSAGE_FOLLOW,
                                .key = bs_strdup(key),
                                .text = value ? bs_strdup(value) : NULL,
                                .offset = offset};
    io_mailbox_put(host->box, message, -1);
}

int rt_herder_call(struct rt_connect_host *host, rt_herder_fn *fn, void *arg, struct bs_error *err)
{
    struct message message = {.kind = MESSAGE_CALL, .fn = fn, .arg = arg, .err = err};
    sem_init(&message.done, 0, 0);
    if (io_mailbox_put(host->box, &message, -1) < 0)
        message.result = bs_error_set(err, BS_ECANCELLED, "the connector host is closing");
    else
        while (sem_wait(&message.done) < 0) /* interrupted by a signal */
            ;
    sem_destroy(&message.done);
    return message.result;
}

static void handle(struct rt_connect_host *host, struct message *message)
{
    if (message->kind == MESSAGE_CALL) {
        message->result = message->fn(host, message->arg, message->err);
        sem_post(&message->done);
        return;
    }
    if (message->kind == MESSAGE_FOLLOW)
        rt_journal_follow(host, message->key, message->text, message->offset);
    else
        rt_herder_report(host, message->task, message->event, message->text);
    bs_free(message->key);
    bs_free(message->text);
    bs_free(message);
}

static bool any_task(const struct rt_connect_host *host)
{
    const struct rt_connector *connector, *next;
    HASH_ITER (hh, host->connectors, connector, next)
        for (size_t i = 0; i < connector->slot_count; i++)
            if (connector->slots[i].task)
                return true;
    return false;
}

static void *run(void *ptr)
{
    struct rt_connect_host *host = ptr;
    pthread_setname_np(pthread_self(), "connect-host");
    while (!host->closing || any_task(host)) {
        void *message;
        if (io_mailbox_take(host->box, 1000, &message) == 0)
            handle(host, message);
        rd_kafka_poll(host->producer, 0);
    }
    return NULL;
}

/* ---- open and close ---- */

static int open_clients(struct rt_connect_host *host, struct bs_error *err)
{
    /* Not idempotent: its records may be written twice, and a producer id costs half a second. */
    static const char *const writer[] = {"max.in.flight.requests.per.connection",
                                         "1",
                                         "acks",
                                         "all",
                                         "linger.ms",
                                         "0",
                                         "message.timeout.ms",
                                         "30000",
                                         "partitioner",
                                         "murmur2_random",
                                         NULL};
    static const char *const reader[] = {"group.id",
                                         "weir-connect-query",
                                         "enable.auto.commit",
                                         "false",
                                         "isolation.level",
                                         "read_committed",
                                         "allow.auto.create.topics",
                                         "false",
                                         NULL};
    rd_kafka_conf_t *conf = rt_kafka_conf(host->bootstrap, "weir-connect-journal", writer);
    rd_kafka_conf_set_dr_msg_cb(conf, rt_journal_delivered);
    int result = rt_kafka_open(RD_KAFKA_PRODUCER, conf, &host->producer, err);
    if (result == 0)
        result = rt_kafka_open(RD_KAFKA_CONSUMER,
                               rt_kafka_conf(host->bootstrap, "weir-connect-query", reader),
                               &host->query, err);
    if (result == 0)
        result = rt_kafka_wait(host->producer, host->bootstrap, err);
    if (result == 0)
        result = rt_topics_make(host->producer, err);
    return result;
}

static int replay(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    (void)arg;
    return rt_journal_replay(host, err);
}

int rt_connect_open(const struct rt_connect_options *options, struct rt_connect_host **ret,
                    struct bs_error *err)
{
    struct rt_connect_host *host = bs_new(struct rt_connect_host);
    host->bootstrap = bs_strdup(options->bootstrap);
    host->group_id = bs_strdup(options->group_id ? options->group_id : "connect-cluster");
    host->advertised = bs_strdup(options->advertised ? options->advertised : "localhost:8083");
    host->instance = bs_strdup(options->instance);
    host->registry = options->registry;
    host->owner = options->owner;
    host->connectors_max = options->connectors_max ? options->connectors_max : 256;
    host->box = io_mailbox_new(BOX_MAX, NULL, NULL);
    int result = rt_plugins_load(options->plugin_dir, &rt_connector_table, &host->plugins, err);
    if (result == 0)
        result = open_clients(host, err);
    if (result == 0) {
        host->running = pthread_create(&host->thread, NULL, run, host) == 0;
        result = rt_herder_call(host, replay, NULL, err);
    }
    if (result == 0 && host->instance) /* alone, nobody else writes */
        result =
            rt_watch_open(host->bootstrap, host->watch_from, followed, host, &host->watch, err);
    if (result < 0) {
        bs_error_wrap(err, "connector host");
        rt_connect_close(host);
        return result;
    }
    bs_log(&ready, "%zu plugin%s, %u connector%s", rt_plugins_count(host->plugins),
           bs_plural((long long)rt_plugins_count(host->plugins)), HASH_COUNT(host->connectors),
           bs_plural(HASH_COUNT(host->connectors)));
    *ret = host;
    return 0;
}

static int begin_close(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_connector *connector, *next;
    (void)arg;
    (void)err;
    host->closing = true;
    HASH_ITER (hh, host->connectors, connector, next)
        rt_herder_align(host, connector);
    return 0;
}

static void free_connectors(struct rt_connect_host *host)
{
    struct rt_connector *connector, *next;
    HASH_ITER (hh, host->connectors, connector, next)
        rt_herder_free(host, connector);
}

void rt_connect_close(struct rt_connect_host *host)
{
    if (!host)
        return;
    rt_watch_close(host->watch);
    if (host->running) {
        rt_herder_call(host, begin_close, NULL, NULL);
        pthread_join(host->thread, NULL);
    }
    free_connectors(host);
    rt_journal_forget(host);
    if (host->producer) {
        rd_kafka_flush(host->producer, CLOSE_MS / 10);
        rd_kafka_destroy(host->producer);
    }
    if (host->query)
        rd_kafka_destroy(host->query);
    rt_plugins_free(host->plugins);
    io_mailbox_free(host->box);
    bs_free(host->bootstrap);
    bs_free(host->group_id);
    bs_free(host->advertised);
    bs_free(host->instance);
    bs_free(host);
}

void *rt_connect_owner(const struct rt_connect_host *host)
{
    return host->owner;
}

/* ---- configurations from files ---- */

struct apply {
    const char *name, *file;
    struct cn_config *config;
};

/* Relative paths become absolute ones, from the folder of the file that they stand in: the stored
 * configuration means the same wherever the worker is started next. */
static void anchor_paths(struct rt_connect_host *host, const struct apply *apply)
{
    const char *class_name = rt_config_get(apply->config, "connector.class");
    const struct cn_plugin *plugin =
        rt_plugins_find(host->plugins, class_name ? class_name : "", NULL);
    char *full = realpath(apply->file, NULL), *slash = full ? strrchr(full, '/') : NULL;
    for (size_t i = 0; plugin && slash && i < plugin->option_count; i++) {
        const struct cn_option *option = rt_plugin_option(plugin, i);
        const char *path = rt_config_get(apply->config, option->name);
        if (!(option->flags & CN_OPT_PATH) || !path || !*path || *path == '/' || *path == '$')
            continue;
        char *anchored = bs_asprintf("%.*s%s", (int)(slash - full) + 1, full, path);
        rt_config_set(apply->config, option->name, anchored);
        bs_free(anchored);
    }
    free(full);
}

static int apply(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct apply *apply = arg;
    anchor_paths(host, apply);
    struct rt_connector *there = rt_herder_find(host, apply->name);
    if (there && rt_config_equal(there->config, apply->config) &&
        there->target == RT_TARGET_STARTED) {
        rt_config_free(apply->config);
        return 0;
    }
    int result = rt_herder_set(host, apply->name, apply->config, RT_TARGET_STARTED, err);
    if (result < 0)
        bs_error_wrap(err, "%s: connector %s", apply->file, apply->name);
    return result;
}

int rt_connect_apply_file(struct rt_connect_host *host, const char *file, struct bs_error *err)
{
    json_error_t where;
    int result;
    json_t *body = json_load_file(file, JSON_REJECT_DUPLICATES, &where);
    if (!body)
        return where.line > 0
                   ? bs_error_set(err, BS_ESYNTAX, "%s:%d: %s", file, where.line, where.text)
                   : bs_error_set(err, BS_ENOTFOUND, "%s", where.text);
    struct apply arg = {.file = file};
    json_t *config = json_object_get(body, "config");
    if (!config) /* the flat form */
        config = body;
    const char *name = json_string_value(json_object_get(body, "name"));
    if (!name || !*name)
        result = bs_error_set(err, BS_EINVAL, "%s: \"name\" is missing", file);
    else if ((result = rt_config_from_json(config, &arg.config, err)) < 0)
        bs_error_wrap(err, "%s", file);
    else {
        arg.name = name;
        rt_config_set(arg.config, "name", name);
        result = rt_herder_call(host, apply, &arg, err);
    }
    json_decref(body);
    return result;
}
