/* Shared: see shared.h. The one place of the client with a lock: its calls come from any thread,
 * and libcurl's handles belong to one thread at a time. The lock is held for lookups only, never
 * over a request. */
#include "lib/registry/shared.h"

#include "lib/base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

enum { IDLE_MAX = 8 };

/* The key: a GUID, or an id in the first four bytes, zeros, and a last byte that tells them apart.
 */
struct key {
    uint8_t bytes[17];
};

struct entry {
    struct key key;
    int32_t id;
    struct sd_schema *schema;
    UT_hash_handle hh;
};

struct rc_shared {
    pthread_mutex_t lock;
    struct entry *entries; /* in order of use: the oldest first */
    size_t count, max;
    _Atomic size_t first;
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

static struct key key_of(int32_t id, const uint8_t *guid)
{
    struct key key = {.bytes = {[16] = guid != NULL}};
    memcpy(key.bytes, guid ? (const void *)guid : &id, guid ? 16 : sizeof id);
    return key;
}

static struct sd_schema *get(struct rc_shared *shared, struct key key, int32_t *ret_id)
{
    struct sd_schema *schema = NULL;
    struct entry *entry;
    pthread_mutex_lock(&shared->lock);
    HASH_FIND(hh, shared->entries, &key, sizeof key, entry);
    if (entry) {
        HASH_DEL(shared->entries, entry); /* to the end: used last */
        HASH_ADD(hh, shared->entries, key, sizeof entry->key, entry);
        schema = sd_schema_ref(entry->schema);
        *ret_id = entry->id;
    }
    pthread_mutex_unlock(&shared->lock);
    return schema;
}

/* Two threads may have asked at the same time: the first one's object is the one. */
static void put(struct rc_shared *shared, struct key key, int32_t id, struct sd_schema **schema)
{
    struct sd_schema *mine = *schema;
    struct entry *entry;
    pthread_mutex_lock(&shared->lock);
    HASH_FIND(hh, shared->entries, &key, sizeof key, entry);
    if (entry == NULL) {
        entry = bs_new(struct entry);
        entry->key = key;
        entry->id = id;
        entry->schema = sd_schema_ref(mine);
        HASH_ADD(hh, shared->entries, key, sizeof entry->key, entry);
        shared->count++;
        while (shared->count > shared->max)
            entry_remove(shared, shared->entries);
    } else if (entry->schema != mine) {
        *schema = sd_schema_ref(entry->schema);
        sd_schema_unref(mine);
    }
    pthread_mutex_unlock(&shared->lock);
}

struct sd_schema *rc_shared_get(struct rc_shared *shared, int32_t id)
{
    return get(shared, key_of(id, NULL), &id);
}

void rc_shared_put(struct rc_shared *shared, int32_t id, struct sd_schema **schema)
{
    put(shared, key_of(id, NULL), id, schema);
}

struct sd_schema *rc_shared_get_guid(struct rc_shared *shared, const uint8_t guid[16],
                                     int32_t *ret_id)
{
    return get(shared, key_of(0, guid), ret_id);
}

void rc_shared_put_guid(struct rc_shared *shared, const uint8_t guid[16], int32_t id,
                        struct sd_schema **schema)
{
    put(shared, key_of(0, guid), id, schema);
}

size_t rc_shared_first(struct rc_shared *shared)
{
    return atomic_load(&shared->first);
}

void rc_shared_set_first(struct rc_shared *shared, size_t first)
{
    atomic_store(&shared->first, first);
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
