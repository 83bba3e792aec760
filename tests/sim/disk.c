/* Sim disk: see disk.h. A node holds what the program sees (`now`), what the platter holds (`kept`)
 * and the operations between the two. Names are two maps likewise, with operations between. */
#include "tests/sim/disk.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <string.h>
#include <uthash.h>

enum op_kind { OP_WRITE, OP_TRUNCATE };

struct op {
    enum op_kind kind;
    int64_t at; /* or the size */
    uint8_t *data;
    size_t len;
};

struct node {
    bool folder;
    struct bs_buf now, kept;
    struct op *ops;
    size_t op_count, op_cap;
    struct node *next_all;
};

struct name {
    char *path;
    struct node *node;
    UT_hash_handle hh;
};

struct name_op {
    char *dir, *from, *to; /* from NULL: made; to NULL: removed */
    struct node *node;
};

struct io_file {
    struct node *node;
    char *path;
    bool lock;
};

struct sync {
    struct node *node;
    size_t op_count;
    io_sync_done *done;
    void *ctx;
};

struct sim_disk {
    struct io_files base;
    struct sim_rng *rng;
    struct name *now, *kept;
    struct name_op *name_ops;
    size_t name_op_count, name_op_cap;
    struct node *all;
    struct sync *syncs;
    size_t sync_count, sync_cap;
    int64_t effects, crash_at, space;
    bool crashed, fail_sync;
    uint64_t hash;
};

uint64_t sim_rng_next(struct sim_rng *rng)
{
    uint64_t z = rng->s += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t sim_rng_below(struct sim_rng *rng, uint64_t n)
{
    return n ? sim_rng_next(rng) % n : 0;
}

bool sim_rng_chance(struct sim_rng *rng, unsigned percent)
{
    return sim_rng_below(rng, 100) < percent;
}

/* ---- maps
 * ---------------------------------------------------------------------------------------- */

static struct name *map_find(struct name *map, const char *path)
{
    struct name *n = NULL;
    HASH_FIND_STR(map, path, n);
    return n;
}

static void map_drop(struct name **map, const char *path)
{
    struct name *n = map_find(*map, path);
    if (!n)
        return;
    HASH_DEL(*map, n);
    bs_free(n->path);
    bs_free(n);
}

static void map_put(struct name **map, const char *path, struct node *node)
{
    map_drop(map, path);
    struct name *n = bs_new(struct name);
    n->path = bs_strdup(path);
    n->node = node;
    HASH_ADD_KEYPTR(hh, *map, n->path, strlen(n->path), n);
}

static void map_rename(struct name **map, const char *from, const char *to)
{
    size_t len = strlen(from);
    struct name *n, *tmp, *moved = NULL;
    HASH_ITER (hh, *map, n, tmp)
        if (strncmp(n->path, from, len) == 0 && (n->path[len] == '\0' || n->path[len] == '/')) {
            char *path = bs_asprintf("%s%s", to, n->path + len);
            map_put(&moved, path, n->node);
            bs_free(path);
            HASH_DEL(*map, n);
            bs_free(n->path);
            bs_free(n);
        }
    HASH_ITER (hh, moved, n, tmp) {
        map_put(map, n->path, n->node);
        HASH_DEL(moved, n);
        bs_free(n->path);
        bs_free(n);
    }
}

static void map_clear(struct name **map)
{
    struct name *n, *tmp;
    HASH_ITER (hh, *map, n, tmp) {
        HASH_DEL(*map, n);
        bs_free(n->path);
        bs_free(n);
    }
}

static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return bs_strndup(path, slash ? (size_t)(slash - path) : 0);
}

static void name_apply(struct name **map, const struct name_op *op)
{
    if (op->from && op->to)
        map_rename(map, op->from, op->to);
    else if (op->to)
        map_put(map, op->to, op->node);
    else
        map_drop(map, op->from);
}

/* ---- effects
 * -------------------------------------------------------------------------------------- */

/* An effect is about to happen; false: the machine has stopped. */
static bool effect(struct sim_disk *disk, const char *what, uint64_t detail)
{
    if (disk->crashed)
        return false;
    if (disk->crash_at >= 0 && disk->effects >= disk->crash_at) {
        disk->crashed = true;
        return false;
    }
    disk->effects++;
    for (; *what; what++)
        disk->hash = (disk->hash ^ (uint8_t)*what) * 0x100000001b3;
    disk->hash = (disk->hash ^ detail) * 0x100000001b3;
    return true;
}

