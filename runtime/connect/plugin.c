/* Plugins: see plugin.h. Each shared object has one entry function; what it describes is checked
 * (ABI, sizes, the calls that its kind needs) before it is taken. */
#include "runtime/connect/plugin.h"

#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLUGINS_MAX = 256 };

struct rt_plugins {
    const struct cn_plugin *list[PLUGINS_MAX];
    size_t count;
};

static const struct bs_event refused = {
    "connect.plugin_refused", BS_LOG_ERROR,
    "A shared object in the connectors folder is not a connector of this version; rebuild it."};

static const char *simple_name(const char *class_name)
{
    const char *dot = strrchr(class_name, '.');
    return dot ? dot + 1 : class_name;
}

static bool named(const char *known, const char *asked)
{
    static const char ending[] = "Connector";
    const char *simple = simple_name(known);
    size_t len = strlen(simple), tail = sizeof(ending) - 1;
    if (!strcmp(known, asked) || !strcmp(simple, asked))
        return true;
    return len > tail && !strcmp(simple + len - tail, ending) && strlen(asked) == len - tail &&
           !strncmp(simple, asked, len - tail);
}

static bool answers(const struct cn_plugin *plugin, const char *asked)
{
    if (named(plugin->name, asked))
        return true;
    for (const char *const *name = plugin->classes; name && *name; name++)
        if (named(*name, asked))
            return true;
    return false;
}

static const char *why_refused(const struct cn_plugin *plugin)
{
    if (!CN_HAS(plugin, describe) || !plugin->name || !plugin->describe)
        return "its description is incomplete";
    if (plugin->kind == CN_SOURCE)
        return plugin->source && CN_HAS(plugin->source, close) && plugin->source->open &&
                       plugin->source->poll && plugin->source->close
                   ? NULL
                   : "a source needs open, poll and close";
    return plugin->sink && CN_HAS(plugin->sink, close) && plugin->sink->open && plugin->sink->put &&
                   plugin->sink->flush && plugin->sink->close
               ? NULL
               : "a sink needs open, put, flush and close";
}

static void load(struct rt_plugins *plugins, const char *path, const struct cn_host *table)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct cn_module *(*entry)(const struct cn_host *) = NULL;
    if (!handle) {
        bs_log(&refused, "%s", dlerror());
        return;
    }
    *(void **)&entry = dlsym(handle, "weir_connector_entry");
    const struct cn_module *module = entry ? entry(table) : NULL;
    if (!module || module->abi != CN_ABI || !CN_HAS(module, plugin_count)) {
        bs_log(&refused, "%s: %s", path,
               entry ? "made for another version of the connector interface"
                     : "has no function weir_connector_entry");
        dlclose(handle);
        return;
    }
    for (size_t i = 0; i < module->plugin_count && plugins->count < PLUGINS_MAX; i++) {
        const struct cn_plugin *plugin = module->plugins[i];
        const char *why = why_refused(plugin);
        if (why)
            bs_log(&refused, "%s: %s", path, why);
        else
            plugins->list[plugins->count++] = plugin;
    }
}

static int folder_default(char *path, size_t cap, struct bs_error *err)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    if (n < 0)
        return bs_error_set(err, BS_EIO, "cannot tell where the program is; set plugin.dir");
    exe[n] = 0;
    *strrchr(exe, '/') = 0;
    snprintf(path, cap, "%s/lib/weir/connectors", exe);
    if (access(path, F_OK) < 0) /* an installed program: bin/weir and lib/weir */
        snprintf(path, cap, "%s/../lib/weir/connectors", exe);
    return 0;
}

int rt_plugins_load(const char *dir, const struct cn_host *table, struct rt_plugins **ret,
                    struct bs_error *err)
{
    char folder[PATH_MAX + 32], path[PATH_MAX + 320];
    struct dirent **entries = NULL;
    if (dir)
        snprintf(folder, sizeof(folder), "%s", dir);
    else if (folder_default(folder, sizeof(folder), err) < 0)
        return err ? err->code : BS_EIO;
    struct rt_plugins *plugins = bs_new(struct rt_plugins);
    int n = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        size_t len = strlen(entries[i]->d_name);
        if (len > 3 && !strcmp(entries[i]->d_name + len - 3, ".so")) {
            snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
            load(plugins, path, table);
        }
        free(entries[i]);
    }
    free(entries);
    *ret = plugins;
    return 0;
}

void rt_plugins_free(struct rt_plugins *plugins)
{
    bs_free(plugins);
}

size_t rt_plugins_count(const struct rt_plugins *plugins)
{
    return plugins->count;
}

const struct cn_plugin *rt_plugins_at(const struct rt_plugins *plugins, size_t i)
{
    return plugins->list[i];
}

const char *rt_plugin_class(const struct cn_plugin *plugin)
{
    return plugin->classes && plugin->classes[0] ? plugin->classes[0] : plugin->name;
}

const struct cn_option *rt_plugin_option(const struct cn_plugin *plugin, size_t i)
{
    return (const struct cn_option *)((const char *)plugin->options + i * plugin->option_size);
}

const struct cn_plugin *rt_plugins_find(const struct rt_plugins *plugins, const char *class_name,
                                        struct bs_error *err)
{
    for (size_t i = 0; i < plugins->count; i++)
        if (answers(plugins->list[i], class_name))
            return plugins->list[i];
    struct bs_buf known = BS_BUF_INIT;
    for (size_t i = 0; i < plugins->count; i++)
        bs_buf_printf(&known, "%s%s", i ? ", " : "", plugins->list[i]->name);
    bs_error_set(err, BS_ENOTFOUND,
                 "Failed to find any class that implements Connector and which name matches %s, "
                 "available connectors are: %s",
                 class_name, bs_buf_text(&known));
    bs_buf_deinit(&known);
    return NULL;
}
