/* Schema arguments: what the verbs of `weir schema` take, and how they end. Main thread. */
#ifndef WEIR_CLI_CLIENT_SCHEMA_ARGS_H
#define WEIR_CLI_CLIENT_SCHEMA_ARGS_H

#include "cli/client/codec.h"
#include "cli/client/rest.h"
#include "cli/client/verb.h"

enum { CL_SCHEMA_ARGS_MAX = 2 };

/* Which options a verb has beside --registry. */
enum cl_schema_option {
    CL_SCHEMA_PERMANENT = 1,
    CL_SCHEMA_SUBJECT = 2,
    CL_SCHEMA_NORMALIZE = 4,
    CL_SCHEMA_PAIR = 8, /* --writer, --reader */
    CL_SCHEMA_IMPORT = 16,
    CL_SCHEMA_LOCAL = 64, /* no --registry */
};

struct cl_schema_args {
    struct cl_rest rest; /* its client is owned */
    struct cl_serde serde;
    const char *args[CL_SCHEMA_ARGS_MAX];
    size_t count;
    const char *subject, *writer, *reader;
    bool permanent, normalize, force, new_ids;
};

/* Exits with CL_USAGE when there are less than `least` arguments. */
void cl_schema_args_parse(struct cl_schema_args *args, unsigned options, const char *args_doc,
                          const char *doc, size_t least, int argc, char **argv);
/* Lets the arguments go; prints err, if it is set, with a hint; the exit status. */
int cl_schema_finish(struct cl_schema_args *args, char **argv, const struct bs_error *err);

/* schema.c: the text of a file, and {"schema": text}. */
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
