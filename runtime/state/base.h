/* Base: what lies below a store's overlay, row by row: RocksDB, a map, or nothing. Row names are
 * those of key.h. */
#ifndef WEIR_RUNTIME_STATE_BASE_H
#define WEIR_RUNTIME_STATE_BASE_H

#include "lib/base/bytes.h"
#include "lib/base/err.h"

struct rt_cell {
    struct bs_bytes value; /* ptr NULL: absent */
    int64_t timestamp;
};

struct rt_base;
struct rt_base_iter;

struct rt_base_ops {
    /* What is given stays valid until the next call on this base. */
    int (*get)(struct rt_base *base, struct bs_bytes key, struct rt_cell *ret,
               struct bs_error *err);
    /* Rows in [lo, hi), the iterator on the first (backward: the last) of them. */
    int (*walk)(struct rt_base *base, struct bs_bytes lo, struct bs_bytes hi, bool backward,
                struct rt_base_iter **ret, struct bs_error *err);
    /* 0 the row it is on, 1 the end, BS_E…; valid until step. */
    int (*at)(struct rt_base_iter *iter, struct bs_bytes *ret_key, struct rt_cell *ret,
              struct bs_error *err);
    void (*step)(struct rt_base_iter *iter);
    void (*stop)(struct rt_base_iter *iter);
};

struct rt_base {
    const struct rt_base_ops *ops;
};

#endif
