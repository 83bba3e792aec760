/* Later: an answer that leaves when a coordinator's step is durable. The response lies in the
 * call's arena. If the step cannot be made durable the connection is closed: what the client asked
 * for may or may not have happened, which is what a lost connection means. */
#ifndef WEIR_BROKER_HANDLER_LATER_H
#define WEIR_BROKER_HANDLER_LATER_H

#include "broker/handler/service.h"

void bk_reply_later(struct bk_call *call, struct bk_step *step, const void *response);
/* A copy in the call's arena; NULL stays NULL. */
static inline struct bs_bytes bk_call_keep(struct bk_call *call, struct bs_bytes bytes)
{
    if (!bytes.ptr)
        return bytes;
    return bs_bytes(bs_arena_dup(&call->arena, bytes.ptr, bytes.len), bytes.len);
}

#endif
