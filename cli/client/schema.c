/* weir schema: register, list, show, check, delete, level: the registry's REST interface; the table
 * of all verbs. */
#include "cli/client/codec.h"
#include "cli/client/commands.h"
#include "cli/client/schema_args.h"
#include "lib/base/mem.h"

#include <stdio.h>

/* {"schema": "text of the file"} */
static int read_body(const char *file, json_t **ret, struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    int rc = cl_file_read(file, &text, err);
    if (rc == 0) {
        *ret = json_pack("{s:s%}", "schema", bs_buf_text(&text), text.len);
        if (*ret == NULL)
            rc = bs_error_set(err, BS_EINVAL, "%s is not UTF-8 text", file);
    }
    bs_buf_deinit(&text);
    return rc;
}

static int run_register(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *body = NULL, *answer = NULL;
    cl_schema_args_parse(&args, 0, "SUBJECT FILE.avsc",
                         "Registers a schema; nothing changes when the subject has it already.", 2,
                         argc, argv);
    if (read_body(args.args[1], &body, &err) == 0) {
        char *subject = cl_rest_escape(args.args[0]);
        char *path = bs_asprintf("/subjects/%s/versions", subject);
        if (cl_rest_call(&args.rest, "POST", path, body, &answer, &err) == 0)
            printf("%s has id %lld\n", args.args[0],
                   (long long)json_integer_value(json_object_get(answer, "id")));
        bs_free(path);
        bs_free(subject);
    }
    json_decref(body);
    json_decref(answer);
    return cl_schema_finish(argv, &err);
}

static void print_array(const json_t *array, const char *prefix)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        if (json_is_string(item))
            printf("%s%s\n", prefix, json_string_value(item));
        else
            printf("%s%lld\n", prefix, (long long)json_integer_value(item));
    }
}

static int run_list(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *answer = NULL;
    char *subject, *path;
    cl_schema_args_parse(&args, 0, "[SUBJECT]", "Lists subjects, or the versions of one.", 0, argc,
                         argv);
    subject = cl_rest_escape(args.count ? args.args[0] : "");
    path = args.count ? bs_asprintf("/subjects/%s/versions", subject) : bs_strdup("/subjects");
    if (cl_rest_call(&args.rest, "GET", path, NULL, &answer, &err) == 0)
        print_array(answer, "");
    json_decref(answer);
    bs_free(path);
    bs_free(subject);
    return cl_schema_finish(argv, &err);
}

static int run_show(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *answer = NULL;
    char *subject, *version, *path;
    cl_schema_args_parse(&args, 0, "SUBJECT [VERSION]",
                         "Prints a schema; the latest unless a version is given.", 1, argc, argv);
    subject = cl_rest_escape(args.args[0]);
    version = cl_rest_escape(args.count > 1 ? args.args[1] : "latest");
    path = bs_asprintf("/subjects/%s/versions/%s", subject, version);
    if (cl_rest_call(&args.rest, "GET", path, NULL, &answer, &err) == 0) {
        const char *text = json_string_value(json_object_get(answer, "schema"));
        printf("%s\n", text ? text : "");
    }
    json_decref(answer);
    bs_free(path);
    bs_free(version);
    bs_free(subject);
    return cl_schema_finish(argv, &err);
}

/* FILE --subject SUBJECT; or both as arguments, as register takes them. */
static int run_check(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *body = NULL, *answer = NULL;
    const char *subject, *file;
    int status = CL_OK;
    cl_schema_args_parse(&args, CL_SCHEMA_SUBJECT, "FILE.avsc --subject SUBJECT",
                         "Asks whether a schema may follow the subject's versions, without "
                         "registering it. Exit status 1 when it may not; the reasons name the "
                         "fields.",
                         1, argc, argv);
    if ((args.subject != NULL) != (args.count == 1)) {
        fprintf(stderr, "%s: usage: %s FILE.avsc --subject SUBJECT\n", argv[0], argv[0]);
        return CL_USAGE;
    }
    subject = args.subject ? args.subject : args.args[0];
    file = args.args[args.count - 1];
    if (read_body(file, &body, &err) == 0) {
        char *part = cl_rest_escape(subject);
        char *path = bs_asprintf("/compatibility/subjects/%s/versions?verbose=true", part);
        if (cl_rest_call(&args.rest, "POST", path, body, &answer, &err) == 0) {
            bool well = json_is_true(json_object_get(answer, "is_compatible"));
            printf("%s: %s\n", subject, well ? "compatible" : "not compatible");
            print_array(json_object_get(answer, "messages"), "  ");
            status = well ? CL_OK : CL_FAILED;
        }
        bs_free(path);
        bs_free(part);
    }
    json_decref(body);
    json_decref(answer);
    return err.code ? cl_schema_finish(argv, &err) : status;
}

static int run_delete(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    char *subject, *version, *path;
    cl_schema_args_parse(&args, CL_SCHEMA_PERMANENT, "SUBJECT [VERSION]",
                         "Deletes a subject, or one version of it.", 1, argc, argv);
    subject = cl_rest_escape(args.args[0]);
    version = cl_rest_escape(args.count > 1 ? args.args[1] : "");
    path = bs_asprintf("/subjects/%s%s%s%s", subject, args.count > 1 ? "/versions/" : "", version,
                       args.permanent ? "?permanent=true" : "");
    if (cl_rest_call(&args.rest, "DELETE", path, NULL, NULL, &err) == 0)
        printf("deleted %s%s%s\n", args.args[0], args.count > 1 ? " version " : "",
               args.count > 1 ? args.args[1] : "");
    bs_free(path);
    bs_free(version);
    bs_free(subject);
    return cl_schema_finish(argv, &err);
}

static int run_level(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *body = NULL, *answer = NULL;
    char *subject, *path;
    cl_schema_args_parse(
        &args, 0, "SUBJECT [LEVEL]",
        "Shows or sets a subject's compatibility level: NONE, BACKWARD, FORWARD, FULL, or one of "
        "these with _TRANSITIVE.",
        1, argc, argv);
    subject = cl_rest_escape(args.args[0]);
    path = bs_asprintf("/config/%s%s", subject, args.count > 1 ? "" : "?defaultToGlobal=true");
    if (args.count > 1)
        body = json_pack("{s:s}", "compatibility", args.args[1]);
    if (cl_rest_call(&args.rest, args.count > 1 ? "PUT" : "GET", path, body, &answer, &err) == 0) {
        const char *level = json_string_value(json_object_get(answer, "compatibilityLevel"));
        printf("%s: %s\n", args.args[0], level ? level : args.count > 1 ? args.args[1] : "");
    }
    json_decref(body);
    json_decref(answer);
    bs_free(path);
    bs_free(subject);
    return cl_schema_finish(argv, &err);
}

int cl_schema_main(int argc, char **argv)
{
    static const struct cl_verb VERBS[] = {
        {"register", "add a schema to a subject", run_register},
        {"list", "subjects, or versions of one", run_list},
        {"show", "print a schema", run_show},
        {"check", "may this schema follow?", run_check},
        {"delete", "remove a subject or version", run_delete},
        {"level", "show or set compatibility", run_level},
        {"canonical", "the text that a registry stores", cl_schema_canonical},
        {"decode", "a datum as JSON, by two schemas", cl_schema_decode},
        {"export", "all versions to a file", cl_schema_export},
        {"import", "versions from a file, with their ids", cl_schema_import},
        {"user", "users and rights of a registry", cl_schema_user},
        {0}};
    return cl_verb_run("schema", "Schemas in a registry.", VERBS, argc, argv);
}
