/* Versioned: tables that keep the rows of the past, so that a stream's record is joined with the
 * row that held at its own time.
 *
 * A version stands in the table's store under u32 length of the key, key, u64 timestamp (big
 * endian, so that versions of a key lie in order), as u8 1 and the row, or u8 0 for a deletion. A
 * record older than the newest timestamp by more than the history retention changes nothing;
 * versions that no reader may ask for any more go with the next write of their key. The pipeline's
 * thread. */
#include "runtime/task/operator.h"

#include <string.h>

static void put_key(struct bs_buf *out, struct bs_bytes key, int64_t timestamp)
{
    out->len = 0;
    bs_buf_put_u32(out, (uint32_t)key.len);
    bs_buf_put(out, key.ptr, key.len);
    bs_buf_put_u64(out, (uint64_t)timestamp);
}

/* The newest version at or before `until`: 0, or 1 when there is none. */
static int find(struct rt_task *task, const struct rt_node *node, struct bs_bytes key,
                int64_t until, struct bs_bytes *ret, int64_t *ret_timestamp, struct bs_error *err)
{
    struct bs_buf *first = &task->row, *last = &task->note;
    struct rt_iter *iter = NULL;
    struct rt_row row;
    put_key(first, key, 0);
    put_key(last, key, until);
    int rc = rt_store_range(rt_node_store(task, node), bs_buf_bytes(first), bs_buf_bytes(last),
                            true, &iter, err);
    if (rc)
        return rc;
    rc = rt_iter_next(iter, &row, err);
    if (!rc) {
        *ret = rt_keep(task, row.value);
        *ret_timestamp = row.timestamp;
    }
    rt_iter_close(iter);
    return rc;
}

/* After a restart: the newest timestamp among the versions. */
static int find_observed(struct rt_task *task, const struct rt_node *node, struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    struct rt_iter *iter = NULL;
    struct rt_row row;
    if (state->observed_known)
        return 0;
    int rc = rt_store_range(state->store, bs_bytes(NULL, 0), bs_bytes(NULL, 0), false, &iter, err);
    while (!rc && (rc = rt_iter_next(iter, &row, err)) == 0)
        if (row.timestamp > state->observed)
            state->observed = row.timestamp;
    rt_iter_close(iter);
    state->observed_known = true;
    return rc == 1 ? 0 : rc;
}

int rt_versioned_get(struct rt_task *task, const struct rt_node *node, struct bs_bytes key,
                     int64_t as_of, struct bs_bytes *ret, int64_t *ret_timestamp,
                     struct bs_error *err)
{
    const struct rt_node_state *state = &task->states[node->index];
    struct bs_bytes own = rt_keep(task, key);
    int rc = find_observed(task, node, err);
    rc = rc ? rc : find(task, node, own, INT64_MAX, ret, ret_timestamp, err);
    if (!rc && *ret_timestamp > as_of) {
        /* The newest version is always found, older ones as long as they are kept. */
        if (as_of < state->observed - node->versioned_ms)
            return 1;
        rc = find(task, node, own, as_of, ret, ret_timestamp, err);
    }
    if (rc)
        return rc;
    if (!ret->len || !ret->ptr[0])
        return 1;
    *ret = bs_bytes(ret->ptr + 1, ret->len - 1);
    return 0;
}

/* Deletes the versions before the one that held at `limit`. */
static int trim(struct rt_task *task, const struct rt_node *node, struct bs_bytes key,
                int64_t limit, struct bs_error *err)
{
    struct rt_store *store = rt_node_store(task, node);
    struct bs_bytes row;
    int64_t held = 0;
    if (limit < 0)
        return 0;
    int rc = find(task, node, key, limit, &row, &held, err);
    while (!rc && held > 0) {
        int64_t older = 0;
        rc = find(task, node, key, held - 1, &row, &older, err);
        if (rc)
            break;
        put_key(&task->row, key, older);
        rc = rt_store_put(store, bs_buf_bytes(&task->row), bs_bytes(NULL, 0), older, err);
    }
    return rc == 1 ? 0 : rc;
}

int rt_versioned_put(struct rt_task *task, const struct rt_node *node, struct bs_bytes key,
                     struct bs_bytes row, int64_t timestamp, struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    struct bs_bytes own = rt_keep(task, key);
    int rc = find_observed(task, node, err);
    if (rc)
        return rc;
    if (timestamp > state->observed)
        state->observed = timestamp;
    if (timestamp < state->observed - node->versioned_ms)
        return RT_VERSION_EXPIRED;
    struct bs_bytes newest;
    int64_t newest_timestamp = 0;
    rc = find(task, node, own, INT64_MAX, &newest, &newest_timestamp, err);
    if (rc < 0)
        return rc;
    bool past = rc == 0 && newest_timestamp > timestamp;
    uint8_t *version = bs_arena_alloc(&task->arena, row.len + 1);
    version[0] = row.ptr != NULL;
    if (row.len)
        memcpy(version + 1, row.ptr, row.len);
    put_key(&task->row, own, timestamp);
    rc = rt_store_put(rt_node_store(task, node), bs_buf_bytes(&task->row),
                      bs_bytes(version, row.len + 1), timestamp, err);
    rc = rc ? rc : trim(task, node, own, state->observed - node->versioned_ms, err);
    return rc ? rc : past ? RT_VERSION_PAST : 0;
}
