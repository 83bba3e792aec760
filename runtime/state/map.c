/* The ordered map: a skip list whose levels are drawn with probability 1/4, with back links on the
 * lowest level. Invariant: `prev` of an entry is the one whose next[0] it is; an entry is in the
 * dirty list exactly when `dirty` is set. Owner: the thread of the store it belongs to. */
#include "runtime/state/map.h"

#include "lib/base/mem.h"

enum { ENTRY_OVERHEAD = 32 };

void rt_map_init(struct rt_map *map)
{
    *map = (struct rt_map){.height = 1, .random = 0x9e3779b97f4a7c15u};
    map->dirty_end = &map->dirty;
}

void rt_map_clear(struct rt_map *map)
{
    struct rt_entry *next;
    for (struct rt_entry *entry = map->head[0]; entry; entry = next) {
        next = entry->next[0];
        bs_free(entry->value);
        bs_free(entry);
    }
    memset(map->head, 0, sizeof map->head);
    map->height = 1;
    map->count = map->bytes = map->dirty_bytes = 0;
    map->dirty = NULL;
    map->dirty_end = &map->dirty;
}

void rt_map_deinit(struct rt_map *map)
{
    rt_map_clear(map);
}

static int draw_height(struct rt_map *map)
{
    int height = 1;
    map->random ^= map->random << 13;
    map->random ^= map->random >> 7;
    map->random ^= map->random << 17;
    for (uint64_t bits = map->random; height < RT_MAP_HEIGHT_MAX && (bits & 3) == 0; bits >>= 2)
        height++;
    return height;
}

/* The last entry before `key` (NULL: the head), and for each level the link that passes it. */
static struct rt_entry *find(const struct rt_map *map, struct bs_bytes key,
                             struct rt_entry **links[RT_MAP_HEIGHT_MAX])
{
    struct rt_entry *const *next = map->head;
    struct rt_entry *at = NULL;
    for (int level = map->height - 1; level >= 0; level--) {
        while (next[level] && bs_bytes_compare(rt_entry_key(next[level]), key) < 0) {
            at = next[level];
            next = at->next;
        }
        if (links)
            links[level] = (struct rt_entry **)&next[level];
    }
    return at;
}

struct rt_entry *rt_map_seek(const struct rt_map *map, struct bs_bytes key)
{
    struct rt_entry *before = find(map, key, NULL);
    return before ? before->next[0] : map->head[0];
}

struct rt_entry *rt_map_before(const struct rt_map *map, struct bs_bytes key)
{
    return find(map, key, NULL);
}

struct rt_entry *rt_map_get(const struct rt_map *map, struct bs_bytes key)
{
    struct rt_entry *entry = rt_map_seek(map, key);
    return entry && bs_bytes_equal(rt_entry_key(entry), key) ? entry : NULL;
}

static void set_value(struct rt_map *map, struct rt_entry *entry, struct bs_bytes value)
{
    if (!value.ptr) {
        map->bytes -= entry->value_cap;
        bs_free(entry->value);
        entry->value = NULL;
        entry->value_len = entry->value_cap = 0;
        return;
    }
    if (!entry->value || entry->value_cap < value.len) {
        /* The old value may be what is written: copy before it goes. */
        size_t cap = value.len ? value.len + value.len / 4 : 1;
        uint8_t *fresh = bs_alloc(cap);
        if (value.len)
            memcpy(fresh, value.ptr, value.len);
        map->bytes += cap - entry->value_cap;
        bs_free(entry->value);
        entry->value = fresh;
        entry->value_cap = cap;
    } else if (value.len) {
        memmove(entry->value, value.ptr, value.len);
    }
    entry->value_len = value.len;
}

struct rt_entry *rt_map_put(struct rt_map *map, struct bs_bytes key, struct bs_bytes value,
                            int64_t timestamp)
{
    struct rt_entry **links[RT_MAP_HEIGHT_MAX];
    struct rt_entry *before = find(map, key, links);
    struct rt_entry *entry = before ? before->next[0] : map->head[0];
    if (!entry || !bs_bytes_equal(rt_entry_key(entry), key)) {
        int height = draw_height(map);
        size_t size = sizeof *entry + (size_t)height * sizeof entry->next[0] + key.len;
        entry = bs_zalloc(size);
        entry->height = (uint8_t)height;
        entry->key_len = key.len;
        if (key.len)
            memcpy(entry->next + height, key.ptr, key.len);
        for (; map->height < height; map->height++)
            links[map->height] = &map->head[map->height];
        for (int level = 0; level < height; level++) {
            entry->next[level] = *links[level];
            *links[level] = entry;
        }
        entry->prev = before;
        if (entry->next[0])
            entry->next[0]->prev = entry;
        map->count++;
        map->bytes += size + ENTRY_OVERHEAD;
    }
    set_value(map, entry, value);
    entry->timestamp = timestamp;
    return entry;
}

void rt_map_mark(struct rt_map *map, struct rt_entry *entry)
{
    entry->logged = false;
    if (!entry->dirty) {
        entry->dirty = true;
        entry->dirty_next = NULL;
        *map->dirty_end = entry;
        map->dirty_end = &entry->dirty_next;
        map->dirty_bytes += sizeof *entry + entry->key_len + ENTRY_OVERHEAD;
        map->dirty_bytes += entry->value_len;
    }
}

void rt_map_clean(struct rt_map *map)
{
    struct rt_entry *next;
    for (struct rt_entry *entry = map->dirty; entry; entry = next) {
        next = entry->dirty_next;
        entry->dirty = false;
        if (!entry->value) /* rows that are gone are not asked for again */
            rt_map_remove(map, rt_entry_key(entry));
    }
    map->dirty = NULL;
    map->dirty_end = &map->dirty;
    map->dirty_bytes = 0;
}

void rt_map_remove(struct rt_map *map, struct bs_bytes key)
{
    struct rt_entry **links[RT_MAP_HEIGHT_MAX];
    struct rt_entry *before = find(map, key, links);
    struct rt_entry *entry = before ? before->next[0] : map->head[0];
    if (!entry || !bs_bytes_equal(rt_entry_key(entry), key))
        return;
    for (int level = 0; level < entry->height; level++)
        *links[level] = entry->next[level];
    if (entry->next[0])
        entry->next[0]->prev = entry->prev;
    map->count--;
    map->bytes -= sizeof *entry + entry->height * sizeof entry->next[0] + entry->key_len +
                  entry->value_cap + ENTRY_OVERHEAD;
    bs_free(entry->value);
    bs_free(entry);
}
