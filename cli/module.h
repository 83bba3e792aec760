/* Module: a shared object lib/weir/NAME.so that carries roles and commands (lib/base/role.h). It is
 * looked for in $WEIR_LIB, in lib/weir beside the program, and in ../lib/weir. Opened once, never
 * closed: threads and exit handlers of the libraries in it outlive every caller. Main thread. */
#ifndef WEIR_CLI_MODULE_H
#define WEIR_CLI_MODULE_H

#include "lib/base/role.h"

/* BS_ENOTFOUND names every place that was looked at; any other failure is the loader's own
 * sentence. */
int cl_module_open(const char *name, const struct bs_module **ret, struct bs_error *err);
/* Any exported symbol of a module; BS_ENOTFOUND when the module has none of that name. */
int cl_module_symbol(const char *name, const char *symbol, void **ret, struct bs_error *err);
/* The role of that name in the module of that name; BS_ENOTFOUND as above, or when it has none. */
int cl_module_role(const char *name, const struct bs_role **ret, struct bs_error *err);
const struct bs_command *cl_module_command(const struct bs_module *module, const char *name);

#endif
