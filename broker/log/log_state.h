/* What the files of broker/log share of one log. Not for others. */
#ifndef WEIR_BROKER_LOG_LOG_STATE_H
#define WEIR_BROKER_LOG_LOG_STATE_H

#include "broker/log/epochs.h"
#include "broker/log/log.h"
#include "broker/log/producers.h"
#include "broker/log/segment.h"

#include "lib/base/log.h"

enum { BK_LOG_HINTS = 8 };

struct bk_hint { /* the batch with base offset `offset` begins at `position` of the segment */
    int64_t offset, segment_base, position;
};

struct bk_log {
    char *dir;
    struct bk_log_config config;
    struct bk_log_ports ports;
    struct bk_segment **segments; /* rising; the last is the active one */
    size_t count, cap;
    int64_t start, end, bytes, bytes_total;
    int64_t roll_jitter_ms;
    bool dir_dirty; /* a segment file was made and its name is not on disk yet */
    struct bk_producers *producers;
    struct bk_epochs epochs;
    struct bk_aborted_entry *aborted; /* rising last_offset */
    size_t aborted_count, aborted_cap;
    struct bk_hint hints[BK_LOG_HINTS];
    unsigned hint_next;
    /* A sync under way: syncs segments from the oldest dirty one up to sync_until. */
    bool syncing, abandoned;
    struct bk_segment *sync_segment, *sync_until;
    io_sync_done *sync_done;
    void *sync_ctx;
};

static inline struct bk_segment *bk_log_active(const struct bk_log *log)
{
    return log->segments[log->count - 1];
}
struct bk_segment *bk_log_add_segment(struct bk_log *log, int64_t base_offset);
/* Index in segments of the one that holds offset (the last with base <= offset). */
size_t bk_log_find_segment(const struct bk_log *log, int64_t offset);
void bk_log_note_aborted(struct bk_log *log, const struct bk_aborted_entry *entry);
/* What the batch does to producers, transactions and epochs; `bytes` is needed for control ones. */
int bk_log_apply(struct bk_log *log, const struct kp_batch *batch, const uint8_t *bytes,
                 bool note_aborted, struct bs_error *err);
int bk_log_roll(struct bk_log *log, struct bs_error *err);
/* Writes txnindex, epochs and index of a segment that is on disk. */
int bk_log_seal_segment(struct bk_log *log, struct bk_segment *segment, struct bs_error *err);
int bk_log_snapshot(struct bk_log *log, struct bs_error *err);
int bk_log_recover(struct bk_log *log, struct bk_recovery *recovery, struct bs_error *err);
/* txn_index.c */
int bk_txn_index_load(struct bk_log *log, const struct bk_segment *segment, struct bs_error *err);
int bk_txn_index_save(const struct bk_log *log, const struct bk_segment *segment,
                      struct bs_error *err);

extern const struct bs_event bk_event_log_truncated;
extern const struct bs_event bk_event_log_failed;
extern const struct bs_event bk_event_log_full;
extern const struct bs_event bk_event_log_rebuilt;

#endif
