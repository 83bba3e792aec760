/* Schema arguments: what the verbs of `weir schema` take, and how they end. Main thread. */
#ifndef WEIR_CLI_CLIENT_SCHEMA_ARGS_H
#define WEIR_CLI_CLIENT_SCHEMA_ARGS_H

#include "cli/client/codec.h"
#include "cli/client/rest.h"
#include "cli/client/verb.h"

#include <stdio.h>

enum { CL_SCHEMA_ARGS_MAX = 2 };

/* Which options a verb has beside --registry. */
enum cl_schema_option {
    CL_SCHEMA_PERMANENT = 1,
    CL_SCHEMA_SUBJECT = 2, /* --subject, --must-exist */
    CL_SCHEMA_NORMALIZE = 4,
    CL_SCHEMA_PAIR = 8, /* --writer, --reader */
    CL_SCHEMA_IMPORT = 16,
    CL_SCHEMA_ID = 32,
    CL_SCHEMA_LOCAL = 64, /* no --registry */
    CL_SCHEMA_GLOBAL = 128,
};

struct cl_schema_args {
    struct cl_rest rest; /* its client is owned */
    struct cl_serde serde;
    const char *args[CL_SCHEMA_ARGS_MAX];
    size_t count;
    const char *subject, *writer, *reader, *id;
    bool permanent, normalize, force, new_ids, must_exist, global;
};

/* Exits with CL_USAGE when there are less than `least` arguments. */
void cl_schema_args_parse(struct cl_schema_args *args, unsigned options, const char *args_doc,
                          const char *doc, size_t least, int argc, char **argv);
/* Lets the arguments go; prints err, if it is set, with a hint; the exit status. */
int cl_schema_finish(struct cl_schema_args *args, char **argv, struct bs_error *err);

/* Prints how it is used and lets the arguments go; CL_USAGE. */
int cl_schema_usage(struct cl_schema_args *args, char **argv, const char *usage);

/* schema_check.c: may `body` follow? The verdict, reasons and diff go to `out`, *ret_well is it. */
struct cl_schema_question {
    const char *subject, *file, *text;
    json_t *body;
    FILE *out;
};
int cl_schema_ask(const struct cl_rest *rest, const struct cl_schema_question *question,
                  bool *ret_well, struct bs_error *err);
/* The subject has refused to register it, as err says in the registry's words: the same verdict and
 * diff, and one sentence in err. */
void cl_schema_explain(const struct cl_rest *rest, const struct cl_schema_question *question,
                       struct bs_error *err);

/* schema.c: the text of a file, and {"schema": text}; an empty one is refused. */
int cl_schema_body(const char *file, struct bs_buf *text, json_t **ret, struct bs_error *err);

/* schema_check.c, schema_file.c, schema_export.c, schema_import.c: rows of the verb table. */
int cl_schema_check(int argc, char **argv);
int cl_schema_canonical(int argc, char **argv);
int cl_schema_decode(int argc, char **argv);
int cl_schema_export(int argc, char **argv);
int cl_schema_import(int argc, char **argv);
/* schema_user.c */
int cl_schema_user(int argc, char **argv);

#endif
