/* REST: one call of Connect's interface on its way through the host's thread. Shared by the files
 * that hold the handlers. */
#ifndef WEIR_RUNTIME_CONNECT_REST_H
#define WEIR_RUNTIME_CONNECT_REST_H

#include "lib/base/option.h"
#include "runtime/connect/herder.h"

enum { RT_REST_BODY_MAX = 1 << 20 };

struct rt_rest {
    const char *name; /* of the connector in the path, or NULL */
    int64_t index;    /* of the task */
    json_t *body;     /* parsed, or NULL */
    bool include_tasks, only_failed, expand_status, expand_info;
    enum rt_target target;
    /* the answer */
    int status;
    json_t *out; /* NULL: no body */
    char *location;
    char *message; /* of an error; `status` says which */
};

/* Runs fn on the host's thread and writes the answer; frees what rest holds. */
int rt_rest_run(struct rt_connect_host *host, rt_herder_fn *fn, struct rt_rest *rest,
                struct ht_request *request, struct ht_response *response);
/* Writes the answer without a call. */
int rt_rest_answer(struct rt_rest *rest, struct ht_request *request, struct ht_response *response);
/* Sets the error; returns 0. */
int rt_rest_error(struct rt_rest *rest, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Parses the body as JSON; false: the answer is set (415, 500). */
bool rt_rest_body(struct rt_rest *rest, struct ht_request *request);
int rt_rest_status_of(int code); /* HTTP status of a BS_E… */

/* {"name","config","tasks","type"}, {"name","connector","tasks","type"}; new references. */
json_t *rt_rest_info(const struct rt_connector *connector);
json_t *rt_rest_state(const struct rt_connect_host *host, const struct rt_connector *connector);

/* Handlers of the other files. */
ht_handler rt_rest_plugins, rt_rest_plugin_config, rt_rest_validate, rt_rest_root;
ht_handler rt_rest_offsets_get, rt_rest_offsets_patch, rt_rest_offsets_delete;

#endif
