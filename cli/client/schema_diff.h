/* Schema diff: two schemas as lines, and which of them differ. Pure. */
#ifndef WEIR_CLI_CLIENT_SCHEMA_DIFF_H
#define WEIR_CLI_CLIENT_SCHEMA_DIFF_H

#include "lib/base/buf.h"

/* Appends what `diff -u` would print of the two, each laid out with one field a line, with two
 * lines around every change; nothing when they are the same. JSON that cannot be read is one line.
 */
void cl_schema_diff(const char *old_text, const char *old_name, const char *new_text,
                    const char *new_name, struct bs_buf *out);

#endif
