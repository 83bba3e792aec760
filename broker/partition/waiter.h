/* Waiter: parked produces and fetches, in one structure. A wait watches partitions and ends once:
 * met, timed out, or because a partition it watches went away or offline.
 *
 * Owner: the loop thread. `done` is called on it, never inside park, and may park again. */
#ifndef WEIR_BROKER_PARTITION_WAITER_H
#define WEIR_BROKER_PARTITION_WAITER_H

#include "broker/partition/partition.h"

struct bk_waiter;
struct bk_wait;

enum bk_wait_kind {
    BK_WAIT_ACKS,  /* until the high watermark of every partition is above its offset */
    BK_WAIT_BYTES, /* until min_bytes more than now are readable in all of them together */
};
enum bk_wait_end {
    BK_WAIT_MET,
    BK_WAIT_TIMEOUT,
    BK_WAIT_LOST, /* a partition's error is no longer 0: ask each */
};
typedef void bk_wait_done(void *ctx, enum bk_wait_end end);

struct bk_wait_item {
    struct bk_partition *partition; /* referenced while parked */
    int64_t offset;                 /* ACKS: the last offset that must be below the high watermark.
                                       BYTES: where the fetch starts */
};
struct bk_wait_spec {
    enum bk_wait_kind kind;
    const struct bk_wait_item *items; /* copied */
    size_t count;                     /* 0 is allowed: ends by timeout, ACKS at once */
    int64_t min_bytes;                /* BYTES; what the first read found is already taken off */
    enum bk_isolation isolation;      /* BYTES */
    int64_t timeout_ms;
    bk_wait_done *done;
    void *ctx;
};

/* BK_WAIT_ACKS that are met already, or lost: returns NULL with *ret_end set, and done is not
 * called. Else the wait, for cancel. */
struct bk_wait *bk_waiter_park(struct bk_waiter *waiter, const struct bk_wait_spec *spec,
                               enum bk_wait_end *ret_end);
/* done will not be called; the wait is gone. For a connection that closed. */
void bk_wait_cancel(struct bk_wait *wait);
/* All of them: every wait's done is called with BK_WAIT_LOST before this returns. For a stop. */
void bk_waiter_drop(struct bk_waiter *waiter);
size_t bk_waiter_count(const struct bk_waiter *waiter);

#endif
