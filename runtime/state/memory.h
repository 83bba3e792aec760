/* Memory: a base that is a map, for the committed rows of stores that asked to be in memory. They
 * begin empty and are restored from their changelog. */
#ifndef WEIR_RUNTIME_STATE_MEMORY_H
#define WEIR_RUNTIME_STATE_MEMORY_H

#include "runtime/state/base.h"

struct rt_base *rt_memory_base_new(void);
void rt_memory_base_free(struct rt_base *base); /* accepts NULL */
/* value.ptr NULL deletes. */
void rt_memory_base_put(struct rt_base *base, struct bs_bytes row, struct bs_bytes value,
                        int64_t timestamp);
void rt_memory_base_wipe(struct rt_base *base);

#endif
