/* REST: connectors, their configurations, states and tasks, by Kafka Connect's paths.
 *
 * A handler parses on the HTTP server's thread, then one function on the host's thread does the
 * work and leaves a JSON answer. Status codes and texts follow Connect's worker, also where it
 * answers 500 for a body it cannot parse. */
#include "runtime/connect/rest.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "runtime/connect/definition.h"
#include "runtime/connect/journal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int rt_rest_status_of(int code)
{
    switch (code) {
    case BS_EINVAL:
        return 400;
    case BS_ENOTFOUND:
        return 404;
    case BS_EEXIST:
    case BS_ECONFLICT:
        return 409;
    default:
        return 500;
    }
}

int rt_rest_error(struct rt_rest *rest, int status, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    rest->status = status;
    bs_free(rest->message);
    rest->message = bs_strdup(text);
    return 0;
}

int rt_rest_answer(struct rt_rest *rest, struct ht_request *request, struct ht_response *response)
{
    response->status = rest->status ? rest->status : 200;
    if (rest->message) {
        ht_error(response, rest->status, rest->status, "%s", rest->message);
    } else if (rest->out) {
        char *text = json_dumps(rest->out, JSON_COMPACT | JSON_ENCODE_ANY);
        bs_buf_puts(&response->body, text);
        free(text);
    }
    if (rest->location)
        ht_response_field(response, "Location",
                          bs_arena_strndup(request->arena, rest->location, strlen(rest->location)));
    json_decref(rest->out);
    json_decref(rest->body);
    bs_free(rest->location);
    bs_free(rest->message);
    return 0;
}

int rt_rest_run(struct rt_connect_host *host, rt_herder_fn *fn, struct rt_rest *rest,
                struct ht_request *request, struct ht_response *response)
{
    struct bs_error err = {0};
    int result = rt_herder_call(host, fn, rest, &err);
    if (result < 0)
        rt_rest_error(rest, rt_rest_status_of(result), "%s", err.text);
    return rt_rest_answer(rest, request, response);
}

bool rt_rest_body(struct rt_rest *rest, struct ht_request *request)
{
    const char *type = ht_header(request, "Content-Type");
    json_error_t where;
    if (type && !strcasestr(type, "json")) {
        rt_rest_error(rest, 415, "HTTP 415 Unsupported Media Type");
        return false;
    }
    rest->body = json_loadb((const char *)request->body.ptr, request->body.len,
                            JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &where);
    if (!rest->body)
        rt_rest_error(rest, 500, "the body is not JSON: line %d, column %d: %s",
                      where.line > 0 ? where.line : 1, where.column > 0 ? where.column : 1,
                      request->body.len ? where.text : "it is empty");
    return rest->body != NULL;
}

/* ---- answers ---- */

static const char *type_name(const struct rt_connector *connector)
{
    const struct cn_plugin *plugin = connector->config->plugin;
    return !plugin ? "unknown" : plugin->kind == CN_SOURCE ? "source" : "sink";
}

json_t *rt_rest_info(const struct rt_connector *connector)
{
    json_t *tasks = json_array();
    for (size_t i = 0; i < connector->slot_count; i++)
        json_array_append_new(
            tasks, json_pack("{s:s, s:i}", "connector", connector->name, "task", (int)i));
    return json_pack("{s:s, s:o, s:o, s:s}", "name", connector->name, "config",
                     rt_config_to_json(connector->config), "tasks", tasks, "type",
                     type_name(connector));
}

static json_t *one_state(const struct rt_connect_host *host, enum rt_state state, const char *trace)
{
    json_t *out = json_pack("{s:s, s:s, s:s}", "state", rt_state_name(state), "worker_id",
                            host->advertised, "version", WEIR_VERSION);
    if (trace && *trace)
        json_object_set_new(out, "trace", json_string(trace));
    return out;
}

static json_t *task_state(const struct rt_connect_host *host, const struct rt_connector *connector,
                          size_t i)
{
    const struct rt_slot *slot = &connector->slots[i];
    json_t *out = json_object();
    json_object_set_new(out, "id", json_integer((json_int_t)i));
    json_object_update_new(out, one_state(host, slot->state, slot->trace));
    if (slot->complete)
        json_object_set_new(out, "complete", json_true());
    return out;
}

json_t *rt_rest_state(const struct rt_connect_host *host, const struct rt_connector *connector)
{
    json_t *tasks = json_array();
    for (size_t i = 0; i < connector->slot_count; i++)
        json_array_append_new(tasks, task_state(host, connector, i));
    return json_pack("{s:s, s:o, s:o, s:s}", "name", connector->name, "connector",
                     one_state(host, connector->state, connector->trace), "tasks", tasks, "type",
                     type_name(connector));
}

