/* Connections: see connections.h. A place is taken from accept to the connection's end; while all
 * are taken the listening socket is not asked, and new clients wait in its queue. The bell is an
 * eventfd that ends the wait: a place is free again, or the thread has to end. To cut is only to
 * shut a socket down; libmicrohttpd sees that as the client's end and frees the connection, which
 * takes it off the list before its descriptor is closed: `lock` guards the list. A deadline is one
 * number, written by the connection's thread; so is the time since when it has no request. */
#include "lib/http/connections.h"

#include "lib/base/mem.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 250, BYTES_A_MS = 64, SPARED_MS = 1000 /* without a request: never cut */ };
enum { TAKEN_MAX = 64 /* in a row: others have to be looked at, too */ };

struct ht_connection {
    int fd;
    _Atomic int64_t deadline_ms; /* 0: none */
    _Atomic int64_t idle_ms;     /* since when it has no request; 0: it has one */
    bool cut;                    /* the watcher's */
    struct ht_connection *next, **link;
};

struct ht_connections {
    int listening, bell;
    unsigned step_ms, places, kept; /* kept: how many answers do not end */
    ht_take *take;
    void *ctx;
    _Atomic unsigned count;
    _Atomic bool ending;
    bool started;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the list */
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

static void cut_slow(struct ht_connections *all, int64_t now)
{
    pthread_mutex_lock(&all->lock);
    for (struct ht_connection *c = all->list; c; c = c->next) {
        int64_t deadline = atomic_load_explicit(&c->deadline_ms, memory_order_relaxed);
        if (deadline && deadline < now)
            cut(c);
    }
    make_places(all, now);
    pthread_mutex_unlock(&all->lock);
}

static bool has_place(const struct ht_connections *all)
{
    return atomic_load_explicit(&all->count, memory_order_relaxed) < all->places;
}

/* false: the system has no room for more just now. */
static bool take_in(struct ht_connections *all)
{
    for (int i = 0; i < TAKEN_MAX && has_place(all); i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof address;
        int fd = accept4(all->listening, (struct sockaddr *)&address, &len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
        atomic_fetch_add_explicit(&all->count, 1, memory_order_relaxed);
        if (!all->take(all->ctx, fd, (struct sockaddr *)&address, len))
            atomic_fetch_sub_explicit(&all->count, 1, memory_order_relaxed);
    }
    return true;
}

static void *watch(void *arg)
{
    struct ht_connections *all = arg;
    int64_t looked = now_ms();
    bool room = true;
    while (!atomic_load_explicit(&all->ending, memory_order_acquire)) {
        struct pollfd asked[] = {{.fd = all->bell, .events = POLLIN},
                                 {.fd = all->listening, .events = POLLIN}};
        int64_t now = now_ms(), wait = looked + LOOK_MS - now;
        uint64_t rung;
        poll(asked, room && has_place(all) ? 2 : 1, wait > 0 ? (int)wait : 0);
        if (asked[0].revents && read(all->bell, &rung, sizeof rung) < 0)
            continue;
        room = !asked[1].revents || take_in(all);
        if ((now = now_ms()) - looked < LOOK_MS)
            continue;
        looked = now;
        cut_slow(all, now);
    }
    return NULL;
}

int ht_connections_open(int listening, unsigned step_ms, unsigned places, ht_take *take, void *ctx,
                        struct ht_connections **ret, struct bs_error *err)
{
    struct ht_connections *all = bs_new(struct ht_connections);
    all->listening = listening;
    all->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    all->step_ms = step_ms;
    all->places = places;
    all->kept = places - (places < 4 ? 1 : places / 4);
    all->take = take;
    all->ctx = ctx;
    pthread_mutex_init(&all->lock, NULL);
    if (all->bell < 0) {
        int saved = errno;
        ht_connections_close(all);
        return bs_error_sys(err, saved, "cannot start the HTTP server");
    }
    *ret = all;
    return 0;
}

int ht_connections_start(struct ht_connections *all, struct bs_error *err)
{
    int rc = pthread_create(&all->thread, NULL, watch, all);
    if (rc != 0)
        return bs_error_sys(err, rc, "cannot start a thread of the HTTP server");
    all->started = true;
    return 0;
}

static void ring(const struct ht_connections *all)
{
    const uint64_t one = 1;
    while (write(all->bell, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void ht_connections_stop(struct ht_connections *all)
{
    if (!all->started)
        return;
    atomic_store_explicit(&all->ending, true, memory_order_release);
    ring(all);
    pthread_join(all->thread, NULL);
    all->started = false;
}

void ht_connections_close(struct ht_connections *all)
{
    if (all == NULL)
        return;
    ht_connections_stop(all);
    if (all->bell >= 0)
        close(all->bell);
    pthread_mutex_destroy(&all->lock);
    bs_free(all);
}

struct ht_connection *ht_connection_new(struct ht_connections *all, int fd)
{
    struct ht_connection *c = bs_new(struct ht_connection);
    c->fd = fd;
    ht_connection_idle(all, c, 0);
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
    bs_free(connection);
    if (atomic_fetch_sub_explicit(&all->count, 1, memory_order_relaxed) == all->places)
        ring(all);
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
