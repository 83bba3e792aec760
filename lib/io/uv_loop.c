/* The real loop: libuv. Owner: the thread that calls run. Posts from other threads come through a
 * mailbox whose wake is an uv_async_send. */
#include "lib/io/uv_loop.h"

#include "lib/base/mem.h"
#include "lib/io/mailbox.h"

#include <limits.h>

struct loop_uv {
    struct io_loop base;
    uv_loop_t uv;
    uv_async_t wake;
    struct io_mailbox *posts;
};

struct loop_post {
    io_call *call;
    void *ctx;
};

struct timer_uv {
    struct io_timer base;
    uv_timer_t uv;
    io_call *call;
    void *ctx;
};

struct loop_work {
    uv_work_t uv;
    io_call *work, *done;
    void *ctx;
};

uv_loop_t *io_loop_uv_handle(struct io_loop *loop)
{
    return &((struct loop_uv *)loop)->uv;
}

int io_uv_error(int status)
{
    if (status == UV_ECANCELED)
        return BS_ECANCELLED;
    int code = bs_error_from_sys(-status);
    return code < 0 ? code : BS_EIO;
}

static void timer_fired(uv_timer_t *uv)
{
    struct timer_uv *timer = uv->data;
    timer->call(timer->ctx);
}

static struct io_timer *loop_timer_new(struct io_loop *self, io_call *call, void *ctx)
{
    struct timer_uv *timer = bs_new(struct timer_uv);
    timer->base.loop = self;
    timer->call = call;
    timer->ctx = ctx;
    uv_timer_init(io_loop_uv_handle(self), &timer->uv);
    timer->uv.data = timer;
    return &timer->base;
}

static void loop_timer_start(struct io_timer *base, int64_t delay_ms)
{
    struct timer_uv *timer = (struct timer_uv *)base;
    uv_update_time(timer->uv.loop); /* a long callback must not shorten the delay */
    uv_timer_start(&timer->uv, timer_fired, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

static void loop_timer_stop(struct io_timer *base)
{
    uv_timer_stop(&((struct timer_uv *)base)->uv);
}

static void timer_closed(uv_handle_t *handle)
{
    bs_free(handle->data);
}

static void loop_timer_free(struct io_timer *base)
{
    struct timer_uv *timer = (struct timer_uv *)base;
    if (timer)
        uv_close((uv_handle_t *)&timer->uv, timer_closed);
}

static void loop_wake(void *ctx)
{
    uv_async_send(&((struct loop_uv *)ctx)->wake);
}

static void loop_woken(uv_async_t *async)
{
    struct loop_uv *loop = async->data;
    void *batch[64];
    size_t n = io_mailbox_take_many(loop->posts, batch, 64);
    for (size_t i = 0; i < n; i++) {
        struct loop_post post = *(struct loop_post *)batch[i];
        bs_free(batch[i]);
        post.call(post.ctx);
    }
}

static void loop_post(struct io_loop *self, io_call *call, void *ctx)
{
    struct loop_uv *loop = (struct loop_uv *)self;
    struct loop_post *post = bs_new(struct loop_post);
    *post = (struct loop_post){.call = call, .ctx = ctx};
    if (io_mailbox_put(loop->posts, post, -1) != 0)
        bs_free(post); /* the loop is being freed: nobody to call */
}

static void work_run(uv_work_t *uv)
{
    struct loop_work *work = uv->data;
    work->work(work->ctx);
}

static void work_done(uv_work_t *uv, int status)
{
    (void)status; /* never cancelled here */
    struct loop_work work = *(struct loop_work *)uv->data;
    bs_free(uv->data);
    work.done(work.ctx);
}

static void loop_offload(struct io_loop *self, io_call *call, io_call *done, void *ctx)
{
    struct loop_work *work = bs_new(struct loop_work);
    *work = (struct loop_work){.work = call, .done = done, .ctx = ctx};
    work->uv.data = work;
    uv_queue_work(io_loop_uv_handle(self), &work->uv, work_run, work_done);
}

static void loop_run(struct io_loop *self)
{
    uv_run(io_loop_uv_handle(self), UV_RUN_DEFAULT);
}

static void loop_stop_here(void *ctx)
{
    uv_stop(io_loop_uv_handle(ctx));
}

static void loop_stop(struct io_loop *self)
{
    loop_post(self, loop_stop_here, self);
}

struct io_loop *io_loop_uv_new(struct bs_error *err)
{
    struct loop_uv *loop = bs_new(struct loop_uv);
    int rc = uv_loop_init(&loop->uv);
    if (rc == 0) {
        rc = uv_async_init(&loop->uv, &loop->wake, loop_woken);
        if (rc)
            uv_loop_close(&loop->uv);
    }
    if (rc) {
        bs_error_set(err, io_uv_error(rc), "event loop: %s", uv_strerror(rc));
        bs_free(loop);
        return NULL;
    }
    loop->wake.data = loop;
    loop->posts = io_mailbox_new(1u << 24, loop_wake, loop);
    loop->base = (struct io_loop){
        .timer_new = loop_timer_new,
        .timer_start = loop_timer_start,
        .timer_stop = loop_timer_stop,
        .timer_free = loop_timer_free,
        .post = loop_post,
        .offload = loop_offload,
        .run = loop_run,
        .stop = loop_stop,
    };
    return &loop->base;
}

static void loop_close_handle(uv_handle_t *handle, void *ctx)
{
    struct loop_uv *loop = ctx;
    if (uv_is_closing(handle))
        return;
    if (handle->type == UV_TIMER)
        uv_close(handle, timer_closed);
    else if (handle == (uv_handle_t *)&loop->wake)
        uv_close(handle, NULL);
}

void io_loop_uv_free(struct io_loop *self)
{
    struct loop_uv *loop = (struct loop_uv *)self;
    if (!loop)
        return;
    void *post = NULL;
    while (io_mailbox_take(loop->posts, 0, &post) == 0)
        bs_free(post);
    uv_walk(&loop->uv, loop_close_handle, loop);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop->uv) != 0)
        return; /* a connection is still open: its memory may be in use, so nothing is freed */
    io_mailbox_free(loop->posts);
    bs_free(loop);
}
