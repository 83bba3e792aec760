/* Shared: see shared.h. The one place of the client with a lock: its calls come from any thread,
 * and libcurl's handles belong to one thread at a time. The lock is held for lookups only, never
 * over a request. */
#include "lib/registry/shared.h"

#include "lib/base/mem.h"

#include <pthread.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

enum { IDLE_MAX = 8 };

struct entry {
    int32_t id;
    struct sd_schema *schema;
    UT_hash_handle hh;
};

struct rc_shared {
    pthread_mutex_t lock;
    struct entry *entries; /* in order of use: the oldest first */
    size_t count, max;
    void *idle[IDLE_MAX];
    size_t idle_count;
};

struct rc_shared *rc_shared_new(size_t cache_max)
{
    struct rc_shared *shared = bs_new(struct rc_shared);
    pthread_mutex_init(&shared->lock, NULL);
    shared->max = cache_max;
    return shared;
}

static void entry_remove(struct rc_shared *shared, struct entry *entry)
{
    HASH_DEL(shared->entries, entry);
    shared->count--;
    sd_schema_unref(entry->schema);
    bs_free(entry);
}

void rc_shared_free(struct rc_shared *shared, void (*handle_free)(void *handle))
{
    if (shared == NULL)
        return;
    while (shared->entries)
        entry_remove(shared, shared->entries);
    for (size_t i = 0; i < shared->idle_count; i++)
        handle_free(shared->idle[i]);
    pthread_mutex_destroy(&shared->lock);
    bs_free(shared);
}

struct sd_schema *rc_shared_get(struct rc_shared *shared, int32_t id)
{
    struct sd_schema *schema = NULL;
    struct entry *entry;
    pthread_mutex_lock(&shared->lock);
    HASH_FIND(hh, shared->entries, &id, sizeof id, entry);
    if (entry) {
        HASH_DEL(shared->entries, entry); /* to the end: used last */
        HASH_ADD(hh, shared->entries, id, sizeof entry->id, entry);
        schema = sd_schema_ref(entry->schema);
    }
    pthread_mutex_unlock(&shared->lock);
    return schema;
}

void rc_shared_put(struct rc_shared *shared, int32_t id, struct sd_schema *schema)
{
    struct entry *entry;
    pthread_mutex_lock(&shared->lock);
    HASH_FIND(hh, shared->entries, &id, sizeof id, entry);
    if (entry == NULL) {
        entry = bs_new(struct entry);
        entry->id = id;
        entry->schema = sd_schema_ref(schema);
        HASH_ADD(hh, shared->entries, id, sizeof entry->id, entry);
        shared->count++;
        while (shared->count > shared->max)
            entry_remove(shared, shared->entries);
    }
    pthread_mutex_unlock(&shared->lock);
}

void *rc_shared_take_handle(struct rc_shared *shared)
{
    void *handle = NULL;
    pthread_mutex_lock(&shared->lock);
    if (shared->idle_count)
        handle = shared->idle[--shared->idle_count];
    pthread_mutex_unlock(&shared->lock);
    return handle;
}

bool rc_shared_give_handle(struct rc_shared *shared, void *handle)
{
    bool taken;
    pthread_mutex_lock(&shared->lock);
    taken = shared->idle_count < IDLE_MAX;
    if (taken)
        shared->idle[shared->idle_count++] = handle;
    pthread_mutex_unlock(&shared->lock);
    return taken;
}
