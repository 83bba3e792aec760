/* Command: `weir test FILE_test.lua …`, a row for the module that carries the runtime. */
#ifndef WEIR_RUNTIME_TESTING_COMMAND_H
#define WEIR_RUNTIME_TESTING_COMMAND_H

#include "lib/base/role.h"

extern const struct bs_command rt_test_command;
int rt_test_main(int argc, char **argv);

#endif
