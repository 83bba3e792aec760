/* Shard: a coordinator on its internal topic. It carries out the effects of the pure state machines
 * (group.h, txn.h): appends their records, waits until those are durable, then releases the
 * answers, in the order of the steps; writes transaction markers; replays the topic at start; runs
 * the timers.
 *
 * If records cannot be made durable, every answer under way becomes COORDINATOR_NOT_AVAILABLE, the
 * state machine is thrown away and replayed from the topic. Owner: the loop thread. */
#ifndef WEIR_BROKER_COORDINATOR_SHARD_H
#define WEIR_BROKER_COORDINATOR_SHARD_H

#include "broker/coordinator/group.h"
#include "broker/coordinator/txn.h"
#include "broker/partition/partition.h"
#include "lib/io/loop.h"

struct bk_shards; /* both coordinators */
struct bk_step;   /* one step of one of them */

enum bk_shard_kind { BK_SHARD_GROUPS, BK_SHARD_TXNS };

struct bk_shards_spec {
    struct io_loop *loop;
    struct io_clock *clock;
    struct io_random *random;
    struct bk_metadata *metadata;
    struct bk_partitions *partitions;
    const struct bs_config *config;
    void (*joined)(const struct bk_join_reply *reply); /* reply->call gets its answer */
    void (*synced)(const struct bk_sync_reply *reply);
};

/* Starts the replay of the topics that are there; requests meanwhile get
 * COORDINATOR_LOAD_IN_PROGRESS. */
struct bk_shards *bk_shards_open(const struct bk_shards_spec *spec);
/* Answers everything parked with COORDINATOR_NOT_AVAILABLE; nothing is done after it. */
void bk_shards_stop(struct bk_shards *shards);
void bk_shards_close(struct bk_shards *shards); /* accepts NULL */

/* 0: ready. COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE (its topic is not there yet, or
 * its disk failed). */
int16_t bk_shards_check(struct bk_shards *shards, enum bk_shard_kind kind);
/* Makes the topic if it is not there; `ready` (may be called inside) with what check says then. */
typedef void bk_shard_ready(void *ctx, int16_t error);
void bk_shards_prepare(struct bk_shards *shards, enum bk_shard_kind kind, bk_shard_ready *ready,
                       void *ctx);
bool bk_shards_loading(const struct bk_shards *shards); /* for /health */

/* Valid while check says 0. */
struct bk_groups *bk_shards_groups(struct bk_shards *shards);
struct bk_txns *bk_shards_txns(struct bk_shards *shards);
int32_t bk_shards_partition(struct bk_shards *shards, enum bk_shard_kind kind, struct bs_bytes id);
const char *bk_shards_topic(enum bk_shard_kind kind);
struct bk_time bk_shards_now(const struct bk_shards *shards);

/* A step: begin, let the state machine fill bk_step_effects, commit. `done` (may be NULL; may be
 * called inside) is told when everything up to this step is durable: error 0, or
 * COORDINATOR_NOT_AVAILABLE. A step without records is how a question waits for what it may have
 * seen. */
struct bk_step *bk_step_begin(struct bk_shards *shards, enum bk_shard_kind kind);
struct bk_effects *bk_step_effects(struct bk_step *step);
typedef void bk_step_done(void *ctx, int16_t error);
void bk_step_commit(struct bk_step *step, bk_step_done *done, void *ctx);

#endif
