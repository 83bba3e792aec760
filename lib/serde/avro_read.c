/* Avro reader: binary → value, skipping, and views of fields (Avro specification 1.12, "Binary
 * encoding").
 *
 * sd_avro_read copies the datum once into the arena and lets all strings be slices of the copy.
 * Lengths are checked against the bytes that are left before anything is allocated; items that take
 * no bytes are bounded by SD_EMPTY_ITEMS_MAX; depth by SD_DEPTH_MAX. */
#include "lib/serde/avro_binary.h"

#include <stdio.h>

/* What a value may take in memory: values without bytes (null, empty records) multiply. */
enum { MEMORY_FREE = 16 << 20, MEMORY_PER_BYTE = 512 };

int sd_avro_fail(struct bs_error *err, const struct sd_path *path, int code, const char *fmt, ...)
{
    char where[256], what[512];
    va_list ap;
    if (err == NULL)
        return code;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return bs_error_set(err, code, "Avro, at %s: %s", sd_path_text(path, where, sizeof where),
                        what);
}

static int truncated(const struct sd_avro_reader *r, const struct sd_path *path,
                     const struct sd_node *node)
{
    return sd_avro_fail(r->err, path, BS_ETRUNCATED, "the data ends inside a value of type %s",
                        node->name ? node->name : sd_avro_name(node->kind));
}

struct bs_bytes sd_avro_keep(const struct sd_avro_reader *r, struct bs_bytes view)
{
    return r->borrow ? view : bs_bytes(bs_arena_dup(r->arena, view.ptr, view.len), view.len);
}

int sd_avro_too_large(const struct sd_avro_reader *r, const struct sd_path *path)
{
    return sd_avro_fail(r->err, path, BS_ELIMIT,
                        "the value takes more than %zu bytes of memory for its few encoded bytes",
                        r->arena_max);
}

void sd_avro_reader_init(struct sd_avro_reader *r, struct bs_cursor at, struct bs_arena *arena,
                         bool borrow, struct bs_error *err)
{
    size_t left = bs_cursor_left(&at);
    *r = (struct sd_avro_reader){.at = at, .arena = arena, .borrow = borrow, .err = err};
    r->arena_max = bs_arena_used(arena) + MEMORY_FREE +
                   (left < SIZE_MAX / 4 / MEMORY_PER_BYTE ? left * MEMORY_PER_BYTE : SIZE_MAX / 4);
}

int sd_avro_get_slice(struct sd_avro_reader *r, const struct sd_path *path, struct bs_bytes *ret)
{
    int64_t len;
    int rc = sd_get_long(&r->at, &len);
    if (rc < 0)
        return sd_avro_fail(r->err, path, rc, "the data ends inside a length");
    if (len < 0 || (uint64_t)len > bs_cursor_left(&r->at))
        return sd_avro_fail(r->err, path, len < 0 ? BS_ECORRUPT : BS_ETRUNCATED,
                            "a length of %lld with %zu bytes left", (long long)len,
                            bs_cursor_left(&r->at));
    *ret = bs_bytes(r->at.at, (size_t)len);
    r->at.at += len;
    return 0;
}

/* Who skips a block believes its size: who reads it must come to the same place. */
int sd_avro_get_block(struct sd_avro_reader *r, const struct sd_path *path, bool empty_items,
                      size_t total, struct sd_avro_block *block)
{
    int64_t count, size;
    size_t most;
    int rc;
    if (block->end && block->end != r->at.at)
        return sd_avro_fail(r->err, path, BS_ECORRUPT,
                            "the items of a block do not have the size that it tells");
    block->end = NULL;
    rc = sd_get_long(&r->at, &count);
    if (rc == 0 && count < 0) { /* a negative count is followed by the block's size in bytes */
        if (count == INT64_MIN)
            return sd_avro_fail(r->err, path, BS_ECORRUPT, "the count of items is out of range");
        count = -count;
        rc = sd_get_long(&r->at, &size);
        if (rc == 0 && (size < 0 || (uint64_t)size > bs_cursor_left(&r->at)))
            return sd_avro_fail(r->err, path, BS_ECORRUPT,
                                "a block of %lld bytes with %zu bytes left", (long long)size,
                                bs_cursor_left(&r->at));
        if (rc == 0)
            block->end = r->at.at + size;
    }
    if (rc < 0)
        return sd_avro_fail(r->err, path, rc, "the data ends inside a count of items");
    most = empty_items ? (total < SD_EMPTY_ITEMS_MAX ? SD_EMPTY_ITEMS_MAX - total : 0)
                       : bs_cursor_left(&r->at);
    if ((uint64_t)count > most)
        return sd_avro_fail(r->err, path, BS_ECORRUPT, "%lld items with %zu bytes left",
                            (long long)count, bs_cursor_left(&r->at));
    block->count = (size_t)count;
    return 0;
}

