/* Memory: a registry in this process, behind the same client: for tests of what asks a registry. It
 * knows subjects, versions, ids, GUIDs and metadata; compatibility is not checked. */
#ifndef WEIR_REGISTRY_MEMORY_H
#define WEIR_REGISTRY_MEMORY_H

#include "lib/registry/client.h"

/* A client that asks nobody. One thread. rc_request on it is BS_EUNSUPPORTED. */
struct rc_client *rc_client_memory(void);

/* A version as somebody registered it before. `id` 0: the next one, or that of the same text;
 * `metadata`: "name=value,…", or NULL. The subject's version with this text stays what it is.
 * BS_ECONFLICT: the id is another schema's. */
int rc_memory_add(struct rc_client *client, const char *subject, struct bs_bytes text, int32_t id,
                  const char *metadata, int32_t *ret_id, struct bs_error *err);

/* ---- what client.c asks ---- */

struct rc_memory;
struct rc_memory *rc_memory_new(void);
void rc_memory_free(struct rc_memory *memory); /* accepts NULL */
int rc_memory_by_id(struct rc_memory *memory, int32_t id, struct sd_schema **ret,
                    struct bs_error *err);
void rc_memory_guid(int32_t id, uint8_t ret[16]);
int rc_memory_by_guid(struct rc_memory *memory, const uint8_t guid[16], int32_t *ret_id,
                      struct sd_schema **ret, struct bs_error *err);
/* The newest version of a subject: with all these properties, or `properties` NULL. */
int rc_memory_latest(struct rc_memory *memory, const char *subject, const char *properties,
                     struct rc_version *ret, struct bs_error *err);
/* Looks the text up, and with `enter` registers what is not there. */
int rc_memory_post(struct rc_memory *memory, const char *subject, struct bs_bytes text,
                   bool normalize, bool enter, struct rc_version *ret, struct bs_error *err);
int rc_memory_put(struct rc_memory *memory, const char *subject, struct bs_bytes text, int32_t id,
                  const char *metadata, int32_t *ret_id, struct bs_error *err);

#endif
