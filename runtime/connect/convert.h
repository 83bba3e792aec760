/* Converter: between a connector's values and the bytes of a record's key or value. */
#ifndef WEIR_RUNTIME_CONNECT_CONVERT_H
#define WEIR_RUNTIME_CONNECT_CONVERT_H

#include "connectors/api/connector.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/registry/serializer.h"

struct cn_config;
struct rt_converter; /* one owner: a task's thread */

/* A short name (string, json, avro, bytes, auto) or a class name of Connect's? BS_EINVAL lists
 * them. */
int rt_converter_check(const char *name, struct bs_error *err);
bool rt_converter_is_avro(const char *name);

/* What the worker gives to Avro converters; both may be NULL. */
struct rt_registry {
    struct rc_client *client; /* borrowed; asks once: tasks wait and ask again themselves */
    const struct bs_config *serde;
};

/* `which`: "key" or "value": the options <which>.converter and <which>.converter.*; `otherwise`
 * when the configuration does not say. Avro takes the options of Confluent's AvroConverter, of
 * which those that are not set are the worker's, and reader.schema.file: what all is read with. */
int rt_converter_new(const struct cn_config *config, const char *which, const char *otherwise,
                     const struct rt_registry *registry, struct rt_converter **ret,
                     struct bs_error *err);
/* Are the options of an Avro converter in order? The error names the option. */
int rt_converter_check_avro(const struct cn_config *config, const char *which,
                            struct bs_error *err);
void rt_converter_free(struct rt_converter *converter); /* accepts NULL */

/* Value → bytes, appended to out; *ret_null: the record has none. The schema is registered at its
 * first use under <topic>-<which>, unless the options say otherwise; BS_ECONFLICT carries the
 * registry's words. BS_EINVAL: the value does not fit. The arena is for what is needed in between.
 * *ret_header is for the record's header rc_schema_header(); without pointer: none is needed. */
int rt_converter_write(struct rt_converter *converter, const char *topic,
                       const struct cn_value *value, const char *schema, struct bs_arena *arena,
                       struct bs_buf *out, bool *ret_null, struct bs_bytes *ret_header,
                       struct bs_error *err);
/* Is it an error that may pass by itself: a registry that cannot be reached, or not now? */
bool rt_converter_may_pass(int result);
/* Bytes → value in the arena; strings may point into the bytes. `header`: the record's last one
 * named rc_schema_header(), or without pointer. *ret_schema: Avro schema as text,
 * the same pointer for the same schema as long as the converter lives; or NULL. */
int rt_converter_read(struct rt_converter *converter, const char *topic, struct bs_bytes header,
                      struct bs_bytes bytes, struct bs_arena *arena, struct cn_value *ret,
                      const char **ret_schema, struct bs_error *err);

#endif
