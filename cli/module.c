/* Module: finds and opens lib/weir/NAME.so. No state of its own: the loader keeps what is open. */
#include "cli/module.h"

#include "lib/base/buf.h"
#include "lib/base/mem.h"

#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACES = 3 };

/* Fills places[] with what exists as a rule; the caller frees each. */
static size_t list_places(const char *name, char *places[PLACES])
{
    const char *lib = getenv("WEIR_LIB");
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    size_t count = 0;
    if (lib && *lib)
        places[count++] = bs_asprintf("%s/%s.so", lib, name);
    if (n > 0) {
        char *folder;
        exe[n] = '\0';
        folder = dirname(exe);
        places[count++] = bs_asprintf("%s/lib/weir/%s.so", folder, name);
        places[count++] = bs_asprintf("%s/../lib/weir/%s.so", folder, name);
    }
    return count;
}

static int open_handle(const char *name, void **ret, struct bs_error *err)
{
    char *places[PLACES] = {0};
    struct bs_buf tried = BS_BUF_INIT;
    size_t count = list_places(name, places);
    int rc = BS_ENOTFOUND;
    for (size_t i = 0; i < count && rc == BS_ENOTFOUND; i++) {
        bs_buf_printf(&tried, "%s%s", i ? ", " : "", places[i]);
        if (access(places[i], R_OK) != 0)
            continue;
        *ret = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
        rc = *ret ? 0 : bs_error_set(err, BS_EIO, "module %s: %s", name, dlerror());
    }
    if (rc == BS_ENOTFOUND)
        bs_error_set(err, rc, "module %s not found; looked at %s; set WEIR_LIB to its folder", name,
                     bs_buf_text(&tried));
    for (size_t i = 0; i < count; i++)
        bs_free(places[i]);
    bs_buf_deinit(&tried);
    return rc;
}

int cl_module_symbol(const char *name, const char *symbol, void **ret, struct bs_error *err)
{
    void *handle = NULL;
    int rc = open_handle(name, &handle, err);
    if (rc != 0)
        return rc;
    *ret = dlsym(handle, symbol);
    if (*ret == NULL)
        return bs_error_set(err, BS_ENOTFOUND, "module %s has no symbol %s: it is not of this Weir",
                            name, symbol);
    return 0;
}

int cl_module_open(const char *name, const struct bs_module **ret, struct bs_error *err)
{
    void *symbol = NULL;
    int rc = cl_module_symbol(name, "weir_module", &symbol, err);
    if (rc == 0)
        *ret = symbol;
    return rc;
}

int cl_module_role(const char *name, const struct bs_role **ret, struct bs_error *err)
{
    const struct bs_module *module = NULL;
    int rc = cl_module_open(name, &module, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; module->roles && module->roles[i]; i++)
        if (strcmp(module->roles[i]->name, name) == 0) {
            *ret = module->roles[i];
            return 0;
        }
    return bs_error_set(err, BS_ENOTFOUND, "module %s carries no role '%s'", name, name);
}

const struct bs_command *cl_module_command(const struct bs_module *module, const char *name)
{
    for (size_t i = 0; module->commands && module->commands[i].name; i++)
        if (strcmp(module->commands[i].name, name) == 0)
            return &module->commands[i];
    return NULL;
}
