/* Partitioner: which partition a key belongs to, as the Java client decides it, so that records of
 * one key meet in one partition whoever wrote them. Pure. */
#ifndef WEIR_KAFKA_PARTITIONER_H
#define WEIR_KAFKA_PARTITIONER_H

#include "lib/base/bytes.h"

#include <stdint.h>

/* MurmurHash2, seed 0x9747b28c. */
uint32_t kp_murmur2(struct bs_bytes key);
/* toPositive(murmur2(key)) % partition_count; partition_count > 0. */
int32_t kp_partition_for_key(struct bs_bytes key, int32_t partition_count);
/* java.lang.String.hashCode of UTF-8 text (over its UTF-16 units; bad bytes count as U+FFFD). */
int32_t kp_java_string_hash(struct bs_bytes text);
/* The partition of __consumer_offsets or __transaction_state that keeps a group or transactional
 * id. */
int32_t kp_partition_for_id(struct bs_bytes id, int32_t partition_count);

#endif
