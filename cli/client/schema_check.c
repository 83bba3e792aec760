/* weir schema check: may a schema follow the versions of a subject? The registry's reasons in
 * words, and what changed since the version that stands against it. */
#include "cli/client/codec.h"
#include "cli/client/schema_args.h"
#include "cli/client/schema_diff.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What stands in `text` between `before` and `after`, bs_free it; NULL: it has not that shape. */
static char *between(const char *text, const char *before, const char *after)
{
    const char *from = strstr(text, before), *to;
    if (from == NULL)
        return NULL;
    from += strlen(before);
    to = strstr(from, after);
    return to ? bs_strndup(from, (size_t)(to - from)) : NULL;
}

/* The sentences of {errorType:'T', description:'D', additionalInfo:'I'}, the last where it says
 * more; what is not so as it is. */
static void print_reason(const char *text, FILE *out)
{
    char *type = between(text, "errorType:'", "', description:'");
    char *words = between(text, "description:'", "', additionalInfo:'");
    char *more = between(text, "additionalInfo:'", "'}");
    bool adds = more && *more && words && strstr(words, more) == NULL;
    if (type && words)
        fprintf(out, "  %s: %s%s%s%s\n", type, words, adds ? " (" : "", adds ? more : "",
                adds ? ")" : "");
    else if (strncmp(text, "{oldSchema", 10) != 0 && strncmp(text, "{validateFields", 15) != 0)
        fprintf(out, "  %s\n", text);
    bs_free(type);
    bs_free(words);
    bs_free(more);
}

static void print_diff(const struct cl_rest *rest, const struct cl_schema_question *question,
                       const char *version)
{
    struct bs_error ignored = {0}; /* the verdict stands without it */
    struct sd_schema *schema = NULL;
    struct bs_buf canonical = BS_BUF_INIT, out = BS_BUF_INIT;
    char *part = cl_rest_escape(question->subject);
    char *path = bs_asprintf("/subjects/%s/versions/%s", part, version);
    char *name = bs_asprintf("%s version %s", question->subject, version);
    json_t *answer = NULL;
    const char *old = NULL, *text = question->text;
    if (cl_rest_call(rest, "GET", path, NULL, &answer, &ignored) == 0)
        old = json_string_value(json_object_get(answer, "schema"));
    if (sd_schema_parse(bs_bytes_text(text), false, NULL, 0, &schema, NULL) == 0) {
        sd_schema_text(schema, false, &canonical);
        text = bs_buf_text(&canonical);
    }
    if (old)
        cl_schema_diff(old, name, text, question->file, &out);
    fputs(bs_buf_text(&out), question->out);
    sd_schema_unref(schema);
    json_decref(answer);
    bs_buf_deinit(&canonical);
    bs_buf_deinit(&out);
    bs_free(name);
    bs_free(path);
    bs_free(part);
}

static void print_refusal(const struct cl_rest *rest, const struct cl_schema_question *question,
                          const json_t *messages)
{
    char *version = NULL, *level = NULL;
    size_t i;
    json_t *item;
    json_array_foreach(messages, i, item)
    {
        const char *message = json_string_value(item);
        if (message && version == NULL && strncmp(message, "{oldSchemaVersion", 17) == 0)
            version = between(message, "oldSchemaVersion: ", "}");
        if (message && level == NULL && strncmp(message, "{validateFields", 15) == 0)
            level = between(message, "compatibility: '", "'");
    }
    if (version == NULL && level == NULL) /* it was not even compared */
        fprintf(question->out, "%s cannot be compared with subject %s:\n", question->file,
                question->subject);
    else
        fprintf(question->out, "%s: not compatible%s%s%s%s%s\n", question->subject,
                version ? " with version " : "", version ? version : "", level ? " (" : "",
                level ? level : "", level ? ")" : "");
    json_array_foreach(messages, i, item) if (json_is_string(item))
        print_reason(json_string_value(item), question->out);
    if (version)
        print_diff(rest, question, version);
    bs_free(version);
    bs_free(level);
}

int cl_schema_ask(const struct cl_rest *rest, const struct cl_schema_question *question,
                  bool *ret_well, struct bs_error *err)
{
    char *part = cl_rest_escape(question->subject);
    char *path = bs_asprintf("/compatibility/subjects/%s/versions?verbose=true", part);
    json_t *answer = NULL;
    int rc = cl_rest_call(rest, "POST", path, question->body, &answer, err);
    if (rc == 0) {
        *ret_well = json_is_true(json_object_get(answer, "is_compatible"));
        if (!*ret_well)
            print_refusal(rest, question, json_object_get(answer, "messages"));
    }
    json_decref(answer);
    bs_free(path);
    bs_free(part);
    return rc;
}

void cl_schema_explain(const struct cl_rest *rest, const struct cl_schema_question *question,
                       struct bs_error *err)
{
    struct bs_error ignored = {0}; /* the registry's own words stand without it */
    bool well = true;
    if (cl_schema_ask(rest, question, &well, &ignored) == 0 && !well)
        bs_error_set(err, BS_ECONFLICT,
                     "%s is not registered (409): not compatible with subject %s", question->file,
                     question->subject);
}

/* A registry finds everything compatible with no version at all: a misspelt subject as well. */
static int check_exists(const struct cl_schema_args *args, const char *subject, bool *ret,
                        struct bs_error *err)
{
    struct bs_error said = {0};
    char *part = cl_rest_escape(subject);
    char *path = bs_asprintf("/subjects/%s/versions", part);
    int rc = cl_rest_call(&args->rest, "GET", path, NULL, NULL, &said);
    *ret = rc == 0;
    bs_free(path);
    bs_free(part);
    if (rc == 0 || rc == BS_ENOTFOUND)
        return 0;
    *err = said;
    return rc;
}

static int check(const struct cl_schema_args *args, const char *argv0, const char *subject,
                 const char *file, struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    struct cl_schema_question question = {.subject = subject, .file = file, .out = stdout};
    bool well = false, exists = true;
    int rc = cl_schema_body(file, &text, &question.body, err);
    if (rc < 0)
        goto done;
    question.text = bs_buf_text(&text);
    if ((rc = cl_schema_ask(&args->rest, &question, &well, err)) < 0)
        bs_error_wrap(err, "%s", file);
    else if (well && (rc = check_exists(args, subject, &exists, err)) == 0 && exists)
        printf("%s: compatible\n", subject);
    if (!exists)
        fprintf(stderr, "%s: %s has no versions; nothing was compared%s\n", argv0, subject,
                args->must_exist ? "" : " (--must-exist makes this an error)");
done:
    json_decref(question.body);
    bs_buf_deinit(&text);
    return rc == 0 && well && (exists || !args->must_exist) ? CL_OK : CL_FAILED;
}

int cl_schema_check(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    const char *subject;
    int status, end;
    cl_schema_args_parse(&args, CL_SCHEMA_SUBJECT, "FILE.avsc --subject SUBJECT",
                         "Asks whether a schema may follow the subject's versions, without "
                         "registering it. Exit status 1 when it may not; the reasons name the "
                         "fields, and a diff shows what changed. A subject without versions is "
                         "told on standard error, with status 0 unless --must-exist is given.",
                         1, argc, argv);
    if ((args.subject != NULL) != (args.count == 1))
        return cl_schema_usage(&args, argv, "FILE.avsc --subject SUBJECT");
    subject = args.subject ? args.subject : args.args[0]; /* or both as arguments, as register */
    status = check(&args, argv[0], subject, args.args[args.count - 1], &err);
    end = cl_schema_finish(&args, argv, &err);
    return end == CL_OK ? status : end;
}
