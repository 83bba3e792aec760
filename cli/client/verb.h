/* Verb: `weir NOUN VERB …`. One row per verb; help and errors for all nouns in one place. */
#ifndef WEIR_CLI_CLIENT_VERB_H
#define WEIR_CLI_CLIENT_VERB_H

#include "lib/base/err.h"

#include <argp.h>

enum cl_exit { CL_OK = 0, CL_FAILED = 1, CL_USAGE = 2, CL_SKIPPED = 3 };

struct cl_verb {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is "weir NOUN VERB" */
};

/* Runs the row that argv[1] names; `verbs` ends with a row without a name. */
int cl_verb_run(const char *noun, const char *doc, const struct cl_verb *verbs, int argc,
                char **argv);
/* argp with argv[0] as the name shown and 2 as the status of wrong usage. */
void cl_verb_parse(const struct argp *argp, int argc, char **argv, void *input);
/* "argv0: text" on stderr; CL_FAILED. */
int cl_verb_fail(const char *argv0, const struct bs_error *err);

#endif
