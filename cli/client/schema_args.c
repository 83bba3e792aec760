/* Schema arguments: see schema_args.h. */
#include "cli/client/schema_args.h"

#include "lib/base/mem.h"
#include "lib/base/option.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    KEY_PERMANENT = 0x2000,
    KEY_SUBJECT,
    KEY_NORMALIZE,
    KEY_WRITER,
    KEY_READER,
    KEY_FORCE,
    KEY_NEW_IDS,
    KEY_MUST_EXIST,
    KEY_ID,
    KEY_GLOBAL,
};

struct row {
    unsigned when;
    struct argp_option option;
};

static const struct row ROWS[] = {
    {CL_SCHEMA_PERMANENT,
     {.name = "permanent", .key = KEY_PERMANENT, .doc = "For good, after a first delete"}},
    {CL_SCHEMA_SUBJECT,
     {.name = "subject", .key = KEY_SUBJECT, .arg = "SUBJECT", .doc = "Whose versions to compare"}},
    {CL_SCHEMA_SUBJECT,
     {.name = "must-exist",
      .key = KEY_MUST_EXIST,
      .doc = "Fail when the subject has no versions to compare with"}},
    {CL_SCHEMA_ID, {.name = "id", .key = KEY_ID, .arg = "N", .doc = "The schema of this id"}},
    {CL_SCHEMA_GLOBAL,
     {.name = "global", .key = KEY_GLOBAL, .doc = "The level of all that have none of their own"}},
    {CL_SCHEMA_NORMALIZE,
     {.name = "normalize", .key = KEY_NORMALIZE, .doc = "As a registry does with normalize=true"}},
    {CL_SCHEMA_PAIR,
     {.name = "writer", .key = KEY_WRITER, .arg = "FILE", .doc = "Schema it was written with"}},
    {CL_SCHEMA_PAIR,
     {.name = "reader",
      .key = KEY_READER,
      .arg = "FILE",
      .doc = "Schema to read it with; the writer's unless given"}},
    {CL_SCHEMA_IMPORT,
     {.name = "force", .key = KEY_FORCE, .doc = "Also into subjects that have versions already"}},
    {CL_SCHEMA_IMPORT,
     {.name = "new-ids",
      .key = KEY_NEW_IDS,
      .doc = "Register each schema anew, checked, with the ids that the registry gives"}},
};
enum { ROW_COUNT = sizeof ROWS / sizeof *ROWS };

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct cl_schema_args *args = state->input;
    int64_t number;
    switch (key) {
    case ARGP_KEY_INIT:
        if (state->root_argp->children[0].argp)
            state->child_inputs[0] = &args->serde;
        return 0;
    case KEY_PERMANENT:
        args->permanent = true;
        return 0;
    case KEY_SUBJECT:
        args->subject = arg;
        return 0;
    case KEY_MUST_EXIST:
        args->must_exist = true;
        return 0;
    case KEY_ID:
        if (bs_parse_int(arg, 0, INT32_MAX, &number) < 0)
            argp_error(state, "--id takes a number, not '%s'", arg);
        args->id = arg;
        return 0;
    case KEY_GLOBAL:
        args->global = true;
        return 0;
    case KEY_NORMALIZE:
        args->normalize = true;
        return 0;
    case KEY_WRITER:
        args->writer = arg;
        return 0;
    case KEY_READER:
        args->reader = arg;
        return 0;
    case KEY_FORCE:
        args->force = true;
        return 0;
    case KEY_NEW_IDS:
        args->new_ids = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->count == CL_SCHEMA_ARGS_MAX)
            argp_error(state, "one argument too many: '%s'", arg);
        else
            args->args[args->count++] = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool has_empty(const struct cl_schema_args *args)
{
    for (size_t i = 0; i < args->count; i++)
        if (args->args[i][0] == '\0')
            return true;
    return args->subject && args->subject[0] == '\0';
}

void cl_schema_args_parse(struct cl_schema_args *args, unsigned options, const char *args_doc,
                          const char *doc, size_t least, int argc, char **argv)
{
    struct argp_option table[ROW_COUNT + 1] = {0};
    const struct argp_child children[] = {
        {.argp = options & CL_SCHEMA_LOCAL ? NULL : &cl_serde_argp}, {0}};
    struct argp argp = {.options = table,
                        .parser = parse_option,
                        .args_doc = args_doc,
                        .doc = doc,
                        .children = children};
    struct bs_error err = {0};
    size_t count = 0;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (options & ROWS[i].when)
            table[count++] = ROWS[i].option;
    *args = (struct cl_schema_args){0};
    cl_verb_parse(&argp, argc, argv, args);
    if (!(options & CL_SCHEMA_LOCAL) && has_empty(args)) {
        fprintf(stderr, "%s: an argument is empty: a subject, a version and a file have a name\n",
                argv[0]);
        exit(CL_USAGE);
    }
    if (args->count < least) {
        fprintf(stderr, "%s: too few arguments; usage: %s %s\n", argv[0], argv[0], args_doc);
        exit(CL_USAGE);
    }
    if (!(options & CL_SCHEMA_LOCAL) && cl_serde_client(&args->serde, &args->rest.registry, &err)) {
        cl_verb_fail(argv[0], &err);
        exit(CL_USAGE);
    }
}

int cl_schema_finish(struct cl_schema_args *args, char **argv, struct bs_error *err)
{
    rc_client_free(args->rest.registry);
    cl_serde_deinit(&args->serde);
    cl_serde_hint(err);
    return err->code == 0 ? CL_OK : cl_verb_fail(argv[0], err);
}

int cl_schema_usage(struct cl_schema_args *args, char **argv, const char *usage)
{
    struct bs_error none = {0};
    fprintf(stderr, "%s: usage: %s %s\n", argv[0], argv[0], usage);
    cl_schema_finish(args, argv, &none);
    return CL_USAGE;
}
