/* Media: see media.h. A range that is no media range is passed over, as is a parameter other than
 * q: "application/json;charset=utf-8" is application/json. */
#include "schema-registry/media.h"

#include <string.h>
#include <strings.h>

static const char *const json_types[] = {SR_TYPE_V1, SR_TYPE_ANY, SR_TYPE_JSON};
enum { JSON_TYPES = sizeof json_types / sizeof *json_types };

/* The end of an element: the next `stop` outside of a quoted text. */
static const char *element_end(const char *p, const char *stop)
{
    bool quoted = false;
    for (; *p && (quoted || strchr(stop, *p) == NULL); p++) {
        if (quoted && *p == '\\' && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
    }
    return p;
}

/* "0.5" → 500; what is not a weight counts as 1. */
static int weight(const char *p, const char *end)
{
    int value = 0, scale = 1000;
    if (p == end || (*p != '0' && *p != '1'))
        return 1000;
    value = (*p - '0') * 1000;
    if (++p < end && *p == '.')
        for (p++; p < end && *p >= '0' && *p <= '9' && scale > 1; p++)
            value += (*p - '0') * (scale /= 10);
    return value > 1000 ? 1000 : value;
}

/* q of "type/subtype;a=b;q=0.5". */
static int quality_of(const char *p, const char *end)
{
    while (p < end) {
        const char *parameter;
        p = element_end(p, ";,");
        if (p >= end)
            break;
        parameter = ++p;
        parameter += strspn(parameter, " \t");
        if ((*parameter | 32) == 'q') {
            const char *value = parameter + 1 + strspn(parameter + 1, " \t");
            if (*value == '=')
                return weight(value + 1 + strspn(value + 1, " \t"), end);
        }
    }
    return 1000;
}

/* How closely a range of that length fits the type: 3 the type itself, 2 "application/ *", 1 all.
 */
static int fit(const char *range, size_t len, const char *type)
{
    size_t slash = strcspn(type, "/");
    if (len == strlen(type) && strncasecmp(range, type, len) == 0)
        return 3;
    if (len == slash + 2 && strncasecmp(range, type, slash + 1) == 0 && range[len - 1] == '*')
        return 2;
    return (len == 3 && strncmp(range, "*/*", 3) == 0) || (len == 1 && *range == '*') ? 1 : 0;
}

int sr_media_quality(const char *accept, const char *type)
{
    int best = 0, quality = 0;
    const char *p = accept;
    if (p)
        p += strspn(p, ", \t");
    if (p == NULL || *p == '\0')
        return 1000;
    while (*p) {
        const char *end = element_end(p, ",");
        size_t len = strcspn(p, ",; \t");
        int closeness = fit(p, len, type);
        if (closeness > best) {
            best = closeness;
            quality = quality_of(p, end);
        }
        p = end + strspn(end, ", \t");
    }
    return quality;
}

const char *sr_media_json(const char *accept)
{
    const char *found = NULL;
    int best = 0;
    for (size_t i = 0; i < JSON_TYPES; i++) {
        int quality = sr_media_quality(accept, json_types[i]);
        if (quality > best) {
            best = quality;
            found = json_types[i];
        }
    }
    return found;
}

bool sr_media_prefers_html(const char *accept)
{
    const char *json = sr_media_json(accept);
    return sr_media_quality(accept, SR_TYPE_HTML) > (json ? sr_media_quality(accept, json) : 0);
}

bool sr_media_is_json(const char *content_type)
{
    size_t len;
    if (content_type == NULL || *content_type == '\0')
        return true;
    content_type += strspn(content_type, " \t");
    len = strcspn(content_type, "; \t");
    for (size_t i = 0; i < JSON_TYPES; i++)
        if (fit(content_type, len, json_types[i]) == 3)
            return true;
    return fit(content_type, len, "application/octet-stream") == 3;
}
