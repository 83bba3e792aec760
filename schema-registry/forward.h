/* Forward: a write that a follower was asked for, done by the leader over HTTP. */
#ifndef WEIR_SR_FORWARD_H
#define WEIR_SR_FORWARD_H

#include "schema-registry/service.h"

enum { SR_ANSWER_MAX = 32 << 20 }; /* bytes of a leader's answer */

/* What a leader's answer to a forwarded request has in this field: how far it has read the topic.
 */
#define SR_APPLIED_FIELD "Weir-Applied-Offset"

/* Asks the leader at that URL. true: the response is set, by it or with 50003. false: it does not
 * lead, or cannot be reached, and nothing was done: ask the gate again who leads. The waiting ends
 * at `until_ms`. */
bool sr_forward(struct sr_call *call, const char *url, int64_t until_ms);
/* Was it forwarded to the wrong process? The response is set then: nothing of it may be done here,
 * where perhaps other schemas are. */
bool sr_forward_misled(struct sr_call *call);

#endif