static int get_real(struct sd_avro_reader *r, const struct sd_node *node,
                    const struct sd_path *path, struct sd_value *ret)
{
    size_t size = node->kind == SD_AVRO_FLOAT ? 4 : 8;
    const uint8_t *p = r->at.at;
    uint64_t bits = 0;
    if (bs_cursor_left(&r->at) < size)
        return truncated(r, path, node);
    for (size_t i = size; i-- > 0;)
        bits = bits << 8 | p[i];
    r->at.at += size;
    if (size == 4) {
        uint32_t low = (uint32_t)bits;
        float single;
        memcpy(&single, &low, sizeof single);
        ret->type = SD_FLOAT;
        ret->real = single;
    } else {
        ret->type = SD_DOUBLE;
        memcpy(&ret->real, &bits, sizeof ret->real);
    }
    return 0;
}

static int get_integer(struct sd_avro_reader *r, const struct sd_node *node,
                       const struct sd_path *path, struct sd_value *ret)
{
    int rc = sd_get_long(&r->at, &ret->number);
    if (rc < 0)
        return truncated(r, path, node);
    if (node->kind == SD_AVRO_INT && (ret->number < INT32_MIN || ret->number > INT32_MAX))
        return sd_avro_fail(r->err, path, BS_ECORRUPT, "%lld is not an int of 32 bits",
                            (long long)ret->number);
    ret->type = SD_LONG;
    return 0;
}

