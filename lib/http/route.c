/* Route: see route.h. The path is split at '/' first and decoded then, so that %2F may be part of a
 * parameter. A '/' at the end is ignored. */
#include "lib/http/route.h"

#include <string.h>
#include <strings.h>

enum { SEGMENTS_MAX = 16, PARAMS_MAX = 4 };

struct segments {
    const char *text[SEGMENTS_MAX];
    size_t len[SEGMENTS_MAX];
    size_t count;
};

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *ht_percent_decode(struct bs_arena *arena, const char *text, size_t len)
{
    char *out = bs_arena_alloc(arena, len + 1), *to = out;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '%') {
            *to++ = text[i];
            continue;
        }
        if (i + 2 >= len || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
            return NULL;
        *to = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
        if (*to++ == '\0')
            return NULL;
        i += 2;
    }
    *to = '\0';
    return bs_utf8_valid(bs_bytes(out, (size_t)(to - out))) ? out : NULL;
}

/* false: more parts than any pattern has. */
static bool split(const char *path, struct segments *s)
{
    s->count = 0;
    while (*path == '/') {
        const char *from = ++path;
        size_t len = strcspn(path, "/");
        path += len;
        if (len == 0 && *path == '\0')
            return true;
        if (s->count == SEGMENTS_MAX)
            return false;
        s->text[s->count] = from;
        s->len[s->count++] = len;
    }
    return true;
}

static bool is_param(const char *pattern)
{
    return *pattern == '{';
}

/* Walks the pattern, most of which differ in their first letter. */
static bool path_matches(const char *pattern, const struct segments *path)
{
    for (size_t i = 0; i < path->count; i++) {
        size_t len = path->len[i];
        if (*pattern++ != '/')
            return false;
        if (is_param(pattern)) {
            if (len == 0)
                return false;
            pattern = strchrnul(pattern, '/');
        } else if (*pattern == *path->text[i] && strncmp(pattern, path->text[i], len) == 0 &&
                   (pattern[len] == '/' || pattern[len] == '\0')) {
            pattern += len;
        } else {
            return false;
        }
    }
    return *pattern == '\0' || strcmp(pattern, "/") == 0;
}

static bool take_params(const struct segments *pattern, const struct segments *path,
                        struct bs_arena *arena, const char *params[4], const char **ret_part)
{
    size_t count = 0;
    for (size_t i = 0; i < path->count && count < PARAMS_MAX; i++) {
        if (!is_param(pattern->text[i]))
            continue;
        params[count] = ht_percent_decode(arena, path->text[i], path->len[i]);
        if (params[count++] == NULL) {
            *ret_part = bs_arena_strndup(arena, pattern->text[i], pattern->len[i]);
            return false;
        }
    }
    return true;
}

enum ht_match ht_route_find(const struct ht_route *routes, size_t count, const char *method,
                            const char *path, struct bs_arena *arena,
                            const struct ht_route **ret_route, const char *params[4],
                            const char **ret_detail)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    struct segments parts, pattern;
    *ret_detail = NULL;
    if (!split(path, &parts))
        return HT_NO_PATH;
    for (size_t i = 0; i < count; i++) {
        if (!path_matches(routes[i].pattern, &parts))
            continue;
        if (strcmp(routes[i].method, wanted) == 0) {
            *ret_route = &routes[i];
            split(routes[i].pattern, &pattern);
            return take_params(&pattern, &parts, arena, params, ret_detail) ? HT_MATCH
                                                                            : HT_BAD_ENCODING;
        }
        *ret_detail = *ret_detail ? bs_arena_printf(arena, "%s, %s", *ret_detail, routes[i].method)
                                  : routes[i].method;
    }
    return *ret_detail ? HT_NO_METHOD : HT_NO_PATH;
}
