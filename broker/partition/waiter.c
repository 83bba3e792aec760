/* Waiter: see waiter.h. A wait has one link per partition it watches, in that partition's list;
 * time limits are a heap behind one timer. A wait that ended leaves lists and heap at once and
 * stands in the ready list until the loop's next turn calls its done. Owner: the loop thread. */
#include "broker/partition/partition_state.h"

#include "lib/base/mem.h"

struct bk_wait_link {
    struct bk_wait *wait;
    struct bk_partition *partition;
    int64_t offset;     /* ACKS */
    int64_t bytes_then; /* BYTES: the partition's counter at the time of parking */
    bool met;           /* ACKS */
    struct bk_wait_link *next, **at;
};

struct bk_wait {
    struct bk_waiter *waiter;
    enum bk_wait_kind kind;
    enum bk_isolation isolation;
    enum bk_wait_end end;
    bool ready;
    int64_t min_bytes, deadline_ms;
    size_t heap_at, unmet;
    bk_wait_done *done;
    void *ctx;
    struct bk_wait *ready_next, **ready_at;
    size_t link_count;
    struct bk_wait_link links[];
};

struct bk_waiter {
    struct io_loop *loop;
    struct io_clock *clock;
    struct io_timer *timer;
    struct bk_wait **heap; /* by deadline */
    size_t heap_count, heap_cap;
    struct bk_wait *ready, **ready_end;
    bool posted, freed;
};

/* ---- heap ---------------------------------------------------------------------------------------
 */

static void heap_put(struct bk_waiter *w, size_t at, struct bk_wait *wait)
{
    w->heap[at] = wait;
    wait->heap_at = at;
}

static void heap_up(struct bk_waiter *w, size_t at, struct bk_wait *wait)
{
    while (at > 0 && w->heap[(at - 1) / 2]->deadline_ms > wait->deadline_ms) {
        heap_put(w, at, w->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(w, at, wait);
}

static void heap_down(struct bk_waiter *w, size_t at, struct bk_wait *wait)
{
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= w->heap_count)
            break;
        if (child + 1 < w->heap_count &&
            w->heap[child + 1]->deadline_ms < w->heap[child]->deadline_ms)
            child++;
        if (w->heap[child]->deadline_ms >= wait->deadline_ms)
            break;
        heap_put(w, at, w->heap[child]);
        at = child;
    }
    heap_put(w, at, wait);
}

static void heap_remove(struct bk_waiter *w, struct bk_wait *wait)
{
    size_t at = wait->heap_at;
    struct bk_wait *last = w->heap[--w->heap_count];
    if (last == wait)
        return;
    if (at > 0 && w->heap[(at - 1) / 2]->deadline_ms > last->deadline_ms)
        heap_up(w, at, last);
    else
        heap_down(w, at, last);
}

static void waiter_arm(struct bk_waiter *w)
{
    if (w->heap_count == 0) {
        io_timer_stop(w->timer);
        return;
    }
    int64_t left = w->heap[0]->deadline_ms - io_clock_mono_ms(w->clock);
    io_timer_start(w->timer, left > 0 ? left : 0);
}

/* ---- ending -------------------------------------------------------------------------------------
 */

static void wait_unlink(struct bk_wait *wait)
{
    for (size_t i = 0; i < wait->link_count; i++) {
        struct bk_wait_link *link = &wait->links[i];
        if (!link->partition)
            continue;
        *link->at = link->next;
        if (link->next)
            link->next->at = link->at;
        struct bk_partition *partition = link->partition;
        link->partition = NULL;
        bk_partition_unref(partition);
    }
}

static void waiter_drain(void *ctx)
{
    struct bk_waiter *w = ctx;
    w->posted = false;
    if (w->freed) {
        bs_free(w);
        return;
    }
    /* What ends in these callbacks waits for the next turn: no caller can keep the loop here. */
    struct bk_wait *list = w->ready;
    w->ready = NULL;
    w->ready_end = &w->ready;
    if (list)
        list->ready_at = &list;
    while (list) {
        struct bk_wait *wait = list;
        list = wait->ready_next;
        if (list)
            list->ready_at = &list;
        wait->done(wait->ctx, wait->end);
        bs_free(wait);
    }
}

static void wait_end(struct bk_wait *wait, enum bk_wait_end end)
{
    struct bk_waiter *w = wait->waiter;
    heap_remove(w, wait);
    wait_unlink(wait);
    wait->end = end;
    wait->ready = true;
    wait->ready_next = NULL;
    wait->ready_at = w->ready_end;
    *w->ready_end = wait;
    w->ready_end = &wait->ready_next;
    if (!w->posted) {
        w->posted = true;
        io_loop_post(w->loop, waiter_drain, w);
    }
}

static void waiter_expire(void *ctx)
{
    struct bk_waiter *w = ctx;
    int64_t now_ms = io_clock_mono_ms(w->clock);
    while (w->heap_count > 0 && w->heap[0]->deadline_ms <= now_ms)
        wait_end(w->heap[0], BK_WAIT_TIMEOUT);
    waiter_arm(w);
}

static int64_t link_bytes(const struct bk_wait *wait, const struct bk_partition *p)
{
    return wait->isolation == BK_READ_COMMITTED ? p->stable_bytes : p->high_bytes;
}

