/* Settings: the worker's option rows, and their values read once at start. */
#ifndef WEIR_RUNTIME_WORKER_SETTINGS_H
#define WEIR_RUNTIME_WORKER_SETTINGS_H

#include "lib/base/option.h"

struct rt_settings {
    char *listen, *bootstrap, *state_dir, *plugin_dir, *connect_group;
    int threads; /* 0: what the pipeline says */
    int64_t session_timeout_ms, transaction_timeout_ms, topics_wait_ms, task_idle_ms;
    int64_t buffered_max; /* records of one partition */
    size_t uncommitted_max_bytes, cache_bytes, block_cache_bytes, write_buffer_bytes;
    int replication_factor; /* −1: the broker's default */
    int repartition_min;
    bool create_sinks;
    struct bs_config *serde; /* what is set of rc_serde_options */
    size_t memory_max_bytes;
    int64_t cpu_max_per_record_ms;
};

extern const struct bs_option_table rt_worker_options;

void rt_settings_init(struct rt_settings *settings, const struct bs_config *config);
void rt_settings_deinit(struct rt_settings *settings);

#endif
