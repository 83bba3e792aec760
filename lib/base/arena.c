/* Arena: see arena.h. Blocks double from 4 KiB to 1 MiB; a larger request gets a block of its own.
 */
#include "lib/base/arena.h"

#include "lib/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_MIN = 4096, BLOCK_MAX = 1 << 20, ALIGN = 16 };

struct bs_arena_block {
    struct bs_arena_block *next;
    size_t cap, len;
    _Alignas(16) unsigned char bytes[];
};

void bs_arena_init(struct bs_arena *arena)
{
    *arena = (struct bs_arena){0};
}

void bs_arena_deinit(struct bs_arena *arena)
{
    struct bs_arena_block *next;
    if (arena == NULL)
        return;
    for (struct bs_arena_block *block = arena->blocks; block; block = next) {
        next = block->next;
        bs_free(block);
    }
    bs_arena_init(arena);
}

/* Keeps the largest standard block, so that a steady load stops asking for memory. */
void bs_arena_reset(struct bs_arena *arena)
{
    struct bs_arena_block *keep = NULL, *next;
    for (struct bs_arena_block *block = arena->blocks; block; block = next) {
        next = block->next;
        if (block->cap <= BLOCK_MAX && (keep == NULL || block->cap > keep->cap)) {
            bs_free(keep);
            keep = block;
        } else {
            bs_free(block);
        }
    }
    if (keep) {
        keep->next = NULL;
        keep->len = 0;
    }
    arena->blocks = keep;
    arena->used = 0;
}

size_t bs_arena_used(const struct bs_arena *arena)
{
    return arena->used;
}

static struct bs_arena_block *add_block(struct bs_arena *arena, size_t cap)
{
    struct bs_arena_block *block = bs_alloc(sizeof *block + cap);
    block->cap = cap;
    block->len = 0;
    block->next = arena->blocks;
    return arena->blocks = block;
}

void bs_arena_reserve(struct bs_arena *arena, size_t size)
{
    if (arena->blocks || size > SIZE_MAX / 2)
        abort();
    add_block(arena, size);
}

void *bs_arena_alloc(struct bs_arena *arena, size_t size)
{
    struct bs_arena_block *block = arena->blocks;
    size_t want;
    if (size > SIZE_MAX / 2)
        abort();
    want = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (block == NULL || block->cap - block->len < want) {
        size_t cap = block ? block->cap * 2 : BLOCK_MIN;
        if (cap > BLOCK_MAX)
            cap = BLOCK_MAX;
        if (cap < want)
            cap = want;
        block = add_block(arena, cap);
    }
    block->len += want;
    arena->used += want;
    return block->bytes + block->len - want;
}

void *bs_arena_zalloc(struct bs_arena *arena, size_t size)
{
    return memset(bs_arena_alloc(arena, size), 0, size);
}

void *bs_arena_array(struct bs_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 2 / size)
        abort();
    return bs_arena_zalloc(arena, count * size);
}

void *bs_arena_dup(struct bs_arena *arena, const void *ptr, size_t len)
{
    void *copy = bs_arena_alloc(arena, len);
    if (len)
        memcpy(copy, ptr, len);
    return copy;
}

char *bs_arena_strndup(struct bs_arena *arena, const char *text, size_t len)
{
    char *copy = bs_arena_alloc(arena, len + 1);
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *bs_arena_printf(struct bs_arena *arena, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int n;
    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    text = bs_arena_alloc(arena, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}
