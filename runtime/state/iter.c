/* Iterators of both kinds of store over the table's walk. A window iterator leaves out rows that
 * the retention no longer shows. Owner: the task's thread. */
#include "runtime/state/key.h"
#include "runtime/state/table.h"

#include "lib/base/mem.h"

struct rt_iter {
    struct rt_walk walk;
    int64_t from_ms, to_ms; /* WINDOW */
    struct bs_buf key;
};

static int open_iter(struct rt_store *store, bool backward, int64_t from_ms, int64_t to_ms,
                     struct rt_iter **ret, struct bs_error *err)
{
    struct rt_iter *iter = bs_new(struct rt_iter);
    int rc = rt_walk_open(&iter->walk, store, bs_buf_bytes(&store->lo), bs_buf_bytes(&store->hi),
                          backward, err);
    iter->from_ms = from_ms;
    iter->to_ms = to_ms;
    if (rc != 0) {
        rt_iter_close(iter);
        iter = NULL;
    }
    *ret = iter;
    return rc;
}

int rt_store_range(struct rt_store *store, struct bs_bytes from, struct bs_bytes to, bool backward,
                   struct rt_iter **ret, struct bs_error *err)
{
    rt_key_row(&store->lo, from);
    if (to.ptr) {
        rt_key_row(&store->hi, to);
        bs_buf_put_u8(&store->hi, 0); /* the smallest key behind `to` */
    } else {
        bs_buf_reset(&store->hi);
        bs_buf_put_u8(&store->hi, RT_KEY_ROW + 1);
    }
    return open_iter(store, backward, INT64_MIN, INT64_MAX, ret, err);
}

int rt_window_fetch(struct rt_store *store, struct bs_bytes key, int64_t from_ms, int64_t to_ms,
                    bool backward, struct rt_iter **ret, struct bs_error *err)
{
    int64_t first;
    if (store->observed != INT64_MIN &&
        !__builtin_sub_overflow(store->observed, store->spec.retention_ms, &first) &&
        from_ms <= first)
        from_ms = first + 1;
    if (from_ms > to_ms) { /* nothing: an empty range */
        rt_key_row(&store->lo, bs_bytes(NULL, 0));
        rt_key_row(&store->hi, bs_bytes(NULL, 0));
    } else if (key.ptr) {
        rt_key_window(&store->lo, key, from_ms);
        rt_key_window(&store->hi, key, to_ms);
        bs_buf_put_u8(&store->hi, 0);
    } else {
        rt_key_row(&store->lo, bs_bytes(NULL, 0));
        bs_buf_reset(&store->hi);
        bs_buf_put_u8(&store->hi, RT_KEY_ROW + 1);
    }
    return open_iter(store, backward, from_ms, to_ms, ret, err);
}

int rt_iter_next(struct rt_iter *iter, struct rt_row *ret, struct bs_error *err)
{
    for (;;) {
        struct bs_bytes row;
        struct rt_cell cell;
        int rc = rt_walk_next(&iter->walk, &row, &cell, err);
        if (rc != 0)
            return rc;
        *ret = (struct rt_row){.value = cell.value, .timestamp = cell.timestamp};
        if (iter->walk.store->spec.kind == RT_STORE_KV) {
            ret->key = bs_bytes(row.ptr + 1, row.len - 1);
            return 0;
        }
        rc = rt_key_window_parse(row, &iter->key, &ret->start);
        if (rc != 0)
            return bs_error_set(err, rc, "store %s: a row's name is damaged",
                                iter->walk.store->spec.name);
        ret->key = bs_buf_bytes(&iter->key);
        if (!ret->key.ptr)
            ret->key.ptr = (const uint8_t *)""; /* the empty key is a key */
        if (ret->start >= iter->from_ms && ret->start <= iter->to_ms)
            return 0;
    }
}

void rt_iter_close(struct rt_iter *iter)
{
    if (!iter)
        return;
    rt_walk_close(&iter->walk);
    bs_buf_deinit(&iter->key);
    bs_free(iter);
}
