/* Dispatch: from a frame to the handler of its API. Owner: the loop thread. */
#ifndef WEIR_BROKER_SERVER_DISPATCH_H
#define WEIR_BROKER_SERVER_DISPATCH_H

#include "broker/handler/call.h"

/* The rows of the APIs, and the metrics in service. */
void bk_dispatch_init(struct bk_service *service);
void bk_dispatch_deinit(struct bk_service *service);
/* Reads header and request out of call->frame and runs the handler. What the protocol has no answer
 * for (an API that is not served, a request that cannot be read) hangs up; an ApiVersions of a
 * version that is not known is answered as KIP-511 says. */
void bk_dispatch(struct bk_call *call);

#endif
