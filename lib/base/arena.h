/* Arena: memory that dies together. Nothing is freed one by one; reset keeps the first block.
 * One owner thread. Never shrinks while in use: bound what goes in by a limit of your own, or ask
 * bs_arena_used. Pointers are aligned to 16 bytes. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

struct bs_arena {
    struct bs_arena_block *blocks; /* newest first */
    size_t used;                   /* bytes handed out since init or reset */
};

#define BS_ARENA_INIT \
    {                 \
        0             \
    }

void bs_arena_init(struct bs_arena *arena);
void bs_arena_deinit(struct bs_arena *arena); /* accepts a zeroed one; leaves it usable again */
void bs_arena_reset(struct bs_arena *arena);
/* An empty arena: its first block has room for exactly `size` bytes, of one or several requests of
 * 16 bytes times n. For many arenas that live long, each with little in it. */
void bs_arena_reserve(struct bs_arena *arena, size_t size);
size_t bs_arena_used(const struct bs_arena *arena);
void *bs_arena_alloc(struct bs_arena *arena, size_t size); /* not cleared */
void *bs_arena_zalloc(struct bs_arena *arena, size_t size);
void *bs_arena_array(struct bs_arena *arena, size_t count, size_t size); /* cleared, checked */
void *bs_arena_dup(struct bs_arena *arena, const void *ptr, size_t len);
char *bs_arena_strndup(struct bs_arena *arena, const char *text, size_t len); /* adds the NUL */
char *bs_arena_printf(struct bs_arena *arena, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
