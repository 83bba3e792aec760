/* Shard state: what shard.c, shard_load.c and marker.c share. For them alone. */
#ifndef WEIR_BROKER_COORDINATOR_SHARD_STATE_H
#define WEIR_BROKER_COORDINATOR_SHARD_STATE_H

#include "broker/coordinator/shard.h"
#include "broker/partition/waiter.h"
#include "lib/base/mem.h"

enum bk_shard_state {
    BK_SHARD_ABSENT, /* its topic is not there */
    BK_SHARD_LOADING,
    BK_SHARD_READY,
    BK_SHARD_FAILED, /* loads again when its timer says so */
};

struct bk_step {
    struct bk_shard *shard;
    struct bk_effects fx;
    struct bk_wait_item *items; /* what must be durable */
    size_t item_count;
    struct bk_wait *wait;
    bool durable;
    bk_step_done *done;
    void *ctx;
    struct bk_step *prev, *next;
};

struct bk_ready_wait {
    bk_shard_ready *ready;
    void *ctx;
    struct bk_ready_wait *next;
};

struct bk_shard {
    struct bk_shards *owner;
    enum bk_shard_kind kind;
    enum bk_shard_state state;
    int32_t partition_count;
    struct bk_groups *groups; /* one of the two */
    struct bk_txns *txns;
    struct bk_step *queue;
    struct io_timer *timer;
    int64_t armed_ms, txns_due_ms, expire_due_ms;
    struct bk_ready_wait *waiting; /* for the end of creation and loading */
    bool creating;
    struct bk_rewrite *rewrites; /* one per partition */
    bool rewrite_posted;
    /* loading */
    int32_t load_partition;
    int64_t load_offset, load_count;
    bool load_posted;
};

struct bk_shards {
    struct bk_shards_spec spec;
    struct bk_shard shard[2];
    int64_t expire_every_ms, rewrite_bytes;
    struct bk_marker_write *markers; /* under way */
    struct io_timer *marker_timer;
    bool stopping;
};

struct bk_partition *bk_shard_partition(struct bk_shard *shard, int32_t index, int16_t *ret_error);
void bk_step_wait_for(struct bk_step *step, struct bk_partition *partition, int64_t last_offset);
void bk_shard_fail(struct bk_shard *shard);
void bk_shard_load(struct bk_shard *shard);       /* shard_load.c: starts the replay */
void bk_shard_tell_ready(struct bk_shard *shard); /* shard_load.c */
/* rewrite.c: counts bytes of a partition (appended, or read by the replay), and when there are many
 * more than the state needs, writes the state anew and deletes what is older. */
void bk_shard_count_bytes(struct bk_shard *shard, int32_t partition, size_t bytes);
/* marker.c. done may be NULL: called once, when the transaction is Complete, or as soon as that is
 * going to take longer (error 0: its end is decided), or when it is forgotten (an error). */
void bk_markers_start(struct bk_shards *shards, const struct bk_marker_job *job, bk_step_done *done,
                      void *ctx);
void bk_markers_retry(void *ctx);
void bk_markers_drop(struct bk_shard *shard); /* those of the transactions' shard are forgotten */

#endif
