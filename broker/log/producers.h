/* Producers: what a log knows of who writes to it: the last batches of each idempotent producer,
 * open transactions, and what was aborted.
 *
 * Snapshot file (Kafka's format), big endian: int16 version 1, uint32 CRC-32C of what follows,
 * int32 count, then per batch: int64 producer id, int16 epoch, int32 last sequence, int64 last
 * offset, int32 offset delta, int64 timestamp, int32 coordinator epoch, int64 first offset of the
 * open transaction or -1. Kafka keeps one row per producer; here up to five, oldest first, so that
 * a retry of any batch in flight is still known after a restart. A reader that keeps the last row
 * of a producer gets exactly Kafka's. Owner: the log's thread. */
#ifndef WEIR_BROKER_LOG_PRODUCERS_H
#define WEIR_BROKER_LOG_PRODUCERS_H

#include "broker/log/log.h"

enum { BK_PRODUCER_BATCHES = 5 };

struct bk_sent { /* one batch that is in the log */
    int32_t last_sequence, offset_delta;
    int64_t last_offset, timestamp_ms;
};

struct bk_producer;
struct bk_producers;

/* What the log reads from a batch's header. */
struct bk_batch_ids {
    int64_t producer_id, base_offset, last_offset, timestamp_ms;
    int16_t producer_epoch;
    int32_t base_sequence, last_sequence;
    bool transactional;
};

struct bk_aborted_entry { /* as in .txnindex */
    int64_t producer_id, first_offset, last_offset, last_stable;
};

struct bk_producers *bk_producers_new(void);
void bk_producers_free(struct bk_producers *producers);
void bk_producers_reset(struct bk_producers *producers); /* as new */

/* Kafka error code: 0 and *ret_duplicate >= 0: that is the base offset of this same batch. */
int16_t bk_producers_check(const struct bk_producers *producers, const struct bk_batch_ids *ids,
                           bool sequence_from_zero, int64_t *ret_duplicate);
void bk_producers_appended(struct bk_producers *producers, const struct bk_batch_ids *ids);
int16_t bk_producers_check_marker(const struct bk_producers *producers,
                                  const struct bk_marker *marker);
/* A marker is at `offset`; gives whether it aborted something, with the entry. */
bool bk_producers_ended(struct bk_producers *producers, const struct bk_marker *marker,
                        int64_t offset, int64_t timestamp_ms, struct bk_aborted_entry *ret);
int64_t bk_producers_stable(struct bk_producers *producers, int64_t limit);
int64_t bk_producers_open_txn(const struct bk_producers *producers, int64_t producer_id,
                              int16_t producer_epoch);
void bk_producers_visit(const struct bk_producers *producers, bk_producer_visit *visit, void *ctx);
/* Forgets producers without an open transaction that are silent since before. */
void bk_producers_expire(struct bk_producers *producers, int64_t before_ms);
size_t bk_producers_count(const struct bk_producers *producers);

int bk_producers_load(struct bk_producers *producers, struct io_files *files, const char *path,
                      struct bs_error *err); /* BS_ECORRUPT leaves it reset */
/* Not synced: the CRC tells a torn one, and the log is read instead. */
int bk_producers_save(const struct bk_producers *producers, struct io_files *files,
                      const char *path, struct bs_error *err);

#endif
