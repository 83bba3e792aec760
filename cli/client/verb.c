/* Verb: dispatch of the second word. Main thread. */
#include "cli/client/verb.h"

#include "lib/base/mem.h"
#include "lib/base/option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print_help(const char *noun, const char *doc, const struct cl_verb *verbs, FILE *out)
{
    fprintf(out, "Usage: weir %s VERB [OPTION...] [ARG...]\n%s\n\nVerbs:\n", noun, doc);
    for (; verbs->name; verbs++)
        fprintf(out, "  %-10s %s\n", verbs->name, verbs->summary);
    fprintf(out, "\nEvery verb explains itself: weir %s VERB --help\n", noun);
}

static int unknown_verb(const char *noun, const struct cl_verb *verbs, const char *verb)
{
    const char *names[32], *near;
    size_t count = 0;
    for (; verbs[count].name && count < 32; count++)
        names[count] = verbs[count].name;
    near = bs_nearest(verb, names, count);
    fprintf(stderr, "weir %s: unknown verb '%s'", noun, verb);
    if (near)
        fprintf(stderr, "; did you mean '%s'?", near);
    fprintf(stderr, "\nhint: weir %s --help lists them\n", noun);
    return CL_USAGE;
}

int cl_verb_run(const char *noun, const char *doc, const struct cl_verb *verbs, int argc,
                char **argv)
{
    if (argc < 2) {
        print_help(noun, doc, verbs, stderr);
        return CL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0) {
        print_help(noun, doc, verbs, stdout);
        return CL_OK;
    }
    for (const struct cl_verb *verb = verbs; verb->name; verb++)
        if (strcmp(verb->name, argv[1]) == 0) {
            char *name = bs_asprintf("weir %s %s", noun, verb->name);
            int status;
            argv[1] = name;
            status = verb->run(argc - 1, argv + 1);
            bs_free(name);
            return status;
        }
    return unknown_verb(noun, verbs, argv[1]);
}

void cl_verb_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    program_invocation_name = program_invocation_short_name = argv[0];
    argp_err_exit_status = CL_USAGE;
    argp_parse(argp, argc, argv, 0, NULL, input);
}

int cl_verb_fail(const char *argv0, const struct bs_error *err)
{
    fprintf(stderr, "%s: %s\n", argv0, err->text);
    return CL_FAILED;
}
