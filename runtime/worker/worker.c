/* The worker role.
 *
 * Opens in order: identity (the state folder is its own), registry client, connector host with the
 * --connector files, REST server, then one thread of supervision per pipeline. A monitor thread
 * asks from time to time whether everything has caught up; health only reads its last answer.
 * `lock` guards that answer; everything else is set by open and then only read. */
#include "runtime/worker/worker.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/metric.h"
#include "runtime/worker/app.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct bs_event LISTENING = {"worker.listening", BS_LOG_INFO,
                                          "The worker's REST interface accepts requests."};

enum { MONITOR_MS = 50, MONITOR_SLICE_MS = 10 };
static const char CONNECTOR[] = "connector:";

struct worker {
    struct rt_settings settings;
    struct rt_identity identity;
    struct rt_shared shared;
    struct rt_app_run **apps;
    size_t app_count;
    struct ht_route *routes;
    struct ht_server *server;
    char listen[256];
    pthread_t monitor;
    bool monitoring;
    pthread_mutex_t lock;
    bool caught_up, stop;
    char connector_error[600];
};

/* ---- caught up ---- */

/* Connectors before and after: sources were complete before the pipelines were looked at, sinks had
 * committed everything after. */
static bool look(struct worker *worker, char *error, size_t cap)
{
    struct bs_error err = {0};
    bool complete = true, quiet = true;
    int rc = rt_connect_caught_up(worker->shared.host, &complete, &err);
    error[0] = '\0';
    /* Every pipeline is looked at each time: each remembers whether it was quiet before. */
    for (size_t i = 0; i < worker->app_count; i++)
        quiet = rt_app_caught_up(worker->apps[i]) && quiet;
    if (rc == 0 && quiet && complete)
        rc = rt_connect_caught_up(worker->shared.host, &complete, &err);
    if (rc != 0)
        snprintf(error, cap, "%.*s", (int)cap - 1, err.text);
    return rc == 0 && complete && quiet;
}

static void *monitor(void *arg)
{
    struct worker *worker = arg;
    char error[sizeof worker->connector_error];
    bool stop = false;
    while (!stop) {
        bool caught_up = look(worker, error, sizeof error);
        for (int slept = 0; slept < MONITOR_MS && !stop; slept += MONITOR_SLICE_MS) {
            pthread_mutex_lock(&worker->lock);
            worker->caught_up = caught_up;
            memcpy(worker->connector_error, error, sizeof error);
            stop = worker->stop;
            pthread_mutex_unlock(&worker->lock);
            usleep(MONITOR_SLICE_MS * 1000);
        }
    }
    return NULL;
}

/* ---- health ---- */

static int health(void *self, struct bs_buf *out)
{
    struct worker *worker = self;
    struct bs_buf detail = BS_BUF_INIT;
    bool caught_up;
    char connector_error[sizeof worker->connector_error];
    int rc = 0;
    for (size_t i = 0; i < worker->app_count && rc >= 0; i++) {
        bs_buf_reset(&detail);
        switch (rt_progress_get(rt_app_of(worker->apps[i])->progress, &detail)) {
        case RT_PHASE_RUNNING:
            break;
        case RT_PHASE_FAILED:
            rc = BS_ESTATE;
            break;
        default:
            rc = 1;
        }
        if (rc == 1 && detail.len)
            break;
    }
    pthread_mutex_lock(&worker->lock);
    caught_up = worker->caught_up;
    memcpy(connector_error, worker->connector_error, sizeof connector_error);
    pthread_mutex_unlock(&worker->lock);
    bs_buf_printf(out, "{\"status\":\"%s\",\"listen\":\"%s\"",
                  rc < 0   ? "failed"
                  : rc > 0 ? "starting"
                           : "ok",
                  worker->listen);
    if (rc != 0 && detail.len) {
        bs_buf_puts(out, ",\"message\":");
        bs_buf_put_json_string(out, (const char *)detail.data, detail.len);
    }
    if (connector_error[0]) {
        bs_buf_puts(out, ",\"connector_error\":");
        bs_buf_put_json_string(out, connector_error, strlen(connector_error));
    }
    bs_buf_printf(out, ",\"caught_up\":%s}", caught_up && rc == 0 ? "true" : "false");
    bs_buf_deinit(&detail);
    return rc;
}

