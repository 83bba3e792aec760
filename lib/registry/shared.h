/* Shared: what the threads of one registry client share: schemas by id, and idle connections. */
#ifndef WEIR_REGISTRY_SHARED_H
#define WEIR_REGISTRY_SHARED_H

#include "lib/serde/schema.h"

struct rc_shared;

struct rc_shared *rc_shared_new(size_t cache_max);
void rc_shared_free(struct rc_shared *shared, void (*handle_free)(void *handle));
/* A counted schema, or NULL. */
struct sd_schema *rc_shared_get(struct rc_shared *shared, int32_t id);
/* Counts the schema for the cache; the least recently used one goes when there are too many. */
void rc_shared_put(struct rc_shared *shared, int32_t id, struct sd_schema *schema);
/* An idle handle, or NULL. */
void *rc_shared_take_handle(struct rc_shared *shared);
/* false: enough are idle; the caller frees it. */
bool rc_shared_give_handle(struct rc_shared *shared, void *handle);

#endif
