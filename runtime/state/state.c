/* All stores of one task; state.h says when they move.
 *
 * Invariants: the positions in RocksDB are those of the rows beside them, since one batch writes
 * both; stores in memory have no position and start from their changelog's beginning. The database
 * is opened when the first store needs it. Owner: the task's thread. */
#include "runtime/state/state.h"

#include "lib/base/mem.h"
#include "runtime/state/key.h"
#include "runtime/state/memory.h"
#include "runtime/state/table.h"

struct slot {
    struct rt_store *store;
    struct rt_base *base;
    uint16_t id; /* in RocksDB; 0: in memory */
    int64_t position;
    int64_t observed; /* as it is on disk */
};

struct rt_state {
    struct slot *slots;
    size_t count;
    struct rt_rocks *rocks;
};

static int open_slot(struct rt_state *state, struct slot *slot, const struct rt_store_spec *spec,
                     const struct rt_state_options *options, struct bs_error *err)
{
    int rc = 0;
    slot->position = -1;
    slot->observed = INT64_MIN;
    if (spec->in_memory) {
        slot->base = rt_memory_base_new();
    } else {
        if (!state->rocks)
            rc = rt_rocks_open(options->rocks, options->dir, &state->rocks, err);
        if (rc == 0)
            rc = rt_rocks_store_id(state->rocks, spec->name, &slot->id, err);
        if (rc == 0)
            rc = rt_rocks_number(state->rocks, RT_ROCKS_POSITION, spec->name, -1, &slot->position,
                                 err);
        if (rc == 0)
            rc = rt_rocks_number(state->rocks, RT_ROCKS_OBSERVED, spec->name, INT64_MIN,
                                 &slot->observed, err);
        if (rc != 0)
            return rc;
        slot->base = rt_rocks_base_new(state->rocks, slot->id);
    }
    slot->store =
        rt_table_new(spec, RT_TABLE_OVERLAY, slot->base, options->cache_bytes / options->spec_count,
                     options->change, options->change_ctx);
    slot->store->observed = slot->observed;
    return 0;
}

int rt_state_open(const struct rt_state_options *options, struct rt_state **ret,
                  struct bs_error *err)
{
    struct rt_state *state = bs_new(struct rt_state);
    int rc = 0;
    state->slots = bs_array(options->spec_count, sizeof *state->slots);
    for (; state->count < options->spec_count && rc == 0; state->count++)
        rc = open_slot(state, &state->slots[state->count], &options->specs[state->count], options,
                       err);
    if (rc != 0) {
        rt_state_close(state);
        state = NULL;
    }
    *ret = state;
    return rc;
}

void rt_state_close(struct rt_state *state)
{
    if (!state)
        return;
    for (size_t i = 0; i < state->count; i++) {
        struct slot *slot = &state->slots[i];
        rt_store_free(slot->store);
        if (slot->id)
            rt_rocks_base_free(slot->base);
        else
            rt_memory_base_free(slot->base);
    }
    rt_rocks_close(state->rocks);
    bs_free(state->slots);
    bs_free(state);
}

size_t rt_state_count(const struct rt_state *state)
{
    return state->count;
}

struct rt_store *rt_state_store(struct rt_state *state, size_t i)
{
    return state->slots[i].store;
}

struct rt_store *rt_state_find(struct rt_state *state, const char *name)
{
    for (size_t i = 0; i < state->count; i++)
        if (strcmp(state->slots[i].store->spec.name, name) == 0)
            return state->slots[i].store;
    return NULL;
}

int rt_state_flush(struct rt_state *state, struct bs_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < state->count && rc == 0; i++)
        rc = rt_table_flush(state->slots[i].store, err);
    return rc;
}

size_t rt_state_uncommitted_bytes(const struct rt_state *state)
{
    size_t bytes = 0;
    for (size_t i = 0; i < state->count; i++)
        bytes += state->slots[i].store->map.dirty_bytes;
    return bytes;
}

static void collect(struct rt_state *state, struct slot *slot)
{
    struct rt_store *store = slot->store;
    for (struct rt_entry *entry = store->map.dirty; entry; entry = entry->dirty_next) {
        if (slot->id)
            rt_rocks_put(state->rocks, slot->id, rt_entry_key(entry), rt_entry_value(entry),
                         entry->timestamp);
        else
            rt_memory_base_put(slot->base, rt_entry_key(entry), rt_entry_value(entry),
                               entry->timestamp);
    }
    if (slot->id && store->observed != slot->observed)
        rt_rocks_put_number(state->rocks, RT_ROCKS_OBSERVED, store->spec.name, store->observed);
}

int rt_state_commit(struct rt_state *state, const int64_t *positions, struct bs_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < state->count; i++) {
        struct slot *slot = &state->slots[i];
        collect(state, slot);
        if (slot->id && positions[i] >= 0 && positions[i] != slot->position)
            rt_rocks_put_number(state->rocks, RT_ROCKS_POSITION, slot->store->spec.name,
                                positions[i]);
    }
    if (state->rocks)
        rc = rt_rocks_write(state->rocks, err);
    for (size_t i = 0; i < state->count && rc == 0; i++) {
        struct slot *slot = &state->slots[i];
        rt_table_committed(slot->store);
        slot->observed = slot->store->observed;
        if (positions[i] >= 0)
            slot->position = positions[i];
    }
    return rc;
}

void rt_state_abort(struct rt_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        struct slot *slot = &state->slots[i];
        rt_table_dropped(slot->store);
        slot->store->observed = slot->observed;
        slot->store->first_start = INT64_MIN; /* to be learnt by the next expiry */
    }
}

int64_t rt_state_position(const struct rt_state *state, size_t i)
{
    return state->slots[i].position;
}

int rt_state_wipe(struct rt_state *state, size_t i, struct bs_error *err)
{
    struct slot *slot = &state->slots[i];
    int rc = 0;
    rt_table_dropped(slot->store);
    if (slot->id) {
        rt_rocks_wipe(state->rocks, slot->id);
        rt_rocks_put_number(state->rocks, RT_ROCKS_POSITION, slot->store->spec.name, -1);
        rt_rocks_put_number(state->rocks, RT_ROCKS_OBSERVED, slot->store->spec.name, INT64_MIN);
        rc = rt_rocks_write(state->rocks, err);
    } else {
        rt_memory_base_wipe(slot->base);
    }
    slot->position = -1;
    slot->observed = slot->store->observed = INT64_MIN;
    slot->store->first_start = INT64_MIN;
    return rc;
}

int rt_state_restore(struct rt_state *state, size_t i, struct bs_bytes key, struct bs_bytes value,
                     int64_t timestamp, struct bs_error *err)
{
    struct rt_store *store = state->slots[i].store;
    struct bs_bytes plain;
    int64_t start;
    int rc;
    if (!key.ptr)
        return bs_error_set(err, BS_ECORRUPT, "changelog of store %s: a record has no key",
                            store->spec.name);
    store->restoring = true;
    if (store->spec.kind == RT_STORE_KV) {
        rc = rt_store_put(store, key, value, timestamp, err);
    } else if (rt_key_window_changelog_parse(key, &plain, &start) != 0) {
        rc = bs_error_set(err, BS_ECORRUPT,
                          "changelog of store %s: a key of %zu bytes is not that of a window",
                          store->spec.name, key.len);
    } else {
        rc = rt_window_put(store, plain, start, value, timestamp, err);
        if (rc == 1)
            rc = 0;
    }
    store->restoring = false;
    return rc;
}