/* ---- REST ---- */

static int get_health(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)request;
    response->status = health(rt_connect_owner(ctx), &response->body) < 0 ? 503 : 200;
    return 0;
}

static int get_metrics(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx, (void)request;
    response->content_type = "text/plain; version=0.0.4";
    bs_metric_print_all(&response->body);
    return 0;
}

static int get_pipelines(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct worker *worker = rt_connect_owner(ctx);
    (void)request;
    bs_buf_puts(&response->body, "[");
    for (size_t i = 0; i < worker->app_count; i++) {
        if (i)
            bs_buf_puts(&response->body, ",");
        rt_app_status(worker->apps[i], &response->body);
    }
    bs_buf_puts(&response->body, "]");
    return 0;
}

static const struct ht_route ROUTES[] = {
    {.method = "GET",
     .pattern = "/health",
     .handler = get_health,
     .doc = "Whether the worker is ready, and whether it has caught up."},
    {.method = "GET",
     .pattern = "/metrics",
     .handler = get_metrics,
     .doc = "Metrics in the Prometheus text format."},
    {.method = "GET",
     .pattern = "/pipelines",
     .handler = get_pipelines,
     .doc = "State, counts and positions of each pipeline in this worker."},
};

static int open_server(struct worker *worker, struct bs_error *err)
{
    enum { OWN = sizeof ROUTES / sizeof ROUTES[0] };
    size_t count;
    const struct ht_route *connect = rt_connect_routes(&count);
    struct ht_options options = {.listen = worker->settings.listen, .ctx = worker->shared.host};
    char host[200];
    int port, rc;
    rc = ht_split_host_port(worker->settings.listen, host, sizeof host, &port, err);
    if (rc != 0)
        return rc;
    worker->routes = bs_array(OWN + count, sizeof *worker->routes);
    memcpy(worker->routes, ROUTES, sizeof ROUTES);
    memcpy(worker->routes + OWN, connect, count * sizeof *connect);
    options.routes = worker->routes;
    options.route_count = OWN + count;
    rc = ht_server_open(&options, &worker->server, err);
    if (rc != 0)
        return rc;
    snprintf(worker->listen, sizeof worker->listen, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
             ht_server_port(worker->server));
    bs_log(&LISTENING, "%s", worker->listen);
    return 0;
}

/* ---- open and close ---- */

static int open_connect(struct worker *worker, const char *const *files, struct bs_error *err)
{
    struct rt_connect_options options = {
        .bootstrap = worker->settings.bootstrap,
        .group_id = worker->settings.connect_group,
        .instance = worker->identity.id,
        .registry = {.client = worker->shared.schemas.once, .serde = worker->shared.schemas.serde},
        .plugin_dir = worker->settings.plugin_dir,
        .advertised = worker->settings.listen,
        .owner = worker};
    int rc = rt_connect_open(&options, &worker->shared.host, err);
    if (rc != 0)
        bs_error_wrap(err, "broker at %s", worker->settings.bootstrap);
    for (size_t i = 0; rc == 0 && files[i]; i++)
        if (strncmp(files[i], CONNECTOR, sizeof CONNECTOR - 1) == 0)
            rc = rt_connect_apply_file(worker->shared.host, files[i] + sizeof CONNECTOR - 1, err);
    return rc;
}

