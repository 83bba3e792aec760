/* HTTP client: one exchange with a server of this program, over connections that are kept.
 *
 * Plain HTTP/1.1 by the calling thread, which waits; for processes that would otherwise load a
 * large library for a request they may never make. Any number of threads. */
#ifndef WEIR_HTTP_CLIENT_H
#define WEIR_HTTP_CLIENT_H

#include "lib/base/buf.h"
#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct ht_client;

struct ht_exchange {
    const char *url;             /* "http://host:port" */
    const char *method, *target; /* target: path and query, as sent */
    const char *const *headers;  /* "Name: value", NULL at the end */
    struct bs_bytes body;
    int64_t timeout_ms;
    bool (*give_up)(void *ctx); /* asked now and then while the answer is awaited; or NULL */
    void *give_up_ctx;
    /* the answer */
    int status;
    char content_type[128];
    const char *field_name; /* of one more field that is wanted; or NULL */
    char field[64];
    struct bs_buf *out;
    bool sent;    /* after an error: the server may have taken the request */
    bool refused; /* after an error: nothing listens there */
};

struct ht_client *ht_client_new(unsigned idle_max, size_t answer_max);
void ht_client_free(struct ht_client *client); /* accepts NULL */
/* 0: an answer, whatever its status. BS_ECONNECT, BS_ETIMEOUT, BS_ESYNTAX, BS_ELIMIT. */
int ht_client_ask(struct ht_client *client, struct ht_exchange *exchange, struct bs_error *err);
/* Does that server's host say that nothing listens there? */
bool ht_client_refused(const char *url, int64_t timeout_ms);

#endif
