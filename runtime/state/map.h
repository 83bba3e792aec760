/* Map: an ordered map of bytes, kept as a skip list. It is a store's overlay, the whole of a store
 * in memory, and the cache of what was read. Keys are ordered by unsigned bytes.
 *
 * An entry whose value is NULL says "deleted" (or "known to be absent"). One owner thread. Entries
 * stay where they are until they are removed; put may move an entry's value. */
#ifndef WEIR_RUNTIME_STATE_MAP_H
#define WEIR_RUNTIME_STATE_MAP_H

#include "lib/base/bytes.h"

enum { RT_MAP_HEIGHT_MAX = 14 };

struct rt_entry {
    struct rt_entry *prev;       /* in key order; NULL: the first */
    struct rt_entry *dirty_next; /* in the order of the first change */
    uint8_t *value;              /* NULL: deleted */
    size_t value_len, value_cap;
    int64_t timestamp;
    size_t key_len;
    uint8_t height;
    bool dirty;  /* not yet in the base */
    bool logged; /* the change hook has seen this value */
    struct rt_entry *next[];
};

struct rt_map {
    struct rt_entry *head[RT_MAP_HEIGHT_MAX];
    int height;
    uint64_t random;
    size_t count, bytes; /* bytes: keys, values and what keeps them */
    struct rt_entry *dirty, **dirty_end;
    size_t dirty_bytes; /* grows with each dirty put, back to 0 by rt_map_clean */
};

void rt_map_init(struct rt_map *map);
void rt_map_deinit(struct rt_map *map);
void rt_map_clear(struct rt_map *map);

static inline struct bs_bytes rt_entry_key(const struct rt_entry *entry)
{
    return bs_bytes(entry->next + entry->height, entry->key_len);
}
static inline struct bs_bytes rt_entry_value(const struct rt_entry *entry)
{
    return bs_bytes(entry->value, entry->value_len);
}

struct rt_entry *rt_map_get(const struct rt_map *map, struct bs_bytes key); /* or NULL */
/* Makes or changes an entry; value.ptr NULL: deleted. */
struct rt_entry *rt_map_put(struct rt_map *map, struct bs_bytes key, struct bs_bytes value,
                            int64_t timestamp);
void rt_map_mark(struct rt_map *map, struct rt_entry *entry); /* dirty, not logged */
/* Every entry is clean: it is in the base now. Keeps those with a value. */
void rt_map_clean(struct rt_map *map);
/* Not for dirty entries. */
void rt_map_remove(struct rt_map *map, struct bs_bytes key);
struct rt_entry *rt_map_seek(const struct rt_map *map, struct bs_bytes key);   /* first ≥ key */
struct rt_entry *rt_map_before(const struct rt_map *map, struct bs_bytes key); /* last < key */
static inline struct rt_entry *rt_map_next(const struct rt_entry *entry)
{
    return entry->next[0];
}

#endif
