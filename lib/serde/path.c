/* Path: see path.h. */
#include "lib/serde/path.h"

#include <stdio.h>

/* Of a path that is longer, the steps at both ends are shown: a schema that is nested too deeply
 * has hundreds that say the same. */
enum { NAME_MAX_BYTES = 120, HEAD = 24, TAIL = 12 };

/* Names come from data, too: what is no text is shown as '?', whatever reads the message. */
static size_t put_name(struct bs_bytes name, char *text, size_t cap)
{
    size_t len = name.len > NAME_MAX_BYTES ? NAME_MAX_BYTES : name.len;
    bool valid;
    while (len < name.len && len && (name.ptr[len] & 0xc0) == 0x80)
        len--; /* not inside a character */
    if (len + 1 > cap)
        len = cap - 1;
    valid = bs_utf8_valid(bs_bytes(name.ptr, len));
    for (size_t i = 0; i < len; i++) {
        uint8_t c = name.ptr[i];
        text[i] = c < 0x20 || c == 0x7f || (c >= 0x80 && !valid) ? '?' : (char)c;
    }
    text[len] = '\0';
    return len;
}

static size_t steps_of(const struct sd_path *path)
{
    size_t steps = 0;
    for (; path && path->up; path = path->up)
        steps++;
    return steps;
}

/* `step` is the number of this one, `steps` that of all. */
static size_t put_path(const struct sd_path *path, size_t step, size_t steps, char *text,
                       size_t cap)
{
    bool cut = steps > HEAD + TAIL + 1;
    size_t len;
    int n;
    if (path == NULL || path->up == NULL)
        return 0;
    len = put_path(path->up, step - 1, steps, text, cap);
    if (len + 1 >= cap || (cut && step > HEAD + 1 && step <= steps - TAIL))
        return len;
    if (cut && step == HEAD + 1) {
        n = snprintf(text + len, cap - len, "/…");
        return n > 0 && len + (size_t)n < cap ? len + (size_t)n : len;
    }
    if (path->name.ptr) {
        text[len++] = '/';
        return len + put_name(path->name, text + len, cap - len);
    }
    n = snprintf(text + len, cap - len, "/%zu", path->index);
    if (n < 0)
        return len;
    return len + (size_t)n < cap ? len + (size_t)n : cap - 1;
}

const char *sd_path_text(const struct sd_path *path, char *text, size_t cap)
{
    size_t steps = steps_of(path);
    text[0] = '\0';
    if (put_path(path, steps, steps, text, cap) == 0)
        snprintf(text, cap, "/");
    return text;
}
