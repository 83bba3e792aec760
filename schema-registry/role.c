/* Role: opens the gate (which replays in its own thread) and the REST interface in front of it. */
#include "schema-registry/role.h"

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "schema-registry/access.h"
#include "schema-registry/media.h"
#include "schema-registry/forward.h"
#include "schema-registry/reason.h"
#include "schema-registry/route.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WRITERS = 16 }; /* requests that write at the same time */

static const struct bs_event listening = {"registry.listening", BS_LOG_INFO,
                                          "The REST interface accepts requests."};

static const struct bs_event open_to_all = {
    "registry.open-to-all", BS_LOG_WARN,
    "The REST interface is on an address others can reach, and nobody has to sign in: set "
    "authentication.method=BASIC, or listen on 127.0.0.1."};

static const struct bs_metric_desc requests_desc = {"weir_registry_requests_total", BS_COUNTER,
                                                    "Requests of the REST interface."};
static const struct bs_metric_desc refused_desc = {"weir_registry_requests_refused_total",
                                                   BS_COUNTER, "Requests answered with an error."};
static const struct bs_metric_desc forwarded_desc = {"weir_registry_forwarded_total", BS_COUNTER,
                                                     "Writes that were handed to the leader."};
static const struct bs_metric_desc incompatible_desc = {
    "weir_registry_incompatible_total", BS_COUNTER, "Registrations refused as incompatible."};

static const struct bs_metric_desc unauthorized_desc = {
    "weir_registry_requests_unauthorized_total", BS_COUNTER,
    "Requests without right credentials, answered with 401."};
static const struct bs_metric_desc forbidden_desc = {
    "weir_registry_requests_forbidden_total", BS_COUNTER,
    "Requests of a user who has no right to them, answered with 403."};

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
    ht_client_free(service->client);
    sem_destroy(&service->heavy);
    bs_metric_deinit(&service->forwarded);
    bs_metric_deinit(&service->requests);
    bs_metric_deinit(&service->refused);
    bs_metric_deinit(&service->incompatible);
    bs_metric_deinit(&service->unauthorized);
    bs_metric_deinit(&service->forbidden);
    sr_auth_close(service->auth);
    sr_reasons_free(service->reasons);
    bs_free(service->routes);
    bs_free(service);
}

/* Rows of the table with what the options say of them; BS_EINVAL: a path to skip is none. */
static int make_routes(struct sr_service *service, const struct sr_settings *settings,
                       struct bs_error *err)
{
    service->routes = bs_memdup(sr_routes, sr_route_count * sizeof *sr_routes);
    for (size_t i = 0; i < sr_route_count; i++)
        if (service->routes[i].body_max)
            service->routes[i].body_max = (size_t)settings->body_max;
    for (const char *path = settings->open_paths; *path;) {
        size_t len = strcspn(path, ","), found = 0;
        for (size_t i = 0; i < sr_route_count; i++) {
            const char *pattern = service->routes[i].pattern;
            if (strlen(pattern) != len || strncmp(pattern, path, len) != 0 || strchr(pattern, '{'))
                continue;
            service->routes[i].right = SR_OPEN;
            found++;
        }
        if (found == 0)
            return bs_error_set(err, BS_EINVAL,
                                "authentication.skip.paths: \"%.*s\" is not a path of this "
                                "registry; accepted are whole paths such as /metrics and /subjects",
                                (int)len, path);
        path += len;
        path += strspn(path, ", ");
    }
    return 0;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "localhost") == 0 ||
           strcmp(host, "::1") == 0;
}

static int open_auth(struct sr_service *service, const struct sr_settings *settings,
                     struct bs_error *err)
{
    snprintf(service->challenge, sizeof service->challenge, "Basic realm=\"%s\", charset=\"UTF-8\"",
             settings->realm); /* also of one that only passes the leader's 401 on */
    if (settings->users == NULL)
        return 0;
    service->reasons = sr_reasons_new();
    return sr_auth_open(settings->users, &service->auth, err);
}

/* Where other registries find this one. */
static void own_url(const struct sr_settings *settings, const char *host, int port, char *ret,
                    size_t cap)
{
    char name[256] = "";
    if (settings->host)
        snprintf(name, sizeof name, "%s", settings->host);
    else if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || *host == '\0')
        gethostname(name, sizeof name - 1);
    else
        snprintf(name, sizeof name, "%s", host);
    snprintf(ret, cap, strchr(name, ':') ? "http://[%s]:%d" : "http://%s:%d", name, port);
}

static int open_http(struct sr_service *service, const struct sr_settings *settings,
                     struct bs_error *err)
{
    struct ht_options options = {.listen = settings->listen,
                                 .route_count = sr_route_count,
                                 .ctx = service,
                                 .threads = (unsigned)settings->threads,
                                 .connections_max = (unsigned)settings->connections,
                                 .bodies_max = (size_t)settings->bodies_max,
                                 .step_ms = settings->slow_ms,
                                 .blocking_threads =
                                     WRITERS + (service->auth ? SR_SIGN_INS_MAX : 0),
                                 .heavy_threads = SR_HEAVY_MAX,
                                 .rewrite = sr_context_rewrite,
                                 .error_body = error_body,
                                 .content_type = SR_TYPE_V1};
    char host[256], listen[300], url[SR_URL_MAX];
    int port, rc;
    options.routes = service->routes;
    if ((rc = ht_split_host_port(settings->listen, host, sizeof host, &port, err)) < 0 ||
        (rc = ht_server_open(&options, &service->http, err)) < 0)
        return bs_error_wrap(err, "%s: option 'listeners'", settings->listen_source);
    snprintf(listen, sizeof listen, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
             ht_server_port(service->http));
    own_url(settings, host, ht_server_port(service->http), url, sizeof url);
    sr_gate_set_listen(service->gate, listen, url);
    if (service->auth == NULL && !is_loopback(host))
        bs_log(&open_to_all, "%s, authentication.method=NONE", listen);
    bs_log(&listening, "http://%s", listen);
    return 0;
}

static int check_config(const struct bs_config *config, struct bs_error *err)
{
    struct sr_settings settings;
    return sr_settings_read(config, &settings, err);
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
    sem_init(&service->heavy, 0, SR_HEAVY_MAX);
    bs_metric_init(&service->requests, &requests_desc, NULL);
    bs_metric_init(&service->forwarded, &forwarded_desc, NULL);
    service->client = ht_client_new(WRITERS, SR_ANSWER_MAX);
    bs_metric_init(&service->refused, &refused_desc, NULL);
    bs_metric_init(&service->incompatible, &incompatible_desc, NULL);
    bs_metric_init(&service->unauthorized, &unauthorized_desc, NULL);
    bs_metric_init(&service->forbidden, &forbidden_desc, NULL);
    if ((rc = make_routes(service, &settings, err)) < 0 ||
        (rc = open_auth(service, &settings, err)) < 0 ||
        (rc = sr_gate_open(&settings, &service->gate, err)) < 0 ||
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
    .check = check_config,
    .open = open_service,
    .health = health,
    .close = close_service,
};
