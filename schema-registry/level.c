/* Level: see level.h. */
#include "schema-registry/level.h"

#include <stddef.h>
#include <strings.h>

static const char *const names[] = {
    [SR_NONE] = "NONE",
    [SR_BACKWARD] = "BACKWARD",
    [SR_BACKWARD_TRANSITIVE] = "BACKWARD_TRANSITIVE",
    [SR_FORWARD] = "FORWARD",
    [SR_FORWARD_TRANSITIVE] = "FORWARD_TRANSITIVE",
    [SR_FULL] = "FULL",
    [SR_FULL_TRANSITIVE] = "FULL_TRANSITIVE",
};

const char *sr_level_name(enum sr_level level)
{
    return level >= SR_NONE && level <= SR_FULL_TRANSITIVE ? names[level] : "UNSET";
}

enum sr_level sr_level_parse(const char *text)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(text, names[i]) == 0)
            return (enum sr_level)i;
    return SR_LEVEL_UNSET;
}

bool sr_level_transitive(enum sr_level level)
{
    return level == SR_BACKWARD_TRANSITIVE || level == SR_FORWARD_TRANSITIVE ||
           level == SR_FULL_TRANSITIVE;
}
