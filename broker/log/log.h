/* Log: one partition's records on disk: segments, sparse indexes, producer state, recovery,
 * retention. Knows nothing of replication, waiting or topics.
 *
 * Owner: the loop thread. Errors of the disk are BS_E… with a sentence; what a client did wrong is
 * a Kafka error code in bk_append. */
#ifndef WEIR_BROKER_LOG_LOG_H
#define WEIR_BROKER_LOG_LOG_H

#include "broker/log/log_config.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/io/clock.h"
#include "lib/io/file.h"
#include "lib/io/random.h"

#include <stdbool.h>

struct bk_log;
struct bk_fd_cache;

struct bk_log_ports {
    struct io_files *files;
    struct io_clock *clock;
    struct io_random *random;
    struct bk_fd_cache *fds; /* shared by all logs of the broker */
};

/* The open files of all logs, bounded: the longest unused one is closed to open another. */
struct bk_fd_cache *bk_fd_cache_new(struct io_files *files, int64_t open_max);
void bk_fd_cache_free(struct bk_fd_cache *fds); /* all logs closed before; accepts NULL */

/* What opening found and did, for the log line and the tests. */
struct bk_recovery {
    int64_t scanned_bytes;   /* read fully, CRC checked */
    int64_t truncated_bytes; /* torn tail that was cut */
    int64_t segment_count;
    bool clean; /* nothing had to be scanned */
};

/* Opens or creates the log in folder `dir` (made when it is not there). Segments whose index is
 * there were on disk whole when it was written and are taken as they are; from the first without
 * one, everything is read and checked, and a torn tail is cut. config is copied. */
int bk_log_open(const char *dir, const struct bk_log_config *config,
                const struct bk_log_ports *ports, struct bk_log **ret_log,
                struct bk_recovery *ret_recovery /* or NULL */, struct bs_error *err);
/* Syncs and writes indexes and producer state, so that the next open needs no scan. */
int bk_log_seal(struct bk_log *log, struct bs_error *err);
void bk_log_close(struct bk_log *log); /* writes nothing; accepts NULL */
/* Its folder is another's from now on: a sync under way ends, and nothing else is written. */
void bk_log_abandon(struct bk_log *log);
void bk_log_set_config(struct bk_log *log, const struct bk_log_config *config);
const struct bk_log_config *bk_log_config(const struct bk_log *log);
const char *bk_log_dir(const struct bk_log *log);

/* ---- append ------------------------------------------------------------------------------- */

enum bk_origin {
    BK_ORIGIN_CLIENT,      /* sequence, size, timestamps and control bit are checked */
    BK_ORIGIN_COORDINATOR, /* the broker's own records and markers: no sequence check */
};

struct bk_append {
    /* in */
    uint8_t *records; /* one batch, base offset and leader epoch are stamped in place */
    size_t len;
    enum bk_origin origin;
    int32_t leader_epoch;
    bool sequence_from_zero; /* transaction version 2: an unknown producer must start at 0 */
    /* out */
    int16_t error;        /* Kafka error code; 0: appended or duplicate */
    char error_text[160]; /* for the response's error message, "" if none */
    bool duplicate;       /* this very batch is there already; base_offset is the old one */
    int64_t base_offset, last_offset;
    int64_t append_time_ms; /* LogAppendTime topics, else -1 */
};

/* Checks (framing, CRC, records' outline, producer state), then writes to the page cache: not yet
 * synced. Returns 0 (see append->error), or BS_E… when the disk failed: BS_ENOSPC leaves the log as
 * it was and it may be used on; after any other the log must not be appended to. */
int bk_log_append(struct bk_log *log, struct bk_append *append, struct bs_error *err);
/* A transaction's end. error: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED. */
struct bk_marker {
    int64_t producer_id;
    int16_t producer_epoch;
    bool commit;
    int32_t coordinator_epoch;
    int32_t leader_epoch;
};
int bk_log_append_marker(struct bk_log *log, const struct bk_marker *marker,
                         struct bk_append *ret_append, struct bs_error *err);

/* ---- sync ---------------------------------------------------------------------------------- */

