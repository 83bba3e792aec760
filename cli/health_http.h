/* Health HTTP: /health and /metrics of a role that speaks no HTTP itself (the broker). The server
 * is in module http, which is opened only here. */
#ifndef WEIR_CLI_HEALTH_HTTP_H
#define WEIR_CLI_HEALTH_HTTP_H

#include "cli/service.h"

/* What module http exports as `weir_http`. */
struct cl_http_module {
    int (*open)(const char *listen, int (*health)(void *ctx, struct bs_buf *out), void *ctx,
                void **ret, struct bs_error *err);
    int (*port)(void *server);
    void (*close)(void *server);
};

/* The option `http`, of the program itself: --http HOST:PORT. */
extern const struct bs_option_table cl_health_http_options;

struct cl_health_http;

/* `service` must be open and outlive it. Logs the address it listens at. */
int cl_health_http_open(const char *listen, struct cl_service *service, struct cl_health_http **ret,
                        struct bs_error *err);
void cl_health_http_close(struct cl_health_http *health); /* accepts NULL */

#endif
