/* One RocksDB; rocks.h says what is in it. Format of the rows:
 *
 *   id(2) row              → timestamp(8) value
 *   0(2) 's' name          → id(2)
 *   0(2) 'p' name          → changelog position(8): the offset to read on from
 *   0(2) 'o' name          → observed time(8)
 *   0(2) 'v'               → version(2) of this format
 *
 * Numbers are big endian. Reads may come from any thread; the collected batch belongs to the owner
 * of the database. */
#include "runtime/state/rocks.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <rocksdb/c.h>
#include <stdlib.h>

enum { FORMAT_VERSION = 1, ID_LEN = 2, TIMESTAMP_LEN = 8 };
enum { META_STORE = 's', META_VERSION = 'v' };

struct rt_rocks_shared {
    rocksdb_cache_t *cache;
    rocksdb_block_based_table_options_t *table;
    rocksdb_options_t *options;
};

struct rt_rocks {
    rocksdb_t *db;
    char *path;
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write;
    rocksdb_writebatch_t *batch;
    struct bs_buf key; /* of the batch */
    uint16_t last_id;
};

struct rocks_base {
    struct rt_base base;
    struct rt_rocks *rocks;
    uint16_t id;
    rocksdb_pinnableslice_t *pinned;
    struct bs_buf key;
};

struct rt_base_iter {
    rocksdb_iterator_t *iter;
    rocksdb_readoptions_t *read;
    struct bs_buf lo, hi; /* the bounds that RocksDB looks at while it walks */
    bool backward;
    const char *path;
};

