/* Watchdog: one thread, started with the first machine and joined with the last. What is shared
 * between it and the machines' threads is the list under `lock`, and the atomic cells of
 * struct rt_watch; a machine is only signalled under the lock, so it cannot vanish meanwhile. */
#include "runtime/lua/watchdog.h"

#include <lua.h>
#include <signal.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static struct rt_watch *watches;
static pthread_t watchdog;
static bool stopping;

static _Thread_local struct rt_watch *volatile inside;

static void on_signal(int signo)
{
    (void)signo;
    struct rt_watch *watch = inside;
    if (!watch || atomic_load_explicit(&watch->sequence, memory_order_relaxed) !=
                      atomic_load_explicit(&watch->condemned, memory_order_acquire))
        return; /* the record ended in between */
    atomic_store_explicit(&watch->killed, true, memory_order_relaxed);
    lua_sethook(watch->state, (lua_Hook)watch->hook, LUA_MASKCOUNT, 1);
}

static int64_t thread_cpu_ms(pthread_t thread)
{
    clockid_t clock;
    struct timespec now;
    if (pthread_getcpuclockid(thread, &clock) || clock_gettime(clock, &now))
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void look(struct rt_watch *watch)
{
    uint64_t sequence = atomic_load_explicit(&watch->sequence, memory_order_acquire);
    if (!(sequence & 1))
        return;
    int64_t cpu_ms = thread_cpu_ms(watch->thread);
    if (sequence != watch->seen) {
        watch->seen = sequence;
        watch->seen_cpu_ms = cpu_ms;
    } else if (cpu_ms - watch->seen_cpu_ms >= watch->budget_ms &&
               atomic_load_explicit(&watch->condemned, memory_order_relaxed) != sequence) {
        atomic_store_explicit(&watch->condemned, sequence, memory_order_release);
        pthread_kill(watch->thread, SIGURG);
    }
}

static void *run(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    while (!stopping) {
        int64_t pause_ms = 250;
        for (struct rt_watch *watch = watches; watch; watch = watch->next) {
            look(watch);
            if (watch->budget_ms / 4 < pause_ms)
                pause_ms = watch->budget_ms / 4 + 1;
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)pause_ms * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&wake, &lock, &until);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void start(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGURG, &action, NULL);
    stopping = false;
    /* The watchdog takes no signals of the process. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    pthread_create(&watchdog, &small, run, NULL);
    pthread_attr_destroy(&small);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void rt_watch_add(struct rt_watch *watch)
{
    pthread_mutex_lock(&lock);
    watch->next = watches;
    if (!watches)
        start();
    watches = watch;
    pthread_mutex_unlock(&lock);
}

void rt_watch_remove(struct rt_watch *watch)
{
    pthread_mutex_lock(&lock);
    struct rt_watch **at = &watches;
    while (*at && *at != watch)
        at = &(*at)->next;
    bool found = *at != NULL;
    if (found)
        *at = watch->next;
    bool last = found && !watches;
    pthread_t thread = watchdog;
    if (last) {
        stopping = true;
        pthread_cond_signal(&wake);
    }
    pthread_mutex_unlock(&lock);
    if (last)
        pthread_join(thread, NULL);
}

void rt_watch_set_budget(struct rt_watch *watch, int64_t budget_ms)
{
    pthread_mutex_lock(&lock);
    watch->budget_ms = budget_ms;
    pthread_mutex_unlock(&lock);
}

/* The thread that works from now on; a program that blocks all signals in its threads must not
 * block this one. */
static void adopt(struct rt_watch *watch)
{
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
    watch->thread = pthread_self();
}

void rt_watch_enter(struct rt_watch *watch)
{
    if (atomic_load_explicit(&watch->sequence, memory_order_relaxed) == 0 ||
        !pthread_equal(watch->thread, pthread_self()))
        adopt(watch); /* machines change threads only while they rest */
    inside = watch;
    atomic_fetch_add_explicit(&watch->sequence, 1, memory_order_release);
}

void rt_watch_leave(struct rt_watch *watch)
{
    atomic_fetch_add_explicit(&watch->sequence, 1, memory_order_release);
    inside = NULL;
    if (rt_watch_killed(watch)) {
        lua_sethook(watch->state, NULL, 0, 0);
        atomic_store_explicit(&watch->killed, false, memory_order_relaxed);
    }
}
