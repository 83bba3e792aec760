/* REST: one call to a worker's or a registry's JSON interface. One thread. */
#ifndef WEIR_CLI_CLIENT_REST_H
#define WEIR_CLI_CLIENT_REST_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/registry/client.h"

#include <jansson.h>

struct cl_rest {
    const char *url; /* "http://host:port" */
    const char *content_type;
    const char *name;           /* of the other side, for messages */
    struct rc_client *registry; /* a schema registry: asked by its client, the rest is not used */
};

/* `path` begins with '/', its parts already escaped. *ret is the answer's JSON (json_decref it), or
 * NULL when it has none. A status of 400 and above is an error that holds the answer's "message".
 */
int cl_rest_call(const struct cl_rest *rest, const char *method, const char *path, json_t *body,
                 json_t **ret, struct bs_error *err);
/* Percent-encodes one part of a path; bs_free it. */
char *cl_rest_escape(const char *part);

#endif