struct rt_rocks_shared *rt_rocks_shared_new(const struct rt_rocks_options *options)
{
    struct rt_rocks_shared *shared = bs_new(struct rt_rocks_shared);
    rocksdb_options_t *o = shared->options = rocksdb_options_create();
    shared->cache = rocksdb_cache_create_lru(options->block_cache_bytes);
    shared->table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(shared->table, shared->cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(shared->table, 1);
    rocksdb_block_based_options_set_filter_policy(shared->table,
                                                  rocksdb_filterpolicy_create_bloom(10));
    rocksdb_options_set_block_based_table_factory(o, shared->table);
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_write_buffer_size(o, options->write_buffer_bytes);
    rocksdb_options_set_max_write_buffer_number(o, 2);
    rocksdb_options_set_arena_block_size(o, 64 << 10);
    rocksdb_options_set_allow_concurrent_memtable_write(o, 0);
    rocksdb_options_set_max_total_wal_size(o, 4 * options->write_buffer_bytes);
    rocksdb_options_set_max_background_jobs(o, 2);
    rocksdb_options_set_max_open_files(o, 128);
    rocksdb_options_set_table_cache_numshardbits(o, 2);
    rocksdb_options_set_compression(o, rocksdb_lz4_compression);
    rocksdb_options_set_keep_log_file_num(o, 2);
    /* Nothing goes into its own log: its errors come to us, and a second write to that file on a
     * full disk is an assertion, which ends the program. */
    rocksdb_options_set_info_log_level(o, 5);
    /* Otherwise each database keeps a thread only to write statistics. */
    rocksdb_options_set_stats_dump_period_sec(o, 0);
    rocksdb_options_set_stats_persist_period_sec(o, 0);
    return shared;
}

void rt_rocks_shared_free(struct rt_rocks_shared *shared)
{
    if (!shared)
        return;
    rocksdb_options_destroy(shared->options);
    rocksdb_block_based_options_destroy(shared->table);
    rocksdb_cache_destroy(shared->cache);
    bs_free(shared);
}

/* Takes RocksDB's text over. */
static int fail(struct bs_error *err, const char *path, char *text)
{
    int code = strstr(text, "No space left")                                    ? BS_ENOSPC
               : strstr(text, "LOCK") || strstr(text, "lock")                   ? BS_EBUSY
               : strstr(text, "Corruption") || strstr(text, "Invalid argument") ? BS_ECORRUPT
                                                                                : BS_EIO;
    const char *hint = "";
    if (code == BS_EBUSY)
        hint = "\n  hint: another worker has this folder; give each its own state.dir";
    else if (code == BS_ECORRUPT)
        hint = "\n  hint: delete the folder; it is built again from the changelog topics";
    bs_error_set(err, code, "state store %s: %s%s", path, text, hint);
    rocksdb_free(text);
    return code;
}

static void put_id(struct bs_buf *key, uint16_t id)
{
    bs_buf_reset(key);
    bs_buf_put_u16(key, id);
}

static void meta_key(struct bs_buf *key, uint8_t kind, const char *name)
{
    put_id(key, 0);
    bs_buf_put_u8(key, kind);
    bs_buf_puts(key, name);
}

/* A number of `len` ≤ 8 bytes: 0, 1 absent, BS_E…. */
static int read_meta(struct rt_rocks *rocks, uint8_t kind, const char *name, size_t len,
                     uint64_t *ret, struct bs_error *err)
{
    struct bs_buf key = BS_BUF_INIT;
    char *text = NULL, *value;
    size_t got = 0;
    int rc = 1;
    meta_key(&key, kind, name);
    value = rocksdb_get(rocks->db, rocks->read, (const char *)key.data, key.len, &got, &text);
    *ret = 0;
    if (text) {
        rc = fail(err, rocks->path, text);
    } else if (value && got != len) {
        rc = bs_error_set(err, BS_ECORRUPT, "state store %s: %c %s has %zu bytes, not %zu",
                          rocks->path, kind, name, got, len);
    } else if (value) {
        for (size_t i = 0; i < len; i++)
            *ret = *ret << 8 | (uint8_t)value[i];
        rc = 0;
    }
    rocksdb_free(value);
    bs_buf_deinit(&key);
    return rc;
}

static void put_meta(struct rt_rocks *rocks, uint8_t kind, const char *name, size_t len,
                     uint64_t value)
{
    char bytes[8];
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(value >> 8 * (len - 1 - i));
    meta_key(&rocks->key, kind, name);
    rocksdb_writebatch_put(rocks->batch, (const char *)rocks->key.data, rocks->key.len, bytes, len);
}

/* The version, and the highest id given so far. */
static int read_ids(struct rt_rocks *rocks, struct bs_error *err)
{
    rocksdb_iterator_t *iter;
    uint64_t version;
    int rc = read_meta(rocks, META_VERSION, "", 2, &version, err);
    if (rc == 1) {
        put_meta(rocks, META_VERSION, "", 2, FORMAT_VERSION);
        return rt_rocks_write(rocks, err);
    }
    if (rc == 0 && version != FORMAT_VERSION)
        rc = bs_error_set(err, BS_EUNSUPPORTED,
                          "state store %s has format %d, this program knows %d\n  hint: delete the "
                          "folder; it is built again from the changelog topics",
                          rocks->path, (int)version, FORMAT_VERSION);
    if (rc != 0)
        return rc;
    iter = rocksdb_create_iterator(rocks->db, rocks->read);
    for (rocksdb_iter_seek(iter, "\0\0s", 3); rocksdb_iter_valid(iter); rocksdb_iter_next(iter)) {
        size_t key_len, len;
        const char *key = rocksdb_iter_key(iter, &key_len);
        const char *value = rocksdb_iter_value(iter, &len);
        if (key_len < 3 || memcmp(key, "\0\0s", 3) != 0)
            break;
        if (len == 2 && bs_load_u16((const uint8_t *)value) > rocks->last_id)
            rocks->last_id = bs_load_u16((const uint8_t *)value);
    }
    rocksdb_iter_destroy(iter);
    return 0;
}

int rt_rocks_open(struct rt_rocks_shared *shared, const char *path, struct rt_rocks **ret,
                  struct bs_error *err)
{
    struct rt_rocks *rocks = bs_new(struct rt_rocks);
    char *text = NULL;
    int rc;
    rocks->path = bs_strdup(path);
    rocks->read = rocksdb_readoptions_create();
    rocks->write = rocksdb_writeoptions_create();
    rocks->batch = rocksdb_writebatch_create();
    rocks->db = rocksdb_open(shared->options, path, &text);
    rc = text ? fail(err, path, text) : read_ids(rocks, err);
    if (rc != 0) {
        rt_rocks_close(rocks);
        rocks = NULL;
    }
    *ret = rocks;
    return rc;
}

void rt_rocks_close(struct rt_rocks *rocks)
{
    if (!rocks)
        return;
    if (rocks->db)
        rocksdb_close(rocks->db);
    rocksdb_writebatch_destroy(rocks->batch);
    rocksdb_writeoptions_destroy(rocks->write);
    rocksdb_readoptions_destroy(rocks->read);
    bs_buf_deinit(&rocks->key);
    bs_free(rocks->path);
    bs_free(rocks);
}

int rt_rocks_store_id(struct rt_rocks *rocks, const char *name, uint16_t *ret, struct bs_error *err)
{
    uint64_t id;
    int rc = read_meta(rocks, META_STORE, name, ID_LEN, &id, err);
    if (rc == 1) {
        if (rocks->last_id == UINT16_MAX)
            return bs_error_set(err, BS_ELIMIT, "state store %s has had %d stores already",
                                rocks->path, UINT16_MAX);
        id = ++rocks->last_id;
        put_meta(rocks, META_STORE, name, ID_LEN, id);
        rc = rt_rocks_write(rocks, err);
    }
    *ret = (uint16_t)id;
    return rc;
}

int rt_rocks_number(struct rt_rocks *rocks, enum rt_rocks_number kind, const char *name,
                    int64_t missing, int64_t *ret, struct bs_error *err)
{
    uint64_t value;
    int rc = read_meta(rocks, (uint8_t)kind, name, 8, &value, err);
    *ret = rc == 0 ? (int64_t)value : missing;
    return rc < 0 ? rc : 0;
}

void rt_rocks_put_number(struct rt_rocks *rocks, enum rt_rocks_number kind, const char *name,
                         int64_t value)
{
    put_meta(rocks, (uint8_t)kind, name, 8, (uint64_t)value);
}

void rt_rocks_put(struct rt_rocks *rocks, uint16_t id, struct bs_bytes row, struct bs_bytes value,
                  int64_t timestamp)
{
    uint8_t stamp[TIMESTAMP_LEN], prefix[ID_LEN];
    const char *keys[2] = {(const char *)prefix, (const char *)row.ptr};
    const char *values[2] = {(const char *)stamp, (const char *)value.ptr};
    size_t key_lens[2] = {ID_LEN, row.len}, value_lens[2] = {TIMESTAMP_LEN, value.len};
    bs_store_u16(prefix, id);
    bs_store_u64(stamp, (uint64_t)timestamp);
    if (value.ptr) {
        rocksdb_writebatch_putv(rocks->batch, 2, keys, key_lens, 2, values, value_lens);
        return;
    }
    put_id(&rocks->key, id);
    bs_buf_put(&rocks->key, row.ptr, row.len);
    rocksdb_writebatch_delete(rocks->batch, (const char *)rocks->key.data, rocks->key.len);
}

void rt_rocks_wipe(struct rt_rocks *rocks, uint16_t id)
{
    uint8_t lo[ID_LEN], hi[ID_LEN + 1];
    bs_store_u16(lo, id);
    bs_store_u16(hi, id);
    hi[ID_LEN] = 0xff; /* rows begin with 'i' or 'r' */
    rocksdb_writebatch_delete_range(rocks->batch, (const char *)lo, ID_LEN, (const char *)hi,
                                    sizeof hi);
}

int rt_rocks_write(struct rt_rocks *rocks, struct bs_error *err)
{
    char *text = NULL;
    if (rocksdb_writebatch_count(rocks->batch) == 0)
        return 0;
    rocksdb_write(rocks->db, rocks->write, rocks->batch, &text);
    rocksdb_writebatch_clear(rocks->batch);
    return text ? fail(err, rocks->path, text) : 0;
}

static int parse_cell(const char *value, size_t len, const char *path, struct rt_cell *ret,
                      struct bs_error *err)
{
    if (len < TIMESTAMP_LEN)
        return bs_error_set(err, BS_ECORRUPT, "state store %s: a row has %zu bytes", path, len);
    ret->timestamp = (int64_t)bs_load_u64((const uint8_t *)value);
    ret->value = bs_bytes(value + TIMESTAMP_LEN, len - TIMESTAMP_LEN);
    return 0;
}

static int base_get(struct rt_base *self, struct bs_bytes row, struct rt_cell *ret,
                    struct bs_error *err)
{
    struct rocks_base *base = (struct rocks_base *)self;
    char *text = NULL;
    const char *value;
    size_t len;
    *ret = (struct rt_cell){0};
    rocksdb_pinnableslice_destroy(base->pinned);
    put_id(&base->key, base->id);
    bs_buf_put(&base->key, row.ptr, row.len);
    base->pinned = rocksdb_get_pinned(base->rocks->db, base->rocks->read,
                                      (const char *)base->key.data, base->key.len, &text);
    if (text)
        return fail(err, base->rocks->path, text);
    if (!base->pinned)
        return 0;
    value = rocksdb_pinnableslice_value(base->pinned, &len);
    return parse_cell(value, len, base->rocks->path, ret, err);
}

static int base_walk(struct rt_base *self, struct bs_bytes lo, struct bs_bytes hi, bool backward,
                     struct rt_base_iter **ret, struct bs_error *err)
{
    struct rocks_base *base = (struct rocks_base *)self;
    struct rt_base_iter *iter = bs_new(struct rt_base_iter);
    (void)err;
    iter->backward = backward;
    iter->path = base->rocks->path;
    put_id(&iter->lo, base->id);
    bs_buf_put(&iter->lo, lo.ptr, lo.len);
    put_id(&iter->hi, base->id);
    bs_buf_put(&iter->hi, hi.ptr, hi.len);
    iter->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_iterate_lower_bound(iter->read, (const char *)iter->lo.data,
                                                iter->lo.len);
    rocksdb_readoptions_set_iterate_upper_bound(iter->read, (const char *)iter->hi.data,
                                                iter->hi.len);
    iter->iter = rocksdb_create_iterator(base->rocks->db, iter->read);
    if (backward)
        rocksdb_iter_seek_to_last(iter->iter);
    else
        rocksdb_iter_seek_to_first(iter->iter);
    *ret = iter;
    return 0;
}

static int base_at(struct rt_base_iter *iter, struct bs_bytes *ret_key, struct rt_cell *ret,
                   struct bs_error *err)
{
    const char *key, *value;
    size_t key_len, len;
    char *text = NULL;
    if (!rocksdb_iter_valid(iter->iter)) {
        rocksdb_iter_get_error(iter->iter, &text);
        return text ? fail(err, iter->path, text) : 1;
    }
    key = rocksdb_iter_key(iter->iter, &key_len);
    value = rocksdb_iter_value(iter->iter, &len);
    *ret_key = bs_bytes(key + ID_LEN, key_len - ID_LEN);
    return parse_cell(value, len, iter->path, ret, err);
}

static void base_step(struct rt_base_iter *iter)
{
    if (iter->backward)
        rocksdb_iter_prev(iter->iter);
    else
        rocksdb_iter_next(iter->iter);
}

static void base_stop(struct rt_base_iter *iter)
{
    rocksdb_iter_destroy(iter->iter);
    rocksdb_readoptions_destroy(iter->read);
    bs_buf_deinit(&iter->lo);
    bs_buf_deinit(&iter->hi);
    bs_free(iter);
}

static const struct rt_base_ops OPS = {
    .get = base_get, .walk = base_walk, .at = base_at, .step = base_step, .stop = base_stop};

struct rt_base *rt_rocks_base_new(struct rt_rocks *rocks, uint16_t id)
{
    struct rocks_base *base = bs_new(struct rocks_base);
    base->base.ops = &OPS;
    base->rocks = rocks;
    base->id = id;
    return &base->base;
}

void rt_rocks_base_free(struct rt_base *self)
{
    struct rocks_base *base = (struct rocks_base *)self;
    if (!base)
        return;
    rocksdb_pinnableslice_destroy(base->pinned);
    bs_buf_deinit(&base->key);
    bs_free(base);
}