/* Everything before bk_log_end at the time of the call is on disk when done says 0. One at a time
 * (a second call while one is under way is a bug). Close waits for nobody: not while under way. */
void bk_log_sync_start(struct bk_log *log, io_sync_done *done, void *ctx);
int bk_log_sync(struct bk_log *log, struct bs_error *err);
/* A full segment is not synced yet: start a sync whatever the flush policy says. */
bool bk_log_rolled_dirty(const struct bk_log *log);

/* ---- positions ------------------------------------------------------------------------------- */

int64_t bk_log_start(const struct bk_log *log);       /* first offset offered */
int64_t bk_log_end(const struct bk_log *log);         /* next offset */
int64_t bk_log_bytes(const struct bk_log *log);       /* size on disk of the .log files */
int64_t bk_log_bytes_total(const struct bk_log *log); /* ever appended since open; only rises */
/* First offset of the oldest transaction that is open, or whose end is at or behind `limit` (not
 * yet visible); `limit` when there is none: the last stable offset for high watermark `limit`. */
int64_t bk_log_stable(struct bk_log *log, int64_t limit);
/* First offset of the open transaction of a producer, or -1. */
int64_t bk_log_open_txn(const struct bk_log *log, int64_t producer_id, int16_t producer_epoch);

struct bk_offset_time {
    int64_t offset, timestamp_ms; /* -1, -1: none */
    int32_t leader_epoch;
};
/* First record with timestamp >= asked and offset < limit. */
int bk_log_offset_for_time(struct bk_log *log, int64_t timestamp_ms, int64_t limit,
                           struct bk_offset_time *ret, struct bs_error *err);
/* The record with the largest timestamp. */
int bk_log_offset_for_max_time(struct bk_log *log, int64_t limit, struct bk_offset_time *ret,
                               struct bs_error *err);
/* Leader epochs: the largest epoch <= asked and the offset where it ended (log end for the newest);
 * -1, -1: none. */
void bk_log_epoch_end(const struct bk_log *log, int32_t epoch, int32_t *ret_epoch,
                      int64_t *ret_end_offset);
int32_t bk_log_last_epoch(const struct bk_log *log);  /* -1: none */
int32_t bk_log_first_epoch(const struct bk_log *log); /* of the log start; -1: none */

/* ---- read ------------------------------------------------------------------------------------ */

/* Appends whole batches from the one that holds `offset`, all below `limit`, to out: at most
 * bytes_max, but at least one batch when `at_least_one` and there is one. Bounds out's growth.
 * BS_ERANGE: offset below the start or above the end. */
int bk_log_read(struct bk_log *log, int64_t offset, int64_t limit, size_t bytes_max,
                bool at_least_one, struct bs_buf *out, struct bs_error *err);
struct bk_aborted {
    int64_t producer_id, first_offset;
};
/* Aborted transactions that overlap [from, to): *ret is bs_free'd by the caller. */
int bk_log_aborted(struct bk_log *log, int64_t from, int64_t to, struct bk_aborted **ret,
                   size_t *ret_count, struct bs_error *err);

/* ---- producers (DescribeProducers) ------------------------------------------------------------
 */

struct bk_producer_info {
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t last_sequence, coordinator_epoch;
    int64_t last_timestamp_ms, txn_first_offset; /* -1: no open transaction */
};
typedef void bk_producer_visit(void *ctx, const struct bk_producer_info *info);
void bk_log_producers(const struct bk_log *log, bk_producer_visit *visit, void *ctx);

/* ---- shrink ------------------------------------------------------------------------------------
 */

/* DeleteRecords: nothing below offset is offered any more (also after a restart); whole segments
 * below it go with the next retention. Only forward; BS_ERANGE above limit. */
int bk_log_delete_before(struct bk_log *log, int64_t offset, int64_t limit, struct bs_error *err);
/* Drops what retention.ms, retention.bytes and the log start say, only below limit. Producers
 * without news for producer.id.expiration.ms are forgotten. */
int bk_log_retain(struct bk_log *log, int64_t limit, int64_t *ret_freed_bytes,
                  struct bs_error *err);

#endif