static int stopped(struct bs_error *err)
{
    return bs_error_set(err, BS_EIO, "the simulated machine has stopped");
}

static void name_op_add(struct sim_disk *disk, const char *from, const char *to, struct node *node)
{
    if (disk->name_op_count == disk->name_op_cap) {
        disk->name_op_cap = disk->name_op_cap ? disk->name_op_cap * 2 : 32;
        disk->name_ops = bs_realloc(disk->name_ops, disk->name_op_cap * sizeof *disk->name_ops);
    }
    struct name_op *op = &disk->name_ops[disk->name_op_count++];
    *op = (struct name_op){
        .dir = parent_of(to ? to : from),
        .from = bs_strdup(from),
        .to = bs_strdup(to),
        .node = node,
    };
    name_apply(&disk->now, op);
}

static void name_op_free(struct name_op *op)
{
    bs_free(op->dir);
    bs_free(op->from);
    bs_free(op->to);
}

static struct node *node_new(struct sim_disk *disk, bool folder)
{
    struct node *node = bs_new(struct node);
    node->folder = folder;
    node->next_all = disk->all;
    disk->all = node;
    return node;
}

static void bytes_apply(struct bs_buf *buf, const struct op *op, size_t len)
{
    size_t end = (size_t)op->at + (op->kind == OP_WRITE ? len : 0);
    if (end > buf->len) {
        size_t more = end - buf->len;
        memset(bs_buf_reserve(buf, more), 0, more);
        buf->len = end;
    }
    if (op->kind == OP_TRUNCATE)
        buf->len = (size_t)op->at;
    else if (len)
        memcpy(buf->data + op->at, op->data, len);
}

static void node_op(struct node *node, enum op_kind kind, int64_t at, const void *data, size_t len)
{
    if (node->op_count == node->op_cap) {
        node->op_cap = node->op_cap ? node->op_cap * 2 : 16;
        node->ops = bs_realloc(node->ops, node->op_cap * sizeof *node->ops);
    }
    struct op *op = &node->ops[node->op_count++];
    *op =
        (struct op){.kind = kind, .at = at, .data = len ? bs_memdup(data, len) : NULL, .len = len};
    bytes_apply(&node->now, op, len);
}

/* The first `count` operations reach the platter, or are forgotten. */
static void node_settle(struct node *node, size_t count, bool keep)
{
    for (size_t i = 0; i < count; i++) {
        if (keep)
            bytes_apply(&node->kept, &node->ops[i], node->ops[i].len);
        bs_free(node->ops[i].data);
    }
    if (count < node->op_count)
        memmove(node->ops, node->ops + count, (node->op_count - count) * sizeof *node->ops);
    node->op_count -= count;
}

/* ---- port
 * ------------------------------------------------------------------------------------------ */

#define DISK(self) ((struct sim_disk *)(self))

static int disk_open(struct io_files *self, const char *path, unsigned flags,
                     struct io_file **ret_file, struct bs_error *err)
{
    struct sim_disk *disk = DISK(self);
    if (disk->crashed)
        return stopped(err);
    struct name *name = map_find(disk->now, path);
    if (!name && !(flags & IO_OPEN_CREATE))
        return bs_error_set(err, BS_ENOTFOUND, "open %s: no such file", path);
    if (name && (flags & IO_OPEN_EXCLUSIVE))
        return bs_error_set(err, BS_EEXIST, "open %s: exists", path);
    struct node *node = name ? name->node : NULL;
    if (!node) {
        if (!effect(disk, "create", strlen(path)))
            return stopped(err);
        node = node_new(disk, false);
        name_op_add(disk, NULL, path, node);
    }
    if ((flags & IO_OPEN_TRUNCATE) && node->now.len > 0) {
        if (!effect(disk, "empty", 0))
            return stopped(err);
        node_op(node, OP_TRUNCATE, 0, NULL, 0);
    }
    struct io_file *file = bs_new(struct io_file);
    file->node = node;
    file->path = bs_strdup(path);
    *ret_file = file;
    return 0;
}

static void disk_close(struct io_files *self, struct io_file *file)
{
    (void)self;
    if (file)
        bs_free(file->path);
    bs_free(file);
}

