/* Follow: what other workers write to connect-configs, from the end of the replay on. */
#ifndef WEIR_RUNTIME_CONNECT_WATCH_H
#define WEIR_RUNTIME_CONNECT_WATCH_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct rt_watch;

/* On the watcher's own thread; the texts are borrowed for the call; value NULL: a tombstone. */
typedef void rt_watch_each(void *ctx, const char *key, const char *value, int64_t offset);

int rt_watch_open(const char *bootstrap, int64_t from, rt_watch_each *each, void *ctx,
                  struct rt_watch **ret, struct bs_error *err);
void rt_watch_close(struct rt_watch *watch); /* joins its thread; accepts NULL */

#endif
