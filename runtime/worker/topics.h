/* Topics: what a pipeline needs on the broker before it starts, and how many partitions each has.
 */
#ifndef WEIR_RUNTIME_WORKER_TOPICS_H
#define WEIR_RUNTIME_WORKER_TOPICS_H

#include "runtime/worker/client.h"
#include "runtime/worker/progress.h"
#include "runtime/worker/settings.h"

struct rt_topics {
    const struct rt_plan *plan; /* borrowed */
    int32_t *partitions;        /* of plan->topics[i] */
};

/* Waits for source topics (settings->topics_wait_ms), makes internal ones and missing sinks, checks
 * partition numbers. BS_ECANCELLED when the pipeline is to stop. */
int rt_topics_prepare(rd_kafka_t *admin, const struct rt_plan *plan,
                      const struct rt_settings *settings, struct rt_progress *progress,
                      struct rt_topics *ret, struct bs_error *err);
void rt_topics_deinit(struct rt_topics *topics);
int32_t rt_topics_partitions(const struct rt_topics *topics, const char *name); /* 0: unknown */
/* As many tasks as its topic with the most partitions has. */
int32_t rt_topics_tasks(const struct rt_topics *topics, const struct rt_subtopology *sub);
char *rt_topics_changelog(const struct rt_plan *plan, const char *store); /* bs_free it */

#endif
