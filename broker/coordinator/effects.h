/* Effects: what a step of a coordinator wants done: records appended, parked calls answered,
 * transaction markers written. The order for whoever carries them out (shard.c): append the
 * records, wait until they are durable, then release the replies and start the marker writes.
 *
 * Everything in an effects object lives in its arena until bk_effects_deinit. Loop thread. */
#ifndef WEIR_BROKER_COORDINATOR_EFFECTS_H
#define WEIR_BROKER_COORDINATOR_EFFECTS_H

#include "lib/base/arena.h"
#include "lib/base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* Both clocks of one moment: timers run by mono_ms, what is written in records is wall_ms. */
struct bk_time {
    int64_t mono_ms, wall_ms;
};

struct bk_record {
    struct bk_record *next;
    int32_t partition;     /* of the coordinator's own topic */
    struct bs_bytes key;   /* never NULL */
    struct bs_bytes value; /* ptr NULL: tombstone */
    int64_t producer_id;   /* of the transaction it belongs to, or -1 */
    int16_t producer_epoch;
};

struct bk_join_member {
    struct bs_bytes id, instance_id /* ptr NULL: dynamic */, metadata;
};

struct bk_join_reply {
    struct bk_join_reply *next;
    void *call;
    int16_t error;
    bool skip_assignment;
    int32_t generation;
    struct bs_bytes protocol_type, protocol, leader, member_id; /* the first two may be NULL */
    struct bk_join_member *members;                             /* the leader's only */
    size_t member_count;
};

struct bk_sync_reply {
    struct bk_sync_reply *next;
    void *call;
    int16_t error;
    struct bs_bytes protocol_type, protocol, assignment;
};

struct bk_topic_partition {
    struct bs_bytes topic;
    int32_t partition;
};

/* Write the marker of a finished transaction to every partition, then bk_txns_markers_done. */
struct bk_marker_job {
    struct bk_marker_job *next;
    struct bs_bytes transactional_id;
    int64_t producer_id;
    int16_t producer_epoch;
    bool commit;
    struct bk_topic_partition *partitions;
    size_t partition_count;
};

struct bk_effects {
    struct bs_arena arena;
    struct bk_record *records, *records_last;
    struct bk_join_reply *joins;
    struct bk_sync_reply *syncs;
    struct bk_marker_job *markers;
};

void bk_effects_init(struct bk_effects *fx);
void bk_effects_deinit(struct bk_effects *fx); /* accepts a zeroed one */
/* Key and value are copied. */
struct bk_record *bk_effects_record(struct bk_effects *fx, int32_t partition, struct bs_bytes key,
                                    struct bs_bytes value);
struct bk_join_reply *bk_effects_join(struct bk_effects *fx, void *call, int16_t error);
struct bk_sync_reply *bk_effects_sync(struct bk_effects *fx, void *call, int16_t error);
struct bs_bytes bk_effects_dup(struct bk_effects *fx, struct bs_bytes bytes); /* NULL stays NULL */

#endif
