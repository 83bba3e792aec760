/* Journal: Connect's record formats.
 *
 *   connect-configs   connector-<name>          {"properties":{…}}; tombstone: deleted
 *                     task-<name>-<i>           {"properties":{…}}
 *                     commit-<name>             {"tasks":N}
 *                     target-state-<name>       {"state":…,"state.v2":…}
 *   connect-status    status-connector-<name> {"state","trace","worker_id","generation","version"}
 *                     status-task-<name>-<i>    the same; "complete":true for a bounded source at
 * its end
 *
 * connect-configs is the truth: at start it is replayed, and a change is acknowledged to a client
 * after its record is stored. States are for other readers; they are not read back. Passwords stay
 * as they were given (a placeholder is kept, never its value). */
#include "runtime/connect/journal.h"

#include "lib/base/mem.h"
#include "runtime/connect/topics.h"

#include <stdio.h>
#include <string.h>

enum { STORE_MS = 30000 };

/* Outcome of one record that is waited for. */
struct stored {
    rd_kafka_resp_err_t code;
    bool done;
    int64_t offset;
};

void rt_journal_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *ctx)
{
    struct stored *stored = message->_private;
    (void)producer;
    (void)ctx;
    if (stored) {
        stored->code = message->err;
        stored->offset = message->offset;
        stored->done = true;
    }
}

/* `value` NULL: a tombstone; its reference is taken. */
static void put_record(struct rt_connect_host *host, const char *topic, const char *key,
                       json_t *value, struct stored *stored)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    rd_kafka_resp_err_t code;
    do {
        code = rd_kafka_producev(
            host->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(text, text ? strlen(text) : 0),
            RD_KAFKA_V_OPAQUE(stored), RD_KAFKA_V_END);
        rd_kafka_poll(host->producer, code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 100 : 0);
    } while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (stored && code != RD_KAFKA_RESP_ERR_NO_ERROR)
        *stored = (struct stored){.code = code, .done = true};
    free(text);
    json_decref(value);
}

/* The last own record of each key: what is followed up to it is older than what is in memory. */
static void remember(struct rt_connect_host *host, const char *key, int64_t offset)
{
    struct rt_written *written;
    HASH_FIND_STR(host->written, key, written);
    if (!written) {
        written = bs_new(struct rt_written);
        written->key = bs_strdup(key);
        HASH_ADD_KEYPTR(hh, host->written, written->key, strlen(written->key), written);
    }
    written->offset = offset;
}

static bool is_own(struct rt_connect_host *host, const char *key, int64_t offset)
{
    struct rt_written *written;
    HASH_FIND_STR(host->written, key, written);
    return written && offset <= written->offset;
}

void rt_journal_forget(struct rt_connect_host *host)
{
    struct rt_written *written, *next;
    HASH_ITER (hh, host->written, written, next) {
        HASH_DEL(host->written, written);
        bs_free(written->key);
        bs_free(written);
    }
}

static int store(struct rt_connect_host *host, const char *key, json_t *value, struct bs_error *err)
{
    struct stored stored = {0};
    put_record(host, RT_TOPIC_CONFIGS, key, value, &stored);
    while (!stored.done) /* message.timeout.ms bounds it */
        rd_kafka_poll(host->producer, 100);
    if (!stored.code)
        remember(host, key, stored.offset);
    return stored.code ? bs_error_set(err, rt_kafka_error(stored.code),
                                      "cannot write to topic " RT_TOPIC_CONFIGS ": %s",
                                      rd_kafka_err2str(stored.code))
                       : 0;
}

int rt_journal_config(struct rt_connect_host *host, const char *name,
                      const struct cn_config *config, struct bs_error *err)
{
    char *key = bs_asprintf("connector-%s", name);
    int result = store(host, key, json_pack("{s:o}", "properties", rt_config_to_json(config)), err);
    bs_free(key);
    return result;
}

int rt_journal_target(struct rt_connect_host *host, const char *name, enum rt_target target,
                      struct bs_error *err)
{
    static const char *const names[] = {"STARTED", "PAUSED", "STOPPED"};
    char *key = bs_asprintf("target-state-%s", name);
    /* Workers that do not know STOPPED see PAUSED. */
    int result = store(host, key,
                       json_pack("{s:s, s:s}", "state", names[target ? RT_TARGET_PAUSED : target],
                                 "state.v2", names[target]),
                       err);
    bs_free(key);
    return result;
}

int rt_journal_delete(struct rt_connect_host *host, const char *name, struct bs_error *err)
{
    char *key = bs_asprintf("connector-%s", name);
    int result = store(host, key, NULL, err);
    bs_free(key);
    key = bs_asprintf("target-state-%s", name);
    if (result == 0)
        result = store(host, key, NULL, err);
    bs_free(key);
    return result;
}

void rt_journal_task_configs(struct rt_connect_host *host, const struct rt_connector *connector)
{
    char *key;
    for (size_t i = 0; i < connector->slot_count; i++) {
        key = bs_asprintf("task-%s-%zu", connector->name, i);
        put_record(host, RT_TOPIC_CONFIGS, key,
                   json_pack("{s:o}", "properties", rt_config_to_json(connector->config)), NULL);
        bs_free(key);
    }
    key = bs_asprintf("commit-%s", connector->name);
    put_record(host, RT_TOPIC_CONFIGS, key, json_pack("{s:i}", "tasks", (int)connector->slot_count),
               NULL);
    bs_free(key);
}

