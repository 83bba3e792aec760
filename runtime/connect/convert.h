/* Converter: between a connector's values and the bytes of a record's key or value. */
#ifndef WEIR_RUNTIME_CONNECT_CONVERT_H
#define WEIR_RUNTIME_CONNECT_CONVERT_H

#include "connectors/api/connector.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/registry/client.h"

struct cn_config;
struct rt_converter; /* one owner: a task's thread */

/* A short name (string, json, avro, bytes, auto) or a class name of Connect's? BS_EINVAL lists
 * them. */
int rt_converter_check(const char *name, struct bs_error *err);

/* `which`: "key" or "value": the options <which>.converter and <which>.converter.*; `otherwise`
 * when the configuration does not say. */
int rt_converter_new(const struct cn_config *config, const char *which, const char *otherwise,
                     struct rc_client *registry, struct rt_converter **ret, struct bs_error *err);
void rt_converter_free(struct rt_converter *converter); /* accepts NULL */

/* Value → bytes, appended to out; *ret_null: the record has none. The schema is registered at its
 * first use under <topic>-<which>; BS_ECONFLICT carries the registry's words. BS_EINVAL: the value
 * does not fit. The arena is for what is needed in between. */
int rt_converter_write(struct rt_converter *converter, const char *topic,
                       const struct cn_value *value, const char *schema, struct bs_arena *arena,
                       struct bs_buf *out, bool *ret_null, struct bs_error *err);
/* Bytes → value in the arena; strings may point into the bytes. *ret_schema: Avro schema as text,
 * the same pointer for the same schema as long as the converter lives; or NULL. */
int rt_converter_read(struct rt_converter *converter, struct bs_bytes bytes, struct bs_arena *arena,
                      struct cn_value *ret, const char **ret_schema, struct bs_error *err);

#endif
