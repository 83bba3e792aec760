/* Call: one request on its way through the broker, from its frame to its response.
 *
 * The server makes it, the row of its API (server/dispatch.c) names the handler. A handler either
 * ends the call before it returns, or parks it: it keeps the pointer, and ends it later from the
 * loop thread. A parked call whose connection goes is told by `cancel`; without a cancel it lives
 * on until it is ended, and its answer is dropped. Owner: the loop thread. */
#ifndef WEIR_BROKER_HANDLER_CALL_H
#define WEIR_BROKER_HANDLER_CALL_H

#include "lib/kafka/api.h"

#include <stdbool.h>
#include <stdint.h>

struct bk_service;
struct bk_call;
struct bk_api;

enum bk_outcome {
    BK_REPLY,    /* send what is in the pieces */
    BK_NO_REPLY, /* Produce with acks=0 */
    BK_HANG_UP,  /* close the connection: the protocol knows no other answer */
};

struct bk_call {
    struct bk_service *service;
    const struct bk_api *api;
    int16_t version;
    int32_t correlation;
    struct bs_bytes frame;     /* header and request */
    struct bs_bytes client_id; /* ptr NULL: none; in the frame */
    const void *request;       /* decoded: struct kp_…_request of the API, in the arena */
    const char *client_host;   /* "/127.0.0.1"; lives as long as the call */
    const char *local_host;    /* where the client reached us */
    uint16_t local_port;
    struct bs_arena arena;
    struct bs_buf out;       /* the response; its first 4 bytes are its size */
    struct kp_pieces pieces; /* records to be sent in between; they lie in: */
    struct bs_buf records;
    void (*cancel)(struct bk_call *call); /* set while parked, if there is something to take back */
    void *state;                          /* the handler's */
    void (*end)(struct bk_call *call, enum bk_outcome outcome); /* the server's */
};

/* Ends the call with this struct kp_…_response of its API. The call must not be touched
 * afterwards. */
void bk_call_reply(struct bk_call *call, const void *response);
static inline void bk_call_end(struct bk_call *call, enum bk_outcome outcome)
{
    call->end(call, outcome);
}
size_t bk_call_bytes(const struct bk_call *call); /* of the response */
void bk_call_deinit(struct bk_call *call);

#endif
