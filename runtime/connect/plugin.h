/* Plugins: the connectors found in a folder of shared objects, by all the names they go by.
 * Loaded once at start, never unloaded; read by any thread afterwards. */
#ifndef WEIR_RUNTIME_CONNECT_PLUGIN_H
#define WEIR_RUNTIME_CONNECT_PLUGIN_H

#include "connectors/api/connector.h"
#include "lib/base/err.h"

struct rt_plugins;

/* `dir` NULL: lib/weir/connectors beside the program. A shared object that cannot be loaded is
 * logged and left out. */
int rt_plugins_load(const char *dir, const struct cn_host *table, struct rt_plugins **ret,
                    struct bs_error *err);
void rt_plugins_free(struct rt_plugins *plugins); /* accepts NULL */
size_t rt_plugins_count(const struct rt_plugins *plugins);
const struct cn_plugin *rt_plugins_at(const struct rt_plugins *plugins, size_t i);
/* By short name, class name, or a class's simple name with or without "Connector". NULL: err lists
 * what there is. */
const struct cn_plugin *rt_plugins_find(const struct rt_plugins *plugins, const char *class_name,
                                        struct bs_error *err);
/* The name that lists show: the first class name, else the short name. */
const char *rt_plugin_class(const struct cn_plugin *plugin);
const struct cn_option *rt_plugin_option(const struct cn_plugin *plugin, size_t i);

#endif
