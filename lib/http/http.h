/* HTTP server: a route table over libmicrohttpd; JSON errors in one place.
 *
 * Handlers run on the server's own threads (`threads` of them) and must not block there: each
 * thread serves many connections. One that has to wait returns HT_BLOCKS and is called again on a
 * thread made for that, while its connection sleeps; HT_HEAVY does the same for one that computes
 * for long, on a thread of those. The X-Request-ID of a request is in its answer. */
#ifndef WEIR_HTTP_HTTP_H
#define WEIR_HTTP_HTTP_H

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

struct ht_request {
    const char *method;
    const char *sent_path; /* raw, as sent, without the query */
    const char *path;      /* the same, or what the rewrite hook made of it */
    const char *params[4]; /* the pattern's {…} parts, percent-decoded UTF-8, in order */
    struct bs_bytes body;
    struct bs_arena *arena; /* of this request: for whatever the handler makes */
    const struct ht_route *route;
    void *mhd;         /* the connection; use ht_query, ht_header */
    bool may_block;    /* false: on a thread that serves other connections too */
    unsigned runs;     /* how often the handler was called before, where it may block */
    const char *scope; /* whatever the rewrite hook keeps for the handler; or NULL */
    const char *why;   /* the rewrite hook's: more than the status that it refuses with; or NULL */
};

enum { HT_BLOCKS = 1, HT_HEAVY = 2, HT_FIELDS_MAX = 8 };

struct ht_response {
    int status;               /* 200 unless set */
    const char *content_type; /* "application/json" unless set; static */
    struct bs_buf body;       /* owned by the server after the handler returns */
    struct ht_field {
        const char *name, *value; /* in the request's arena or static */
    } fields[HT_FIELDS_MAX];
    unsigned field_count;
};

/* Fills the response and returns 0; or HT_BLOCKS, when may_block is false and it has to wait: it is
 * called again from its beginning with may_block true; also when that is true and it has to begin
 * again, which it ends itself by `runs`. HT_HEAVY is the same for one that computes for long: it
 * has threads of its own, so that neither others nor those that wait stand behind it. A negative
 * return is a bug and answers 500. */
typedef int ht_handler(void *ctx, struct ht_request *request, struct ht_response *response);

struct ht_route {
    const char *method;
    const char *pattern; /* "/subjects/{subject}/versions/{version}" */
    size_t body_max;     /* bytes; larger answers 413. 0: no body taken */
    ht_handler *handler;
    const char *doc; /* one sentence, for docs/generated/rest.md */
    int right;       /* which right a request needs: the room's own numbers, not read here */
};

struct ht_options {
    const char *listen; /* "host:port"; port 0 picks one */
    const struct ht_route *routes;
    size_t route_count;
    void *ctx;
    unsigned threads;         /* 0: 2 */
    unsigned connections_max; /* 0: 1,024 */
    size_t bodies_max;        /* bytes of all requests' bodies; more gets 503. 0: 128 MiB */
    unsigned step_ms;         /* longest time for a header, a body, taking the answer; 0: 30,000 */
    /* Body of an error the server itself makes (404, 405, 413, …); NULL:
     * {"error_code":…,"message":…}. */
    void (*error_body)(int status, const char *message, struct bs_buf *out);
    /* Called for every request before the table is searched; may put another path (and scope) in
     * the request's arena. 0, or the status to refuse with. NULL: no hook. */
    int (*rewrite)(void *ctx, struct ht_request *request);
    const char *content_type;  /* default of responses; NULL: application/json */
    unsigned blocking_threads; /* for handlers that wait; 0: 1, so that they come one by one */
    unsigned heavy_threads;    /* for handlers that compute for long; 0: 1 */
    unsigned blocking_max;     /* requests waiting for either; more get 503. 0: 1,024 */
};

struct ht_server;
int ht_server_open(const struct ht_options *options, struct ht_server **ret, struct bs_error *err);
int ht_server_port(const struct ht_server *server);
void ht_server_close(struct ht_server *server); /* waits for handlers; accepts NULL */

const char *ht_query(const struct ht_request *request,
                     const char *name); /* NULL: absent; "" : no value */
/* The i-th (from 0) of a parameter that repeats; NULL behind the last. */
const char *ht_query_at(const struct ht_request *request, const char *name, unsigned i);
/* Path and query as the client sent them, in the request's arena. */
const char *ht_target(const struct ht_request *request);
const char *ht_header(const struct ht_request *request, const char *name);
/* Stands for the client's address: an IPv4 one, or the network (64 bits) of an IPv6 one. */
uint64_t ht_client(const struct ht_request *request);
/* All fields of that name as one list, "a, b" (RFC 9110, 5.3); NULL: absent. */
const char *ht_header_list(const struct ht_request *request, const char *name);
/* One more header of the answer, HT_FIELDS_MAX at most. */
void ht_response_field(struct ht_response *response, const char *name, const char *value);
/* {"error_code":code,"message":text} with status; returns 0 so a handler can `return ht_error(…)`.
 */
int ht_error(struct ht_response *response, int status, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* "host:port" → parts; "[::1]:80" too. BS_EINVAL says what is accepted. */
int ht_split_host_port(const char *text, char *host, size_t host_cap, int *ret_port,
                       struct bs_error *err);

#endif
