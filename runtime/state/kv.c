/* The key-value store: its rows are named by the key alone. Owner: the task's thread. */
#include "runtime/state/key.h"
#include "runtime/state/table.h"

#include "lib/base/mem.h"

int rt_store_get(struct rt_store *store, struct bs_bytes key, struct bs_bytes *ret_value,
                 int64_t *ret_timestamp, struct bs_error *err)
{
    struct rt_cell cell;
    int rc;
    rt_key_row(&store->row, key);
    rc = rt_table_get(store, bs_buf_bytes(&store->row), &cell, err);
    *ret_value = rc == 0 ? cell.value : bs_bytes(NULL, 0);
    *ret_timestamp = rc == 0 ? cell.timestamp : -1;
    return rc != 0 ? rc : cell.value.ptr ? 0 : 1;
}

int rt_store_put(struct rt_store *store, struct bs_bytes key, struct bs_bytes value,
                 int64_t timestamp, struct bs_error *err)
{
    rt_key_row(&store->row, key);
    return rt_table_put(store, bs_buf_bytes(&store->row), value, timestamp, true, err);
}

const struct rt_store_spec *rt_store_spec(const struct rt_store *store)
{
    return &store->spec;
}

struct rt_store *rt_store_memory_new(const struct rt_store_spec *spec, rt_store_change *change,
                                     void *ctx)
{
    struct rt_store *store = rt_table_new(spec, RT_TABLE_DIRECT, NULL, 0, change, ctx);
    store->first_start = INT64_MAX;
    return store;
}
