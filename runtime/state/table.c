/* A store's rows: overlay over base.
 *
 * Invariants: what the map says about a row wins over the base; a dirty entry is a change that is
 * not in the base, a clean one equals it (value NULL: the base has no such row). In DIRECT mode
 * there is no base, nothing is dirty, and a deleted row has no entry. Owner: the task's thread. */
#include "runtime/state/table.h"

#include "lib/base/mem.h"
#include "runtime/state/key.h"

struct rt_store *rt_table_new(const struct rt_store_spec *spec, enum rt_table_mode mode,
                              struct rt_base *base, size_t cache_bytes, rt_store_change *change,
                              void *ctx)
{
    struct rt_store *store = bs_new(struct rt_store);
    store->spec = *spec;
    store->spec.name = bs_strdup(spec->name);
    store->mode = mode;
    store->base = base;
    store->cache_bytes = cache_bytes;
    store->change = change;
    store->ctx = ctx;
    store->observed = INT64_MIN;
    store->first_start = INT64_MIN;
    rt_map_init(&store->map);
    return store;
}

void rt_store_free(struct rt_store *store)
{
    if (!store)
        return;
    rt_map_deinit(&store->map);
    bs_buf_deinit(&store->row);
    bs_buf_deinit(&store->index);
    bs_buf_deinit(&store->changelog);
    bs_buf_deinit(&store->lo);
    bs_buf_deinit(&store->hi);
    bs_free((char *)store->spec.name);
    bs_free(store);
}

static void renew_cache(struct rt_store *store)
{
    if (store->changed && store->walks == 0 && store->changed(store->changed_ctx))
        rt_map_clear(&store->map);
}

int rt_table_get(struct rt_store *store, struct bs_bytes row, struct rt_cell *ret,
                 struct bs_error *err)
{
    struct rt_entry *entry;
    int rc;
    *ret = (struct rt_cell){0};
    renew_cache(store);
    entry = rt_map_get(&store->map, row);
    if (!entry) {
        if (!store->base)
            return 0;
        rc = store->base->ops->get(store->base, row, ret, err);
        if (rc != 0)
            return rc;
        if (store->map.bytes >= store->cache_bytes) {
            if (store->mode != RT_TABLE_READER || store->walks > 0)
                return 0;
            rt_map_clear(&store->map);
        }
        entry = rt_map_put(&store->map, row, ret->value, ret->timestamp);
    }
    *ret = (struct rt_cell){.value = rt_entry_value(entry), .timestamp = entry->timestamp};
    return 0;
}

int rt_table_changelog_key(struct rt_store *store, struct bs_bytes row, struct bs_bytes *ret,
                           struct bs_error *err)
{
    int64_t start;
    if (store->spec.kind == RT_STORE_KV) {
        *ret = bs_bytes(row.ptr + 1, row.len - 1);
        return 0;
    }
    if (rt_key_window_parse(row, &store->lo, &start) != 0)
        return bs_error_set(err, BS_ECORRUPT, "store %s: a row's name is damaged",
                            store->spec.name);
    rt_key_window_changelog(&store->changelog, bs_buf_bytes(&store->lo), start);
    *ret = bs_buf_bytes(&store->changelog);
    return 0;
}

static int call_hook(struct rt_store *store, struct bs_bytes row, struct bs_bytes value,
                     int64_t timestamp, struct bs_error *err)
{
    struct bs_bytes key;
    int rc = rt_table_changelog_key(store, row, &key, err);
    return rc != 0 ? rc : store->change(store->ctx, &store->spec, key, value, timestamp, err);
}

