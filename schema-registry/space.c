/* Space: see space.h. */
#include "schema-registry/space.h"

#include "lib/base/mem.h"

#include <string.h>

enum { TABLE_MIN = 16 };

/* ---- a table: open addressing, at most half full, so that an entry costs 16 to 32 bytes ---- */

static size_t home(const struct sr_table *table, uint32_t hash)
{
    return (size_t)((hash * 0x9e3779b97f4a7c15u) >> 32) & (table->cap - 1);
}

static uint32_t digest_hash(const uint8_t *digest)
{
    uint32_t hash;
    memcpy(&hash, digest, sizeof hash); /* bytes of a digest are even enough */
    return hash;
}

static void table_put(struct sr_table *table, uint32_t hash, struct sr_entry *entry)
{
    size_t at = home(table, hash);
    while (table->entries[at])
        at = (at + 1) & (table->cap - 1);
    table->entries[at] = entry;
}

static void table_add(struct sr_table *table, uint32_t (*hash_of)(const struct sr_entry *),
                      struct sr_entry *entry)
{
    struct sr_table old = *table;
    if (++table->count * 2 > table->cap) {
        table->cap = old.cap ? old.cap * 2 : TABLE_MIN;
        table->entries = bs_array(table->cap, sizeof(*table->entries));
        for (size_t i = 0; i < old.cap; i++)
            if (old.entries[i])
                table_put(table, hash_of(old.entries[i]), old.entries[i]);
        bs_free(old.entries);
    }
    table_put(table, hash_of(entry), entry);
}

/* What follows without a gap is put again, so that no search ends too early. */
static void table_remove(struct sr_table *table, uint32_t (*hash_of)(const struct sr_entry *),
                         const struct sr_entry *entry)
{
    size_t at = home(table, hash_of(entry));
    while (table->entries[at] != entry)
        at = (at + 1) & (table->cap - 1);
    table->entries[at] = NULL;
    table->count--;
    for (at = (at + 1) & (table->cap - 1); table->entries[at]; at = (at + 1) & (table->cap - 1)) {
        struct sr_entry *moved = table->entries[at];
        table->entries[at] = NULL;
        table_put(table, hash_of(moved), moved);
    }
}

static uint32_t id_of(const struct sr_entry *entry)
{
    return (uint32_t)entry->id;
}

static uint32_t digest_of(const struct sr_entry *entry)
{
    return digest_hash(entry->content.digest);
}

static struct sr_entry *find_id(const struct sr_table *table, int32_t id)
{
    size_t at = table->cap ? home(table, (uint32_t)id) : 0;
    while (table->cap && table->entries[at] && table->entries[at]->id != id)
        at = (at + 1) & (table->cap - 1);
    return table->cap ? table->entries[at] : NULL;
}

/* An import, or another registry, may have given one schema two ids: the lower one is found. */
static struct sr_entry *find_digest(const struct sr_table *table, const struct sr_content *content)
{
    size_t at = table->cap ? home(table, digest_hash(content->digest)) : 0;
    struct sr_entry *found = NULL;
    for (; table->cap && table->entries[at]; at = (at + 1) & (table->cap - 1))
        if (sr_content_same_digest(&table->entries[at]->content, content) &&
            (found == NULL || table->entries[at]->id < found->id))
            found = table->entries[at];
    return found;
}

/* ---- spaces ---- */

struct sr_space *sr_space_new(struct bs_bytes context)
{
    struct sr_space *space = bs_new(struct sr_space);
    space->context = bs_strndup((const char *)context.ptr, context.len);
    return space;
}

static void entry_free(struct sr_entry *entry)
{
    bs_arena_deinit(&entry->arena);
    bs_free(entry);
}

void sr_space_free(struct sr_space *space)
{
    if (space == NULL)
        return;
    for (size_t i = 0; i < space->ids.cap; i++)
        if (space->ids.entries[i])
            entry_free(space->ids.entries[i]);
    bs_free(space->ids.entries);
    bs_free(space->digests.entries);
    bs_free(space->context);
    bs_free(space);
}

const struct sr_entry *sr_space_id(const struct sr_space *space, int32_t id)
{
    return space ? find_id(&space->ids, id) : NULL;
}

const struct sr_entry *sr_space_digest(const struct sr_space *space,
                                       const struct sr_content *content)
{
    return space ? find_digest(&space->digests, content) : NULL;
}

struct sr_entry *sr_space_take(struct sr_space *space, int32_t id, const char *type,
                               const struct sr_content *content)
{
    struct sr_entry *entry = find_id(&space->ids, id);
    if (entry && !sr_content_same_digest(&entry->content, content))
        return NULL;
    if (entry == NULL) {
        entry = bs_new(struct sr_entry);
        entry->id = id;
        entry->other_type = type != NULL;
        sr_content_keep(&entry->content, content, &entry->arena);
        if (type)
            entry->type = bs_arena_strndup(&entry->arena, type, strlen(type));
        table_add(&space->ids, id_of, entry);
        table_add(&space->digests, digest_of, entry);
        space->entries++;
    }
    entry->uses++;
    space->used++;
    return entry;
}

void sr_space_release(struct sr_space *space, struct sr_entry *entry)
{
    space->used--;
    if (--entry->uses > 0)
        return;
    table_remove(&space->ids, id_of, entry);
    table_remove(&space->digests, digest_of, entry);
    space->entries--;
    entry_free(entry);
}
