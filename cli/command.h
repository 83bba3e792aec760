/* Command: one row per subcommand that the program itself carries, and what they share in words. */
#ifndef WEIR_CLI_COMMAND_H
#define WEIR_CLI_COMMAND_H

#include "lib/base/err.h"

enum cl_exit { CL_OK = 0, CL_FAILED = 1, CL_USAGE = 2 };

int cl_broker_main(int argc, char **argv);
int cl_registry_main(int argc, char **argv);
int cl_worker_main(int argc, char **argv);
int cl_dev_main(int argc, char **argv);
int cl_docs_main(int argc, char **argv);

/* "weir COMMAND: text" on stderr; gives the status that fits the error: CL_USAGE for what was asked
 * wrongly on the command line is the caller's to choose, so this is always CL_FAILED. */
int cl_fail(const char *command, const struct bs_error *err);

#endif
