/* Spelling: see spelling.h. */
#include "schema-registry/spelling.h"

#include "lib/base/mem.h"

#include <string.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

struct sr_spelling {
    void *ours;
    struct bs_bytes *others;
    size_t count, cap;
    UT_hash_handle hh;
};

static struct sr_spelling *find(const struct sr_spelling *keys, struct bs_bytes ours)
{
    struct sr_spelling *spelling;
    HASH_FIND(hh, keys, ours.ptr, ours.len, spelling);
    return spelling;
}

static void drop_other(struct sr_spelling *spelling, size_t i)
{
    bs_free((void *)spelling->others[i].ptr);
    memmove(spelling->others + i, spelling->others + i + 1,
            (spelling->count - i - 1) * sizeof *spelling->others);
    spelling->count--;
}

static void drop(struct sr_spelling **keys, struct sr_spelling *spelling)
{
    HASH_DEL(*keys, spelling);
    while (spelling->count)
        drop_other(spelling, spelling->count - 1);
    bs_free(spelling->others);
    bs_free(spelling->ours);
    bs_free(spelling);
}

static size_t place(const struct sr_spelling *spelling, struct bs_bytes other)
{
    size_t i = 0;
    while (i < spelling->count && !bs_bytes_equal(spelling->others[i], other))
        i++;
    return i;
}

void sr_spelling_add(struct sr_spelling **keys, struct bs_bytes ours, struct bs_bytes other)
{
    struct sr_spelling *spelling = find(*keys, ours);
    if (spelling == NULL) {
        spelling = bs_new(struct sr_spelling);
        spelling->ours = bs_memdup(ours.ptr, ours.len);
        HASH_ADD_KEYPTR(hh, *keys, spelling->ours, ours.len, spelling);
    }
    if (place(spelling, other) < spelling->count)
        return;
    if (spelling->count == SR_SPELLINGS_MAX)
        drop_other(spelling, 0);
    if (spelling->count == spelling->cap) {
        spelling->cap = spelling->cap ? spelling->cap * 2 : 1;
        spelling->others = bs_realloc(spelling->others, spelling->cap * sizeof *spelling->others);
    }
    spelling->others[spelling->count++] = bs_bytes(bs_memdup(other.ptr, other.len), other.len);
}

void sr_spelling_remove(struct sr_spelling **keys, struct bs_bytes ours, struct bs_bytes other)
{
    struct sr_spelling *spelling = find(*keys, ours);
    size_t i = spelling ? place(spelling, other) : 0;
    if (spelling == NULL || i == spelling->count)
        return;
    drop_other(spelling, i);
    if (spelling->count == 0)
        drop(keys, spelling);
}

size_t sr_spelling_find(const struct sr_spelling *keys, struct bs_bytes ours,
                        const struct bs_bytes **ret)
{
    const struct sr_spelling *spelling = find(keys, ours);
    *ret = spelling ? spelling->others : NULL;
    return spelling ? spelling->count : 0;
}

void sr_spelling_free(struct sr_spelling **keys)
{
    while (*keys)
        drop(keys, *keys);
}
