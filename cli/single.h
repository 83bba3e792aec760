/* Single: a process that is one role. Main thread. */
#ifndef WEIR_CLI_SINGLE_H
#define WEIR_CLI_SINGLE_H

#include "cli/args.h"

/* Config, open, wait, close; the exit status. `own_http`: the role has no HTTP of its own, the
 * program serves its health where the option http says. */
int cl_single_run(const struct bs_role *role, struct cl_args *args, bool own_http);

#endif
