/* Service: what the handlers of the REST interface share: how a request begins, how it becomes a
 * writer, how it fails. Handlers run on any of the server's threads. */
#ifndef WEIR_SR_SERVICE_H
#define WEIR_SR_SERVICE_H

#include "lib/http/client.h"
#include "lib/http/http.h"
#include "schema-registry/auth.h"
#include "schema-registry/gate.h"

#include <semaphore.h>

enum {
    SR_HEAVY_MAX = 2,       /* large schemas that are compared at a time, and threads for them */
    SR_HEAVY_BYTES = 16384, /* texts of a request that make it one for these threads */
};

struct sr_service {
    struct sr_gate *gate;
    struct ht_server *http;
    struct ht_route *routes;    /* with the body limit of the options */
    struct ht_client *client;   /* to the leader */
    struct sr_auth *auth;       /* NULL: nobody has to sign in */
    struct sr_reasons *reasons; /* with auth */
    char challenge[160];        /* of 401 */
    sem_t heavy;                /* SR_HEAVY_MAX turns of sr_compute */
    struct bs_metric requests, refused, forwarded, incompatible, unauthorized, forbidden;
};

/* One request, from sr_begin to sr_end. */
struct sr_call {
    struct sr_service *service;
    struct ht_request *request;
    struct ht_response *response;
    const struct sr_store *store; /* NULL after sr_unlock */
    const char *subject;          /* the first path parameter where the pattern has {subject} */
    bool locked, writing;
    bool later; /* called again: where it may wait, or to decide again */
    bool heavy; /* called again: where it may compute for long */
    bool computing;
    struct sr_writer writer;
    struct sr_identity identity; /* nobody: everything is allowed */
};

/* Checks Accept and Content-Type, who asks and whether he may, and that the topic is replayed;
 * false: the response is set. */
bool sr_begin(struct sr_call *call, void *service, struct ht_request *request,
              struct ht_response *response);
/* As sr_begin, for what can be told before the topic is replayed; call->store is NULL. */
bool sr_begin_without_store(struct sr_call *call, void *service, struct ht_request *request,
                            struct ht_response *response);
/* As sr_begin, with params[0] as the subject in its stored form, an alias resolved. */
bool sr_begin_subject(struct sr_call *call, void *service, struct ht_request *request,
                      struct ht_response *response);
/* A whole request on settings: of all, or of params[0] where the pattern has that: a subject (also
 * one that is an alias), a context; call->subject NULL is the global one. */
int sr_in_scope(void *service, struct ht_request *request, struct ht_response *response,
                void (*run)(struct sr_call *));
bool sr_is_top(const struct sr_call *call); /* its scope always has settings */
/* 42205 is set where the subject, or the scope, is read-only. */
bool sr_refuse_readonly(struct sr_call *call);
/* A stored name that requests may use: no control characters, none of the reserved words, in a
 * context that can be one. `scope`: a context's ":.ctx:" or ":.__GLOBAL:" may hold settings. */
bool sr_name_valid(const struct sr_call *call, const char *name, bool scope);
int sr_end(struct sr_call *call); /* what the handler returns */

/* Becomes the one writer (of the subject, or of all); the store is locked again then. false: the
 * response is set (by the leader, where another process is that), or the handler is called again
 * where it may wait. */
bool sr_become_writer(struct sr_call *call);
bool sr_become_subject_writer(struct sr_call *call);
/* Does another process lead, as far as is known? */
bool sr_follows(struct sr_call *call);
/* The handler is called once more from its beginning: it has to decide again. */
void sr_again(struct sr_call *call);
/* Has it to go on where it may compute for long, to parse and compare so many bytes? The handler is
 * called again there then. */
bool sr_must_compute(struct sr_call *call, size_t bytes);
/* Between these two the store is unlocked, so that no writer waits for what is computed, and what
 * was read before is stale; where there are so many bytes, one of SR_HEAVY_MAX turns is waited for.
 */
void sr_compute_begin(struct sr_call *call, size_t bytes);
void sr_compute_end(struct sr_call *call);
/* Unlocks the store, appends, and locks it again: what was read before is stale. false: the
 * response is set, or the handler is called again because another process has become the leader. */
bool sr_append(struct sr_call *call, const struct sr_record *records, size_t count);

/* The record that a new context begins with: 1, or 0 where the subject's has one or needs none; -1:
 * the response is set, there are too many. */
int sr_context_record(struct sr_call *call, struct sr_record *ret);

/* error_code 40401 has status 404; a code below 1000 is its own status. */
void sr_fail(struct sr_call *call, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* 42205: "Subject s in context .ctx" and what it is. */
void sr_fail_mode(struct sr_call *call, const char *what);
bool sr_flag(struct sr_call *call, const char *name); /* a boolean of the query, any case */
/* `subject` of the query in its stored form, an alias resolved; NULL: not given. */
const char *sr_query_subject(struct sr_call *call);
/* `subjectPrefix` of the query, any of them; without one every name has it. */
enum { SR_PREFIXES_MAX = 32 };
struct sr_prefixes {
    const char *list[SR_PREFIXES_MAX];
    size_t count;
};
void sr_query_prefixes(struct sr_call *call, struct sr_prefixes *ret);
bool sr_has_prefix(const struct sr_prefixes *prefixes, const char *name);
/* offset and limit of the query applied to `total` items; false: one is no number, 404 is set. */
bool sr_page(struct sr_call *call, size_t total, size_t most, size_t *ret_from, size_t *ret_to);
/* "1", "latest", "-1" → number (-1: latest); false: 42202 is set. */
bool sr_version_param(struct sr_call *call, const char *text, int *ret);
bool sr_id_param(struct sr_call *call, const char *text, int32_t *ret);

/* The JSON object of the body; false: 400, 422 set. */
bool sr_body(struct sr_call *call, struct sd_value *ret);

void sr_put_text(struct bs_buf *out, const char *text); /* a JSON string */

#endif
