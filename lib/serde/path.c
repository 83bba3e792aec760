/* Path: see path.h. */
#include "lib/serde/path.h"

#include <stdio.h>

static size_t put_path(const struct sd_path *path, char *text, size_t cap)
{
    size_t len;
    int n;
    if (path == NULL || path->up == NULL)
        return 0;
    len = put_path(path->up, text, cap);
    if (len + 1 >= cap)
        return len;
    if (path->name.ptr)
        n = snprintf(text + len, cap - len, "/%.*s",
                     (int)(path->name.len > 120 ? 120 : path->name.len),
                     (const char *)path->name.ptr);
    else
        n = snprintf(text + len, cap - len, "/%zu", path->index);
    if (n < 0)
        return len;
    return len + (size_t)n < cap ? len + (size_t)n : cap - 1;
}

const char *sd_path_text(const struct sd_path *path, char *text, size_t cap)
{
    text[0] = '\0';
    if (put_path(path, text, cap) == 0)
        snprintf(text, cap, "/");
    return text;
}
