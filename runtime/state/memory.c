/* A base that is a map. Invariant: no entry is without a value. Owner: the task's thread. */
#include "runtime/state/memory.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "runtime/state/map.h"

struct memory_base {
    struct rt_base base;
    struct rt_map map;
};

struct rt_base_iter {
    struct rt_entry *entry;
    struct bs_buf bound; /* hi; backward: lo */
    bool backward;
};

static int base_get(struct rt_base *self, struct bs_bytes row, struct rt_cell *ret,
                    struct bs_error *err)
{
    struct rt_entry *entry = rt_map_get(&((struct memory_base *)self)->map, row);
    (void)err;
    *ret = (struct rt_cell){0};
    if (entry)
        *ret = (struct rt_cell){.value = rt_entry_value(entry), .timestamp = entry->timestamp};
    return 0;
}

static int base_walk(struct rt_base *self, struct bs_bytes lo, struct bs_bytes hi, bool backward,
                     struct rt_base_iter **ret, struct bs_error *err)
{
    struct rt_map *map = &((struct memory_base *)self)->map;
    struct rt_base_iter *iter = bs_new(struct rt_base_iter);
    (void)err;
    iter->backward = backward;
    iter->entry = backward ? rt_map_before(map, hi) : rt_map_seek(map, lo);
    bs_buf_put(&iter->bound, backward ? lo.ptr : hi.ptr, backward ? lo.len : hi.len);
    *ret = iter;
    return 0;
}

static int base_at(struct rt_base_iter *iter, struct bs_bytes *ret_key, struct rt_cell *ret,
                   struct bs_error *err)
{
    int order;
    (void)err;
    if (!iter->entry)
        return 1;
    order = bs_bytes_compare(rt_entry_key(iter->entry), bs_buf_bytes(&iter->bound));
    if (iter->backward ? order < 0 : order >= 0)
        return 1;
    *ret_key = rt_entry_key(iter->entry);
    *ret =
        (struct rt_cell){.value = rt_entry_value(iter->entry), .timestamp = iter->entry->timestamp};
    return 0;
}

static void base_step(struct rt_base_iter *iter)
{
    iter->entry = iter->backward ? iter->entry->prev : rt_map_next(iter->entry);
}

static void base_stop(struct rt_base_iter *iter)
{
    bs_buf_deinit(&iter->bound);
    bs_free(iter);
}

static const struct rt_base_ops OPS = {
    .get = base_get, .walk = base_walk, .at = base_at, .step = base_step, .stop = base_stop};

struct rt_base *rt_memory_base_new(void)
{
    struct memory_base *base = bs_new(struct memory_base);
    base->base.ops = &OPS;
    rt_map_init(&base->map);
    return &base->base;
}

void rt_memory_base_free(struct rt_base *base)
{
    if (!base)
        return;
    rt_map_deinit(&((struct memory_base *)base)->map);
    bs_free(base);
}

void rt_memory_base_put(struct rt_base *base, struct bs_bytes row, struct bs_bytes value,
                        int64_t timestamp)
{
    struct rt_map *map = &((struct memory_base *)base)->map;
    if (value.ptr)
        rt_map_put(map, row, value, timestamp);
    else
        rt_map_remove(map, row);
}

void rt_memory_base_wipe(struct rt_base *base)
{
    rt_map_clear(&((struct memory_base *)base)->map);
}
