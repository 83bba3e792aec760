/* Answer: a version or a schema as the answers show it, in the form that the query asks for:
 * `format=resolved` writes referenced types out, `referenceFormat=qualified` the contexts of
 * references, `findTags` lists what has those tags. Unknown formats are passed over. */
#ifndef WEIR_SR_ANSWER_H
#define WEIR_SR_ANSWER_H

#include "schema-registry/service.h"

/* {"subject",…} of a version. false: the response is an error. */
bool sr_put_version(struct sr_call *call, const char *subject, const struct sr_version *version);
/* {"id",…}: a version that is registered now, or was. */
void sr_put_registered(struct sr_call *call, const char *subject, const struct sr_version *version);
/* "guid","schemaType","references","metadata","ruleSet","schemaTags","schema" members, behind what
 * the answer has so far, if only its brace. `holder` is a subject that has the content, or its
 * context's ":.ctx:". false: the response is an error. */
bool sr_put_content(struct sr_call *call, const char *holder, const struct sr_content *content,
                    const char *type);
/* The bare text. */
void sr_put_schema(struct sr_call *call, const char *holder, const struct sr_content *content);

#endif
