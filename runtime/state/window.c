/* The window store: rows named by (key, start), and beside each row an index row named by (start,
 * key), by which expiry walks only what is due.
 *
 * Invariants: a row has an index row and the other way round; first_start is at most the smallest
 * start there is; observed is the largest start ever put. Owner: the task's thread. */
#include "runtime/state/key.h"
#include "runtime/state/table.h"

enum { EXPIRE_BATCH = 512 };

/* The largest start that the retention no longer shows at `time`; INT64_MIN: it shows all. */
static int64_t behind(const struct rt_store *store, int64_t time)
{
    int64_t cut;
    if (time == INT64_MIN || __builtin_sub_overflow(time, store->spec.retention_ms, &cut))
        return INT64_MIN;
    return cut;
}

int rt_window_get(struct rt_store *store, struct bs_bytes key, int64_t start,
                  struct bs_bytes *ret_value, int64_t *ret_timestamp, struct bs_error *err)
{
    struct rt_cell cell = {0};
    int rc = 0;
    if (start > behind(store, store->observed)) {
        rt_key_window(&store->row, key, start);
        rc = rt_table_get(store, bs_buf_bytes(&store->row), &cell, err);
    }
    *ret_value = rc == 0 ? cell.value : bs_bytes(NULL, 0);
    *ret_timestamp = rc == 0 && cell.value.ptr ? cell.timestamp : -1;
    return rc != 0 ? rc : cell.value.ptr ? 0 : 1;
}

int rt_window_put(struct rt_store *store, struct bs_bytes key, int64_t start, struct bs_bytes value,
                  int64_t timestamp, struct bs_error *err)
{
    static const uint8_t NOTHING[1];
    struct rt_entry *entry;
    int rc;
    if (start > store->observed)
        store->observed = start;
    if (start <= behind(store, store->observed) && !store->restoring)
        return 1;
    rt_key_window(&store->row, key, start);
    entry = rt_map_get(&store->map, bs_buf_bytes(&store->row));
    if (!value.ptr || !entry || !entry->value) {
        /* A row that the map shows has its index row already. */
        rt_key_index(&store->index, start, key);
        rc = rt_table_put(store, bs_buf_bytes(&store->index),
                          value.ptr ? bs_bytes(NOTHING, 0) : value, timestamp, false, err);
        if (rc != 0)
            return rc;
    }
    if (value.ptr && start < store->first_start)
        store->first_start = start;
    return rt_table_put(store, bs_buf_bytes(&store->row), value, timestamp, true, err);
}

/* Copies up to EXPIRE_BATCH index rows that are due into `rows`, each behind its length. Gives the
 * start of the first row that is not due (INT64_MAX: none was seen). */
static int collect_due(struct rt_store *store, int64_t cut, struct bs_buf *rows, size_t *ret_count,
                       struct bs_error *err)
{
    struct rt_walk walk;
    struct bs_bytes row;
    struct rt_cell cell;
    int rc;
    *ret_count = 0;
    bs_buf_reset(rows);
    rt_key_index_range(&store->lo, &store->hi, store->first_start, cut);
    rc = rt_walk_open(&walk, store, bs_buf_bytes(&store->lo), bs_buf_bytes(&store->hi), false, err);
    while (rc == 0 && *ret_count < EXPIRE_BATCH) {
        rc = rt_walk_next(&walk, &row, &cell, err);
        if (rc != 0)
            break;
        bs_buf_put_u32(rows, (uint32_t)row.len);
        bs_buf_put(rows, row.ptr, row.len);
        ++*ret_count;
    }
    rt_walk_close(&walk);
    return rc < 0 ? rc : 0;
}

static int delete_due(struct rt_store *store, const struct bs_buf *rows, size_t count,
                      struct bs_error *err)
{
    struct bs_cursor at = bs_cursor(bs_buf_bytes(rows));
    struct bs_buf key = BS_BUF_INIT;
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        struct bs_bytes index, null = {0};
        uint32_t len = 0;
        int64_t start;
        (void)bs_get_u32(&at, &len);
        (void)bs_get_bytes(&at, len, &index);
        rc = rt_key_index_parse(index, &key, &start);
        if (rc != 0) {
            bs_error_set(err, rc, "store %s: an index row is damaged", store->spec.name);
            break;
        }
        rc = rt_table_put(store, index, null, start, false, err);
        rt_key_window(&store->row, bs_buf_bytes(&key), start);
        if (rc == 0)
            rc = rt_table_put(store, bs_buf_bytes(&store->row), null, start, true, err);
    }
    bs_buf_deinit(&key);
    return rc;
}

/* Where the oldest row behind `cut` starts, so that the next call knows without a walk, and walks
 * from there: what was deleted before it is not stepped over again. */
static int learn_first(struct rt_store *store, int64_t cut, struct bs_error *err)
{
    struct rt_walk walk;
    struct bs_bytes row;
    struct rt_cell cell;
    struct bs_buf key = BS_BUF_INIT;
    int rc;
    rt_key_index_range(&store->lo, &store->hi, cut < INT64_MAX ? cut + 1 : cut, INT64_MAX);
    rc = rt_walk_open(&walk, store, bs_buf_bytes(&store->lo), bs_buf_bytes(&store->hi), false, err);
    if (rc == 0)
        rc = rt_walk_next(&walk, &row, &cell, err);
    if (rc == 1) {
        store->first_start = INT64_MAX;
        rc = 0;
    } else if (rc == 0) {
        rc = rt_key_index_parse(row, &key, &store->first_start);
        if (rc != 0)
            bs_error_set(err, rc, "store %s: an index row is damaged", store->spec.name);
    }
    rt_walk_close(&walk);
    bs_buf_deinit(&key);
    return rc;
}

int rt_window_expire(struct rt_store *store, int64_t stream_time, struct bs_error *err)
{
    int64_t cut = behind(store, stream_time > store->observed ? stream_time : store->observed);
    struct bs_buf rows = BS_BUF_INIT;
    size_t count = 0;
    int rc = 0;
    if (cut == INT64_MIN || store->first_start > cut)
        return 0;
    do {
        rc = collect_due(store, cut, &rows, &count, err);
        if (rc == 0)
            rc = delete_due(store, &rows, count, err);
    } while (rc == 0 && count == EXPIRE_BATCH);
    if (rc == 0)
        rc = learn_first(store, cut, err);
    bs_buf_deinit(&rows);
    return rc;
}
