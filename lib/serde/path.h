/* Path: where in a value or schema a walker stands; kept as links on the stack and only written
 * out when there is an error to tell. */
#ifndef WEIR_SERDE_PATH_H
#define WEIR_SERDE_PATH_H

#include "lib/base/bytes.h"

struct sd_path {
    const struct sd_path *up; /* NULL: the root */
    struct bs_bytes name;     /* ptr NULL: an index */
    size_t index;
};

/* "/a/b/3"; "/" for the root. A long one is cut in the middle ("/a/…/3"), and where it does not
 * fit. Returns text. */
const char *sd_path_text(const struct sd_path *path, char *text, size_t cap);

#endif
