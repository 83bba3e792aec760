/* Reasons: through which subject a user could read a schema the last time, so that the next time is
 * not a walk over all subjects. Only a hint: the right and the use are asked again each time, and
 * an old one does no harm. Any thread; SR_REASONS of them, the newer one takes a place. */
#ifndef WEIR_SR_REASON_H
#define WEIR_SR_REASON_H

#include "lib/base/arena.h"

#include <stddef.h>

enum { SR_REASONS = 1024, SR_REASON_NAME_MAX = 255 };

struct sr_reasons;

struct sr_reasons *sr_reasons_new(void);
void sr_reasons_free(struct sr_reasons *reasons); /* accepts NULL */
/* A copy of the subject's name, or NULL. User and entry count by their address. */
const char *sr_reason_get(struct sr_reasons *reasons, const void *user, const void *entry,
                          struct bs_arena *arena);
/* A name longer than SR_REASON_NAME_MAX is not kept. */
void sr_reason_put(struct sr_reasons *reasons, const void *user, const void *entry,
                   const char *subject);

#endif
