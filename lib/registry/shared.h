/* Shared: what the threads of one registry client share: schemas by id, and idle connections. */
#ifndef WEIR_REGISTRY_SHARED_H
#define WEIR_REGISTRY_SHARED_H

#include "lib/serde/schema.h"

struct rc_shared;

struct rc_shared *rc_shared_new(size_t cache_max);
void rc_shared_free(struct rc_shared *shared, void (*handle_free)(void *handle));
/* A counted schema, or NULL. */
struct sd_schema *rc_shared_get(struct rc_shared *shared, int32_t id);
/* Counts the schema for the cache, or exchanges the caller's for the one that is there already. The
 * least recently used one goes when there are too many. */
void rc_shared_put(struct rc_shared *shared, int32_t id, struct sd_schema **schema);
/* The same by GUID, with an id; both count towards `cache_max`. */
struct sd_schema *rc_shared_get_guid(struct rc_shared *shared, const uint8_t guid[16],
                                     int32_t *ret_id);
void rc_shared_put_guid(struct rc_shared *shared, const uint8_t guid[16], int32_t id,
                        struct sd_schema **schema);
/* Index of the URL that answered last. */
size_t rc_shared_first(struct rc_shared *shared);
void rc_shared_set_first(struct rc_shared *shared, size_t first);
/* An idle handle, or NULL. */
void *rc_shared_take_handle(struct rc_shared *shared);
/* false: enough are idle; the caller frees it. */
bool rc_shared_give_handle(struct rc_shared *shared, void *handle);

#endif
