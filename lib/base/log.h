/* Log: described events. What may be said is a row (id, level, what it means); who says it adds the
 * sentence. Operators grep for the id; docs/generated/events.md is printed from the rows.
 *
 * Any thread. The sink is set once at start by the program; without one nothing is written. */
#ifndef WEIR_BASE_LOG_H
#define WEIR_BASE_LOG_H

#include <stdarg.h>

enum bs_level { BS_LOG_ERROR, BS_LOG_WARN, BS_LOG_INFO, BS_LOG_DEBUG };

struct bs_event {
    const char *id; /* "broker.listening": room, dot, what happened */
    enum bs_level level;
    const char *doc; /* one sentence: what it means and what to do */
};

typedef void bs_log_sink(void *ctx, const struct bs_event *event, const char *text);

void bs_log_set_sink(bs_log_sink *sink, void *ctx);
void bs_log_set_level(enum bs_level most); /* events above it are dropped; default BS_LOG_INFO */
enum bs_level bs_log_level(void);
void bs_log(const struct bs_event *event, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
