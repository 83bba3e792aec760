/* Loop: the port of the thread that owns the broker: timers, work from other threads, and work
 * sent to other threads. io_loop_uv_new() is the real one (libuv); tests/sim has one driven by
 * hand.
 *
 * All calls on the loop thread, except post and stop, which are for any thread. Callbacks run on
 * the loop thread, never inside the call that asked for them. */
#ifndef WEIR_IO_LOOP_H
#define WEIR_IO_LOOP_H

#include "lib/base/err.h"

#include <stdint.h>

struct io_timer;
typedef void io_call(void *ctx);

struct io_loop {
    /* A timer is one shot; starting it again moves it. */
    struct io_timer *(*timer_new)(struct io_loop *self, io_call *call, void *ctx);
    void (*timer_start)(struct io_timer *timer, int64_t delay_ms);
    void (*timer_stop)(struct io_timer *timer);
    void (*timer_free)(struct io_timer *timer); /* accepts NULL; no call afterwards */
    void (*post)(struct io_loop *self, io_call *call, void *ctx); /* any thread; in order */
    /* `work` on a thread of the pool, then `done` on the loop thread. */
    void (*offload)(struct io_loop *self, io_call *work, io_call *done, void *ctx);
    void (*run)(struct io_loop *self);  /* until stop */
    void (*stop)(struct io_loop *self); /* any thread */
};

struct io_loop *io_loop_uv_new(struct bs_error *err); /* NULL: see err */
void io_loop_uv_free(struct io_loop *loop);           /* accepts NULL; what is open is closed */

static inline struct io_timer *io_timer_new(struct io_loop *loop, io_call *call, void *ctx)
{
    return loop->timer_new(loop, call, ctx);
}
/* The timer's functions find their loop through its first member. */
struct io_timer {
    struct io_loop *loop;
};
static inline void io_timer_start(struct io_timer *timer, int64_t delay_ms)
{
    timer->loop->timer_start(timer, delay_ms);
}
static inline void io_timer_stop(struct io_timer *timer)
{
    timer->loop->timer_stop(timer);
}
static inline void io_timer_free(struct io_timer *timer)
{
    if (timer)
        timer->loop->timer_free(timer);
}
static inline void io_loop_post(struct io_loop *loop, io_call *call, void *ctx)
{
    loop->post(loop, call, ctx);
}

#endif
