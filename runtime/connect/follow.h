/* Follow: what other workers write to connect-configs, from the end of the replay on. */
#ifndef WEIR_RUNTIME_CONNECT_FOLLOW_H
#define WEIR_RUNTIME_CONNECT_FOLLOW_H

#include "lib/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct rt_follow;

/* On the follower's own thread; the texts are borrowed for the call; value NULL: a tombstone. */
typedef void rt_follow_each(void *ctx, const char *key, const char *value, int64_t offset);

int rt_follow_open(const char *bootstrap, int64_t from, rt_follow_each *each, void *ctx,
                   struct rt_follow **ret, struct bs_error *err);
void rt_follow_close(struct rt_follow *follow); /* joins its thread; accepts NULL */

#endif
