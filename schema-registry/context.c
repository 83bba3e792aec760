/* Context: see context.h. */
#include "schema-registry/context.h"

#include <string.h>

struct sr_name sr_name_split(const char *name)
{
    struct sr_name parts = {.context = bs_bytes(SR_CONTEXT_DEFAULT, 1), .bare = name};
    const char *end;
    if (name[0] != ':' || (name[1] != '.' && strncmp(name, ":*:", 3) != 0))
        return parts;
    end = strchrnul(name + 1, ':');
    parts.context = bs_bytes(name + 1, (size_t)(end - name - 1));
    parts.bare = *end ? end + 1 : end;
    parts.qualified = true;
    return parts;
}

static bool is_default(struct bs_bytes context)
{
    return context.len == 1 && context.ptr[0] == '.';
}

bool sr_name_is_default(const char *stored)
{
    return stored[0] != ':' || stored[1] != '.';
}

const char *sr_name_join(struct bs_arena *arena, struct bs_bytes context, const char *bare)
{
    if (is_default(context))
        return bs_arena_strndup(arena, bare, strlen(bare));
    return bs_arena_printf(arena, ":%.*s:%s", (int)context.len, (const char *)context.ptr, bare);
}

const char *sr_name_stored(struct bs_arena *arena, const char *name)
{
    struct sr_name parts = sr_name_split(name);
    if (!parts.qualified)
        return name;
    /* A bare name that looks qualified would be taken for another one when it is read again. */
    if (is_default(parts.context) && !sr_name_split(parts.bare).qualified)
        return parts.bare;
    return name[1 + parts.context.len] == ':'
               ? name
               : sr_name_join(arena, parts.context, parts.bare); /* ":.ctx" */
}

const char *sr_name_beside(struct bs_arena *arena, const char *referrer, const char *name)
{
    if (sr_name_split(name).qualified || sr_name_is_default(referrer))
        return sr_name_stored(arena, name);
    return sr_name_join(arena, sr_name_split(referrer).context, name);
}

bool sr_name_means(const char *referrer, const char *name, const char *stored)
{
    struct sr_name parts = sr_name_split(name), wanted = sr_name_split(stored);
    if (!parts.qualified)
        parts.context = sr_name_split(referrer).context;
    return strcmp(parts.bare, wanted.bare) == 0 && bs_bytes_equal(parts.context, wanted.context);
}

bool sr_name_has_prefix(const char *stored, const char *prefix)
{
    struct sr_name parts = sr_name_split(stored), wanted = sr_name_split(prefix);
    if (!bs_bytes_is(wanted.context, "*") && !bs_bytes_equal(parts.context, wanted.context))
        return false;
    return strncmp(parts.bare, wanted.bare, strlen(wanted.bare)) == 0;
}

bool sr_context_valid(struct bs_bytes context)
{
    if (context.len == 0 || context.len > SR_CONTEXT_MAX || context.ptr[0] != '.')
        return false;
    for (size_t i = 0; i < context.len; i++)
        if (context.ptr[i] < 0x20 || context.ptr[i] == 0x7f || context.ptr[i] == ':')
            return false;
    return true;
}
