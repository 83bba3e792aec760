/* API: one row per request that the broker serves. */
#ifndef WEIR_BROKER_HANDLER_API_H
#define WEIR_BROKER_HANDLER_API_H

#include "broker/handler/call.h"

struct bk_api {
    int16_t key;
    int16_t min, max;                     /* served */
    void (*handle)(struct bk_call *call); /* ends or parks the call */
    /* Bytes that decoding may take in the arena, per byte of the request: small arrays of large
     * structs grow. A request over what the budget leaves is refused before it is decoded. */
    uint32_t growth;
    const struct kp_api *wire; /* filled by bk_apis_init */
};

void bk_apis_init(void); /* once, before the first find */
/* NULL: not served. */
const struct bk_api *bk_api_find(int16_t key);
const struct bk_api *bk_api_next(
    const struct bk_api *api); /* the first for NULL; NULL at the end */

#endif
