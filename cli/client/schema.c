/* weir schema: register, list, show, delete, level: the registry's REST interface; the table
 * of all verbs. */
#include "cli/client/codec.h"
#include "cli/client/commands.h"
#include "cli/client/schema_args.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_blank(const struct bs_buf *text)
{
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] == '\0' || strchr(" \t\r\n", text->data[i]) == NULL)
            return false;
    return true;
}

int cl_schema_body(const char *file, struct bs_buf *text, json_t **ret, struct bs_error *err)
{
    int rc = cl_file_read(file, text, err);
    if (rc == 0 && is_blank(text)) /* to a registry it would mean the latest version */
        rc = bs_error_set(err, BS_EINVAL, "%s is empty: it holds no schema", file);
    if (rc == 0) {
        *ret = json_pack("{s:s%}", "schema", bs_buf_text(text), text->len);
        if (*ret == NULL)
            rc = bs_error_set(err, BS_EINVAL, "%s is not UTF-8 text", file);
    }
    return rc;
}

/* Why a registration failed. */
static void explain(const struct cl_schema_args *args, const char *text, json_t *body,
                    struct bs_error *err)
{
    const struct cl_schema_question question = {
        .subject = args->args[0], .file = args->args[1], .text = text, .body = body, .out = stderr};
    if (err->code == BS_ECONFLICT)
        cl_schema_explain(&args->rest, &question, err);
    else if (bs_error_class(err->code) == BS_CALLER)
        bs_error_wrap(err, "%s", question.file);
}

static int run_register(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    struct bs_buf text = BS_BUF_INIT;
    json_t *body = NULL, *answer = NULL;
    cl_schema_args_parse(&args, 0, "SUBJECT FILE.avsc",
                         "Registers a schema; nothing changes when the subject has it already.", 2,
                         argc, argv);
    if (cl_schema_body(args.args[1], &text, &body, &err) == 0) {
        char *subject = cl_rest_escape(args.args[0]);
        char *path = bs_asprintf("/subjects/%s/versions", subject);
        if (cl_rest_call(&args.rest, "POST", path, body, &answer, &err) == 0)
            printf("%s has id %lld\n", args.args[0],
                   (long long)json_integer_value(json_object_get(answer, "id")));
        else
            explain(&args, bs_buf_text(&text), body, &err);
        bs_free(path);
        bs_free(subject);
    }
    json_decref(body);
    json_decref(answer);
    bs_buf_deinit(&text);
    return cl_schema_finish(&args, argv, &err);
}

static void print_array(const json_t *array)
{
    size_t i;
    json_t *item;
    json_array_foreach(array, i, item)
    {
        if (json_is_string(item))
            printf("%s\n", json_string_value(item));
        else
            printf("%lld\n", (long long)json_integer_value(item));
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
        print_array(answer);
    json_decref(answer);
    bs_free(path);
    bs_free(subject);
    return cl_schema_finish(&args, argv, &err);
}

static int run_show(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *answer = NULL;
    char *subject, *version, *path;
    cl_schema_args_parse(&args, CL_SCHEMA_ID, "SUBJECT [VERSION]\n--id N [SUBJECT]",
                         "Prints a schema: a subject's version, the latest unless one is given; or "
                         "the one of an id. A SUBJECT beside --id says in whose context.",
                         0, argc, argv);
    if (args.id ? args.count > 1 : args.count == 0)
        return cl_schema_usage(&args, argv, "SUBJECT [VERSION], or --id N [SUBJECT]");
    subject = cl_rest_escape(args.count ? args.args[0] : "");
    version = cl_rest_escape(args.count > 1 ? args.args[1] : "latest");
    if (args.id)
        path = bs_asprintf("/schemas/ids/%s%s%s", args.id, args.count ? "?subject=" : "", subject);
    else
        path = bs_asprintf("/subjects/%s/versions/%s", subject, version);
    if (cl_rest_call(&args.rest, "GET", path, NULL, &answer, &err) == 0) {
        const char *text = json_string_value(json_object_get(answer, "schema"));
        printf("%s\n", text ? text : "");
    }
    json_decref(answer);
    bs_free(path);
    bs_free(version);
    bs_free(subject);
    return cl_schema_finish(&args, argv, &err);
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
    return cl_schema_finish(&args, argv, &err);
}

static bool is_level(const char *word)
{
    static const char *const LEVELS[] = {"NONE",
                                         "BACKWARD",
                                         "FORWARD",
                                         "FULL",
                                         "BACKWARD_TRANSITIVE",
                                         "FORWARD_TRANSITIVE",
                                         "FULL_TRANSITIVE"};
    for (size_t i = 0; i < sizeof LEVELS / sizeof LEVELS[0]; i++)
        if (strcasecmp(word, LEVELS[i]) == 0)
            return true;
    return false;
}

static int run_level(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *body = NULL, *answer = NULL;
    const char *wanted;
    char *subject, *path;
    cl_schema_args_parse(
        &args, CL_SCHEMA_GLOBAL, "SUBJECT [LEVEL]\n--global [LEVEL]",
        "Shows or sets the compatibility level of a subject, or of all that have none: NONE, "
        "BACKWARD, FORWARD, FULL, or one of these with _TRANSITIVE.",
        0, argc, argv);
    if (args.global ? args.count > 1 : args.count == 0)
        return cl_schema_usage(&args, argv, "SUBJECT [LEVEL], or --global [LEVEL]");
    if (!args.global && args.count == 1 && is_level(args.args[0])) {
        fprintf(stderr,
                "%s: %s is a level, whose subject is missing; --global %s sets it for all, and a "
                "subject of that name is written :.:%s\n",
                argv[0], args.args[0], args.args[0], args.args[0]);
        cl_schema_finish(&args, argv, &err);
        return CL_USAGE;
    }
    wanted = args.count > (args.global ? 0 : 1) ? args.args[args.count - 1] : NULL;
    subject = cl_rest_escape(args.global ? "" : args.args[0]);
    path = bs_asprintf("/config%s%s%s", args.global ? "" : "/", subject,
                       args.global || wanted ? "" : "?defaultToGlobal=true");
    if (wanted)
        body = json_pack("{s:s}", "compatibility", wanted);
    if (cl_rest_call(&args.rest, wanted ? "PUT" : "GET", path, body, &answer, &err) == 0) {
        const char *level = json_string_value(
            json_object_get(answer, wanted ? "compatibility" : "compatibilityLevel"));
        printf("%s: %s\n", args.global ? "global" : args.args[0], level ? level : "");
    }
    json_decref(body);
    json_decref(answer);
    bs_free(path);
    bs_free(subject);
    return cl_schema_finish(&args, argv, &err);
}

int cl_schema_main(int argc, char **argv)
{
    static const struct cl_verb VERBS[] = {
        {"register", "add a schema to a subject", run_register},
        {"list", "subjects, or versions of one", run_list},
        {"show", "print a schema", run_show},
        {"check", "may this schema follow?", cl_schema_check},
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