static bool wait_bytes_met(const struct bk_wait *wait)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < wait->link_count; i++)
        bytes += link_bytes(wait, wait->links[i].partition) - wait->links[i].bytes_then;
    return bytes >= wait->min_bytes;
}

void bk_waiter_moved(struct bk_partition *p)
{
    struct bk_wait_link *next;
    /* The partition must outlive the walk: the last wait may hold its last reference. */
    bk_partition_ref(p);
    for (struct bk_wait_link *link = p->links; link; link = next) {
        struct bk_wait *wait = link->wait;
        next = link->next;
        /* A wait may watch a partition twice; ending it takes all its links out. */
        while (next && next->wait == wait)
            next = next->next;
        if (p->error) {
            wait_end(wait, BK_WAIT_LOST);
        } else if (wait->kind == BK_WAIT_BYTES) {
            if (wait_bytes_met(wait))
                wait_end(wait, BK_WAIT_MET);
        } else {
            for (size_t i = 0; i < wait->link_count; i++)
                if (wait->links[i].partition == p && !wait->links[i].met &&
                    wait->links[i].offset < p->high_watermark) {
                    wait->links[i].met = true;
                    wait->unmet--;
                }
            if (wait->unmet == 0)
                wait_end(wait, BK_WAIT_MET);
        }
    }
    bk_partition_unref(p);
}

/* ---- park ---------------------------------------------------------------------------------------
 */

struct bk_waiter *bk_waiter_new(struct io_loop *loop, struct io_clock *clock)
{
    struct bk_waiter *w = bs_new(struct bk_waiter);
    w->loop = loop;
    w->clock = clock;
    w->timer = io_timer_new(loop, waiter_expire, w);
    w->ready_end = &w->ready;
    return w;
}

void bk_waiter_free(struct bk_waiter *w)
{
    if (!w)
        return;
    while (w->heap_count > 0)
        bk_wait_cancel(w->heap[0]);
    while (w->ready)
        bk_wait_cancel(w->ready);
    io_timer_free(w->timer);
    bs_free(w->heap);
    if (w->posted)
        w->freed = true; /* the post that is under way frees it */
    else
        bs_free(w);
}

static bool park_settled(const struct bk_wait_spec *spec, enum bk_wait_end *ret_end)
{
    bool met = spec->kind == BK_WAIT_ACKS;
    for (size_t i = 0; i < spec->count; i++) {
        const struct bk_partition *p = spec->items[i].partition;
        if (p->error) {
            *ret_end = BK_WAIT_LOST;
            return true;
        }
        met = met && spec->items[i].offset < p->high_watermark;
    }
    *ret_end = BK_WAIT_MET;
    return met;
}

struct bk_wait *bk_waiter_park(struct bk_waiter *w, const struct bk_wait_spec *spec,
                               enum bk_wait_end *ret_end)
{
    if (park_settled(spec, ret_end))
        return NULL;
    struct bk_wait *wait = bs_zalloc(sizeof *wait + spec->count * sizeof(struct bk_wait_link));
    wait->waiter = w;
    wait->kind = spec->kind;
    wait->isolation = spec->isolation;
    wait->min_bytes = spec->min_bytes > 0 ? spec->min_bytes : 1;
    wait->deadline_ms = io_clock_mono_ms(w->clock) + (spec->timeout_ms > 0 ? spec->timeout_ms : 0);
    wait->done = spec->done;
    wait->ctx = spec->ctx;
    wait->link_count = spec->count;
    for (size_t i = 0; i < spec->count; i++) {
        struct bk_wait_link *link = &wait->links[i];
        struct bk_partition *p = bk_partition_ref(spec->items[i].partition);
        link->wait = wait;
        link->partition = p;
        link->offset = spec->items[i].offset;
        link->bytes_then = link_bytes(wait, p);
        link->met = link->offset < p->high_watermark;
        wait->unmet += !link->met;
        link->next = p->links;
        link->at = &p->links;
        if (p->links)
            p->links->at = &link->next;
        p->links = link;
    }
    if (w->heap_count == w->heap_cap) {
        w->heap_cap = w->heap_cap ? w->heap_cap * 2 : 64;
        w->heap = bs_realloc(w->heap, w->heap_cap * sizeof *w->heap);
    }
    heap_up(w, w->heap_count++, wait);
    if (wait->heap_at == 0)
        waiter_arm(w);
    return wait;
}

void bk_wait_cancel(struct bk_wait *wait)
{
    if (!wait)
        return;
    struct bk_waiter *w = wait->waiter;
    if (wait->ready) {
        *wait->ready_at = wait->ready_next;
        if (wait->ready_next)
            wait->ready_next->ready_at = wait->ready_at;
        if (w->ready_end == &wait->ready_next)
            w->ready_end = wait->ready_at;
    } else {
        heap_remove(w, wait);
        wait_unlink(wait);
    }
    bs_free(wait);
}

void bk_waiter_drop(struct bk_waiter *w)
{
    while (w->heap_count > 0 || w->ready) {
        while (w->heap_count > 0)
            wait_end(w->heap[0], BK_WAIT_LOST);
        struct bk_wait *wait = w->ready;
        w->ready = wait->ready_next;
        if (w->ready)
            w->ready->ready_at = &w->ready;
        else
            w->ready_end = &w->ready;
        wait->done(wait->ctx, wait->end);
        bs_free(wait);
    }
}

size_t bk_waiter_count(const struct bk_waiter *w)
{
    return w->heap_count;
}