static int disk_read_at(struct io_files *self, struct io_file *file, void *out, size_t len,
                        int64_t at, size_t *ret_len, struct bs_error *err)
{
    if (DISK(self)->crashed)
        return stopped(err);
    const struct bs_buf *now = &file->node->now;
    size_t have = (size_t)at < now->len ? now->len - (size_t)at : 0;
    *ret_len = len < have ? len : have;
    if (*ret_len)
        memcpy(out, now->data + at, *ret_len);
    return 0;
}

static int disk_write_at(struct io_files *self, struct io_file *file, const struct iovec *vec,
                         size_t count, int64_t at, struct bs_error *err)
{
    struct sim_disk *disk = DISK(self);
    struct bs_buf all = BS_BUF_INIT;
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        bs_buf_put(&all, vec[i].iov_base, vec[i].iov_len);
    size_t len = all.len;
    if (!effect(disk, "write", (uint64_t)at ^ len)) {
        rc = stopped(err);
        goto done;
    }
    if (disk->space >= 0 && (int64_t)len > disk->space) {
        len = (size_t)disk->space; /* a part of it is there */
        rc = bs_error_set(err, BS_ENOSPC, "write %s: no space left", file->path);
    }
    if (disk->space >= 0)
        disk->space -= (int64_t)len;
    node_op(file->node, OP_WRITE, at, all.data, len);
done:
    bs_buf_deinit(&all);
    return rc;
}

static int disk_truncate(struct io_files *self, struct io_file *file, int64_t size,
                         struct bs_error *err)
{
    struct sim_disk *disk = DISK(self);
    if (!effect(disk, "truncate", (uint64_t)size))
        return stopped(err);
    if (disk->space >= 0 && size < (int64_t)file->node->now.len)
        disk->space += (int64_t)file->node->now.len - size;
    node_op(file->node, OP_TRUNCATE, size, NULL, 0);
    return 0;
}

static int disk_size(struct io_files *self, struct io_file *file, int64_t *ret_size,
                     struct bs_error *err)
{
    if (DISK(self)->crashed)
        return stopped(err);
    *ret_size = (int64_t)file->node->now.len;
    return 0;
}

static int sync_node(struct sim_disk *disk, struct node *node, size_t op_count)
{
    if (!effect(disk, "sync", op_count))
        return BS_EIO;
    bool keep = !disk->fail_sync;
    disk->fail_sync = false;
    if (op_count > node->op_count)
        op_count = node->op_count;
    node_settle(node, op_count, keep);
    if (!keep) { /* the port drops what the system still shows but the platter never got */
        bs_buf_reset(&node->now);
        bs_buf_put(&node->now, node->kept.data, node->kept.len);
        for (size_t i = 0; i < node->op_count; i++)
            bytes_apply(&node->now, &node->ops[i], node->ops[i].len);
    }
    return keep ? 0 : BS_EIO;
}

static int disk_sync(struct io_files *self, struct io_file *file, struct bs_error *err)
{
    int rc = sync_node(DISK(self), file->node, file->node->op_count);
    return rc ? bs_error_set(err, rc, "sync %s", file->path) : 0;
}

static void disk_sync_start(struct io_files *self, struct io_file *file, io_sync_done *done,
                            void *ctx)
{
    struct sim_disk *disk = DISK(self);
    if (disk->sync_count == disk->sync_cap) {
        disk->sync_cap = disk->sync_cap ? disk->sync_cap * 2 : 16;
        disk->syncs = bs_realloc(disk->syncs, disk->sync_cap * sizeof *disk->syncs);
    }
    disk->syncs[disk->sync_count++] = (struct sync){
        .node = file->node, .op_count = file->node->op_count, .done = done, .ctx = ctx};
}

static int disk_rename(struct io_files *self, const char *from, const char *to,
                       struct bs_error *err)
{
    struct sim_disk *disk = DISK(self);
    if (!map_find(disk->now, from))
        return bs_error_set(err, BS_ENOTFOUND, "rename %s: no such file", from);
    if (!effect(disk, "rename", strlen(to)))
        return stopped(err);
    name_op_add(disk, from, to, NULL);
    return 0;
}

static int disk_unlink(struct io_files *self, const char *path, struct bs_error *err)
{
    struct sim_disk *disk = DISK(self);
    struct name *name = map_find(disk->now, path);
    if (!name)
        return bs_error_set(err, BS_ENOTFOUND, "remove %s: no such file", path);
    if (!effect(disk, "unlink", strlen(path)))
        return stopped(err);
    if (disk->space >= 0)
        disk->space += (int64_t)name->node->now.len;
    name_op_add(disk, path, NULL, NULL);
    return 0;
}

