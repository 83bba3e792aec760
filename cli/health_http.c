/* Health HTTP: the program's side of module http. */
#include "cli/health_http.h"

#include "cli/module.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <string.h>

static const struct bs_event LISTENING = {"weir.http_listening", BS_LOG_INFO,
                                          "Where /health and /metrics of this process are served."};

static const struct bs_option OPTIONS[] = {
    {.name = "http",
     .type = BS_OPT_STRING,
     .doc = "HOST:PORT where /health and /metrics of the broker's process are served; off unless "
            "set (weir dev: 127.0.0.1:9180)"},
};
const struct bs_option_table cl_health_http_options = {
    .title = "Health and metrics over HTTP", .rows = OPTIONS, .count = 1};

struct cl_health_http {
    const struct cl_http_module *module;
    void *server;
    struct cl_service *service;
};

static int ask(void *ctx, struct bs_buf *out)
{
    struct cl_health_http *health = ctx;
    return health->service->role->health(health->service->self, out);
}

int cl_health_http_open(const char *listen, struct cl_service *service, struct cl_health_http **ret,
                        struct bs_error *err)
{
    struct cl_health_http *health = bs_new(struct cl_health_http);
    void *symbol = NULL;
    int rc = cl_module_symbol("http", "weir_http", &symbol, err);
    if (rc == 0) {
        health->module = symbol;
        health->service = service;
        rc = health->module->open(listen, ask, health, &health->server, err);
    }
    if (rc != 0) {
        cl_health_http_close(health);
        return bs_error_wrap(err, "--http %s", listen);
    }
    bs_log(&LISTENING, "http://%.*s:%d/health and /metrics",
           (int)(strrchr(listen, ':') ? strrchr(listen, ':') - listen : 0), listen,
           health->module->port(health->server));
    *ret = health;
    return 0;
}

void cl_health_http_close(struct cl_health_http *health)
{
    if (health == NULL)
        return;
    if (health->server)
        health->module->close(health->server);
    bs_free(health);
}
