/* Herder: what should run, and making it so.
 *
 * A connector has a target (STARTED, PAUSED, STOPPED) and slots, one per task. Nothing waits here:
 * a task is told to stop, and its last report brings the next step. rt_herder_align is idempotent
 * and is called after every change. Owner: the host's thread. */
#include "runtime/connect/herder.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "runtime/connect/definition.h"
#include "runtime/connect/journal.h"

#include <stdio.h>
#include <string.h>

static const struct bs_event started = {"connect.task_started", BS_LOG_INFO, "A task runs."};
static const struct bs_event waiting = {"connect.task_waiting", BS_LOG_WARN,
                                        "A task cannot go on at the moment and tries again."};
static const struct bs_event complete = {
    "connect.task_complete", BS_LOG_INFO,
    "A bounded source has delivered everything, and it is committed."};
static const struct bs_event failed = {
    "connect.task_failed", BS_LOG_ERROR,
    "A task ended with an error; repair its cause, then restart it over REST."};
static const struct bs_event warned = {"connect.config", BS_LOG_WARN,
                                       "An option without effect, or unknown."};

const char *rt_state_name(enum rt_state state)
{
    static const char *const names[] = {"UNASSIGNED", "RUNNING", "PAUSED",
                                        "STOPPED",    "FAILED",  "RESTARTING"};
    return names[state];
}

struct rt_connector *rt_herder_find(struct rt_connect_host *host, const char *name)
{
    struct rt_connector *connector;
    HASH_FIND_STR(host->connectors, name, connector);
    return connector && !connector->deleted ? connector : NULL;
}

void rt_herder_used_topic(struct rt_connector *connector, const char *topic)
{
    for (size_t i = 0; i < connector->used_count; i++)
        if (!strcmp(connector->used[i], topic))
            return;
    connector->used =
        bs_realloc(connector->used, (connector->used_count + 1) * sizeof(*connector->used));
    connector->used[connector->used_count++] = bs_strdup(topic);
}

static void set_trace(char **trace, const char *text)
{
    bs_free(*trace);
    *trace = text ? bs_strdup(text) : NULL;
}

static void set_slot(struct rt_connect_host *host, struct rt_connector *connector, size_t i,
                     enum rt_state state, const char *trace)
{
    struct rt_slot *slot = &connector->slots[i];
    bool same = slot->state == state && !trace && !slot->trace;
    slot->state = state;
    set_trace(&slot->trace, trace);
    if (!same)
        rt_journal_task_state(host, connector->name, i, rt_state_name(state), trace,
                              slot->complete);
}

static void set_connector(struct rt_connect_host *host, struct rt_connector *connector,
                          enum rt_state state, const char *trace)
{
    bool same = connector->state == state && !trace && !connector->trace;
    connector->state = state;
    set_trace(&connector->trace, trace);
    if (!same)
        rt_journal_connector_state(host, connector->name, rt_state_name(state), trace);
}

/* ---- slots ---- */

static void drop_slots(struct rt_connect_host *host, struct rt_connector *connector)
{
    for (size_t i = 0; i < connector->slot_count; i++) {
        bs_free(connector->slots[i].trace);
        rt_journal_task_gone(host, connector->name, i);
    }
    bs_free(connector->slots);
    connector->slots = NULL;
    connector->slot_count = 0;
}

static void make_slots(struct rt_connect_host *host, struct rt_connector *connector)
{
    struct cn_config *resolved = rt_config_copy(connector->config);
    struct cn_description about = {.struct_size = sizeof(about), .task_count = 1};
    struct bs_error err = {0};
    rt_config_resolve(resolved, &err); /* what is missing is told by the task */
    connector->config->plugin->describe(resolved, &about);
    int64_t most = rt_config_int(connector->config, "tasks.max", 1);
    size_t count = most < 1 ? 1 : (size_t)most;
    if (about.task_count < count)
        count = about.task_count ? about.task_count : 1;
    connector->bounded = about.bounded != 0;
    bs_free(connector->topic);
    connector->topic = about.topic ? bs_strdup(about.topic) : NULL;
    if (connector->topic)
        rt_herder_used_topic(connector, connector->topic);
    rt_config_free(resolved);
    connector->slots = bs_array(count, sizeof(*connector->slots));
    connector->slot_count = count;
    for (size_t i = 0; i < count; i++)
        connector->slots[i].restart = true;
    rt_journal_task_configs(host, connector);
}

