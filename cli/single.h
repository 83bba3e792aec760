/* Single: a process that is one role. Main thread. */
#ifndef WEIR_CLI_SINGLE_H
#define WEIR_CLI_SINGLE_H

#include "cli/args.h"

/* Config, open, wait, close; the exit status. `http`: address of /health and /metrics for a role
 * that has no HTTP of its own, or NULL. */
int cl_single_run(const struct bs_role *role, struct cl_args *args, const char *http);

#endif
