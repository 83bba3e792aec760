/* Mode: see mode.h. */
#include "schema-registry/mode.h"

#include <strings.h>

static const char *const names[] = {
    [SR_MODE_UNSET] = "UNSET",       [SR_MODE_READWRITE] = "READWRITE",
    [SR_MODE_READONLY] = "READONLY", [SR_MODE_READONLY_OVERRIDE] = "READONLY_OVERRIDE",
    [SR_MODE_IMPORT] = "IMPORT",     [SR_MODE_FORWARD] = "FORWARD",
};

const char *sr_mode_name(enum sr_mode mode)
{
    return names[mode];
}

enum sr_mode sr_mode_parse(const char *text)
{
    for (int i = SR_MODE_READWRITE; i <= SR_MODE_FORWARD; i++)
        if (strcasecmp(text, names[i]) == 0)
            return (enum sr_mode)i;
    return SR_MODE_UNSET;
}

bool sr_mode_readonly(enum sr_mode mode)
{
    return mode == SR_MODE_READONLY || mode == SR_MODE_READONLY_OVERRIDE;
}

bool sr_mode_import(enum sr_mode mode)
{
    return mode == SR_MODE_IMPORT || mode == SR_MODE_FORWARD;
}
