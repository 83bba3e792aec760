/* Store: what an operator remembers: ordered bytes → (bytes, timestamp), one per (task, store
 * name).
 *
 * Keys are ordered by unsigned bytes. Writes land in an overlay that reads see at once; they become
 * durable only by rt_state_commit after the transaction that carries their changelog records has
 * committed (runtime/worker/commit.c says why), and vanish by rt_state_abort. Every write also goes
 * to the store's change hook, which makes the changelog record of it.
 *
 * A store belongs to its task's thread. Global stores are read by every task thread while the
 * global thread writes: RocksDB (or the memory store's lock) carries that, and they have no
 * overlay. */
#ifndef WEIR_RUNTIME_STATE_STORE_H
#define WEIR_RUNTIME_STATE_STORE_H

#include "lib/base/bytes.h"
#include "lib/base/err.h"

enum rt_store_kind {
    RT_STORE_KV,
    RT_STORE_WINDOW, /* (key, window start) → row; rows die by stream time */
};

struct rt_store_spec {
    const char *name; /* unique in the pipeline */
    enum rt_store_kind kind;
    int64_t retention_ms; /* WINDOW: a row is visible iff start > observed time − retention */
    bool in_memory;       /* else RocksDB */
    bool logged;          /* has a changelog topic <app id>-<name>-changelog */
};

struct rt_store;

struct rt_row {
    struct bs_bytes key; /* plain key */
    int64_t start;       /* WINDOW: window start, else 0 */
    struct bs_bytes value;
    int64_t timestamp;
};

/* 0 found, 1 absent, BS_E…. What is given stays valid until the next call on this store. */
int rt_store_get(struct rt_store *store, struct bs_bytes key, struct bs_bytes *ret_value,
                 int64_t *ret_timestamp, struct bs_error *err);
/* value.ptr NULL deletes. */
int rt_store_put(struct rt_store *store, struct bs_bytes key, struct bs_bytes value,
                 int64_t timestamp, struct bs_error *err);

int rt_window_get(struct rt_store *store, struct bs_bytes key, int64_t start,
                  struct bs_bytes *ret_value, int64_t *ret_timestamp, struct bs_error *err);
/* A put that is already behind the retention is dropped: returns 1. Moves the store's observed time
 * (largest start put so far). */
int rt_window_put(struct rt_store *store, struct bs_bytes key, int64_t start, struct bs_bytes value,
                  int64_t timestamp, struct bs_error *err);
/* Deletes what the retention no longer shows at observed time max(own, stream_time), with a
 * tombstone for each row in the changelog: window changelogs expire by stream time, never by wall
 * clock. Cheap when there is nothing due. */
int rt_window_expire(struct rt_store *store, int64_t stream_time, struct bs_error *err);

/* Iterators see overlay and base. KV: keys from..to, both inclusive, ptr NULL = open.
 * Window: rows of `key` (ptr NULL: of all keys) with start in [from_ms, to_ms], ordered by start
 * for one key, by key then start for all. next: 0 a row, 1 the end. Close before the next write. */
struct rt_iter;
int rt_store_range(struct rt_store *store, struct bs_bytes from, struct bs_bytes to, bool backward,
                   struct rt_iter **ret, struct bs_error *err);
int rt_window_fetch(struct rt_store *store, struct bs_bytes key, int64_t from_ms, int64_t to_ms,
                    bool backward, struct rt_iter **ret, struct bs_error *err);
int rt_iter_next(struct rt_iter *iter, struct rt_row *ret, struct bs_error *err);
void rt_iter_close(struct rt_iter *iter);

const struct rt_store_spec *rt_store_spec(const struct rt_store *store);

/* Called for each write, in order: the changelog record. `key` is in changelog form (WINDOW: key,
 * 8-byte start, 4-byte sequence 0, as Kafka Streams writes it); value.ptr NULL = tombstone. */
typedef int rt_store_change(void *ctx, const struct rt_store_spec *spec, struct bs_bytes key,
                            struct bs_bytes value, int64_t timestamp, struct bs_error *err);

/* A store in memory without changelog and commit, for `weir test` and unit tests. */
struct rt_store *rt_store_memory_new(const struct rt_store_spec *spec, rt_store_change *change,
                                     void *ctx);
void rt_store_free(struct rt_store *store); /* accepts NULL */

#endif
