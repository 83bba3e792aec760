/* Txns: the transactions of this broker as one pure state machine (transaction version 1).
 *
 *   Empty → Ongoing → PrepareCommit | PrepareAbort → CompleteCommit | CompleteAbort → Ongoing …
 *
 * The Prepare record is the decision: once it is durable the markers are written to every
 * partition, again after a crash, until all are there; then the Complete record. Requests and the
 * clock go in; error codes, records for __transaction_state and marker jobs come out.
 *
 * Owner: the loop thread. No clock, no I/O; see group.h about durability. */
#ifndef WEIR_BROKER_COORDINATOR_TXN_H
#define WEIR_BROKER_COORDINATOR_TXN_H

#include "broker/coordinator/effects.h"

struct bk_txns;

enum bk_txn_state { /* Kafka's numbers, as they stand in the records */
                    BK_TXN_EMPTY = 0,
                    BK_TXN_ONGOING = 1,
                    BK_TXN_PREPARE_COMMIT = 2,
                    BK_TXN_PREPARE_ABORT = 3,
                    BK_TXN_COMPLETE_COMMIT = 4,
                    BK_TXN_COMPLETE_ABORT = 5
};

struct bk_txns_config {
    int32_t partition_count; /* of __transaction_state */
    int64_t timeout_max_ms;
    int64_t id_expiration_ms;
    int (*new_producer_id)(void *ctx, int64_t *ret); /* BS_EBUSY: later */
    void *ctx;
};

struct bk_txns *bk_txns_new(const struct bk_txns_config *config);
void bk_txns_free(struct bk_txns *txns); /* accepts NULL */
size_t bk_txns_count(const struct bk_txns *txns);

/* The producer's given id and epoch, -1 and -1 when it says none (KIP-360). */
int16_t bk_txns_init(struct bk_txns *txns, struct bs_bytes id, int32_t timeout_ms,
                     int64_t given_producer_id, int16_t given_epoch, struct bk_time now,
                     int64_t *ret_producer_id, int16_t *ret_epoch, struct bk_effects *fx);
int16_t bk_txns_add_partitions(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id,
                               int16_t epoch, const struct bk_topic_partition *partitions,
                               size_t count, struct bk_time now, struct bk_effects *fx);
int16_t bk_txns_end(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id, int16_t epoch,
                    bool commit, struct bk_time now, struct bk_effects *fx);
/* All markers of this transaction are durable. Ignored when it is not waiting for them. */
void bk_txns_markers_done(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id,
                          int16_t epoch, struct bk_time now, struct bk_effects *fx);
/* May this producer write to this partition in its open transaction? 0, INVALID_TXN_STATE,
 * INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, CONCURRENT_TRANSACTIONS. */
int16_t bk_txns_verify(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id, int16_t epoch,
                       struct bs_bytes topic, int32_t partition);
/* Aborts what is over its time-out, forgets ids unused for long; gives the mono_ms of the next
 * run (INT64_MAX: none). */
int64_t bk_txns_tick(struct bk_txns *txns, struct bk_time now, struct bk_effects *fx);
int64_t bk_txns_due_ms(const struct bk_txns *txns);

struct bk_txn_view {
    struct bs_bytes id;
    enum bk_txn_state state;
    const char *state_name; /* "Ongoing" */
    int64_t producer_id, start_ms /* -1: none */;
    int16_t epoch;
    int32_t timeout_ms;
    struct bk_topic_partition *partitions; /* describe only; in the arena */
    size_t partition_count;
};
bool bk_txns_describe(struct bk_txns *txns, struct bs_bytes id, struct bs_arena *arena,
                      struct bk_txn_view *ret);
void bk_txns_each(struct bk_txns *txns, void (*each)(void *ctx, const struct bk_txn_view *view),
                  void *ctx);

/* One record of __transaction_state. BS_ECORRUPT for what cannot be read. */
int bk_txns_replay(struct bk_txns *txns, struct bs_bytes key, struct bs_bytes value,
                   struct bk_time now);
/* The records that a replay of this partition needs to come to the state now. */
void bk_txns_snapshot(struct bk_txns *txns, int32_t partition, struct bk_effects *fx);
/* Behind the last replayed record: gives the marker jobs that a crash cut short. */
void bk_txns_replayed(struct bk_txns *txns, struct bk_time now, struct bk_effects *fx);

#endif
