/* Script: a test file, run in a machine of its own with `require "weir.test"`. */
#ifndef WEIR_RUNTIME_TESTING_SCRIPT_H
#define WEIR_RUNTIME_TESTING_SCRIPT_H

#include "lib/base/option.h"

#include <stddef.h>

/* Runs the file and prints a line per description to stdout. 0: it ran to its end, whatever
 * failed. `serde`: options of serializers that a worker would have. */
int rt_script_run(const char *file, const struct bs_config *serde, size_t *ret_passed,
                  size_t *ret_failed, struct bs_error *err);

#endif
