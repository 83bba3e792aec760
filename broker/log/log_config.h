/* Log config: what a topic's settings mean for one log. Plain values; copied. */
#ifndef WEIR_BROKER_LOG_LOG_CONFIG_H
#define WEIR_BROKER_LOG_LOG_CONFIG_H

#include "lib/base/option.h"

#include <stdbool.h>
#include <stdint.h>

enum bk_flush {
    BK_FLUSH_ACK,      /* synced before it is acknowledged and before consumers see it */
    BK_FLUSH_INTERVAL, /* synced by flush_messages and flush_ms, and when a segment is full */
};

struct bk_log_config {
    int64_t segment_bytes, segment_ms, segment_jitter_ms;
    int64_t index_bytes, index_interval_bytes;
    int64_t retention_ms, retention_bytes; /* -1: no bound */
    int64_t message_bytes_max;
    int64_t timestamp_before_ms, timestamp_after_ms; /* how far from now a client's may be */
    int64_t flush_messages, flush_ms;
    int64_t producer_expiration_ms;
    enum bk_flush flush;
    bool compact, remove; /* cleanup.policy */
    bool log_append_time; /* message.timestamp.type */
};

/* The defaults of every row; tests and the metadata log start from it. */
struct bk_log_config bk_log_config_default(void);

/* Broker-level rows that storage needs: log.segment.bytes, log.retention.ms, weir.flush, … */
extern const struct bs_option_table bk_storage_options;

#endif
