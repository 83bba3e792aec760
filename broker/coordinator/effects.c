/* Effects: see effects.h. Lists keep the order in which the step made them. */
#include "broker/coordinator/effects.h"

void bk_effects_init(struct bk_effects *fx)
{
    *fx = (struct bk_effects){.arena = BS_ARENA_INIT};
}

void bk_effects_deinit(struct bk_effects *fx)
{
    bs_arena_deinit(&fx->arena);
    *fx = (struct bk_effects){.arena = BS_ARENA_INIT};
}

struct bs_bytes bk_effects_dup(struct bk_effects *fx, struct bs_bytes bytes)
{
    if (!bytes.ptr)
        return bytes;
    return bs_bytes(bs_arena_dup(&fx->arena, bytes.ptr, bytes.len), bytes.len);
}

struct bk_record *bk_effects_record(struct bk_effects *fx, int32_t partition, struct bs_bytes key,
                                    struct bs_bytes value)
{
    struct bk_record *record = bs_arena_zalloc(&fx->arena, sizeof *record);
    record->partition = partition;
    record->key = bk_effects_dup(fx, key);
    record->value = bk_effects_dup(fx, value);
    record->producer_id = -1;
    record->producer_epoch = -1;
    if (fx->records_last)
        fx->records_last->next = record;
    else
        fx->records = record;
    fx->records_last = record;
    return record;
}

struct bk_join_reply *bk_effects_join(struct bk_effects *fx, void *call, int16_t error)
{
    struct bk_join_reply *reply = bs_arena_zalloc(&fx->arena, sizeof *reply);
    struct bk_join_reply **end = &fx->joins;
    while (*end)
        end = &(*end)->next;
    reply->call = call;
    reply->error = error;
    reply->generation = -1;
    *end = reply;
    return reply;
}

struct bk_sync_reply *bk_effects_sync(struct bk_effects *fx, void *call, int16_t error)
{
    struct bk_sync_reply *reply = bs_arena_zalloc(&fx->arena, sizeof *reply);
    struct bk_sync_reply **end = &fx->syncs;
    while (*end)
        end = &(*end)->next;
    reply->call = call;
    reply->error = error;
    *end = reply;
    return reply;
}
