/* Mailbox: a ring of pointers behind one mutex; it grows up to its capacity. */
#include "lib/io/mailbox.h"

#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

struct io_mailbox {
    pthread_mutex_t lock;
    pthread_cond_t has_message, has_room;
    io_mailbox_wake *wake;
    void *wake_ctx;
    void **ring;
    size_t ring_len, head, count, capacity;
    bool closed;
};

struct io_mailbox *io_mailbox_new(size_t capacity, io_mailbox_wake *wake, void *ctx)
{
    struct io_mailbox *box = bs_new(struct io_mailbox);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&box->lock, NULL);
    pthread_cond_init(&box->has_message, &attr);
    pthread_cond_init(&box->has_room, &attr);
    pthread_condattr_destroy(&attr);
    box->capacity = capacity ? capacity : 1;
    box->ring_len = box->capacity < 16 ? box->capacity : 16;
    box->ring = bs_array(box->ring_len, sizeof *box->ring);
    box->wake = wake;
    box->wake_ctx = ctx;
    return box;
}

void io_mailbox_free(struct io_mailbox *box)
{
    if (!box)
        return;
    pthread_cond_destroy(&box->has_message);
    pthread_cond_destroy(&box->has_room);
    pthread_mutex_destroy(&box->lock);
    bs_free(box->ring);
    bs_free(box);
}

static struct timespec mailbox_deadline(int64_t timeout_ms)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += timeout_ms / 1000;
    ts.tv_nsec += timeout_ms % 1000 * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

/* Waits on cond; false when the time is over. */
static bool mailbox_wait(struct io_mailbox *box, pthread_cond_t *cond, int64_t timeout_ms,
                         const struct timespec *deadline)
{
    if (timeout_ms < 0)
        return pthread_cond_wait(cond, &box->lock) == 0;
    return pthread_cond_timedwait(cond, &box->lock, deadline) != ETIMEDOUT;
}

static void mailbox_grow(struct io_mailbox *box)
{
    size_t len = box->ring_len * 2 < box->capacity ? box->ring_len * 2 : box->capacity;
    void **ring = bs_array(len, sizeof *ring);
    for (size_t i = 0; i < box->count; i++)
        ring[i] = box->ring[(box->head + i) % box->ring_len];
    bs_free(box->ring);
    box->ring = ring;
    box->ring_len = len;
    box->head = 0;
}

int io_mailbox_put(struct io_mailbox *box, void *message, int64_t timeout_ms)
{
    int rc = 0;
    bool was_empty = false;
    struct timespec deadline = {0};
    if (timeout_ms > 0)
        deadline = mailbox_deadline(timeout_ms);
    pthread_mutex_lock(&box->lock);
    while (!box->closed && box->count == box->capacity) {
        if (timeout_ms == 0) {
            rc = BS_EBUSY;
            break;
        }
        if (!mailbox_wait(box, &box->has_room, timeout_ms, &deadline) &&
            box->count == box->capacity) {
            rc = BS_ETIMEOUT;
            break;
        }
    }
    if (box->closed)
        rc = BS_ECANCELLED;
    if (rc == 0) {
        if (box->count == box->ring_len)
            mailbox_grow(box);
        was_empty = box->count == 0;
        box->ring[(box->head + box->count++) % box->ring_len] = message;
        if (was_empty)
            pthread_cond_signal(&box->has_message);
    }
    pthread_mutex_unlock(&box->lock);
    if (rc == 0 && was_empty && box->wake)
        box->wake(box->wake_ctx);
    return rc;
}

/* With the lock held and count > 0. */
static void *mailbox_pop(struct io_mailbox *box)
{
    void *message = box->ring[box->head];
    box->head = (box->head + 1) % box->ring_len;
    box->count--;
    return message;
}

int io_mailbox_take(struct io_mailbox *box, int64_t timeout_ms, void **ret_message)
{
    int rc = 0;
    struct timespec deadline = {0};
    if (timeout_ms > 0)
        deadline = mailbox_deadline(timeout_ms);
    pthread_mutex_lock(&box->lock);
    while (box->count == 0) {
        if (box->closed)
            rc = BS_ECANCELLED;
        else if (timeout_ms == 0)
            rc = BS_EBUSY;
        else if (!mailbox_wait(box, &box->has_message, timeout_ms, &deadline) && box->count == 0)
            rc = box->closed ? BS_ECANCELLED : BS_ETIMEOUT;
        if (rc)
            break;
    }
    if (rc == 0) {
        *ret_message = mailbox_pop(box);
        pthread_cond_signal(&box->has_room);
        if (box->count > 0)
            pthread_cond_signal(&box->has_message);
    }
    pthread_mutex_unlock(&box->lock);
    return rc;
}

size_t io_mailbox_take_many(struct io_mailbox *box, void **out, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&box->lock);
    while (n < max && box->count > 0)
        out[n++] = mailbox_pop(box);
    if (n > 0)
        pthread_cond_broadcast(&box->has_room);
    bool more = box->count > 0;
    pthread_mutex_unlock(&box->lock);
    if (more && box->wake)
        box->wake(box->wake_ctx); /* what is left must be asked for again */
    return n;
}

void io_mailbox_close(struct io_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->closed = true;
    pthread_cond_broadcast(&box->has_message);
    pthread_cond_broadcast(&box->has_room);
    pthread_mutex_unlock(&box->lock);
    if (box->wake)
        box->wake(box->wake_ctx);
}

size_t io_mailbox_count(struct io_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    size_t n = box->count;
    pthread_mutex_unlock(&box->lock);
    return n;
}
