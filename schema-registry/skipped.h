/* Skipped: records of the topic that have no effect: how many, and offset and reason of the last
 * few, for /health. One owner. */
#ifndef WEIR_SR_SKIPPED_H
#define WEIR_SR_SKIPPED_H

#include "lib/base/buf.h"

enum { SR_SKIPPED_KEPT = 8, SR_SKIPPED_REASON = 200 };

struct sr_skipped {
    int64_t count;
    struct {
        int64_t offset;
        char reason[SR_SKIPPED_REASON];
    } last[SR_SKIPPED_KEPT]; /* the n-th is at n modulo its size */
};

void sr_skipped_add(struct sr_skipped *skipped, int64_t offset, const char *reason);
/* {"count":2,"last":[{"offset":7,"reason":"…"}]}, the newest last. */
void sr_skipped_put(const struct sr_skipped *skipped, struct bs_buf *out);

#endif
