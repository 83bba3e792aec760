/* Watchdog: stops a script that uses more CPU time than it may.
 *
 * No hook is installed while all is well (a count hook costs up to half the speed). One thread for
 * all machines of the process looks at their counters four times a second; when one has been inside
 * the same record for longer than its budget (CPU time of its thread), that thread gets a signal
 * (SIGURG), whose handler arms a count hook of 1 and raises `killed`. Both stay until the record
 * ends, so a script's own pcall cannot swallow the stop. */
#ifndef WEIR_RUNTIME_LUA_WATCHDOG_H
#define WEIR_RUNTIME_LUA_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_State;

struct rt_watch {
    _Atomic uint64_t sequence; /* odd: inside a record */
    _Atomic bool killed;       /* polled by long C functions */
    pthread_t thread;          /* valid while inside */
    int64_t budget_ms;
    struct lua_State *state;
    void (*hook)(struct lua_State *, void *); /* lua_Hook in disguise */
    /* the watchdog's own */
    uint64_t seen;
    int64_t seen_cpu_ms;
    _Atomic uint64_t condemned; /* the record to stop; read by the signal's handler */
    struct rt_watch *next;
};

void rt_watch_add(struct rt_watch *watch);
void rt_watch_remove(struct rt_watch *watch); /* accepts one that was never added */
void rt_watch_set_budget(struct rt_watch *watch, int64_t budget_ms);
void rt_watch_enter(struct rt_watch *watch);
void rt_watch_leave(struct rt_watch *watch);
static inline bool rt_watch_killed(const struct rt_watch *watch)
{
    return atomic_load_explicit(&watch->killed, memory_order_relaxed);
}

#endif