static int open_apps(struct worker *worker, const char *const *files, struct bs_error *err)
{
    size_t count = 0;
    int rc = 0;
    while (files[count])
        count++;
    worker->apps = bs_array(count + 1, sizeof *worker->apps);
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (strncmp(files[i], CONNECTOR, sizeof CONNECTOR - 1) == 0)
            continue;
        rc = rt_app_open(&worker->shared, files[i], &worker->apps[worker->app_count], err);
        worker->app_count += rc == 0;
    }
    return rc;
}

static void close_worker(void *self)
{
    struct worker *worker = self;
    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    pthread_mutex_unlock(&worker->lock);
    if (worker->monitoring)
        pthread_join(worker->monitor, NULL);
    ht_server_close(worker->server);
    for (size_t i = 0; i < worker->app_count; i++)
        rt_app_stop(worker->apps[i]);
    for (size_t i = 0; i < worker->app_count; i++)
        rt_app_close(worker->apps[i]);
    bs_free(worker->apps);
    rt_connect_close(worker->shared.host);
    rc_client_free(worker->shared.schemas.client);
    rc_client_free(worker->shared.schemas.once);
    rt_rocks_shared_free(worker->shared.rocks);
    rt_identity_close(&worker->identity);
    rt_settings_deinit(&worker->settings);
    bs_free(worker->routes);
    pthread_mutex_destroy(&worker->lock);
    bs_free(worker);
}

/* Two clients: records wait for a registry that is away for a moment; the start and connectors wait
 * themselves, so that they can be stopped. */
static int open_registry(struct worker *worker, struct bs_error *err)
{
    struct rt_schema_port *port = &worker->shared.schemas;
    struct bs_config *once;
    int rc;
    port->serde = worker->settings.serde;
    if (!bs_config_text(port->serde, "schema.registry.url"))
        return 0;
    rc = rc_client_of(port->serde, NULL, &port->client, err);
    if (rc != 0)
        return rc;
    once = rc_serde_config_new();
    rc = rc_serde_set(once, false, "max.retries", "0", "worker", err);
    if (rc == 0)
        rc = rc_serde_inherit(once, port->serde, err);
    if (rc == 0)
        rc = rc_client_of(once, NULL, &port->once, err);
    bs_config_free(once);
    return rc;
}

static int open_worker(const struct bs_config *config, const char *const *files, void **ret_self,
                       struct bs_error *err)
{
    struct worker *worker = bs_new(struct worker);
    struct rt_rocks_options rocks;
    int rc;
    pthread_mutex_init(&worker->lock, NULL);
    worker->identity.lock_fd = -1;
    rt_settings_init(&worker->settings, config);
    rocks.block_cache_bytes = worker->settings.block_cache_bytes;
    rocks.write_buffer_bytes = worker->settings.write_buffer_bytes;
    worker->shared.settings = &worker->settings;
    worker->shared.identity = &worker->identity;
    rc = rt_identity_open(worker->settings.state_dir, &worker->identity, err);
    if (rc == 0)
        rc = open_registry(worker, err);
    if (rc == 0) {
        worker->shared.rocks = rt_rocks_shared_new(&rocks);
        rc = open_connect(worker, files, err);
    }
    if (rc == 0)
        rc = open_server(worker, err);
    if (rc == 0)
        rc = open_apps(worker, files, err);
    if (rc == 0) {
        worker->monitoring = pthread_create(&worker->monitor, NULL, monitor, worker) == 0;
        if (!worker->monitoring)
            rc = bs_error_set(err, BS_ENOMEM, "cannot start the worker's monitor thread");
    }
    if (rc != 0) {
        close_worker(worker);
        worker = NULL;
    }
    *ret_self = worker;
    return rc;
}

static const struct bs_option_table *const TABLES[] = {&rt_worker_options, &rc_serde_options};

const struct bs_role rt_worker_role = {.name = "worker",
                                       .tables = TABLES,
                                       .table_count = sizeof TABLES / sizeof *TABLES,
                                       .open = open_worker,
                                       .health = health,
                                       .close = close_worker};
