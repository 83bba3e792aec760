/* State: all stores of one task, and the moments at which they move.
 *
 * Between two commits every change is in the stores' overlays. flush hands each changed row once to
 * the change hook (the changelog record, in the open transaction); commit, called after that
 * transaction has committed, writes the rows and the changelog positions they belong to in one
 * atomic batch; abort forgets them. So what is on disk is never ahead of what is committed.
 * Owner: the task's thread. */
#ifndef WEIR_RUNTIME_STATE_STATE_H
#define WEIR_RUNTIME_STATE_STATE_H

#include "runtime/state/rocks.h"
#include "runtime/state/store.h"

struct rt_state_options {
    const char *dir; /* the task's folder; made when a store needs it */
    const struct rt_store_spec *specs;
    size_t spec_count;
    rt_store_change *change;
    void *change_ctx;
    struct rt_rocks_shared *rocks; /* borrowed */
    size_t cache_bytes;            /* read cache, for all stores together */
};

struct rt_state;

int rt_state_open(const struct rt_state_options *options, struct rt_state **ret,
                  struct bs_error *err);
/* Changes that are not committed are forgotten. Accepts NULL. */
void rt_state_close(struct rt_state *state);

size_t rt_state_count(const struct rt_state *state);
struct rt_store *rt_state_store(struct rt_state *state, size_t i);
struct rt_store *rt_state_find(struct rt_state *state, const char *name); /* or NULL */

int rt_state_flush(struct rt_state *state, struct bs_error *err);
size_t rt_state_uncommitted_bytes(const struct rt_state *state);
/* positions[i]: where to read store i's changelog on from after a crash; -1: as before. */
int rt_state_commit(struct rt_state *state, const int64_t *positions, struct bs_error *err);
void rt_state_abort(struct rt_state *state);

/* Restore. position: -1 when the store has to be read from the changelog's start. */
int64_t rt_state_position(const struct rt_state *state, size_t i);
int rt_state_wipe(struct rt_state *state, size_t i, struct bs_error *err);
/* A changelog record, in its changelog form. Becomes durable by rt_state_commit. */
int rt_state_restore(struct rt_state *state, size_t i, struct bs_bytes key, struct bs_bytes value,
                     int64_t timestamp, struct bs_error *err);

#endif
