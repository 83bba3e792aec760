/* Envelope: Connect's {"schema": …, "payload": …} around JSON, and its schemas from and to Avro. */
#ifndef WEIR_RUNTIME_CONNECT_ENVELOPE_H
#define WEIR_RUNTIME_CONNECT_ENVELOPE_H

#include "connectors/api/connector.h"
#include "lib/base/err.h"
#include "lib/serde/value.h"

struct rt_envelopes; /* the schemas seen so far; one owner */

struct rt_envelopes *rt_envelopes_new(void);
void rt_envelopes_free(struct rt_envelopes *envelopes); /* accepts NULL */
/* Connect's schema as JSON text for a value, from its Avro schema, or from a single value itself
 * ("null" for schemaless maps). NULL: err says why. */
const char *rt_envelope_schema(struct rt_envelopes *envelopes, const struct cn_value *value,
                               const char *avro, struct bs_error *err);
/* Payload of an envelope, and its schema as Avro text (a stable pointer), or NULL for schema null.
 */
int rt_envelope_open(struct rt_envelopes *envelopes, const struct sd_value *envelope,
                     struct bs_arena *arena, struct cn_value *ret, const char **ret_schema,
                     struct bs_error *err);

#endif
