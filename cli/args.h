/* Args: what every role's command line has in common (--config, --set, --log-level, --options), and
 * the order in which sources count: file, environment, --set, flag. Main thread. */
#ifndef WEIR_CLI_ARGS_H
#define WEIR_CLI_ARGS_H

#include "lib/base/log.h"
#include "lib/base/role.h"

#include <argp.h>

struct cl_pair {
    char *name;
    char *value;
    const char *source; /* "--listen" */
};

struct cl_args {
    const char *command; /* "broker" */
    const char *config_file;
    bool list_options;
    struct cl_pair *sets, *flags;
    size_t set_count, flag_count;
    const char **files; /* NULL-ended; what role->open takes */
    size_t file_count;
};

/* Child parser; its input is a struct cl_args. */
extern const struct argp cl_args_argp;

void cl_args_init(struct cl_args *args, const char *command);
void cl_args_deinit(struct cl_args *args);
/* A flag that stands for an option: kept until the config is made. */
void cl_args_flag(struct cl_args *args, const char *option, const char *value, const char *flag);
void cl_args_file(struct cl_args *args, const char *prefix, const char *file);
/* Runs argp with "weir COMMAND" as its name and 2 as its status for wrong usage. */
void cl_args_parse(const struct argp *argp, int argc, char **argv, void *input,
                   const char *command);

/* Makes the config of these tables and applies file, environment, --set and flags to it; warnings
 * go to the log. BS_ENOTFOUND: an option is unknown, BS_EIO: the file cannot be read. */
int cl_args_config(const struct cl_args *args, const struct bs_option_table *const *tables,
                   size_t count, struct bs_config **ret, struct bs_error *err);
/* Exit status of a config that could not be made: wrong usage, unless a file cannot be read. */
int cl_args_status(const struct bs_error *err);
/* --options: every row, as text. */
void cl_args_print_options(const struct bs_option_table *const *tables, size_t count);

#endif
