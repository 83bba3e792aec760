/* JSON: text to and from the connector's values, by jansson. */
#ifndef WEIR_CONNECTORS_FILE_JSON_H
#define WEIR_CONNECTORS_FILE_JSON_H

#include "connectors/api/connector.h"
#include "connectors/file/buffer.h"

#include <stdbool.h>

struct cn_json; /* the tree behind a value, reused from text to text; one owner */

struct cn_json *cn_json_new(void);
void cn_json_free(struct cn_json *json); /* accepts NULL */
/* The value is valid until the next read. false: *ret_reason says what is wrong, *ret_column where
 * (1-based). */
bool cn_json_read(struct cn_json *json, struct cn_text text, struct cn_value *ret,
                  const char **ret_reason, int *ret_column);
/* Compact JSON text; bytes as base64, doubles in the shortest form that reads back the same. false:
 * NaN, infinity or text that is not UTF-8. */
bool cn_json_write(const struct cn_value *value, struct cn_buffer *out);

#endif
