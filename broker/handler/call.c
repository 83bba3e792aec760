/* Call: see call.h. */
#include "broker/handler/call.h"
#include "broker/handler/api.h"
#include "lib/base/err.h"
#include "lib/base/log.h"

static const struct bs_event NOT_ENCODED = {
    "broker.response.not_encoded", BS_LOG_ERROR,
    "A response could not be written in the version that was asked for; the connection was closed. "
    "Please report it."};

size_t bk_call_bytes(const struct bk_call *call)
{
    return call->out.len + call->pieces.byte_count;
}

void bk_call_reply(struct bk_call *call, const void *response)
{
    int rc;
    bs_buf_reset(&call->out);
    bs_buf_put_u32(&call->out, 0);
    bs_buf_put_u32(&call->out, (uint32_t)call->correlation);
    if (kp_response_header_version(call->api->key, call->version) == 1)
        bs_buf_put_u8(&call->out, 0); /* no tagged fields */
    rc = kp_message_encode_pieces(call->api->wire->response, response, call->version, &call->out,
                                  &call->pieces);
    if (rc || bk_call_bytes(call) - 4 > INT32_MAX) {
        bs_log(&NOT_ENCODED, "%s version %d: %s", call->api->wire->name, call->version,
               bs_strerror(rc ? rc : BS_ELIMIT));
        bk_call_end(call, BK_HANG_UP);
        return;
    }
    bs_store_u32(call->out.data, (uint32_t)(bk_call_bytes(call) - 4));
    bk_call_end(call, BK_REPLY);
}

void bk_call_deinit(struct bk_call *call)
{
    bs_buf_deinit(&call->out);
    bs_buf_deinit(&call->records);
    kp_pieces_deinit(&call->pieces);
    bs_arena_deinit(&call->arena);
}
