/* JSON writer: the pieces that other writers of lib/serde share. */
#ifndef WEIR_SERDE_JSON_WRITER_H
#define WEIR_SERDE_JSON_WRITER_H

#include "lib/base/buf.h"

/* A JSON string literal; false and nothing written when the text is not UTF-8. */
bool sd_json_put_string(struct bs_buf *out, struct bs_bytes text);

#endif