/* The connector of the path, or NULL with the answer set to 404. */
static struct rt_connector *there(struct rt_connect_host *host, struct rt_rest *rest,
                                  const char *fmt)
{
    struct rt_connector *connector = rt_herder_find(host, rest->name);
    if (!connector) {
        char text[1200];
        const char *at = strstr(fmt, "%s");
        snprintf(text, sizeof(text), "%.*s%.1000s%s", (int)(at - fmt), fmt, rest->name, at + 2);
        rt_rest_error(rest, 404, "%s", text);
    }
    return connector;
}

/* ---- list, create, delete ---- */

static int do_list(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    struct rt_connector *connector, *next;
    bool map = rest->out != NULL;
    (void)err;
    if (!map)
        rest->out = json_array();
    HASH_ITER (hh, host->connectors, connector, next) {
        if (connector->deleted)
            continue;
        if (!map) {
            json_array_append_new(rest->out, json_string(connector->name));
            continue;
        }
        json_t *entry = json_object();
        if (rest->expand_status)
            json_object_set_new(entry, "status", rt_rest_state(host, connector));
        if (rest->expand_info)
            json_object_set_new(entry, "info", rt_rest_info(connector));
        json_object_set_new(rest->out, connector->name, entry);
    }
    return 0;
}

/* `expand` may repeat, so the raw query is looked at. */
static bool expands(struct ht_request *request, const char *what)
{
    for (unsigned i = 0; i < 16; i++) {
        const char *value = ht_query_at(request, "expand", i);
        if (!value)
            return false;
        if (!strcmp(value, what))
            return true;
    }
    return false;
}

static int get_list(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct rt_rest rest = {.out = ht_query(request, "expand") ? json_object() : NULL,
                           .expand_status = expands(request, "status"),
                           .expand_info = expands(request, "info")};
    return rt_rest_run(ctx, do_list, &rest, request, response);
}

static bool control_characters(const char *name)
{
    for (; *name; name++)
        if (iscntrl((unsigned char)*name))
            return true;
    return false;
}

/* Checks and takes name and config; false: the answer is set. */
static bool named(struct rt_rest *rest, const char *name, const json_t *object,
                  struct cn_config **ret, struct bs_error *err)
{
    int result = rt_config_from_json(object, ret, err);
    if (result < 0) {
        rt_rest_error(
            rest, result == BS_ESYNTAX ? 500 : 400,
            result == BS_ESYNTAX
                ? "%s"
                : "Connector configuration is invalid and contains the following 1 "
                  "error(s):\n%s\nYou can also find the above list of errors at the endpoint "
                  "`/connector-plugins/{connectorType}/config/validate`",
            err->text);
        return false;
    }
    const char *inner = rt_config_get(*ret, "name");
    if (inner && strcmp(inner, name) != 0) {
        rt_rest_error(
            rest, 400,
            "Connector name configuration (%s) doesn't match connector name in the URL (%s)", inner,
            name);
        rt_config_free(*ret);
        return false;
    }
    if (!*name || control_characters(name) || strlen(name) > 900) {
        rt_rest_error(
            rest, 400,
            "Connector configuration is invalid and contains the following 1 "
            "error(s):\nInvalid value %s for configuration name: String may not be empty, "
            "longer than 900 bytes, or contain control sequences",
            name);
        rt_config_free(*ret);
        return false;
    }
    rt_config_set(*ret, "name", name);
    return true;
}

/* The path of a connector, percent-encoded. */
static char *location_of(const char *name)
{
    struct bs_buf out = BS_BUF_INIT;
    bs_buf_puts(&out, "/connectors/");
    for (; *name; name++) {
        if (isalnum((unsigned char)*name) || strchr("-_.~", *name))
            bs_buf_put(&out, name, 1);
        else
            bs_buf_printf(&out, "%%%02X", (unsigned char)*name);
    }
    char *text = bs_strdup(bs_buf_text(&out));
    bs_buf_deinit(&out);
    return text;
}

static int do_set(struct rt_connect_host *host, struct rt_rest *rest, const char *name,
                  struct cn_config *config, bool create, struct bs_error *err)
{
    struct rt_connector *old = rt_herder_find(host, name);
    char *key = bs_strdup(name);
    int result = 0;
    if (create && old) {
        rt_rest_error(rest, 409, "Connector %s already exists", name);
        rt_config_free(config);
    } else {
        rest->status = old ? 200 : 201;
        result = rt_herder_set(host, name, config, old ? old->target : rest->target, err);
        struct rt_connector *now = result == 0 ? rt_herder_find(host, key) : NULL;
        if (now) {
            rest->out = rt_rest_info(now);
            if (!old)
                rest->location = location_of(key);
        }
    }
    bs_free(key);
    return result;
}

