/* Referred: see referred.h. Invariant: no count is 0. */
#include "schema-registry/referred.h"

#include "lib/base/mem.h"
#include "schema-registry/context.h"

#include <stdlib.h>
#include <string.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

struct sr_referred {
    char *subject;
    size_t count;
    UT_hash_handle hh;
};

static struct sr_referred *find(const struct sr_referred *all, const char *subject)
{
    struct sr_referred *referred;
    HASH_FIND_STR(all, subject, referred);
    return referred;
}

static void drop(struct sr_referred **all, struct sr_referred *referred)
{
    HASH_DEL(*all, referred);
    bs_free(referred->subject);
    bs_free(referred);
}

void sr_referred_add(struct sr_referred **all, const char *referrer,
                     const struct sr_content *content)
{
    struct bs_arena arena = BS_ARENA_INIT;
    for (size_t i = 0; i < content->ref_count; i++) {
        const char *subject = sr_name_beside(&arena, referrer, content->refs[i].subject);
        struct sr_referred *referred = find(*all, subject);
        if (referred == NULL) {
            referred = bs_new(struct sr_referred);
            referred->subject = bs_strdup(subject);
            HASH_ADD_KEYPTR(hh, *all, referred->subject, strlen(referred->subject), referred);
        }
        referred->count++;
    }
    bs_arena_deinit(&arena);
}

void sr_referred_remove(struct sr_referred **all, const char *referrer,
                        const struct sr_content *content)
{
    struct bs_arena arena = BS_ARENA_INIT;
    for (size_t i = 0; i < content->ref_count; i++) {
        struct sr_referred *referred =
            find(*all, sr_name_beside(&arena, referrer, content->refs[i].subject));
        if (referred == NULL)
            abort(); /* what goes has come */
        if (--referred->count == 0)
            drop(all, referred);
    }
    bs_arena_deinit(&arena);
}

size_t sr_referred_count(const struct sr_referred *all, const char *subject)
{
    struct bs_arena arena = BS_ARENA_INIT;
    const struct sr_referred *referred = all ? find(all, sr_name_stored(&arena, subject)) : NULL;
    bs_arena_deinit(&arena);
    return referred ? referred->count : 0;
}

void sr_referred_free(struct sr_referred **all)
{
    while (*all)
        drop(all, *all);
}
