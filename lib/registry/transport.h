/* Transport: HTTP exchanges with the registry, over the URLs of the list in turn, again after what
 * may pass. User and password are kept apart from the URLs: no message can hold them. */
#ifndef WEIR_REGISTRY_TRANSPORT_H
#define WEIR_REGISTRY_TRANSPORT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/registry/client.h"

struct rc_shared;

enum { RC_ANSWER_MAX = 32 << 20, RC_URLS_MAX = 100 };

struct rc_server {
    char *url;             /* without user, and without a '/' at the end */
    char *user, *password; /* NULL: none */
};

struct rc_transport {
    struct rc_server *servers;
    size_t server_count;
    struct rc_options options; /* the strings in it are not kept */
    struct rc_shared *shared;
};

int rc_transport_init(struct rc_transport *transport, const struct rc_options *options,
                      struct rc_shared *shared, struct bs_error *err);
void rc_transport_deinit(struct rc_transport *transport);
/* One round: the next URL is tried when one cannot be reached or answers with a status that may
 * pass (408, 429, 500, 502, 503, 504); the last answer counts, and without any the last error. The
 * URL that answered is the first of the next round. */
int rc_transport_ask(struct rc_transport *transport, const char *method, const char *path,
                     const char *body, struct bs_buf *out, int *ret_status, struct bs_error *err);
/* As many rounds as the options say, with growing waits between. */
int rc_transport_ask_again(struct rc_transport *transport, const char *method, const char *path,
                           const char *body, struct bs_buf *out, int *ret_status,
                           struct bs_error *err);
/* Where the last answer came from, for messages: "127.0.0.1:8081". */
const char *rc_transport_shown(const struct rc_transport *transport);
void rc_transport_handle_free(void *handle);

#endif