static int disk_mkdir(struct io_files *self, const char *path, struct bs_error *err)
{
    struct sim_disk *disk = DISK(self);
    if (map_find(disk->now, path))
        return 0;
    if (!effect(disk, "mkdir", strlen(path)))
        return stopped(err);
    name_op_add(disk, NULL, path, node_new(disk, true));
    return 0;
}

static int disk_sync_dir(struct io_files *self, const char *path, struct bs_error *err)
{
    struct sim_disk *disk = DISK(self);
    if (!effect(disk, "sync_dir", 0))
        return stopped(err);
    size_t left = 0;
    for (size_t i = 0; i < disk->name_op_count; i++) {
        if (strcmp(disk->name_ops[i].dir, path) != 0) {
            disk->name_ops[left++] = disk->name_ops[i];
            continue;
        }
        name_apply(&disk->kept, &disk->name_ops[i]);
        name_op_free(&disk->name_ops[i]);
    }
    disk->name_op_count = left;
    return 0;
}

static int disk_list(struct io_files *self, const char *dir, io_list_entry *entry, void *ctx,
                     struct bs_error *err)
{
    struct sim_disk *disk = DISK(self);
    if (disk->crashed)
        return stopped(err);
    size_t len = strlen(dir), count = 0;
    struct name *n, *tmp;
    char **names = bs_array(HASH_COUNT(disk->now) + 1, sizeof *names);
    HASH_ITER (hh, disk->now, n, tmp)
        if (strncmp(n->path, dir, len) == 0 && n->path[len] == '/' &&
            !strchr(n->path + len + 1, '/'))
            names[count++] = bs_strdup(n->path + len + 1);
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        if (!rc)
            rc = entry(ctx, names[i]);
        bs_free(names[i]);
    }
    bs_free(names);
    return rc;
}

static int remove_one(void *ctx, const char *path)
{
    struct io_files *self = ((void **)ctx)[0];
    char *full = bs_asprintf("%s/%s", ((char **)ctx)[1], path);
    int rc = disk_unlink(self, full, NULL);
    bs_free(full);
    return rc;
}

static void disk_remove_later(struct io_files *self, const char *path)
{
    struct name *name = map_find(DISK(self)->now, path);
    void *ctx[] = {self, (void *)path};
    if (name && (!name->node->folder || disk_list(self, path, remove_one, ctx, NULL) == 0))
        disk_unlink(self, path, NULL);
}

static int disk_stat(struct io_files *self, const char *path, int64_t *ret_size,
                     int64_t *ret_mtime_ms, struct bs_error *err)
{
    struct name *name = map_find(DISK(self)->now, path);
    if (!name)
        return bs_error_set(err, BS_ENOTFOUND, "stat %s: no such file", path);
    *ret_size = (int64_t)name->node->now.len;
    *ret_mtime_ms = 0;
    return 0;
}

static int disk_free_space(struct io_files *self, const char *path, int64_t *ret_bytes,
                           struct bs_error *err)
{
    (void)path;
    (void)err;
    *ret_bytes = DISK(self)->space >= 0 ? DISK(self)->space : INT64_MAX;
    return 0;
}

static int disk_lock(struct io_files *self, const char *path, struct io_file **ret_file,
                     struct bs_error *err)
{
    return disk_open(self, path, IO_OPEN_WRITE | IO_OPEN_CREATE, ret_file, err);
}

struct sim_disk *sim_disk_new(struct sim_rng *rng)
{
    struct sim_disk *disk = bs_new(struct sim_disk);
    disk->rng = rng;
    disk->crash_at = disk->space = -1;
    disk->hash = 0xcbf29ce484222325;
    disk->base = (struct io_files){
        .open = disk_open,
        .close = disk_close,
        .read_at = disk_read_at,
        .write_at = disk_write_at,
        .truncate = disk_truncate,
        .size = disk_size,
        .sync = disk_sync,
        .sync_start = disk_sync_start,
        .rename = disk_rename,
        .unlink = disk_unlink,
        .remove_later = disk_remove_later,
        .mkdir = disk_mkdir,
        .rmdir = disk_unlink,
        .sync_dir = disk_sync_dir,
        .list = disk_list,
        .stat = disk_stat,
        .free_space = disk_free_space,
        .lock = disk_lock,
    };
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    map_clear(&disk->now);
    map_clear(&disk->kept);
    for (size_t i = 0; i < disk->name_op_count; i++)
        name_op_free(&disk->name_ops[i]);
    while (disk->all) {
        struct node *node = disk->all;
        disk->all = node->next_all;
        node_settle(node, node->op_count, false);
        bs_free(node->ops);
        bs_buf_deinit(&node->now);
        bs_buf_deinit(&node->kept);
        bs_free(node);
    }
    bs_free(disk->name_ops);
    bs_free(disk->syncs);
    bs_free(disk);
}

