/* Reasons: see reason.h. */
#include "schema-registry/reason.h"

#include "lib/base/mem.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

struct reason {
    const void *user, *entry;
    char *subject; /* NULL: empty */
};

struct sr_reasons {
    pthread_mutex_t lock; /* guards list */
    struct reason list[SR_REASONS];
};

static struct reason *place_of(struct sr_reasons *reasons, const void *user, const void *entry)
{
    uint64_t mix = ((uintptr_t)user >> 4) * 0x9e3779b97f4a7c15ull;
    mix ^= ((uintptr_t)entry >> 4) * 0xc2b2ae3d27d4eb4full;
    return &reasons->list[(mix ^ mix >> 32) % SR_REASONS];
}

struct sr_reasons *sr_reasons_new(void)
{
    struct sr_reasons *reasons = bs_new(struct sr_reasons);
    pthread_mutex_init(&reasons->lock, NULL);
    return reasons;
}

void sr_reasons_free(struct sr_reasons *reasons)
{
    if (reasons == NULL)
        return;
    for (size_t i = 0; i < SR_REASONS; i++)
        bs_free(reasons->list[i].subject);
    pthread_mutex_destroy(&reasons->lock);
    bs_free(reasons);
}

const char *sr_reason_get(struct sr_reasons *reasons, const void *user, const void *entry,
                          struct bs_arena *arena)
{
    const struct reason *place = place_of(reasons, user, entry);
    const char *found = NULL;
    pthread_mutex_lock(&reasons->lock);
    if (place->subject && place->user == user && place->entry == entry)
        found = bs_arena_strndup(arena, place->subject, strlen(place->subject));
    pthread_mutex_unlock(&reasons->lock);
    return found;
}

void sr_reason_put(struct sr_reasons *reasons, const void *user, const void *entry,
                   const char *subject)
{
    struct reason *place = place_of(reasons, user, entry);
    char *old, *kept;
    if (strlen(subject) > SR_REASON_NAME_MAX)
        return;
    kept = bs_strdup(subject);
    pthread_mutex_lock(&reasons->lock);
    old = place->subject;
    *place = (struct reason){.user = user, .entry = entry, .subject = kept};
    pthread_mutex_unlock(&reasons->lock);
    bs_free(old);
}
