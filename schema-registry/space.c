/* Space: see space.h. */
#include "schema-registry/space.h"

#include "lib/base/mem.h"

#include <string.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

struct sr_slot {
    struct sr_entry entry;
    bool found; /* it is the one that its digest finds */
    UT_hash_handle by_id, by_digest;
};

struct sr_space *sr_space_new(struct bs_bytes context)
{
    struct sr_space *space = bs_new(struct sr_space);
    space->context = bs_strndup((const char *)context.ptr, context.len);
    return space;
}

static struct sr_slot *find_digest(const struct sr_space *space, const struct sr_content *content)
{
    struct sr_slot *slot;
    HASH_FIND(by_digest, space->digests, content->digest, SR_DIGEST_SIZE, slot);
    return slot;
}

static void index_digest(struct sr_space *space, struct sr_slot *slot)
{
    slot->found = true;
    HASH_ADD(by_digest, space->digests, entry.content.digest, SR_DIGEST_SIZE, slot);
}

static void unindex_digest(struct sr_space *space, struct sr_slot *slot)
{
    slot->found = false;
    HASH_DELETE(by_digest, space->digests, slot);
}

/* An import, or another registry, may have given one schema two ids: the lower one is found. */
static void add_digest(struct sr_space *space, struct sr_slot *slot)
{
    struct sr_slot *twin = find_digest(space, &slot->entry.content);
    if (twin)
        space->twins++;
    if (twin && twin->entry.id < slot->entry.id)
        return;
    if (twin)
        unindex_digest(space, twin);
    index_digest(space, slot);
}

static void remove_digest(struct sr_space *space, struct sr_slot *slot)
{
    struct sr_slot *next = NULL;
    if (!slot->found) {
        space->twins--;
        return;
    }
    unindex_digest(space, slot);
    for (struct sr_slot *at = space->twins ? space->ids : NULL; at; at = at->by_id.next)
        if (sr_content_same_digest(&at->entry.content, &slot->entry.content) &&
            (next == NULL || at->entry.id < next->entry.id))
            next = at;
    if (next == NULL)
        return;
    space->twins--;
    index_digest(space, next);
}

static void slot_free(struct sr_space *space, struct sr_slot *slot)
{
    HASH_DELETE(by_id, space->ids, slot);
    remove_digest(space, slot);
    space->entries--;
    bs_arena_deinit(&slot->entry.arena);
    bs_free(slot);
}

void sr_space_free(struct sr_space *space)
{
    if (space == NULL)
        return;
    while (space->ids)
        slot_free(space, space->ids);
    bs_free(space->context);
    bs_free(space);
}

const struct sr_entry *sr_space_id(const struct sr_space *space, int32_t id)
{
    struct sr_slot *slot = NULL;
    if (space)
        HASH_FIND(by_id, space->ids, &id, sizeof id, slot);
    return slot ? &slot->entry : NULL;
}

const struct sr_entry *sr_space_digest(const struct sr_space *space,
                                       const struct sr_content *content)
{
    struct sr_slot *slot = space ? find_digest(space, content) : NULL;
    return slot ? &slot->entry : NULL;
}

struct sr_entry *sr_space_take(struct sr_space *space, int32_t id, const char *type,
                               const struct sr_content *content)
{
    struct sr_slot *slot;
    struct sr_entry *entry;
    HASH_FIND(by_id, space->ids, &id, sizeof id, slot);
    if (slot) {
        if (!sr_content_same_digest(&slot->entry.content, content))
            return NULL;
        slot->entry.uses++;
        space->used++;
        return &slot->entry;
    }
    slot = bs_new(struct sr_slot);
    entry = &slot->entry;
    entry->id = id;
    entry->uses = 1;
    entry->other_type = type != NULL;
    if (type)
        entry->type = bs_arena_strndup(&entry->arena, type, strlen(type));
    sr_content_copy(&entry->content, content, &entry->arena);
    HASH_ADD(by_id, space->ids, entry.id, sizeof entry->id, slot);
    add_digest(space, slot);
    space->entries++;
    space->used++;
    return entry;
}

void sr_space_release(struct sr_space *space, struct sr_entry *entry)
{
    space->used--;
    if (--entry->uses == 0)
        slot_free(space, (struct sr_slot *)entry);
}