struct io_files *sim_disk_files(struct sim_disk *disk)
{
    return &disk->base;
}

/* ---- control
 * ---------------------------------------------------------------------------------------- */

size_t sim_disk_syncs(const struct sim_disk *disk)
{
    return disk->sync_count;
}

void sim_disk_sync_end(struct sim_disk *disk, size_t i)
{
    struct sync sync = disk->syncs[i];
    disk->syncs[i] = disk->syncs[--disk->sync_count];
    sync.done(sync.ctx, sync_node(disk, sync.node, sync.op_count));
}

void sim_disk_crash_after(struct sim_disk *disk, int64_t effects)
{
    disk->crash_at = effects < 0 ? -1 : disk->effects + effects;
}

bool sim_disk_crashed(const struct sim_disk *disk)
{
    return disk->crashed;
}

void sim_disk_set_space(struct sim_disk *disk, int64_t bytes)
{
    disk->space = bytes;
}

void sim_disk_fail_sync(struct sim_disk *disk)
{
    disk->fail_sync = true;
}

int64_t sim_disk_effects(const struct sim_disk *disk)
{
    return disk->effects;
}

uint64_t sim_disk_hash(const struct sim_disk *disk)
{
    return disk->hash;
}

/* What of the unsynced operations the platter got: a prefix, or (one in three) any of them; one of
 * those at the edge is torn. */
static void node_crash(struct sim_disk *disk, struct node *node)
{
    bool any = sim_rng_chance(disk->rng, 33);
    size_t keep = sim_rng_below(disk->rng, node->op_count + 1);
    for (size_t i = 0; i < node->op_count; i++) {
        const struct op *op = &node->ops[i];
        bool whole = any ? sim_rng_chance(disk->rng, 50) : i < keep;
        if (whole)
            bytes_apply(&node->kept, op, op->len);
        else if (op->kind == OP_WRITE && sim_rng_chance(disk->rng, any ? 20 : 50) &&
                 (any || i == keep))
            bytes_apply(&node->kept, op, sim_rng_below(disk->rng, op->len + 1));
    }
    node_settle(node, node->op_count, false);
    bs_buf_reset(&node->now);
    bs_buf_put(&node->now, node->kept.data, node->kept.len);
}

static bool has_parents(const struct sim_disk *disk, const char *path)
{
    char *dir = parent_of(path);
    bool ok = true;
    while (ok && *dir) {
        const struct name *n = map_find(disk->kept, dir);
        ok = n && n->node->folder;
        char *up = parent_of(dir);
        bs_free(dir);
        dir = up;
    }
    bs_free(dir);
    return ok;
}

void sim_disk_restart_program(struct sim_disk *disk)
{
    disk->sync_count = 0;
    disk->crashed = disk->fail_sync = false;
    disk->crash_at = disk->space = -1;
}

void sim_disk_restart(struct sim_disk *disk)
{
    size_t keep = sim_rng_below(disk->rng, disk->name_op_count + 1);
    for (size_t i = 0; i < disk->name_op_count; i++) {
        if (i < keep)
            name_apply(&disk->kept, &disk->name_ops[i]);
        name_op_free(&disk->name_ops[i]);
    }
    disk->name_op_count = 0;
    disk->sync_count = 0;
    disk->crashed = disk->fail_sync = false;
    disk->crash_at = disk->space = -1;
    struct name *n, *tmp;
    map_clear(&disk->now);
    HASH_ITER (hh, disk->kept, n, tmp)
        if (has_parents(disk, n->path))
            map_put(&disk->now, n->path, n->node);
    map_clear(&disk->kept);
    HASH_ITER (hh, disk->now, n, tmp)
        map_put(&disk->kept, n->path, n->node);
    for (struct node *node = disk->all; node; node = node->next_all)
        node_crash(disk, node);
}
