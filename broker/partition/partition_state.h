/* What the files of broker/partition share. Not for others. */
#ifndef WEIR_BROKER_PARTITION_PARTITION_STATE_H
#define WEIR_BROKER_PARTITION_PARTITION_STATE_H

#include "broker/partition/partition.h"
#include "broker/partition/waiter.h"
#include "lib/base/log.h"

struct bk_wait_link;

struct bk_partition {
    struct bk_partitions *table;
    struct bk_topic *topic;
    int32_t index, leader_epoch;
    int refs;
    int16_t error;      /* 0: online */
    struct bk_log *log; /* NULL: could not be opened, or the topic is gone */
    int64_t high_watermark, last_stable;
    /* Bytes ever appended that are below the high watermark, and (about) below the last stable
     * offset; they only rise. */
    int64_t high_bytes, stable_bytes;
    bool syncing, queued, removing;
    char *gone;                   /* removing: what its folder is called now */
    int64_t sync_end, sync_bytes; /* what the sync under way covers */
    int64_t unsynced_messages, sync_due_ms, read_said_ms;
    struct bk_partition *next_queued; /* to be synced at the end of this turn of the loop */
    bool waiting;                     /* on the list for flush.ms */
    struct bk_partition *next_waiting;
    struct bk_wait_link *links; /* waits that watch it */
};

struct bk_partition *bk_partition_new(struct bk_partitions *table, const struct bk_topic *topic,
                                      int32_t index);
/* Opens the log in dir; when that fails the partition is offline. */
void bk_partition_start(struct bk_partition *partition, const char *dir);
void bk_partition_update(struct bk_partition *partition, const struct bk_topic *topic);
void bk_partition_offline(struct bk_partition *partition, const char *why);
void bk_partition_sync(struct bk_partition *partition);

/* partitions.c */
const struct bk_log_ports *bk_partitions_ports(const struct bk_partitions *table);
const struct bs_config *bk_partitions_config(const struct bk_partitions *table);
void bk_partitions_queue_sync(struct bk_partitions *table, struct bk_partition *partition);
void bk_partitions_sync_by(struct bk_partitions *table, struct bk_partition *partition,
                           int64_t delay_ms);
/* A sync has ended: the table may be waiting for it. */
void bk_partitions_synced(struct bk_partitions *table, struct bk_partition *partition);
void bk_partitions_full(struct bk_partitions *table, const char *why); /* disk full, said rarely */

/* waiter.c */
struct bk_waiter *bk_waiter_new(struct io_loop *loop, struct io_clock *clock);
void bk_waiter_free(struct bk_waiter *waiter); /* what is parked is gone, done is not called */
void bk_waiter_moved(struct bk_partition *partition); /* watermarks rose, or error is set */

#endif