static int get_record(struct sd_avro_reader *r, const struct sd_node *node,
                      const struct sd_path *path, unsigned depth, struct sd_value *ret)
{
    const struct sd_node_more *more = sd_more(node);
    struct sd_field *fields;
    if (bs_arena_used(r->arena) > r->arena_max)
        return sd_avro_too_large(r, path);
    fields = bs_arena_alloc(r->arena, node->field_count * sizeof *fields);
    ret->type = SD_RECORD;
    ret->map.fields = fields;
    ret->map.count = node->field_count;
    for (size_t i = 0; i < node->field_count; i++) {
        struct sd_path here = {.up = path, .name = more->more[i].name};
        int rc;
        fields[i].name = more->more[i].name;
        rc = sd_avro_get_value(r, node->fields[i].type, &here, depth + 1, &fields[i].value);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int sd_avro_next_block(struct sd_avro_reader *r, const struct sd_path *path,
                       struct sd_avro_list *list)
{
    size_t wanted;
    void *old = list->items;
    int rc = sd_avro_get_block(r, path, list->empty_items, list->count, &list->block);
    if (rc < 0 || list->block.count == 0)
        return rc;
    if (bs_arena_used(r->arena) > r->arena_max)
        return sd_avro_too_large(r, path);
    wanted = list->count + list->block.count;
    if (wanted <= list->cap)
        return 0;
    list->cap = wanted > list->cap * 2 ? wanted : list->cap * 2;
    list->items = bs_arena_alloc(r->arena, list->cap * list->size);
    if (list->count)
        memcpy(list->items, old, list->count * list->size);
    return 0;
}

static int get_array(struct sd_avro_reader *r, const struct sd_node *node,
                     const struct sd_path *path, unsigned depth, struct sd_value *ret)
{
    struct sd_avro_list list = {.size = sizeof *ret, .empty_items = sd_more(node->items)->empty};
    int rc;
    while ((rc = sd_avro_next_block(r, path, &list)) == 0 && list.block.count) {
        struct sd_value *items = list.items;
        for (size_t i = 0; i < list.block.count; i++, list.count++) {
            struct sd_path here = {.up = path, .index = list.count};
            rc = sd_avro_get_value(r, node->items, &here, depth + 1, &items[list.count]);
            if (rc < 0)
                return rc;
        }
    }
    ret->type = SD_ARRAY;
    ret->array.items = list.items;
    ret->array.count = list.count;
    return rc;
}

static int get_map(struct sd_avro_reader *r, const struct sd_node *node, const struct sd_path *path,
                   unsigned depth, struct sd_value *ret)
{
    struct sd_avro_list list = {.size = sizeof *ret->map.fields};
    int rc;
    while ((rc = sd_avro_next_block(r, path, &list)) == 0 && list.block.count) {
        struct sd_field *field = (struct sd_field *)list.items + list.count;
        for (size_t i = 0; i < list.block.count; i++, list.count++, field++) {
            struct sd_path here = {.up = path};
            if ((rc = sd_avro_get_slice(r, path, &field->name)) < 0)
                return rc;
            here.name = field->name = sd_avro_keep(r, field->name);
            rc = sd_avro_get_value(r, node->items, &here, depth + 1, &field->value);
            if (rc < 0)
                return rc;
        }
    }
    ret->type = SD_MAP;
    ret->map.fields = list.items;
    ret->map.count = list.count;
    return rc;
}

static int get_enum(struct sd_avro_reader *r, const struct sd_node *node,
                    const struct sd_path *path, struct sd_value *ret)
{
    int64_t index;
    if (sd_get_long(&r->at, &index) < 0)
        return truncated(r, path, node);
    if (index < 0 || (uint64_t)index >= node->symbol_count)
        return sd_avro_fail(r->err, path, BS_ECORRUPT, "symbol %lld of enum %s, which has %zu",
                            (long long)index, node->name, node->symbol_count);
    ret->type = SD_STRING;
    ret->bytes = sd_more(node)->symbol_text[index];
    return 0;
}

static int get_union(struct sd_avro_reader *r, const struct sd_node *node,
                     const struct sd_path *path, unsigned depth, struct sd_value *ret)
{
    const struct sd_node *branch;
    int64_t index;
    int rc;
    if (sd_get_long(&r->at, &index) < 0)
        return truncated(r, path, node);
    if (index < 0 || (uint64_t)index >= node->branch_count)
        return sd_avro_fail(r->err, path, BS_ECORRUPT, "branch %lld of a union that has %zu",
                            (long long)index, node->branch_count);
    branch = node->branches[index];
    rc = sd_avro_get_value(r, branch, path, depth + 1, ret);
    if (sd_more(node)->ambiguous)
        ret->branch = branch->name ? branch->name : sd_avro_name(branch->kind);
    return rc;
}

static int get_fixed(struct sd_avro_reader *r, const struct sd_node *node,
                     const struct sd_path *path, struct sd_value *ret)
{
    if (bs_cursor_left(&r->at) < node->size)
        return truncated(r, path, node);
    ret->type = SD_BYTES;
    ret->bytes = sd_avro_keep(r, bs_bytes(r->at.at, node->size));
    r->at.at += node->size;
    return 0;
}

int sd_avro_get_value(struct sd_avro_reader *r, const struct sd_node *node,
                      const struct sd_path *path, unsigned depth, struct sd_value *ret)
{
    int rc;
    ret->type = SD_NULL;
    ret->branch = NULL;
    if (depth > SD_DEPTH_MAX)
        return sd_avro_fail(r->err, path, BS_ELIMIT, "nested deeper than %d", SD_DEPTH_MAX);
    switch (node->kind) {
    case SD_AVRO_NULL:
        return 0;
    case SD_AVRO_BOOLEAN:
        if (r->at.at == r->at.end)
            return truncated(r, path, node);
        if (*r->at.at > 1)
            return sd_avro_fail(r->err, path, BS_ECORRUPT, "a boolean is 0 or 1, not %u",
                                *r->at.at);
        ret->type = SD_BOOL;
        ret->boolean = *r->at.at++ != 0;
        return 0;
    case SD_AVRO_INT:
    case SD_AVRO_LONG:
        return get_integer(r, node, path, ret);
    case SD_AVRO_FLOAT:
    case SD_AVRO_DOUBLE:
        return get_real(r, node, path, ret);
    case SD_AVRO_BYTES:
    case SD_AVRO_STRING:
        if ((rc = sd_avro_get_slice(r, path, &ret->bytes)) < 0)
            return rc;
        ret->bytes = sd_avro_keep(r, ret->bytes);
        ret->type = node->kind == SD_AVRO_BYTES ? SD_BYTES : SD_STRING;
        return 0;
    case SD_AVRO_RECORD:
        return get_record(r, node, path, depth, ret);
    case SD_AVRO_ENUM:
        return get_enum(r, node, path, ret);
    case SD_AVRO_ARRAY:
        return get_array(r, node, path, depth, ret);
    case SD_AVRO_MAP:
        return get_map(r, node, path, depth, ret);
    case SD_AVRO_UNION:
        return get_union(r, node, path, depth, ret);
    case SD_AVRO_FIXED:
        return get_fixed(r, node, path, ret);
    }
    return BS_EINVAL;
}

int sd_avro_get(const struct sd_node *schema, struct bs_cursor *at, struct bs_arena *arena,
                struct sd_value *ret, struct bs_error *err)
{
    struct sd_avro_reader r;
    struct sd_path root = {0};
    int rc;
    sd_avro_reader_init(&r, *at, arena, false, err);
    rc = sd_avro_get_value(&r, schema, &root, 0, ret);
    if (rc == 0)
        *at = r.at;
    return rc;
}

int sd_avro_read(const struct sd_node *schema, struct bs_bytes bytes, struct bs_arena *arena,
                 struct sd_value *ret, struct bs_error *err)
{
    struct bs_bytes copy = bs_bytes(bs_arena_dup(arena, bytes.ptr, bytes.len), bytes.len);
    struct sd_avro_reader r;
    struct sd_path root = {0};
    int rc;
    sd_avro_reader_init(&r, bs_cursor(copy), arena, true, err);
    rc = sd_avro_get_value(&r, schema, &root, 0, ret);
    if (rc == 0 && bs_cursor_left(&r.at))
        rc = sd_avro_fail(err, &root, BS_ECORRUPT, "%zu bytes follow the value",
                          bs_cursor_left(&r.at));
    return rc;
}

/* ---- skipping ---- */

static int skip_bytes(struct bs_cursor *at, uint64_t len)
{
    if (len > bs_cursor_left(at))
        return BS_ETRUNCATED;
    at->at += len;
    return 0;
}

static int skip_slice(struct bs_cursor *at)
{
    int64_t len;
    int rc = sd_get_long(at, &len);
    if (rc < 0)
        return rc;
    return len < 0 ? BS_ECORRUPT : skip_bytes(at, (uint64_t)len);
}

static int skip_blocks(const struct sd_node *node, struct bs_cursor *at, unsigned depth)
{
    bool map = node->kind == SD_AVRO_MAP, empty = !map && sd_more(node->items)->empty;
    int64_t count, size;
    size_t total = 0;
    int rc;
    while ((rc = sd_get_long(at, &count)) == 0 && count) {
        if (count < 0) {
            if ((rc = sd_get_long(at, &size)) < 0)
                return rc;
            if (size < 0 || (rc = skip_bytes(at, (uint64_t)size)) < 0)
                return size < 0 ? BS_ECORRUPT : rc;
            continue;
        }
        if ((uint64_t)count > (empty ? SD_EMPTY_ITEMS_MAX - total : bs_cursor_left(at)))
            return BS_ECORRUPT;
        total += empty ? (size_t)count : 0;
        for (int64_t i = 0; i < count && !empty; i++) {
            if (map && (rc = skip_slice(at)) < 0)
                return rc;
            if ((rc = sd_avro_skip_value(node->items, at, depth + 1)) < 0)
                return rc;
        }
    }
    return rc;
}

int sd_avro_skip_value(const struct sd_node *node, struct bs_cursor *at, unsigned depth)
{
    int64_t number;
    int rc = 0;
    if (depth > SD_DEPTH_MAX)
        return BS_ELIMIT;
    switch (node->kind) {
    case SD_AVRO_NULL:
        return 0;
    case SD_AVRO_BOOLEAN:
        return skip_bytes(at, 1);
    case SD_AVRO_INT:
    case SD_AVRO_LONG:
    case SD_AVRO_ENUM:
        return sd_get_long(at, &number);
    case SD_AVRO_FLOAT:
        return skip_bytes(at, 4);
    case SD_AVRO_DOUBLE:
        return skip_bytes(at, 8);
    case SD_AVRO_BYTES:
    case SD_AVRO_STRING:
        return skip_slice(at);
    case SD_AVRO_FIXED:
        return skip_bytes(at, node->size);
    case SD_AVRO_RECORD:
        for (size_t i = 0; i < node->field_count && rc == 0; i++)
            rc = sd_avro_skip_value(node->fields[i].type, at, depth + 1);
        return rc;
    case SD_AVRO_ARRAY:
    case SD_AVRO_MAP:
        return skip_blocks(node, at, depth);
    case SD_AVRO_UNION:
        if ((rc = sd_get_long(at, &number)) < 0)
            return rc;
        if (number < 0 || (uint64_t)number >= node->branch_count)
            return BS_ECORRUPT;
        return sd_avro_skip_value(node->branches[number], at, depth + 1);
    }
    return BS_EINVAL;
}

int sd_avro_skip(const struct sd_node *schema, struct bs_cursor *at)
{
    struct bs_cursor c = *at;
    int rc = sd_avro_skip_value(schema, &c, 0);
    if (rc == 0)
        *at = c;
    return rc;
}

int sd_avro_field(const struct sd_node *record, struct bs_bytes record_bytes, size_t field,
                  struct bs_bytes *ret)
{
    struct bs_cursor c = bs_cursor(record_bytes);
    const uint8_t *from;
    int rc;
    if (record->kind != SD_AVRO_RECORD || field >= record->field_count)
        return BS_EINVAL;
    for (size_t i = 0; i < field; i++)
        if ((rc = sd_avro_skip_value(record->fields[i].type, &c, 1)) < 0)
            return rc;
    from = c.at;
    if ((rc = sd_avro_skip_value(record->fields[field].type, &c, 1)) < 0)
        return rc;
    *ret = bs_bytes(from, (size_t)(c.at - from));
    return 0;
}
