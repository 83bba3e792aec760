/* Stores of global tables. Invariants: a batch carries rows and the positions they belong to;
 * `writes` counts batches and is raised after a batch is in. It is the only atomic here: readers
 * compare it with what it was when their cache was filled, and may be one batch late, as a reader
 * of another partition always may. */
#include "runtime/state/global.h"

#include "lib/base/mem.h"
#include "runtime/state/key.h"
#include "runtime/state/table.h"

#include <stdatomic.h>
#include <stdio.h>

struct table {
    char *name;
    struct rt_store_spec spec;
    uint16_t id;
};

struct rt_globals {
    struct rt_rocks *rocks;
    struct table *tables;
    size_t count;
    struct bs_buf row;
    _Atomic uint64_t writes;
};

struct reader {
    struct rt_globals *globals;
    struct rt_base *base;
    uint64_t seen;
};

int rt_globals_open(struct rt_rocks_shared *rocks, const char *dir,
                    const struct rt_store_spec *specs, size_t count, struct rt_globals **ret,
                    struct bs_error *err)
{
    struct rt_globals *globals = bs_new(struct rt_globals);
    int rc = rt_rocks_open(rocks, dir, &globals->rocks, err);
    globals->tables = bs_array(count, sizeof *globals->tables);
    globals->count = count;
    for (size_t i = 0; i < count; i++) {
        globals->tables[i].name = bs_strdup(specs[i].name);
        globals->tables[i].spec = specs[i];
        globals->tables[i].spec.name = globals->tables[i].name;
        if (rc == 0)
            rc = rt_rocks_store_id(globals->rocks, specs[i].name, &globals->tables[i].id, err);
    }
    if (rc != 0) {
        rt_globals_close(globals);
        globals = NULL;
    }
    *ret = globals;
    return rc;
}

void rt_globals_close(struct rt_globals *globals)
{
    if (!globals)
        return;
    rt_rocks_close(globals->rocks);
    for (size_t i = 0; i < globals->count; i++)
        bs_free(globals->tables[i].name);
    bs_free(globals->tables);
    bs_buf_deinit(&globals->row);
    bs_free(globals);
}

static void position_name(const struct rt_globals *globals, size_t i, int32_t partition,
                          char out[300])
{
    snprintf(out, 300, "%s/%d", globals->tables[i].name, partition);
}

int rt_globals_position(struct rt_globals *globals, size_t i, int32_t partition, int64_t *ret,
                        struct bs_error *err)
{
    char name[300];
    position_name(globals, i, partition, name);
    return rt_rocks_number(globals->rocks, RT_ROCKS_POSITION, name, -1, ret, err);
}

void rt_globals_set_position(struct rt_globals *globals, size_t i, int32_t partition,
                             int64_t position)
{
    char name[300];
    position_name(globals, i, partition, name);
    rt_rocks_put_number(globals->rocks, RT_ROCKS_POSITION, name, position);
}

void rt_globals_put(struct rt_globals *globals, size_t i, struct bs_bytes key,
                    struct bs_bytes value, int64_t timestamp)
{
    rt_key_row(&globals->row, key);
    rt_rocks_put(globals->rocks, globals->tables[i].id, bs_buf_bytes(&globals->row), value,
                 timestamp);
}

int rt_globals_wipe(struct rt_globals *globals, size_t i, int32_t partition_count,
                    struct bs_error *err)
{
    rt_rocks_wipe(globals->rocks, globals->tables[i].id);
    for (int32_t p = 0; p < partition_count; p++)
        rt_globals_set_position(globals, i, p, -1);
    return rt_globals_write(globals, err);
}

int rt_globals_write(struct rt_globals *globals, struct bs_error *err)
{
    int rc = rt_rocks_write(globals->rocks, err);
    atomic_fetch_add_explicit(&globals->writes, 1, memory_order_release);
    return rc;
}

static bool reader_changed(void *ctx)
{
    struct reader *reader = ctx;
    uint64_t now = atomic_load_explicit(&reader->globals->writes, memory_order_acquire);
    bool changed = now != reader->seen;
    reader->seen = now;
    return changed;
}

struct rt_store *rt_globals_reader_new(struct rt_globals *globals, size_t i, size_t cache_bytes)
{
    struct reader *reader = bs_new(struct reader);
    struct rt_store *store;
    reader->globals = globals;
    reader->base = rt_rocks_base_new(globals->rocks, globals->tables[i].id);
    store = rt_table_new(&globals->tables[i].spec, RT_TABLE_READER, reader->base, cache_bytes, NULL,
                         NULL);
    store->changed = reader_changed;
    store->changed_ctx = reader;
    return store;
}

void rt_globals_reader_free(struct rt_store *store)
{
    struct reader *reader;
    if (!store)
        return;
    reader = store->changed_ctx;
    rt_store_free(store);
    rt_rocks_base_free(reader->base);
    bs_free(reader);
}
