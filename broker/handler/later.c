/* Later: see later.h. */
#include "broker/handler/later.h"

struct later {
    struct bk_call *call;
    const void *response;
};

static void reply(void *ctx, int16_t error)
{
    struct later *later = ctx;
    if (error)
        bk_call_end(later->call, BK_HANG_UP);
    else
        bk_call_reply(later->call, later->response);
}

void bk_reply_later(struct bk_call *call, struct bk_step *step, const void *response)
{
    struct later *later = bs_arena_zalloc(&call->arena, sizeof *later);
    later->call = call;
    later->response = response;
    bk_step_commit(step, reply, later);
}
