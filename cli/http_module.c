/* Module http: a small HTTP server for processes whose role has none. Handlers run on the server's
 * threads and only read: a role's health and the metric cells may be asked from any thread. */
#include "cli/health_http.h"

#include "lib/base/mem.h"
#include "lib/base/metric.h"
#include "lib/http/http.h"

struct server {
    struct ht_server *http;
    int (*health)(void *ctx, struct bs_buf *out);
    void *ctx;
};

static int serve_health(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct server *server = ctx;
    (void)request;
    response->status = server->health(server->ctx, &response->body) == 0 ? 200 : 503;
    return 0;
}

static int serve_metrics(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx, (void)request;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    bs_metric_print_all(&response->body);
    return 0;
}

static const struct ht_route ROUTES[] = {
    {.method = "GET",
     .pattern = "/health",
     .handler = serve_health,
     .doc = "The role's state; 200 when it is ready, else 503."},
    {.method = "GET",
     .pattern = "/metrics",
     .handler = serve_metrics,
     .doc = "All metrics of the process in the Prometheus text format."},
};

static void close_server(void *self)
{
    struct server *server = self;
    if (server == NULL)
        return;
    ht_server_close(server->http);
    bs_free(server);
}

static int open_server(const char *listen, int (*health)(void *ctx, struct bs_buf *out), void *ctx,
                       void **ret, struct bs_error *err)
{
    struct server *server = bs_new(struct server);
    struct ht_options options = {.listen = listen,
                                 .routes = ROUTES,
                                 .route_count = sizeof ROUTES / sizeof ROUTES[0],
                                 .ctx = server,
                                 .threads = 1,
                                 .connections_max = 64};
    int rc;
    server->health = health;
    server->ctx = ctx;
    rc = ht_server_open(&options, &server->http, err);
    if (rc != 0) {
        close_server(server);
        return rc;
    }
    *ret = server;
    return 0;
}

static int server_port(void *self)
{
    struct server *server = self;
    return ht_server_port(server->http);
}

extern const struct cl_http_module weir_http;
__attribute__((visibility("default"))) const struct cl_http_module weir_http = {
    .open = open_server, .port = server_port, .close = close_server};