static void start_slot(struct rt_connect_host *host, struct rt_connector *connector, size_t i)
{
    struct rt_slot *slot = &connector->slots[i];
    const struct rt_task_options options = {.bootstrap = host->bootstrap,
                                            .group_id = host->group_id,
                                            .instance = host->instance,
                                            .bounded = connector->bounded,
                                            .registry = host->registry,
                                            .connector = connector->name,
                                            .index = (uint32_t)i,
                                            .count = (uint32_t)connector->slot_count,
                                            .config = connector->config,
                                            .report = rt_connect_task_report,
                                            .ctx = host};
    slot->stopping = slot->restart = slot->complete = false; /* a trace stays until it runs */
    slot->task = rt_connector_task_start(&options);
}

static bool stop_slots(struct rt_connector *connector, bool all)
{
    bool any = false;
    for (size_t i = 0; i < connector->slot_count; i++) {
        struct rt_slot *slot = &connector->slots[i];
        if (!slot->task || (!all && !slot->restart))
            continue;
        any = true;
        if (!slot->stopping)
            rt_connector_task_stop(slot->task);
        slot->stopping = true;
    }
    return any;
}

/* ---- connectors ---- */

void rt_herder_free(struct rt_connect_host *host, struct rt_connector *connector)
{
    HASH_DEL(host->connectors, connector);
    for (size_t i = 0; i < connector->slot_count; i++)
        bs_free(connector->slots[i].trace);
    for (size_t i = 0; i < connector->used_count; i++)
        bs_free(connector->used[i]);
    bs_free(connector->used);
    bs_free(connector->slots);
    bs_free(connector->trace);
    bs_free(connector->topic);
    bs_free(connector->name);
    rt_config_free(connector->config);
    bs_free(connector);
}

void rt_herder_align(struct rt_connect_host *host, struct rt_connector *connector)
{
    bool runnable = connector->target == RT_TARGET_STARTED && !connector->deleted &&
                    !host->closing && connector->config->plugin;
    if (!runnable || connector->rebuild) {
        if (stop_slots(connector, true))
            return;
        if (connector->rebuild || connector->deleted || connector->target == RT_TARGET_STOPPED)
            drop_slots(host, connector);
        connector->rebuild = false;
        if (connector->deleted) {
            rt_journal_connector_gone(host, connector->name);
            rt_herder_free(host, connector);
            return;
        }
    }
    if (!runnable) {
        bool paused = connector->target == RT_TARGET_PAUSED;
        for (size_t i = 0; i < connector->slot_count; i++)
            if (paused && connector->slots[i].state != RT_STATE_FAILED)
                set_slot(host, connector, i, RT_STATE_PAUSED, NULL);
        if (connector->target != RT_TARGET_STARTED)
            set_connector(host, connector, paused ? RT_STATE_PAUSED : RT_STATE_STOPPED, NULL);
        return;
    }
    if (connector->slot_count == 0)
        make_slots(host, connector);
    set_connector(host, connector, RT_STATE_RUNNING, NULL);
    stop_slots(connector, false);
    for (size_t i = 0; i < connector->slot_count; i++) {
        struct rt_slot *slot = &connector->slots[i];
        /* One that was told to stop and is wanted again before it ended is started here, too. */
        if (!slot->task && (slot->restart || slot->state != RT_STATE_FAILED))
            start_slot(host, connector, i);
    }
}

int rt_herder_put(struct rt_connect_host *host, const char *name, struct cn_config *config,
                  enum rt_target target, struct bs_error *err)
{
    struct rt_connector *connector;
    struct bs_error why = {0};
    HASH_FIND_STR(host->connectors, name, connector);
    if (!connector) {
        if (HASH_COUNT(host->connectors) >= host->connectors_max) {
            rt_config_free(config);
            return bs_error_set(err, BS_ELIMIT, "more than %u connectors", host->connectors_max);
        }
        connector = bs_new(struct rt_connector);
        connector->name = bs_strdup(name);
        HASH_ADD_KEYPTR(hh, host->connectors, connector->name, strlen(connector->name), connector);
    }
    rt_config_free(connector->config);
    connector->config = config;
    connector->deleted = false;
    connector->rebuild = true;
    connector->target = target;
    const char *class_name = rt_config_get(config, "connector.class");
    config->plugin = rt_plugins_find(host->plugins, class_name ? class_name : "", &why);
    if (!config->plugin)
        set_connector(host, connector, RT_STATE_FAILED, why.text);
    rt_herder_align(host, connector);
    return 0;
}