static int do_create(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    const char *initial = json_string_value(json_object_get(rest->body, "initial_state"));
    const json_t *config_json = json_object_get(rest->body, "config");
    const char *given = json_string_value(json_object_get(rest->body, "name")), *key;
    struct cn_config *config;
    json_t *value;
    if (!json_is_object(rest->body) || !json_is_object(config_json))
        return rt_rest_error(
            rest, 500, "the body must be {\"name\": …, \"config\": {…}, \"initial_state\": …}");
    json_object_foreach(rest->body, key,
                        value) if (strcmp(key, "name") != 0 && strcmp(key, "config") != 0 &&
                                   strcmp(key, "initial_state") !=
                                       0) return rt_rest_error(rest, 500,
                                                               "Unrecognized field \"%s\" (known: "
                                                               "name, config, initial_state)",
                                                               key);
    rest->target = RT_TARGET_STARTED;
    if (initial && !strcasecmp(initial, "paused"))
        rest->target = RT_TARGET_PAUSED;
    else if (initial && !strcasecmp(initial, "stopped"))
        rest->target = RT_TARGET_STOPPED;
    else if (initial && strcasecmp(initial, "running") != 0)
        return rt_rest_error(rest, 500, "initial_state %s is not RUNNING, PAUSED or STOPPED",
                             initial);
    given = given ? given : "";
    given += strspn(given, " \t");
    char *name = bs_strdup(given);
    for (size_t n = strlen(name); n && (name[n - 1] == ' ' || name[n - 1] == '\t'); n--)
        name[n - 1] = 0;
    int result = named(rest, name, config_json, &config, err)
                     ? do_set(host, rest, name, config, true, err)
                     : 0;
    bs_free(name);
    return result;
}

static int post_connector(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct rt_rest rest = {0};
    if (!rt_rest_body(&rest, request))
        return rt_rest_answer(&rest, request, response);
    return rt_rest_run(ctx, do_create, &rest, request, response);
}

static int do_info(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    const struct rt_connector *connector = there(host, rest, "Connector %s not found");
    (void)err;
    if (connector)
        rest->out = rt_rest_info(connector);
    return 0;
}

static int do_delete(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    struct rt_connector *connector = there(host, rest, "Connector %s not found");
    int result = connector ? rt_journal_delete(host, connector->name, err) : 0;
    rest->status = connector ? 204 : 404;
    if (connector && result == 0)
        rt_herder_remove(host, connector);
    return result;
}

/* ---- configuration ---- */

static int do_config(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    const struct rt_connector *connector = there(host, rest, "Connector %s not found");
    (void)err;
    if (connector)
        rest->out = rt_config_to_json(connector->config);
    return 0;
}

static int do_put_config(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    struct cn_config *config;
    if (!json_is_object(rest->body))
        return rt_rest_error(rest, 500, "the body must be a JSON object");
    if (!named(rest, rest->name, rest->body, &config, err))
        return 0;
    return do_set(host, rest, rest->name, config, false, err);
}

static int do_patch_config(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    const struct rt_connector *connector = there(host, rest, "Connector %s not found");
    const char *name;
    json_t *value, *merged;
    struct cn_config *config;
    if (!connector)
        return 0;
    if (!json_is_object(rest->body))
        return rt_rest_error(rest, 500, "the body must be a JSON object");
    merged = rt_config_to_json(connector->config);
    json_object_foreach(rest->body, name, value)
    {
        if (json_is_null(value))
            json_object_del(merged, name);
        else
            json_object_set(merged, name, value);
    }
    bool ok = named(rest, rest->name, merged, &config, err);
    json_decref(merged);
    return ok ? do_set(host, rest, rest->name, config, false, err) : 0;
}

static int with_body(void *ctx, struct ht_request *request, struct ht_response *response,
                     rt_herder_fn *fn)
{
    struct rt_rest rest = {.name = request->params[0]};
    if (!rt_rest_body(&rest, request))
        return rt_rest_answer(&rest, request, response);
    return rt_rest_run(ctx, fn, &rest, request, response);
}

static int put_config(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return with_body(ctx, request, response, do_put_config);
}

static int patch_config(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return with_body(ctx, request, response, do_patch_config);
}

/* ---- states ---- */

static int do_status(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    const struct rt_connector *connector = there(host, rest, "No status found for connector %s");
    (void)err;
    if (connector)
        rest->out = rt_rest_state(host, connector);
    return 0;
}