static json_t *state_json(struct rt_connect_host *host, const char *state, const char *trace)
{
    return json_pack("{s:s, s:s?, s:s, s:i, s:s}", "state", state, "trace", trace, "worker_id",
                     host->advertised, "generation", 1, "version", WEIR_VERSION);
}

void rt_journal_connector_state(struct rt_connect_host *host, const char *name, const char *state,
                                const char *trace)
{
    char *key = bs_asprintf("status-connector-%s", name);
    put_record(host, RT_TOPIC_STATUS, key, state_json(host, state, trace), NULL);
    bs_free(key);
}

void rt_journal_task_state(struct rt_connect_host *host, const char *name, size_t task,
                           const char *state, const char *trace, bool complete)
{
    char *key = bs_asprintf("status-task-%s-%zu", name, task);
    json_t *value = state_json(host, state, trace);
    if (complete)
        json_object_set_new(value, "complete", json_true());
    put_record(host, RT_TOPIC_STATUS, key, value, NULL);
    bs_free(key);
}

void rt_journal_task_gone(struct rt_connect_host *host, const char *name, size_t task)
{
    char *key = bs_asprintf("status-task-%s-%zu", name, task);
    put_record(host, RT_TOPIC_STATUS, key, NULL, NULL);
    bs_free(key);
}

void rt_journal_connector_gone(struct rt_connect_host *host, const char *name)
{
    char *key = bs_asprintf("status-connector-%s", name);
    put_record(host, RT_TOPIC_STATUS, key, NULL, NULL);
    bs_free(key);
}

/* ---- replay ---- */

struct replay {
    json_t *configs; /* name → properties */
    json_t *targets; /* name → "STARTED", … */
    int64_t next;    /* offset behind the last record */
};

static enum rt_target target_of(const json_t *state)
{
    const char *name = json_string_value(state);
    return !name || !strcmp(name, "STARTED") ? RT_TARGET_STARTED
           : !strcmp(name, "PAUSED")         ? RT_TARGET_PAUSED
                                             : RT_TARGET_STOPPED;
}

static const char *after(const char *key, size_t len, const char *prefix, char *name, size_t cap)
{
    size_t n = strlen(prefix);
    if (len <= n || len - n >= cap || strncmp(key, prefix, n) != 0)
        return NULL;
    memcpy(name, key + n, len - n);
    name[len - n] = 0;
    return name;
}

static void take(void *ctx, const rd_kafka_message_t *message)
{
    struct replay *replay = ctx;
    char name[1024];
    replay->next = message->offset + 1;
    json_t *value = message->payload ? json_loadb(message->payload, message->len, 0, NULL) : NULL;
    if (after(message->key, message->key_len, "connector-", name, sizeof(name))) {
        json_t *properties = json_object_get(value, "properties");
        if (properties)
            json_object_set(replay->configs, name, properties);
        else
            json_object_del(replay->configs, name);
    } else if (after(message->key, message->key_len, "target-state-", name, sizeof(name))) {
        json_t *state = json_object_get(value, "state.v2");
        if (!state)
            state = json_object_get(value, "state");
        if (state)
            json_object_set(replay->targets, name, state);
        else
            json_object_del(replay->targets, name);
    }
    json_decref(value);
}

int rt_journal_replay(struct rt_connect_host *host, struct bs_error *err)
{
    struct replay replay = {json_object(), json_object(), 0};
    const char *name;
    json_t *properties;
    int result = rt_kafka_read_all(host->bootstrap, RT_TOPIC_CONFIGS, take, &replay, err);
    if (result == 0)
        json_object_foreach(replay.configs, name, properties)
        {
            struct cn_config *config = NULL;
            if (rt_config_from_json(properties, &config, err) < 0)
                continue;
            result = rt_herder_put(host, name, config,
                                   target_of(json_object_get(replay.targets, name)), err);
        }
    host->watch_from = replay.next;
    json_decref(replay.configs);
    json_decref(replay.targets);
    return result;
}

/* ---- other workers' changes ---- */

static void follow_config(struct rt_connect_host *host, const char *name, const json_t *value)
{
    struct rt_connector *connector = rt_herder_find(host, name);
    struct cn_config *config = NULL;
    if (!value) {
        if (connector)
            rt_herder_remove(host, connector);
        return;
    }
    if (rt_config_from_json(json_object_get(value, "properties"), &config, NULL) < 0)
        return;
    if (connector && rt_config_equal(connector->config, config))
        rt_config_free(config);
    else
        rt_herder_put(host, name, config, connector ? connector->target : RT_TARGET_STARTED, NULL);
}

void rt_journal_follow(struct rt_connect_host *host, const char *key, const char *text,
                       int64_t offset)
{
    char name[1024];
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    size_t len = strlen(key);
    if (!is_own(host, key, offset)) {
        struct rt_connector *connector;
        if (after(key, len, "connector-", name, sizeof(name))) {
            follow_config(host, name, value);
        } else if (value && after(key, len, "target-state-", name, sizeof(name)) &&
                   (connector = rt_herder_find(host, name)) != NULL) {
            json_t *state = json_object_get(value, "state.v2");
            rt_herder_target(host, connector,
                             target_of(state ? state : json_object_get(value, "state")));
        }
    }
    json_decref(value);
}
