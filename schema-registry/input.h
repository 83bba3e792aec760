/* Input: how the schema of a request becomes a content that can be looked up, compared and stored.
 * Handlers run on any of the server's threads; the store is locked for reading. */
#ifndef WEIR_SR_INPUT_H
#define WEIR_SR_INPUT_H

#include "lib/serde/schema_tags.h"
#include "schema-registry/references.h"
#include "schema-registry/service.h"

/* A schema as a request brings it. */
struct sr_input {
    struct sr_content content; /* as sent, then completed and canonical */
    int version, id;           /* 0 and -1: not given */
    bool normalize;
    bool empty;            /* no text: that of the latest version is meant */
    bool keep_tags;        /* "propagateSchemaTags" */
    struct sd_retag *tags; /* "schemaTagsToAdd", "schemaTagsToRemove" */
    size_t tag_count;
    struct sd_retag *kept_tags; /* of the version before */
    size_t kept_tag_count;
};

/* Reads the body; false: the response is set. */
bool sr_input_read(struct sr_call *call, struct sr_input *ret);
/* A member of the body as that type (member.h), NULL where it is left out or null; false: it has
 * another type, and the response is set. */
bool sr_input_member(struct sr_call *call, const struct sd_value *json, const char *name,
                     enum sd_type type, const struct sd_value **ret);
/* One that is a number of 32 bits. */
bool sr_input_number(struct sr_call *call, const struct sd_value *json, const char *name,
                     int absent, int *ret);
/* Changes of tags as requests have them: [{"schemaEntity":{"entityPath","entityType"},"tags":[]}],
 * behind those that `input` has; false: the response is set. */
bool sr_input_read_tags(struct sr_call *call, const struct sd_value *json, const char *name,
                        bool remove, struct sr_input *input);
/* Metadata and rule set of a body, checked; `rules` is the name of the member; false: the response
 * is set. */
bool sr_input_read_about(struct sr_call *call, const struct sd_value *json, const char *rules,
                         struct sr_content *ret);
/* What a new version gets that the request leaves out: text of an empty schema, tags, metadata and
 * rules, from the version before and the settings; false: the response is set. */
bool sr_input_complete(struct sr_call *call, struct sr_input *input);
/* Do settings add to what requests bring? */
bool sr_input_has_presets(struct sr_call *call);
/* Parses input, references from the store, with its changes of tags. `as_new` as for registration:
 * its references are live, its names and defaults are checked unless the setting validateNewSchemas
 * says no. BS_E…: err says what is wrong with the schema. The store is unlocked meanwhile: what was
 * read before is stale. */
int sr_input_schema(struct sr_call *call, struct sr_input *input, bool as_new,
                    struct sd_schema **ret, struct bs_error *err);
/* In addition puts the canonical text and the digest into it. */
int sr_input_parse(struct sr_call *call, struct sr_input *input, bool as_new,
                   struct sd_schema **ret, struct bs_error *err);
/* Bytes of the texts that sr_compatible would read; it stops counting beyond `enough`. */
size_t sr_compatible_bytes(struct sr_call *call, const struct sr_version *only, size_t enough);
/* Compares with the live versions under the level (or with `only`). Messages are as in a verbose
 * check. The store is unlocked meanwhile: what was read before is stale. */
bool sr_compatible(struct sr_call *call, const struct sr_input *input,
                   const struct sd_schema *schema, const struct sr_version *only,
                   const char ***ret_messages, size_t *ret_count);

#endif