int rt_table_put(struct rt_store *store, struct bs_bytes row, struct bs_bytes value,
                 int64_t timestamp, bool logged, struct bs_error *err)
{
    bool hook = logged && !store->restoring && store->spec.logged && store->change;
    struct rt_entry *entry;
    int rc = 0;
    if (store->mode == RT_TABLE_READER)
        return bs_error_set(err, BS_EDENIED, "store %s is a global table: it can only be read",
                            store->spec.name);
    if (store->mode == RT_TABLE_DIRECT) {
        /* The hook first: value may lie in the map. */
        if (hook)
            rc = call_hook(store, row, value, timestamp, err);
        if (rc == 0 && value.ptr)
            rt_map_put(&store->map, row, value, timestamp);
        else if (rc == 0)
            rt_map_remove(&store->map, row);
        return rc;
    }
    entry = rt_map_put(&store->map, row, value, timestamp);
    rt_map_mark(&store->map, entry);
    entry->logged = !hook;
    return 0;
}

int rt_table_flush(struct rt_store *store, struct bs_error *err)
{
    int rc = 0;
    for (struct rt_entry *entry = store->map.dirty; entry && rc == 0; entry = entry->dirty_next) {
        if (entry->logged)
            continue;
        rc = call_hook(store, rt_entry_key(entry), rt_entry_value(entry), entry->timestamp, err);
        entry->logged = rc == 0;
    }
    return rc;
}

void rt_table_committed(struct rt_store *store)
{
    if (store->map.bytes > store->cache_bytes)
        rt_map_clear(&store->map);
    else
        rt_map_clean(&store->map);
}

void rt_table_dropped(struct rt_store *store)
{
    rt_map_clear(&store->map);
}

int rt_walk_open(struct rt_walk *walk, struct rt_store *store, struct bs_bytes lo,
                 struct bs_bytes hi, bool backward, struct bs_error *err)
{
    int rc = 0;
    *walk = (struct rt_walk){.store = store, .backward = backward};
    renew_cache(store);
    store->walks++;
    bs_buf_put(&walk->lo, lo.ptr, lo.len);
    bs_buf_put(&walk->hi, hi.ptr, hi.len);
    walk->entry = backward ? rt_map_before(&store->map, hi) : rt_map_seek(&store->map, lo);
    if (store->base)
        rc = store->base->ops->walk(store->base, lo, hi, backward, &walk->below, err);
    return rc;
}

void rt_walk_close(struct rt_walk *walk)
{
    walk->store->walks--;
    if (walk->below)
        walk->store->base->ops->stop(walk->below);
    bs_buf_deinit(&walk->lo);
    bs_buf_deinit(&walk->hi);
    *walk = (struct rt_walk){0};
}

static struct rt_entry *entry_at(const struct rt_walk *walk)
{
    struct rt_entry *entry = walk->entry;
    if (!entry)
        return NULL;
    if (walk->backward)
        return bs_bytes_compare(rt_entry_key(entry), bs_buf_bytes(&walk->lo)) >= 0 ? entry : NULL;
    return bs_bytes_compare(rt_entry_key(entry), bs_buf_bytes(&walk->hi)) < 0 ? entry : NULL;
}

int rt_walk_next(struct rt_walk *walk, struct bs_bytes *ret_row, struct rt_cell *ret,
                 struct bs_error *err)
{
    const struct rt_base_ops *ops = walk->below ? walk->store->base->ops : NULL;
    for (;;) {
        struct rt_entry *entry;
        struct bs_bytes row = {0};
        struct rt_cell cell;
        int end = 1, order;
        if (walk->step_below)
            ops->step(walk->below);
        if (walk->step_entry)
            walk->entry = walk->backward ? walk->entry->prev : rt_map_next(walk->entry);
        walk->step_below = walk->step_entry = false;
        entry = entry_at(walk);
        if (ops)
            end = ops->at(walk->below, &row, &cell, err);
        if (end < 0)
            return end;
        if (!entry && end)
            return 1;
        order = !entry ? 1 : end ? -1 : bs_bytes_compare(rt_entry_key(entry), row);
        if (walk->backward && entry && !end)
            order = -order;
        walk->step_entry = order <= 0;
        walk->step_below = order >= 0 && !end;
        if (order > 0) {
            *ret_row = row;
            *ret = cell;
            return 0;
        }
        if (!entry->value)
            continue;
        *ret_row = rt_entry_key(entry);
        *ret = (struct rt_cell){.value = rt_entry_value(entry), .timestamp = entry->timestamp};
        return 0;
    }
}
