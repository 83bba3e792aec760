/* Records: the few questions a log asks of the records inside a batch. Unpacks compressed ones. No
 * state; the loop thread. */
#ifndef WEIR_BROKER_LOG_RECORDS_H
#define WEIR_BROKER_LOG_RECORDS_H

#include "lib/kafka/record_batch.h"

/* Every record can be read and has a key: 0; BS_ENOTFOUND: one has none; else it is malformed. */
int bk_records_check_keys(const uint8_t *bytes, const struct kp_batch *batch);
/* First record at or behind from_offset with timestamp >= asked; 1: none. */
int bk_records_find_time(const uint8_t *bytes, const struct kp_batch *batch, int64_t timestamp_ms,
                         int64_t from_offset, int64_t *ret_offset, int64_t *ret_timestamp_ms);

#endif
