/* Buffer: the stream's side of a join with grace. A record waits until the stream's own time has
 * passed its timestamp by the grace, so that rows of the table that come later but are older still
 * count; then it is joined, in the order of timestamps.
 *
 * A row of the join's store: key u64 timestamp, u64 sequence (big endian); value u8 key tag, u32
 * length of the key, key, u32 count of headers, per header u32 length and name, u32 length (all
 * ones: null) and value, then the flat value. One more row, of key 0xff, holds the stream's time at
 * the last commit. The pipeline's thread. */
#include "runtime/task/operator.h"

#include <string.h>

static const uint8_t observed_key[] = {0xff};

/* Finds time and sequence again after a restart. */
static int open_buffer(struct rt_task *task, const struct rt_node *node, struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    struct rt_iter *iter = NULL;
    struct rt_row row;
    struct bs_bytes value;
    int64_t timestamp = 0;
    if (state->observed_known)
        return 0;
    int rc = rt_store_get(state->store, bs_bytes(observed_key, 1), &value, &timestamp, err);
    if (rc < 0)
        return rc;
    if (!rc && timestamp > state->observed)
        state->observed = timestamp;
    rc = rt_store_range(state->store, bs_bytes(NULL, 0), bs_bytes(NULL, 0), false, &iter, err);
    while (!rc && (rc = rt_iter_next(iter, &row, err)) == 0) {
        if (row.key.len != 16)
            continue;
        if (row.timestamp > state->observed)
            state->observed = row.timestamp;
        if (bs_load_u64(row.key.ptr + 8) >= state->sequence)
            state->sequence = bs_load_u64(row.key.ptr + 8) + 1;
    }
    rt_iter_close(iter);
    state->observed_known = true;
    return rc == 1 ? 0 : rc;
}

static void put_slice(struct bs_buf *out, struct bs_bytes bytes)
{
    bs_buf_put_u32(out, bytes.ptr ? (uint32_t)bytes.len : UINT32_MAX);
    bs_buf_put(out, bytes.ptr, bytes.len);
}

static int get_slice(struct bs_cursor *at, struct bs_bytes *ret)
{
    uint32_t len = 0;
    *ret = bs_bytes(NULL, 0);
    if (bs_get_u32(at, &len))
        return BS_ECORRUPT;
    return len == UINT32_MAX ? 0 : bs_get_bytes(at, len, ret);
}

static int park(struct rt_task *task, const struct rt_node *node, const struct rt_update *update,
                struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    struct bs_buf *row = &task->row;
    uint8_t place[16], tag = 0;
    task->key.len = row->len = 0;
    bs_buf_reserve(&task->key, 1);
    int rc = rt_key_encode(&update->key, &task->arena, &task->key, &tag, err);
    if (rc)
        return rc;
    bs_buf_put_u8(row, tag);
    put_slice(row, bs_buf_bytes(&task->key));
    bs_buf_put_u32(row, (uint32_t)task->message->header_count);
    for (size_t i = 0; i < task->message->header_count; i++) {
        put_slice(row, task->message->headers[i].name);
        put_slice(row, task->message->headers[i].value);
    }
    rc = rt_datum_put(&update->value, &task->arena, row, err);
    if (rc)
        return rc;
    bs_store_u64(place, (uint64_t)update->timestamp);
    bs_store_u64(place + 8, state->sequence++);
    return rt_store_put(state->store, bs_bytes(place, 16), bs_buf_bytes(row), update->timestamp,
                        err);
}

static int unpack(struct rt_task *task, struct bs_bytes row, struct rt_update *update,
                  struct rt_message *message, struct bs_error *err)
{
    struct bs_cursor at = bs_cursor(row);
    struct bs_bytes key;
    uint8_t tag = 0;
    uint32_t count = 0;
    if (bs_get_u8(&at, &tag) || get_slice(&at, &key) || bs_get_u32(&at, &count) ||
        count > bs_cursor_left(&at))
        return bs_error_set(err, BS_ECORRUPT, "a buffered record cannot be read");
    struct rt_header *headers = bs_arena_array(&task->arena, count + 1, sizeof *headers);
    for (uint32_t i = 0; i < count; i++)
        if (get_slice(&at, &headers[i].name) || get_slice(&at, &headers[i].value))
            return bs_error_set(err, BS_ECORRUPT, "a buffered record cannot be read");
    message->headers = headers;
    message->header_count = count;
    int rc = rt_key_decode(task->pipeline, tag, key, &update->key, err);
    return rc ? rc
              : rt_flat_datum(task->pipeline, bs_bytes(at.at, bs_cursor_left(&at)), &update->value,
                              err);
}

/* The first record that is due: 0, or 1 when there is none. Takes it out. */
static int take_due(struct rt_task *task, const struct rt_node *node, struct bs_bytes *ret,
                    int64_t *ret_timestamp, struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    struct rt_iter *iter = NULL;
    struct rt_row row;
    uint8_t last[16];
    if (state->observed < node->grace_ms)
        return 1;
    memset(last, 0xff, sizeof last);
    bs_store_u64(last, (uint64_t)(state->observed - node->grace_ms));
    int rc = rt_store_range(state->store, bs_bytes(NULL, 0), bs_bytes(last, 16), false, &iter, err);
    if (rc)
        return rc;
    struct bs_bytes key = {0};
    rc = rt_iter_next(iter, &row, err);
    if (!rc) {
        key = rt_keep(task, row.key);
        *ret = rt_keep(task, row.value);
        *ret_timestamp = row.timestamp;
    }
    rt_iter_close(iter);
    return rc ? rc : rt_store_put(state->store, key, bs_bytes(NULL, 0), *ret_timestamp, err);
}

int rt_buffer_step(struct rt_task *task, const struct rt_node *node, struct rt_update *update,
                   rt_buffer_release *release, struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    int rc = open_buffer(task, node, err);
    if (rc)
        return rc;
    bool waits = update && !rt_datum_null(&update->key) &&
                 update->timestamp >= state->observed - node->grace_ms;
    if (update)
        rc = waits ? park(task, node, update, err) : release(task, node, update, err);
    struct bs_bytes row;
    int64_t timestamp = 0;
    const struct rt_message *current = task->message;
    struct rt_meta meta = task->meta;
    while (!rc && (rc = take_due(task, node, &row, &timestamp, err)) == 0) {
        struct rt_message message = *current;
        struct rt_update due = {.timestamp = timestamp};
        rc = unpack(task, row, &due, &message, err);
        if (rc)
            break;
        task->message = &message;
        task->meta.timestamp = timestamp;
        task->meta.headers = message.headers;
        task->meta.header_count = message.header_count;
        rc = release(task, node, &due, err);
        task->message = current;
        task->meta = meta;
    }
    return rc == 1 ? 0 : rc;
}

void rt_buffer_see(struct rt_task *task, const struct rt_node *node, int64_t timestamp)
{
    struct rt_node_state *state = &task->states[node->index];
    if (timestamp > state->observed) {
        state->observed = timestamp;
        state->observed_dirty = true;
    }
}

int rt_buffer_flush(struct rt_task *task, const struct rt_node *node, struct bs_error *err)
{
    struct rt_node_state *state = &task->states[node->index];
    if (!state->observed_dirty)
        return 0;
    state->observed_dirty = false;
    return rt_store_put(state->store, bs_bytes(observed_key, 1), bs_bytes(observed_key, 1),
                        state->observed, err);
}
