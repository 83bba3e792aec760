/* Definition: the options that the host itself knows for every connector, and the checking of a
 * whole configuration as Connect's validate call shows it. */
#ifndef WEIR_RUNTIME_CONNECT_DEFINITION_H
#define WEIR_RUNTIME_CONNECT_DEFINITION_H

#include "runtime/connect/config.h"

struct rt_definition {
    struct cn_option option;
    const char *group;
    int order;
    const char *width, *display;
    unsigned kinds; /* 1: sources, 2: sinks, 3: both */
};

/* Row of an option, or NULL. `kind`: enum cn_kind. */
const struct rt_definition *rt_definition_find(uint32_t kind, const char *name);
/* Array of definition objects: the plugin's own options. A new reference. */
json_t *rt_definition_list(const struct cn_plugin *plugin);
/* Checks everything that can be checked without running. Gives Connect's answer {"name",
 * "error_count", "groups", "configs"}; every error is also a line in `lines`, and every harmless
 * doubt in `warnings` (both JSON arrays of strings, appended). A new reference. */
json_t *rt_definition_validate(const struct cn_plugin *plugin, const char *shown_class,
                               const struct cn_config *config, json_t *lines, json_t *warnings);

#endif
