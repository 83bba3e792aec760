/* Record: the records of the metadata log. Each is the value of one record of a batch: uvarint
 * frame version 1, uvarint type, uvarint version, body (Kafka's types, all flexible). Pure. */
#ifndef WEIR_BROKER_CLUSTER_RECORD_H
#define WEIR_BROKER_CLUSTER_RECORD_H

#include "broker/cluster/image.h"
#include "lib/base/buf.h"

enum bk_record_type {
    BK_RECORD_TOPIC = 2,
    BK_RECORD_PARTITION = 3,
    BK_RECORD_CONFIG = 4,
    BK_RECORD_PARTITION_CHANGE = 5,
    BK_RECORD_REMOVE_TOPIC = 9,
    BK_RECORD_PRODUCER_IDS = 15,
};

enum { BK_RECORD_REPLICAS_MAX = 16 };

/* Which members count depends on the type. Slices are views of what was decoded. */
struct bk_record {
    enum bk_record_type type;
    struct bk_uuid topic_id;
    struct bs_bytes name; /* topic; or the resource of a config */
    int32_t partition;
    int32_t leader, leader_epoch, partition_epoch; /* PARTITION_CHANGE: leader -2 is no change */
    int32_t replicas[BK_RECORD_REPLICAS_MAX];
    size_t replica_count;
    int8_t resource_type;
    struct bs_bytes key, value; /* CONFIG; value.ptr NULL: back to the default */
    int32_t broker_id;
    int64_t next_producer_id;
};

void bk_record_encode(const struct bk_record *record, struct bs_buf *out);
/* 1: a type this program does not know (passed over with a warning by who replays). */
int bk_record_decode(struct bs_bytes value, struct bk_record *ret);

#endif
