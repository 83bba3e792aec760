/* Skipped: see skipped.h. */
#include "schema-registry/skipped.h"

#include <stdio.h>

void sr_skipped_add(struct sr_skipped *skipped, int64_t offset, const char *reason)
{
    size_t at = (size_t)(skipped->count++ % SR_SKIPPED_KEPT);
    skipped->last[at].offset = offset;
    snprintf(skipped->last[at].reason, sizeof skipped->last[at].reason, "%s", reason);
}

void sr_skipped_put(const struct sr_skipped *skipped, struct bs_buf *out)
{
    int64_t from = skipped->count > SR_SKIPPED_KEPT ? skipped->count - SR_SKIPPED_KEPT : 0;
    bs_buf_printf(out, "{\"count\":%lld,\"last\":[", (long long)skipped->count);
    for (int64_t i = from; i < skipped->count; i++) {
        const char *reason = skipped->last[i % SR_SKIPPED_KEPT].reason;
        bs_buf_printf(out, "%s{\"offset\":%lld,\"reason\":", i > from ? "," : "",
                      (long long)skipped->last[i % SR_SKIPPED_KEPT].offset);
        bs_buf_put_json_string(out, reason, strlen(reason));
        bs_buf_puts(out, "}");
    }
    bs_buf_puts(out, "]}");
}
