/* Input: how the schema of a request becomes a content that can be looked up, compared and stored.
 * Handlers run on any of the server's threads; the store is locked for reading. */
#ifndef WEIR_SR_INPUT_H
#define WEIR_SR_INPUT_H

#include "schema-registry/compat_avro.h"
#include "schema-registry/service.h"

/* A schema as a request brings it. */
struct sr_input {
    struct sr_content content; /* text as sent, then canonical */
    int version, id;           /* 0 and -1: not given */
    bool normalize;
};

/* Reads the body; false: the response is set. */
bool sr_input_read(struct sr_call *call, struct sr_input *ret);
/* Parses input (references from the store) and puts the canonical text and the digest into it.
 * BS_E…: err says what is wrong with the schema. */
int sr_input_parse(struct sr_call *call, struct sr_input *input, bool strict,
                   struct sd_schema **ret, struct bs_error *err);
/* Parses stored content of a subject, in whose context references without one are. */
int sr_content_parse(const struct sr_store *store, const char *subject,
                     const struct sr_content *content, bool strict, bool live_refs,
                     struct sd_schema **ret, struct bs_error *err);
/* Compares with the live versions under the level (or with `only`). */
bool sr_compatible(struct sr_call *call, const struct sr_input *input,
                   const struct sd_schema *schema, const struct sr_version *only,
                   const char ***ret_messages, size_t *ret_count);

#endif
