/* Log: see log.h. The sink is published before any other thread starts; the level is atomic. */
#include "lib/base/log.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>

static bs_log_sink *the_sink;
static void *the_sink_ctx;
static _Atomic int the_level = BS_LOG_INFO;

void bs_log_set_sink(bs_log_sink *sink, void *ctx)
{
    the_sink_ctx = ctx;
    the_sink = sink;
}

void bs_log_set_level(enum bs_level most)
{
    atomic_store_explicit(&the_level, most, memory_order_relaxed);
}

enum bs_level bs_log_level(void)
{
    return (enum bs_level)atomic_load_explicit(&the_level, memory_order_relaxed);
}

void bs_log(const struct bs_event *event, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    if (the_sink == NULL || event->level > bs_log_level())
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    the_sink(the_sink_ctx, event, text);
}
