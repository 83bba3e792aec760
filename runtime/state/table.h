/* Table: a store's rows: an overlay over a base, one view of both. The key-value and the window
 * store are two ways to name rows in it. Inside runtime/state only. */
#ifndef WEIR_RUNTIME_STATE_TABLE_H
#define WEIR_RUNTIME_STATE_TABLE_H

#include "runtime/state/base.h"
#include "runtime/state/map.h"
#include "runtime/state/store.h"

#include "lib/base/buf.h"

enum rt_table_mode {
    RT_TABLE_DIRECT,  /* the map is all there is: no commit, no cache */
    RT_TABLE_OVERLAY, /* changes stay in the map until they are committed to the base */
    RT_TABLE_READER,  /* a global table: only read, the map is a cache */
};

struct rt_store {
    struct rt_store_spec spec; /* name is owned */
    enum rt_table_mode mode;
    struct rt_map map;
    struct rt_base *base; /* borrowed; NULL: nothing below */
    size_t cache_bytes;   /* clean entries beyond it are dropped at commit */
    rt_store_change *change;
    void *ctx;
    bool restoring;      /* what is put comes from the changelog: not logged again */
    int64_t observed;    /* WINDOW: largest start put so far; INT64_MIN: none */
    int64_t first_start; /* WINDOW: no row starts before it */
    struct bs_buf row, index, changelog, lo, hi;
    /* READER: asks whether the base changed since last time; the cache goes then. */
    bool (*changed)(void *ctx);
    void *changed_ctx;
    int walks; /* open ones: the cache stays as it is under them */
};

struct rt_store *rt_table_new(const struct rt_store_spec *spec, enum rt_table_mode mode,
                              struct rt_base *base, size_t cache_bytes, rt_store_change *change,
                              void *ctx);
/* ret->value.ptr NULL: absent. Valid until the next call on the table. */
int rt_table_get(struct rt_store *store, struct bs_bytes row, struct rt_cell *ret,
                 struct bs_error *err);
/* Value NULL deletes. `logged`: goes to the change hook (under its changelog key). */
int rt_table_put(struct rt_store *store, struct bs_bytes row, struct bs_bytes value,
                 int64_t timestamp, bool logged, struct bs_error *err);
/* The changelog form of a row's name; kept in store->changelog. */
int rt_table_changelog_key(struct rt_store *store, struct bs_bytes row, struct bs_bytes *ret,
                           struct bs_error *err);
/* Calls the hook for every change it has not seen, then forgets nothing: commit or abort ends it.
 */
int rt_table_flush(struct rt_store *store, struct bs_error *err);
void rt_table_committed(struct rt_store *store); /* the base has every change */
void rt_table_dropped(struct rt_store *store);   /* changes and cache are forgotten */

/* Rows in [lo, hi) of overlay and base together; deleted ones do not appear. */
struct rt_walk {
    struct rt_store *store;
    bool backward;
    struct rt_entry *entry; /* the overlay's next row */
    struct rt_base_iter *below;
    bool step_below, step_entry; /* what was handed out last */
    struct bs_buf lo, hi;
};
int rt_walk_open(struct rt_walk *walk, struct rt_store *store, struct bs_bytes lo,
                 struct bs_bytes hi, bool backward, struct bs_error *err);
int rt_walk_next(struct rt_walk *walk, struct bs_bytes *ret_row, struct rt_cell *ret,
                 struct bs_error *err); /* 0 a row, 1 the end */
void rt_walk_close(struct rt_walk *walk);

#endif
