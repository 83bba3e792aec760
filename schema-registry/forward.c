/* Forward: see forward.h. A request that was forwarded once is not forwarded again (X-Forward:
 * true).
 *
 * What the leader may have done already is repeated only where doing it twice is the same as once:
 * not a DELETE. While the leader is silent somebody else may take over: then the answer is not
 * waited for any longer. */
#include "schema-registry/forward.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Which process is meant to get the request, and what one says that is another. */
static const char LEADER_FIELD[] = "Weir-Leader", MISLED[] = "is meant for another process";

enum { PAUSE_MS = 25, CATCH_UP_MS = 1000 };

struct watch {
    struct sr_gate *gate;
    const char *url;
};

static bool leader_changed(void *ctx)
{
    struct watch *watch = ctx;
    char url[SR_URL_MAX];
    return sr_gate_leads(watch->gate, url) || (url[0] && strcmp(url, watch->url) != 0);
}

/* 50003 and 50004: the one that was asked does not lead. */
static bool not_leader(const struct ht_exchange *x)
{
    const char *text = bs_buf_text(x->out);
    return x->status == 500 && (strstr(text, "\"error_code\":50003") != NULL ||
                                strstr(text, "\"error_code\":50004") != NULL);
}

static void put_headers(struct sr_call *call, const char **headers)
{
    static const char *const names[] = {"Content-Type", "Accept", "Authorization", "X-Request-ID"};
    size_t count = 0;
    headers[count++] = "X-Forward: true";
    if (call->writer.leader_instance)
        headers[count++] = bs_arena_printf(call->request->arena, "%s: %016llx", LEADER_FIELD,
                                           (unsigned long long)call->writer.leader_instance);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = ht_header(call->request, names[i]);
        if (value)
            headers[count++] = bs_arena_printf(call->request->arena, "%s: %s", names[i], value);
    }
    headers[count] = NULL;
}

static void put_answer(struct sr_call *call, const struct ht_exchange *x)
{
    int64_t applied;
    call->response->status = x->status;
    if (x->content_type[0])
        call->response->content_type =
            bs_arena_strndup(call->request->arena, x->content_type, strlen(x->content_type));
    if (x->status == 401) /* without it browsers, and some clients, do not send credentials */
        ht_response_field(call->response, "WWW-Authenticate", call->service->challenge);
    else if (x->status == 429)
        ht_response_field(call->response, "Retry-After", "1");
    bs_metric_add(&call->service->forwarded, 1);
    /* who asks here next finds what it has just been told */
    if (bs_parse_int(x->field, 0, INT64_MAX, &applied) == 0)
        sr_gate_catch_up(call->service->gate, applied, CATCH_UP_MS);
}

bool sr_forward_misled(struct sr_call *call)
{
    const char *meant =
        *call->request->method == 'G' ? NULL : ht_header(call->request, LEADER_FIELD);
    if (meant == NULL || strtoull(meant, NULL, 16) == sr_gate_instance(call->service->gate))
        return false;
    sr_fail(call, 50003,
            "The request %s, the leader: the URL that it announces leads here; set its option "
            "host.name",
            MISLED);
    return true;
}

bool sr_forward(struct sr_call *call, const char *url, int64_t until_ms)
{
    const struct sr_settings *settings = sr_gate_settings(call->service->gate);
    const char *headers[9], *forwarded = ht_header(call->request, "X-Forward");
    struct watch watch = {.gate = call->service->gate, .url = url};
    struct ht_exchange x = {
        .url = url,
        .method = call->request->method,
        .target = ht_target(call->request),
        .headers = headers,
        .body = call->request->body,
        .timeout_ms = settings->wait_ms + settings->timeout_ms,
        .field_name = SR_APPLIED_FIELD,
        .give_up = leader_changed,
        .give_up_ctx = &watch,
        .out = &call->response->body,
    };
    struct bs_error err = {0};
    int rc;
    if (forwarded && strcasecmp(forwarded, "true") == 0) {
        sr_fail(call, 50003, "This registry does not lead; %s does.", url);
        return true;
    }
    put_headers(call, headers);
    rc = ht_client_ask(call->service->client, &x, &err);
    if (rc == 0 && !not_leader(&x)) {
        put_answer(call, &x);
        return true;
    }
    if (rc == 0 && strstr(bs_buf_text(x.out), MISLED))
        bs_error_set(&err, BS_ESTATE, "%s leads to another process; set its option host.name", url);
    else if (rc == 0)
        bs_error_set(&err, BS_ESTATE, "it does not lead");
    bs_buf_reset(&call->response->body);
    if (sr_gate_now_ms() >= until_ms ||
        (rc < 0 && x.sent && strcmp(call->request->method, "DELETE") == 0)) {
        sr_fail(call, 50003, "Error while forwarding the request to the leader: %s", err.text);
        return true;
    }
    if (rc == 0 || !x.refused || !sr_gate_gone(call->service->gate, url))
        poll(NULL, 0, PAUSE_MS); /* who leads instead shows in the topic */
    return false;
}
