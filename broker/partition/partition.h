/* Partition: a log with a high watermark, a last stable offset and a flush policy, and the table
 * of all partitions of this broker. What waits for a partition is in waiter.h.
 *
 * Owner: the loop thread. Errors of the protocol are Kafka error codes (int16_t, 0 is none). */
#ifndef WEIR_BROKER_PARTITION_PARTITION_H
#define WEIR_BROKER_PARTITION_PARTITION_H

#include "broker/cluster/metadata.h"
#include "broker/log/log.h"

/* ---- table ---------------------------------------------------------------------------------- */

struct bk_partitions;
struct bk_partition;

struct bk_partitions_spec {
    const char *dir; /* the data folder; the metadata holds its lock */
    struct bk_log_ports ports;
    struct io_loop *loop;
    struct bk_metadata *metadata; /* observed: folders come and go with its topics */
    const struct bs_config *config;
};
/* Opens the log of every topic partition (recovering those not closed in order),
 * finishes deletions that a crash cut short, starts flush and retention timers. A partition whose
 * log cannot be opened is there, but offline. */
int bk_partitions_open(const struct bk_partitions_spec *spec, struct bk_partitions **ret,
                       struct bs_error *err);
/* Orderly stop: waits for syncs under way (runs no callbacks of the parked: cancel them before),
 * seals every log. done on the loop thread. */
void bk_partitions_stop(struct bk_partitions *partitions, io_call *done, void *ctx);
void bk_partitions_close(struct bk_partitions *partitions); /* after stop, or nothing in flight */
struct bk_partition *bk_partitions_find(struct bk_partitions *partitions,
                                        const struct bk_topic *topic, int32_t index);
/* Topic names, so that handlers need one call; *ret_error UNKNOWN_TOPIC_OR_PARTITION or
 * KAFKA_STORAGE_ERROR when NULL comes back. */
struct bk_partition *bk_partitions_get(struct bk_partitions *partitions, const char *topic,
                                       size_t topic_len, int32_t index, int16_t *ret_error);
struct bk_waiter *bk_partitions_waiter(struct bk_partitions *partitions);

/* ---- one partition ----------------------------------------------------------------------------
 */

/* A partition lives until its topic is removed and its last reference is gone. */
struct bk_partition *bk_partition_ref(struct bk_partition *partition);
void bk_partition_unref(struct bk_partition *partition);

const struct bk_topic *bk_partition_topic(const struct bk_partition *partition);
int32_t bk_partition_index(const struct bk_partition *partition);
int32_t bk_partition_leader_epoch(const struct bk_partition *partition);
int16_t bk_partition_error(const struct bk_partition *partition); /* KAFKA_STORAGE_ERROR: offline;
                                                         UNKNOWN_TOPIC_OR_PARTITION: deleted */
int64_t bk_partition_log_start(const struct bk_partition *partition);
int64_t bk_partition_log_end(const struct bk_partition *partition);
int64_t bk_partition_high_watermark(const struct bk_partition *partition);
int64_t bk_partition_last_stable(const struct bk_partition *partition);
int64_t bk_partition_bytes(const struct bk_partition *partition);
/* A client's idea of the leader epoch (-1: none): 0, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH. */
int16_t bk_partition_check_epoch(const struct bk_partition *partition, int32_t epoch);

/* Appends (see bk_append for what goes in and comes out; leader_epoch is filled in here) and starts
 * or joins a sync by the flush policy. Returns append->error, KAFKA_STORAGE_ERROR included. What
 * is appended may be acknowledged when the high watermark is above append->last_offset: park in
 * the waiter for it (acks=0: do not wait). A duplicate waits the same way. */
int16_t bk_partition_append(struct bk_partition *partition, struct bk_append *append);
int16_t bk_partition_append_marker(struct bk_partition *partition, const struct bk_marker *marker,
                                   struct bk_append *ret_append);
/* First offset of the open transaction of this producer here, or -1. */
int64_t bk_partition_open_txn(const struct bk_partition *partition, int64_t producer_id,
                              int16_t producer_epoch);

enum bk_isolation {
    BK_READ_UNCOMMITTED,
    BK_READ_COMMITTED,
    BK_READ_ALL /* up to the log end: the broker itself, replaying its own topics */
};
struct bk_read {
    /* in */
    int64_t offset;
    size_t bytes_max;
    bool at_least_one; /* the first batch even if larger than bytes_max */
    enum bk_isolation isolation;
    /* out */
    int16_t error; /* OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR, … */
    size_t len;    /* appended to out */
    int64_t high_watermark, last_stable, log_start;
    struct bk_aborted *aborted; /* READ_COMMITTED; bs_free */
    size_t aborted_count;
};
/* Whole batches as they are on disk, appended to out (for example right behind the response that is
 * being built). Returns read->error. */
int16_t bk_partition_read(struct bk_partition *partition, struct bk_read *read, struct bs_buf *out);

enum { BK_TIME_LATEST = -1, BK_TIME_EARLIEST = -2, BK_TIME_MAX = -3, BK_TIME_EARLIEST_LOCAL = -4 };
/* ListOffsets. LATEST gives the high watermark, or the last stable offset for READ_COMMITTED. */
int16_t bk_partition_list_offset(struct bk_partition *partition, int64_t timestamp_ms,
                                 enum bk_isolation isolation, struct bk_offset_time *ret);
/* OffsetForLeaderEpoch. */
void bk_partition_epoch_end(const struct bk_partition *partition, int32_t epoch, int32_t *ret_epoch,
                            int64_t *ret_end_offset);
/* DeleteRecords: offset -1 is the high watermark. OFFSET_OUT_OF_RANGE, POLICY_VIOLATION (compacted
 * only topic; a coordinator's own topic is allowed, its rewrite needs it). */
int16_t bk_partition_delete_records(struct bk_partition *partition, int64_t offset,
                                    int64_t *ret_log_start);
void bk_partition_producers(const struct bk_partition *partition, bk_producer_visit *visit,
                            void *ctx);

#endif