static int do_target(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    struct rt_connector *connector = there(host, rest, "Unknown connector %s");
    if (!connector)
        return 0;
    rest->status = rest->target == RT_TARGET_STOPPED ? 204 : 202;
    if (connector->target == rest->target)
        return 0;
    int result = rt_journal_target(host, connector->name, rest->target, err);
    if (result == 0)
        rt_herder_target(host, connector, rest->target);
    return result;
}

static int set_target(void *ctx, struct ht_request *request, struct ht_response *response,
                      enum rt_target target)
{
    struct rt_rest rest = {.name = request->params[0], .target = target};
    return rt_rest_run(ctx, do_target, &rest, request, response);
}

static int put_pause(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return set_target(ctx, request, response, RT_TARGET_PAUSED);
}

static int put_resume(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return set_target(ctx, request, response, RT_TARGET_STARTED);
}

static int put_stop(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return set_target(ctx, request, response, RT_TARGET_STOPPED);
}

static int do_restart(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    struct rt_connector *connector = there(host, rest, "Unknown connector: %s");
    (void)err;
    if (!connector)
        return 0;
    bool answer = rest->include_tasks || rest->only_failed;
    rest->status = answer ? 202 : 204;
    rt_herder_restart(host, connector, rest->include_tasks, rest->only_failed);
    if (!answer)
        return 0;
    rest->out = rt_rest_state(host, connector);
    bool all = !rest->only_failed || connector->state == RT_STATE_FAILED;
    if (all)
        json_object_set_new(json_object_get(rest->out, "connector"), "state",
                            json_string("RESTARTING"));
    return 0;
}

static bool flag(struct ht_request *request, const char *name)
{
    const char *value = ht_query(request, name);
    return value && !strcasecmp(value, "true");
}

static int post_restart(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct rt_rest rest = {.name = request->params[0],
                           .include_tasks = flag(request, "includeTasks"),
                           .only_failed = flag(request, "onlyFailed")};
    return rt_rest_run(ctx, do_restart, &rest, request, response);
}

/* ---- tasks ---- */

/* "….FileStreamSourceConnector" has tasks of "….FileStreamSourceTask". */
static char *task_class_of(const struct cn_plugin *plugin)
{
    static const char ending[] = "Connector";
    const char *name = plugin ? rt_plugin_class(plugin) : "";
    size_t len = strlen(name), tail = sizeof(ending) - 1;
    bool has = len > tail && !strcmp(name + len - tail, ending);
    return bs_asprintf("%.*sTask", (int)(has ? len - tail : len), name);
}

static int do_tasks(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    const struct rt_connector *connector = there(host, rest, "Connector %s not found");
    (void)err;
    if (!connector)
        return 0;
    rest->out = json_array();
    for (size_t i = 0; i < connector->slot_count; i++) {
        json_t *config = rt_config_to_json(connector->config);
        char *task_class = task_class_of(connector->config->plugin);
        json_object_set_new(config, "task.class", json_string(task_class));
        bs_free(task_class);
        json_array_append_new(rest->out,
                              json_pack("{s:{s:s, s:i}, s:o}", "id", "connector", connector->name,
                                        "task", (int)i, "config", config));
    }
    return 0;
}

static int do_task_status(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    const struct rt_connector *connector = rt_herder_find(host, rest->name);
    (void)err;
    if (!connector || rest->index < 0 || (size_t)rest->index >= connector->slot_count)
        return rt_rest_error(rest, 404, "No status found for task %s-%lld", rest->name,
                             (long long)rest->index);
    rest->out = task_state(host, connector, (size_t)rest->index);
    return 0;
}

static int do_task_restart(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    struct rt_connector *connector = there(host, rest, "Unknown connector: %s");
    (void)err;
    if (!connector)
        return 0;
    if (rest->index < 0 || (size_t)rest->index >= connector->slot_count)
        return rt_rest_error(rest, 404, "Unknown task: %s-%lld", rest->name,
                             (long long)rest->index);
    rest->status = 204;
    connector->slots[rest->index].restart = true;
    rt_herder_align(host, connector);
    return 0;
}

static int of_task(void *ctx, struct ht_request *request, struct ht_response *response,
                   rt_herder_fn *fn)
{
    struct rt_rest rest = {.name = request->params[0]};
    if (bs_parse_int(request->params[1], 0, 100000, &rest.index) < 0)
        rest.index = -1;
    return rt_rest_run(ctx, fn, &rest, request, response);
}

static int get_task_status(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return of_task(ctx, request, response, do_task_status);
}

static int post_task_restart(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return of_task(ctx, request, response, do_task_restart);
}

