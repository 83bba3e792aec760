/* Role: opens the gate (which replays in its own thread) and the REST interface in front of it. */
#include "schema-registry/role.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "schema-registry/route.h"

#include <stdio.h>
#include <string.h>

enum { WRITERS = 16 }; /* requests that write at the same time */

static const struct bs_event listening = {"registry.listening", BS_LOG_INFO,
                                          "The REST interface accepts requests."};

static const struct bs_metric_desc requests_desc = {"weir_registry_requests_total", BS_COUNTER,
                                                    "Requests of the REST interface."};
static const struct bs_metric_desc refused_desc = {"weir_registry_requests_refused_total",
                                                   BS_COUNTER, "Requests answered with an error."};
static const struct bs_metric_desc incompatible_desc = {
    "weir_registry_incompatible_total", BS_COUNTER, "Registrations refused as incompatible."};

static void error_body(int status, const char *message, struct bs_buf *out)
{
    bs_buf_printf(out, "{\"error_code\":%d,\"message\":", status);
    bs_buf_put_json_string(out, message, strlen(message));
    bs_buf_puts(out, "}");
}

static void close_service(void *self)
{
    struct sr_service *service = self;
    if (service == NULL)
        return;
    ht_server_close(service->http);
    sr_gate_close(service->gate);
    bs_metric_deinit(&service->requests);
    bs_metric_deinit(&service->refused);
    bs_metric_deinit(&service->incompatible);
    bs_free(service->routes);
    bs_free(service);
}

static int open_http(struct sr_service *service, const struct sr_settings *settings,
                     struct bs_error *err)
{
    struct ht_options options = {.listen = settings->listen,
                                 .route_count = sr_route_count,
                                 .ctx = service,
                                 .threads = (unsigned)settings->threads,
                                 .blocking_threads = WRITERS,
                                 .error_body = error_body,
                                 .content_type = "application/vnd.schemaregistry.v1+json"};
    char host[256], listen[300];
    int port, rc;
    service->routes = bs_memdup(sr_routes, sr_route_count * sizeof *sr_routes);
    for (size_t i = 0; i < sr_route_count; i++)
        if (service->routes[i].body_max)
            service->routes[i].body_max = (size_t)settings->body_max;
    options.routes = service->routes;
    if ((rc = ht_split_host_port(settings->listen, host, sizeof host, &port, err)) < 0 ||
        (rc = ht_server_open(&options, &service->http, err)) < 0)
        return bs_error_wrap(err, "registry");
    snprintf(listen, sizeof listen, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
             ht_server_port(service->http));
    sr_gate_set_listen(service->gate, listen);
    bs_log(&listening, "http://%s", listen);
    return 0;
}

static int open_service(const struct bs_config *config, const char *const *files, void **ret_self,
                        struct bs_error *err)
{
    struct sr_service *service;
    struct sr_settings settings;
    int rc = sr_settings_read(config, &settings, err);
    (void)files;
    if (rc < 0)
        return rc;
    service = bs_new(struct sr_service);
    bs_metric_init(&service->requests, &requests_desc, NULL);
    bs_metric_init(&service->refused, &refused_desc, NULL);
    bs_metric_init(&service->incompatible, &incompatible_desc, NULL);
    if ((rc = sr_gate_open(&settings, &service->gate, err)) < 0 ||
        (rc = open_http(service, &settings, err)) < 0) {
        close_service(service);
        return rc;
    }
    *ret_self = service;
    return 0;
}

static int health(void *self, struct bs_buf *out)
{
    struct sr_service *service = self;
    return sr_gate_health(service->gate, out);
}

static const struct bs_option_table *const tables[] = {&sr_options};

const struct bs_role sr_role = {
    .name = "registry",
    .tables = tables,
    .table_count = 1,
    .open = open_service,
    .health = health,
    .close = close_service,
};
