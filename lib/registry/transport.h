/* Transport: one HTTP exchange with the registry, over the URLs of the list in turn. */
#ifndef WEIR_REGISTRY_TRANSPORT_H
#define WEIR_REGISTRY_TRANSPORT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

struct rc_shared;

enum { RC_ANSWER_MAX = 32 << 20 };

struct rc_transport {
    char **urls; /* without a '/' at the end */
    size_t url_count;
    long timeout_ms;
    struct rc_shared *shared;
};

int rc_transport_init(struct rc_transport *transport, const char *urls, long timeout_ms,
                      struct rc_shared *shared, struct bs_error *err);
void rc_transport_deinit(struct rc_transport *transport);
/* The next URL is tried when one cannot be reached or answers 5xx; the last answer counts. */
int rc_transport_ask(struct rc_transport *transport, const char *method, const char *path,
                     const char *body, struct bs_buf *out, int *ret_status, struct bs_error *err);
void rc_transport_handle_free(void *handle);
char *rc_escape(const char *text); /* percent-encoded path segment; bs_free it */

#endif
