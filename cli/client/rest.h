/* REST: one call to a registry's or a worker's JSON interface, by libcurl. One thread. */
#ifndef WEIR_CLI_CLIENT_REST_H
#define WEIR_CLI_CLIENT_REST_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <jansson.h>

struct cl_rest {
    const char *url; /* "http://host:port" */
    const char *content_type;
    const char *name; /* of the other side, for messages: "schema registry" */
};

/* `path` begins with '/', its parts already escaped. *ret is the answer's JSON (json_decref it), or
 * NULL when it has none. A status of 400 and above is an error that holds the answer's "message".
 */
int cl_rest_call(const struct cl_rest *rest, const char *method, const char *path, json_t *body,
                 json_t **ret, struct bs_error *err);
/* Percent-encodes one part of a path; bs_free it. */
char *cl_rest_escape(const char *part);

#endif
