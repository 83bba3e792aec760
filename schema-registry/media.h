/* Media: which media type a request asks for and which one it brings (RFC 9110, 12.5.1). Pure. */
#ifndef WEIR_SR_MEDIA_H
#define WEIR_SR_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

#define SR_TYPE_V1   "application/vnd.schemaregistry.v1+json"
#define SR_TYPE_ANY  "application/vnd.schemaregistry+json"
#define SR_TYPE_JSON "application/json"
#define SR_TYPE_HTML "text/html"

/* How much an Accept wants the type, in thousandths: what the most specific range that fits says.
 * 0: not at all. NULL and "" want everything. */
int sr_media_quality(const char *accept, const char *type);
/* The type of the registry's JSON that is wanted most; of equal ones the first of v1, any, JSON.
 * NULL: none is. */
const char *sr_media_json(const char *accept);
/* Is HTML wanted more than any of the JSON types. */
bool sr_media_prefers_html(const char *accept);
/* Is a body of this Content-Type (NULL: none was sent) taken as JSON. */
bool sr_media_is_json(const char *content_type);

#endif
