/* Config: one connector's configuration, in the order it was given. */
#ifndef WEIR_RUNTIME_CONNECT_CONFIG_H
#define WEIR_RUNTIME_CONNECT_CONFIG_H

#include "runtime/connect/plugin.h"

#include <jansson.h>

enum { RT_CONFIG_ROWS_MAX = 1000 };

/* What the plugins call cn_config. One owner, or many readers. */
struct cn_config {
    char **names, **values; /* owned */
    size_t count, cap;
    const struct cn_plugin *plugin; /* defaults come from its rows; may be NULL */
};

struct cn_config *rt_config_new(void);
struct cn_config *rt_config_copy(const struct cn_config *config);
void rt_config_free(struct cn_config *config); /* accepts NULL */
void rt_config_set(struct cn_config *config, const char *name, const char *value);
void rt_config_unset(struct cn_config *config, const char *name);
const char *rt_config_get(const struct cn_config *config, const char *name); /* NULL: not given */
/* Given, else the default of the plugin's row or of the host's. NULL: none. */
const char *rt_config_option(const struct cn_config *config, const char *name);
bool rt_config_is(const struct cn_config *config, const char *name, const char *value);
int64_t rt_config_int(const struct cn_config *config, const char *name, int64_t otherwise);
bool rt_config_equal(const struct cn_config *a, const struct cn_config *b); /* in any order */

/* A JSON object whose values are strings, numbers or booleans. BS_EINVAL: null value (err names
 * it). BS_ESYNTAX: another shape. */
int rt_config_from_json(const json_t *object, struct cn_config **ret, struct bs_error *err);
json_t *rt_config_to_json(const struct cn_config *config); /* a new reference */

/* Replaces ${env:NAME}, ${file:PATH:KEY} and ${dir:PATH:FILE} in all values. The error names the
 * option and the placeholder. */
int rt_config_resolve(struct cn_config *config, struct bs_error *err);

#endif
