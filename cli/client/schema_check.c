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

/* The sentences of {errorType:'T', description:'D', additionalInfo:'I'}; what is not so as it is.
 */
static void print_reason(const char *text)
{
    char *type = between(text, "errorType:'", "', description:'");
    char *words = between(text, "description:'", "', additionalInfo:'");
    if (type && words)
        printf("  %s: %s\n", type, words);
    else if (strncmp(text, "{oldSchema", 10) != 0 && strncmp(text, "{validateFields", 15) != 0)
        printf("  %s\n", text);
    bs_free(type);
    bs_free(words);
}

static void print_diff(const struct cl_schema_args *args, const char *subject, const char *version,
                       const char *file, const char *text)
{
    struct bs_error ignored = {0}; /* the verdict stands without it */
    struct sd_schema *schema = NULL;
    struct bs_buf canonical = BS_BUF_INIT, out = BS_BUF_INIT;
    char *part = cl_rest_escape(subject);
    char *path = bs_asprintf("/subjects/%s/versions/%s", part, version);
    char *name = bs_asprintf("%s version %s", subject, version);
    json_t *answer = NULL;
    const char *old = NULL;
    if (cl_rest_call(&args->rest, "GET", path, NULL, &answer, &ignored) == 0)
        old = json_string_value(json_object_get(answer, "schema"));
    if (sd_schema_parse(bs_bytes_text(text), false, NULL, 0, &schema, NULL) == 0) {
        sd_schema_text(schema, false, &canonical);
        text = bs_buf_text(&canonical);
    }
    if (old)
        cl_schema_diff(old, name, text, file, &out);
    fputs(bs_buf_text(&out), stdout);
    sd_schema_unref(schema);
    json_decref(answer);
    bs_buf_deinit(&canonical);
    bs_buf_deinit(&out);
    bs_free(name);
    bs_free(path);
    bs_free(part);
}

static int print_verdict(const struct cl_schema_args *args, const char *subject, const char *file,
                         const char *text, const json_t *answer)
{
    const json_t *messages = json_object_get(answer, "messages");
    bool well = json_is_true(json_object_get(answer, "is_compatible"));
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
    printf("%s: %s%s%s%s%s%s\n", subject, well ? "compatible" : "not compatible",
           version ? " with version " : "", version ? version : "", level ? " (" : "",
           level ? level : "", level ? ")" : "");
    json_array_foreach(messages, i, item) if (json_is_string(item))
        print_reason(json_string_value(item));
    if (version && !well)
        print_diff(args, subject, version, file, text);
    bs_free(version);
    bs_free(level);
    return well ? CL_OK : CL_FAILED;
}

int cl_schema_check(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    struct bs_buf text = BS_BUF_INIT;
    json_t *body = NULL, *answer = NULL;
    const char *subject, *file;
    int status = CL_OK, end;
    cl_schema_args_parse(&args, CL_SCHEMA_SUBJECT, "FILE.avsc --subject SUBJECT",
                         "Asks whether a schema may follow the subject's versions, without "
                         "registering it. Exit status 1 when it may not; the reasons name the "
                         "fields, and a diff shows what changed.",
                         1, argc, argv);
    if ((args.subject != NULL) != (args.count == 1)) {
        fprintf(stderr, "%s: usage: %s FILE.avsc --subject SUBJECT\n", argv[0], argv[0]);
        cl_schema_finish(&args, argv, &err);
        return CL_USAGE;
    }
    subject = args.subject ? args.subject : args.args[0]; /* or both as arguments, as register */
    file = args.args[args.count - 1];
    if (cl_schema_body(file, &text, &body, &err) == 0) {
        char *part = cl_rest_escape(subject);
        char *path = bs_asprintf("/compatibility/subjects/%s/versions?verbose=true", part);
        if (cl_rest_call(&args.rest, "POST", path, body, &answer, &err) == 0)
            status = print_verdict(&args, subject, file, bs_buf_text(&text), answer);
        bs_free(path);
        bs_free(part);
    }
    json_decref(body);
    json_decref(answer);
    bs_buf_deinit(&text);
    end = cl_schema_finish(&args, argv, &err);
    return end == CL_OK ? status : end;
}