/* ---- topics ---- */

static int do_topics(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    const struct rt_connector *connector = rt_herder_find(host, rest->name);
    json_t *topics = json_array();
    (void)err;
    for (size_t i = 0; connector && i < connector->used_count; i++)
        json_array_append_new(topics, json_string(connector->used[i]));
    rest->out = json_pack("{s:{s:o}}", rest->name, "topics", topics);
    return 0;
}

static int do_topics_reset(struct rt_connect_host *host, void *arg, struct bs_error *err)
{
    struct rt_rest *rest = arg;
    struct rt_connector *connector = rt_herder_find(host, rest->name);
    (void)err;
    rest->status = 202;
    for (size_t i = 0; connector && i < connector->used_count; i++)
        bs_free(connector->used[i]);
    if (connector)
        connector->used_count = 0;
    return 0;
}

#define PLAIN(handler, fn)                                                                  \
    static int handler(void *ctx, struct ht_request *request, struct ht_response *response) \
    {                                                                                       \
        struct rt_rest rest = {.name = request->params[0]};                                 \
        return rt_rest_run(ctx, fn, &rest, request, response);                              \
    }

PLAIN(get_connector, do_info)
PLAIN(delete_connector, do_delete)
PLAIN(get_config, do_config)
PLAIN(get_status, do_status)
PLAIN(get_tasks, do_tasks)
PLAIN(get_topics, do_topics)
PLAIN(put_topics_reset, do_topics_reset)

static const struct ht_route routes[] = {
    {"GET", "/", 0, rt_rest_root, "Version of the worker and the cluster's id."},
    {"GET", "/connectors", 0, get_list, "Names; with expand=status, expand=info: an object."},
    {"POST", "/connectors", RT_REST_BODY_MAX, post_connector, "Creates a connector."},
    {"GET", "/connectors/{name}", 0, get_connector, "Configuration and tasks."},
    {"DELETE", "/connectors/{name}", 0, delete_connector, "Deletes it; its offsets stay."},
    {"GET", "/connectors/{name}/config", 0, get_config, "Configuration as it was given."},
    {"PUT", "/connectors/{name}/config", RT_REST_BODY_MAX, put_config, "Creates or replaces it."},
    {"PATCH", "/connectors/{name}/config", RT_REST_BODY_MAX, patch_config,
     "Sets some options; null deletes one."},
    {"GET", "/connectors/{name}/status", 0, get_status, "State of the connector and its tasks."},
    {"GET", "/connectors/{name}/tasks", 0, get_tasks, "Tasks and their configurations."},
    {"GET", "/connectors/{name}/tasks/{task}/status", 0, get_task_status, "State of one task."},
    {"POST", "/connectors/{name}/tasks/{task}/restart", RT_REST_BODY_MAX, post_task_restart,
     "Restarts one task."},
    {"POST", "/connectors/{name}/restart", RT_REST_BODY_MAX, post_restart,
     "Restarts; includeTasks, onlyFailed."},
    {"PUT", "/connectors/{name}/pause", RT_REST_BODY_MAX, put_pause, "Tasks rest, but stay."},
    {"PUT", "/connectors/{name}/resume", RT_REST_BODY_MAX, put_resume, "Tasks go on."},
    {"PUT", "/connectors/{name}/stop", RT_REST_BODY_MAX, put_stop, "Tasks end."},
    {"GET", "/connectors/{name}/topics", 0, get_topics, "Topics it has used."},
    {"PUT", "/connectors/{name}/topics/reset", RT_REST_BODY_MAX, put_topics_reset,
     "Forgets the topics it has used."},
    {"GET", "/connectors/{name}/offsets", 0, rt_rest_offsets_get, "How far it has come."},
    {"PATCH", "/connectors/{name}/offsets", RT_REST_BODY_MAX, rt_rest_offsets_patch,
     "Sets offsets of a stopped connector."},
    {"DELETE", "/connectors/{name}/offsets", 0, rt_rest_offsets_delete,
     "Forgets offsets of a stopped connector."},
    {"GET", "/connector-plugins", 0, rt_rest_plugins, "Connectors that can be used."},
    {"GET", "/connector-plugins/{plugin}/config", 0, rt_rest_plugin_config,
     "Options of a connector."},
    {"PUT", "/connector-plugins/{plugin}/config/validate", RT_REST_BODY_MAX, rt_rest_validate,
     "Checks a configuration; 200 also when it has errors."},
};

const struct ht_route *rt_connect_routes(size_t *ret_count)
{
    *ret_count = sizeof(routes) / sizeof(routes[0]);
    return routes;
}
