/* Connections: see connections.h. The watcher only shuts a socket down; libmicrohttpd sees that as
 * the client's end and frees the connection, which takes it off the list before its descriptor is
 * closed: `lock` guards the list. A deadline is one number, written by the connection's thread; so
 * is the time since when it has no request. */
#include "lib/http/connections.h"

#include "lib/base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

enum { LOOK_MS = 250, BYTES_A_MS = 64, SPARED_MS = 1000 /* without a request: never cut */ };

struct ht_connection {
    int fd;
    _Atomic int64_t deadline_ms; /* 0: none */
    _Atomic int64_t idle_ms;     /* since when it has no request; 0: it has one */
    bool cut;                    /* the watcher's */
    struct ht_connection *next, **link;
};

struct ht_connections {
    unsigned step_ms, places, kept; /* kept: how many answers do not end */
    _Atomic unsigned count;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    bool ending;
    struct ht_connection *list;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void cut(struct ht_connection *connection)
{
    connection->cut = true;
    shutdown(connection->fd, SHUT_RDWR);
}

/* With `lock`: until there are places again, those that are without a request for longest go. */
static void make_places(struct ht_connections *all, int64_t now)
{
    unsigned taken = 0;
    for (struct ht_connection *c = all->list; c; c = c->next)
        taken += !c->cut;
    if (taken < all->places - all->places / 8)
        return;
    for (; taken > all->kept; taken--) {
        struct ht_connection *longest = NULL;
        int64_t since = now - SPARED_MS;
        for (struct ht_connection *c = all->list; c; c = c->next) {
            int64_t idle = atomic_load_explicit(&c->idle_ms, memory_order_relaxed);
            if (!c->cut && idle && idle < since) {
                since = idle;
                longest = c;
            }
        }
        if (longest == NULL)
            return;
        cut(longest);
    }
}

static void *watch(void *arg)
{
    struct ht_connections *all = arg;
    pthread_mutex_lock(&all->lock);
    while (!all->ending) {
        int64_t now = now_ms();
        struct timespec until;
        for (struct ht_connection *c = all->list; c; c = c->next) {
            int64_t deadline = atomic_load_explicit(&c->deadline_ms, memory_order_relaxed);
            if (deadline && deadline < now)
                cut(c);
        }
        make_places(all, now);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&all->ended, &all->lock, &until);
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

int ht_connections_open(unsigned step_ms, unsigned places, struct ht_connections **ret,
                        struct bs_error *err)
{
    struct ht_connections *all = bs_new(struct ht_connections);
    pthread_condattr_t clock;
    int rc;
    all->step_ms = step_ms;
    all->places = places;
    all->kept = places - (places < 4 ? 1 : places / 4);
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&all->ended, &clock);
    pthread_condattr_destroy(&clock);
    rc = pthread_create(&all->thread, NULL, watch, all);
    if (rc != 0) {
        bs_free(all);
        return bs_error_sys(err, rc, "cannot start a thread of the HTTP server");
    }
    *ret = all;
    return 0;
}

void ht_connections_close(struct ht_connections *all)
{
    if (all == NULL)
        return;
    pthread_mutex_lock(&all->lock);
    all->ending = true;
    pthread_cond_signal(&all->ended);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_mutex_destroy(&all->lock);
    pthread_cond_destroy(&all->ended);
    bs_free(all);
}

struct ht_connection *ht_connection_new(struct ht_connections *all, int fd)
{
    struct ht_connection *c = bs_new(struct ht_connection);
    c->fd = fd;
    ht_connection_idle(all, c, 0);
    atomic_fetch_add_explicit(&all->count, 1, memory_order_relaxed);
    pthread_mutex_lock(&all->lock);
    c->next = all->list;
    c->link = &all->list;
    if (c->next)
        c->next->link = &c->next;
    all->list = c;
    pthread_mutex_unlock(&all->lock);
    return c;
}

void ht_connection_free(struct ht_connections *all, struct ht_connection *connection)
{
    if (connection == NULL)
        return;
    pthread_mutex_lock(&all->lock);
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    pthread_mutex_unlock(&all->lock);
    atomic_fetch_sub_explicit(&all->count, 1, memory_order_relaxed);
    bs_free(connection);
}

bool ht_connections_crowded(const struct ht_connections *all)
{
    return atomic_load_explicit(&all->count, memory_order_relaxed) > all->kept;
}

void ht_connection_idle(const struct ht_connections *all, struct ht_connection *connection,
                        unsigned more_ms)
{
    ht_connection_step(all, connection, 0, more_ms);
    atomic_store_explicit(&connection->idle_ms, now_ms(), memory_order_relaxed);
}

void ht_connection_step(const struct ht_connections *all, struct ht_connection *connection,
                        size_t bytes, unsigned more_ms)
{
    atomic_store_explicit(&connection->idle_ms, 0, memory_order_relaxed);
    atomic_store_explicit(&connection->deadline_ms,
                          now_ms() + all->step_ms + more_ms + (int64_t)(bytes / BYTES_A_MS),
                          memory_order_relaxed);
}

void ht_connection_grant(struct ht_connection *connection, size_t bytes)
{
    atomic_fetch_add_explicit(&connection->deadline_ms, (int64_t)(bytes / BYTES_A_MS),
                              memory_order_relaxed);
}

void ht_connection_rest(struct ht_connection *connection)
{
    atomic_store_explicit(&connection->deadline_ms, 0, memory_order_relaxed);
}
