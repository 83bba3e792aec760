/* Control: the batch that ends a transaction, made and read. No state. */
#ifndef WEIR_BROKER_LOG_CONTROL_H
#define WEIR_BROKER_LOG_CONTROL_H

#include "broker/log/log.h"
#include "lib/kafka/record_batch.h"

/* Base offset and leader epoch are stamped by the append. builder is set up by this and deinit'ed
 * by the caller; *ret_bytes lives in it. */
int bk_control_write(const struct bk_marker *marker, int64_t timestamp_ms,
                     struct kp_batch_builder *builder, struct bs_bytes *ret_bytes);
/* Reads producer, commit and coordinator epoch out of a whole control batch. 1: of another kind. */
int bk_control_read(const uint8_t *bytes, const struct kp_batch *batch, struct bk_marker *marker);

#endif
