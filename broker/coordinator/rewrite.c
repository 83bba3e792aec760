/* Rewrite: keeps the coordinators' topics short. Their logs grow with every commit, but the state
 * they stand for does not: when a partition has many more bytes than its state needs, the state is
 * appended once more as a whole, and when that is durable everything before it is deleted. A crash
 * in between leaves both: the replay comes to the same state.
 *
 * Nothing else is appended between reading the log end and the state's records, because both happen
 * in one step on the loop thread; see shard.h. */
#include "broker/coordinator/shard_state.h"
#include "lib/base/log.h"

#include <inttypes.h>

enum { TIMES_STATE = 4 };

static const struct bs_event REWRITTEN = {
    "broker.coordinator.rewritten", BS_LOG_DEBUG,
    "A coordinator has written its state anew and deleted the older records."};

struct bk_rewrite {
    struct bk_shard *shard;
    int32_t partition;
    bool busy;
    int64_t bytes;       /* since the last rewrite */
    int64_t state_bytes; /* what the last rewrite took */
    int64_t keep_from;   /* first offset of the rewrite under way */
};

static bool is_due(const struct bk_rewrite *rewrite)
{
    int64_t least = rewrite->shard->owner->rewrite_bytes;
    return !rewrite->busy && rewrite->bytes > least + TIMES_STATE * rewrite->state_bytes;
}

static void rewritten(void *ctx, int16_t error)
{
    struct bk_rewrite *rewrite = ctx;
    struct bk_shard *shard = rewrite->shard;
    struct bk_partition *partition;
    int64_t log_start;
    int16_t found;
    rewrite->busy = false;
    if (error)
        return;
    partition = bk_shard_partition(shard, rewrite->partition, &found);
    if (partition && bk_partition_delete_records(partition, rewrite->keep_from, &log_start) == 0)
        bs_log(&REWRITTEN, "%s-%d: begins at %" PRId64, bk_shards_topic(shard->kind),
               rewrite->partition, log_start);
}

static void rewrite_now(struct bk_rewrite *rewrite)
{
    struct bk_shard *shard = rewrite->shard;
    struct bk_shards *shards = shard->owner;
    struct bk_step *step;
    struct bk_partition *partition;
    int16_t error;
    bool can = true;
    partition = bk_shard_partition(shard, rewrite->partition, &error);
    if (!partition)
        return;
    rewrite->keep_from = bk_partition_log_end(partition);
    rewrite->bytes = 0; /* when it cannot be now, it is tried again as many bytes later */
    step = bk_step_begin(shards, shard->kind);
    if (shard->groups)
        can =
            bk_groups_snapshot(shard->groups, rewrite->partition, bk_shards_now(shards), &step->fx);
    else
        bk_txns_snapshot(shard->txns, rewrite->partition, &step->fx);
    if (can) {
        rewrite->busy = true;
        bk_step_commit(step, rewritten, rewrite);
        if (shard->state == BK_SHARD_READY) {
            rewrite->state_bytes = rewrite->bytes;
            rewrite->bytes = 0;
        }
        return;
    }
    bk_effects_deinit(&step->fx);
    bs_free(step);
}

static void rewrite_due(void *ctx)
{
    struct bk_shard *shard = ctx;
    shard->rewrite_posted = false;
    for (int32_t i = 0; shard->state == BK_SHARD_READY && i < shard->partition_count; i++)
        if (is_due(&shard->rewrites[i]))
            rewrite_now(&shard->rewrites[i]);
}

void bk_shard_count_bytes(struct bk_shard *shard, int32_t partition, size_t bytes)
{
    struct bk_rewrite *rewrite;
    if (!shard->rewrites) {
        shard->rewrites = bs_array((size_t)shard->partition_count, sizeof *shard->rewrites);
        for (int32_t i = 0; i < shard->partition_count; i++)
            shard->rewrites[i] = (struct bk_rewrite){.shard = shard, .partition = i};
    }
    rewrite = &shard->rewrites[partition];
    rewrite->bytes += (int64_t)bytes;
    if (!is_due(rewrite) || shard->rewrite_posted || shard->owner->stopping)
        return;
    shard->rewrite_posted = true;
    io_loop_post(shard->owner->spec.loop, rewrite_due, shard);
}