/* "Connector configuration is invalid …" with a line each. */
static int check(struct rt_connect_host *host, const char *name, const struct cn_config *config,
                 struct bs_error *err)
{
    const char *class_name = rt_config_get(config, "connector.class");
    if (!class_name)
        return bs_error_set(err, BS_EINVAL, "Connector config {name=%s} contains no connector type",
                            name);
    const struct cn_plugin *plugin = rt_plugins_find(host->plugins, class_name, err);
    if (!plugin)
        return BS_EINVAL;
    json_t *lines = json_array(), *warnings = json_array();
    json_decref(rt_definition_validate(plugin, class_name, config, lines, warnings));
    size_t n = json_array_size(lines);
    struct bs_buf text = BS_BUF_INIT;
    for (size_t i = 0; i < n; i++)
        bs_buf_printf(&text, "%s\n", json_string_value(json_array_get(lines, i)));
    for (size_t i = 0; n == 0 && i < json_array_size(warnings); i++)
        bs_log(&warned, "%s: %s", name, json_string_value(json_array_get(warnings, i)));
    if (n)
        bs_error_set(err, BS_EINVAL,
                     "Connector configuration is invalid and contains the following %zu "
                     "error(s):\n%.700sYou can also find the above list of errors at the endpoint "
                     "`/connector-plugins/{connectorType}/config/validate`",
                     n, bs_buf_text(&text));
    bs_buf_deinit(&text);
    json_decref(lines);
    json_decref(warnings);
    return n ? BS_EINVAL : 0;
}

int rt_herder_set(struct rt_connect_host *host, const char *name, struct cn_config *config,
                  enum rt_target target, struct bs_error *err)
{
    int result = check(host, name, config, err);
    if (result == 0)
        result = rt_journal_config(host, name, config, err);
    if (result == 0 && target != RT_TARGET_STARTED)
        result = rt_journal_target(host, name, target, err);
    if (result == 0)
        return rt_herder_put(host, name, config, target, err);
    rt_config_free(config);
    return result;
}

void rt_herder_remove(struct rt_connect_host *host, struct rt_connector *connector)
{
    connector->deleted = true;
    rt_herder_align(host, connector);
}

void rt_herder_target(struct rt_connect_host *host, struct rt_connector *connector,
                      enum rt_target target)
{
    connector->target = target;
    rt_herder_align(host, connector);
}

void rt_herder_restart(struct rt_connect_host *host, struct rt_connector *connector, bool tasks,
                       bool only_failed)
{
    if (connector->target != RT_TARGET_STARTED)
        return;
    for (size_t i = 0; tasks && i < connector->slot_count; i++) {
        if (only_failed && connector->slots[i].state != RT_STATE_FAILED)
            continue;
        connector->slots[i].restart = true;
        connector->slots[i].state = RT_STATE_RESTARTING; /* the trace stays until it runs */
        rt_journal_task_state(host, connector->name, i, "RESTARTING", connector->slots[i].trace,
                              false);
    }
    rt_herder_align(host, connector);
}

/* ---- reports ---- */

static struct rt_slot *slot_of(struct rt_connect_host *host, const struct cn_task *task,
                               struct rt_connector **ret, size_t *ret_index)
{
    struct rt_connector *connector, *next;
    HASH_ITER (hh, host->connectors, connector, next) {
        for (size_t i = 0; i < connector->slot_count; i++)
            if (connector->slots[i].task == task) {
                *ret = connector;
                *ret_index = i;
                return &connector->slots[i];
            }
    }
    return NULL;
}

void rt_herder_report(struct rt_connect_host *host, struct cn_task *task, enum rt_task_event event,
                      const char *text)
{
    struct rt_connector *connector = NULL;
    size_t i = 0;
    struct rt_slot *slot = slot_of(host, task, &connector, &i);
    if (!slot)
        return;
    switch (event) {
    case RT_TASK_RUNNING:
        if (slot->state != RT_STATE_RUNNING)
            bs_log(&started, "%s-%zu", connector->name, i);
        if (!slot->stopping)
            set_slot(host, connector, i, RT_STATE_RUNNING, NULL);
        return;
    case RT_TASK_WAITING:
        /* Running, with what it waits for as its trace; logged when the reason is new. */
        if (text && (!slot->trace || strcmp(slot->trace, text) != 0))
            bs_log(&waiting, "%s-%zu: %s", connector->name, i, text);
        slot->state = RT_STATE_RUNNING;
        set_trace(&slot->trace, text);
        return;
    case RT_TASK_COMPLETE:
        slot->complete = true;
        bs_log(&complete, "%s-%zu: %lld record%s", connector->name, i,
               (long long)bs_metric_get(&task->records),
               bs_plural((long long)bs_metric_get(&task->records)));
        rt_journal_task_state(host, connector->name, i, "RUNNING", NULL, true);
        return;
    case RT_TASK_ELSEWHERE:
        slot->complete = true;
        return;
    case RT_TASK_FAILED:
        bs_log(&failed, "%s-%zu: %s", connector->name, i, text);
        set_slot(host, connector, i, RT_STATE_FAILED, text);
        break;
    case RT_TASK_ENDED:
        break;
    }
    rt_connector_task_free(task);
    slot->task = NULL;
    slot->stopping = false;
    rt_herder_align(host, connector);
}
