/* Metric: a static description and an embedded cell. The hot path touches only the cell.
 * Printed in the Prometheus text format (version 0.0.4) at /metrics. Any thread. */
#ifndef WEIR_BASE_METRIC_H
#define WEIR_BASE_METRIC_H

#include "lib/base/buf.h"

#include <stdatomic.h>
#include <stdint.h>

enum bs_metric_type { BS_COUNTER, BS_GAUGE };

struct bs_metric_desc {
    const char *name; /* "weir_broker_produce_bytes_total": unit before the ending */
    enum bs_metric_type type;
    const char *doc;
};

/* Lives in its owner; registered from init to deinit. */
struct bs_metric {
    const struct bs_metric_desc *desc;
    char *labels; /* owned; "topic=\"flights\"" or NULL */
    _Atomic int64_t value;
    struct bs_metric *next, **prev;
};

void bs_metric_init(struct bs_metric *metric, const struct bs_metric_desc *desc,
                    const char *labels);
void bs_metric_deinit(struct bs_metric *metric); /* accepts NULL and a zeroed one */
static inline void bs_metric_add(struct bs_metric *metric, int64_t n)
{
    atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}
static inline void bs_metric_set(struct bs_metric *metric, int64_t n)
{
    atomic_store_explicit(&metric->value, n, memory_order_relaxed);
}
static inline int64_t bs_metric_get(const struct bs_metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}
void bs_metric_print_all(struct bs_buf *out);

#endif
