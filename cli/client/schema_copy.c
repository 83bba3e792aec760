/* weir schema export, import: a registry's versions as lines of JSON, one version each, as
 * GET /schemas gives them, in the order of ids (a reference comes before what refers to it).
 *
 * An import keeps ids and versions: each subject is in mode IMPORT meanwhile and gets its old mode
 * back, also after an error. */
#include "cli/client/schema_args.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000, LINE_MAX_BYTES = 16 << 20 };

/* ---- export ---- */

static int64_t member(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}

static int by_id(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int64_t p = member(x, "id"), q = member(y, "id");
    if (p == q) {
        p = member(x, "version");
        q = member(y, "version");
    }
    return (p > q) - (p < q);
}

static int read_all(const struct cl_rest *rest, json_t *all, struct bs_error *err)
{
    size_t got;
    do {
        char *path = bs_asprintf("/schemas?offset=%zu&limit=%d", json_array_size(all), PAGE);
        json_t *answer = NULL;
        int rc = cl_rest_call(rest, "GET", path, NULL, &answer, err);
        bs_free(path);
        got = json_array_size(answer);
        if (got)
            json_array_extend(all, answer);
        json_decref(answer);
        if (rc < 0)
            return rc;
    } while (got == PAGE);
    return 0;
}

static int write_lines(json_t *all, FILE *out)
{
    size_t count = json_array_size(all);
    json_t **sorted = bs_array(count + 1, sizeof(json_t *));
    int rc = 0;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(all, i);
    qsort(sorted, count, sizeof *sorted, by_id);
    for (size_t i = 0; i < count && rc == 0; i++) {
        json_object_del(sorted[i], "guid"); /* follows from the rest */
        json_object_del(sorted[i], "ts");
        rc = json_dumpf(sorted[i], out, JSON_COMPACT);
        fputc('\n', out);
    }
    bs_free(sorted);
    return rc || ferror(out) ? BS_EIO : 0;
}

int cl_schema_export(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *all = json_array();
    FILE *out = stdout;
    cl_schema_args_parse(&args, 0, "[FILE]",
                         "Writes every version that is not deleted as a line of JSON.", 0, argc,
                         argv);
    if (read_all(&args.rest, all, &err) == 0) {
        if (args.count && (out = fopen(args.args[0], "we")) == NULL) {
            bs_error_sys(&err, errno, "cannot write %s", args.args[0]);
        } else {
            int rc = write_lines(all, out);
            if ((out == stdout ? fflush(out) : fclose(out)) != 0 || rc < 0)
                bs_error_set(&err, BS_EIO, "cannot write %s",
                             args.count ? args.args[0] : "to standard output");
            fprintf(stderr, "%zu versions\n", json_array_size(all));
        }
    }
    json_decref(all);
    return cl_schema_finish(argv, &err);
}

/* ---- import ---- */

/* The modes of subjects before: a text, or null where there was none. */
static int call_mode(const struct cl_schema_args *args, const char *method, const char *subject,
                     const char *mode, json_t **ret, struct bs_error *err)
{
    char *part = cl_rest_escape(subject);
    char *path = bs_asprintf("/mode/%s%s", part, mode && args->force ? "?force=true" : "");
    json_t *body = mode ? json_pack("{s:s}", "mode", mode) : NULL;
    int rc = cl_rest_call(&args->rest, method, path, body, ret, err);
    json_decref(body);
    bs_free(path);
    bs_free(part);
    return rc;
}

static int enter_import(const struct cl_schema_args *args, const char *subject, json_t *modes,
                        struct bs_error *err)
{
    json_t *answer = NULL;
    const char *mode;
    int rc;
    if (json_object_get(modes, subject))
        return 0;
    rc = call_mode(args, "GET", subject, NULL, &answer, err);
    mode = rc == 0 ? json_string_value(json_object_get(answer, "mode")) : NULL;
    if (rc == BS_ENOTFOUND) {
        *err = (struct bs_error){0};
        rc = 0;
    }
    if (rc == 0 && mode && strcmp(mode, "READONLY") == 0)
        rc = bs_error_set(err, BS_ESTATE, "subject %s is READONLY", subject);
    if (rc == 0 && (mode == NULL || strcmp(mode, "IMPORT") != 0)) {
        rc = call_mode(args, "PUT", subject, "IMPORT", NULL, err);
        if (rc == 0)
            json_object_set_new(modes, subject, mode ? json_string(mode) : json_null());
    }
    json_decref(answer);
    return rc;
}

static void leave_import(const struct cl_schema_args *args, json_t *modes, struct bs_error *err)
{
    const char *subject;
    json_t *mode;
    json_object_foreach(modes, subject, mode)
    {
        struct bs_error own = {0};
        const char *text = json_string_value(mode);
        if (call_mode(args, text ? "PUT" : "DELETE", subject, text, NULL, &own) < 0 &&
            err->code == 0) {
            *err = own;
            bs_error_wrap(err, "subject %s stays in mode IMPORT", subject);
        }
    }
}

static int import_one(const struct cl_schema_args *args, json_t *version, json_t *modes,
                      struct bs_error *err)
{
    const char *subject = json_string_value(json_object_get(version, "subject"));
    char *part, *path;
    int rc;
    if (subject == NULL || json_string_value(json_object_get(version, "schema")) == NULL)
        return bs_error_set(err, BS_EINVAL, "\"subject\" and \"schema\" must be texts");
    if (args->new_ids) {
        json_object_del(version, "id");
        json_object_del(version, "version");
    } else if (!json_is_integer(json_object_get(version, "id"))) {
        return bs_error_set(err, BS_EINVAL, "\"id\" is missing; --new-ids does without");
    } else if ((rc = enter_import(args, subject, modes, err)) < 0) {
        return rc;
    }
    part = cl_rest_escape(subject);
    path = bs_asprintf("/subjects/%s/versions", part);
    rc = cl_rest_call(&args->rest, "POST", path, version, NULL, err);
    bs_free(path);
    bs_free(part);
    return rc;
}

static int import_lines(const struct cl_schema_args *args, FILE *in, json_t *modes, size_t *ret,
                        struct bs_error *err)
{
    const char *file = args->args[0];
    char *line = NULL;
    size_t cap = 0, number = 0;
    ssize_t len;
    int rc = 0;
    while (rc == 0 && (len = getline(&line, &cap, in)) > 0) {
        json_error_t where;
        json_t *version;
        number++;
        if (len > LINE_MAX_BYTES) {
            rc = bs_error_set(err, BS_ELIMIT, "%s line %zu: longer than 16 MiB", file, number);
            break;
        }
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        version = json_loadb(line, (size_t)len, JSON_REJECT_DUPLICATES, &where);
        rc = json_is_object(version)
                 ? import_one(args, version, modes, err)
                 : bs_error_set(err, BS_ESYNTAX, "%s",
                                version ? "it is not a JSON object" : where.text);
        if (rc < 0)
            bs_error_wrap(err, "%s line %zu", file, number);
        else
            ++*ret;
        json_decref(version);
    }
    if (rc == 0 && ferror(in))
        rc = bs_error_sys(err, errno, "cannot read %s", file);
    free(line);
    return rc;
}

int cl_schema_import(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *modes = json_object();
    size_t count = 0;
    FILE *in;
    cl_schema_args_parse(&args, CL_SCHEMA_IMPORT, "FILE",
                         "Adds versions that `weir schema export` wrote, with their ids and "
                         "numbers. The first that is refused ends it; what went before stays.",
                         1, argc, argv);
    in = fopen(args.args[0], "re");
    if (in) {
        import_lines(&args, in, modes, &count, &err);
        fclose(in);
        leave_import(&args, modes, &err);
        printf("%zu versions imported\n", count);
    } else {
        bs_error_sys(&err, errno, "cannot read %s", args.args[0]);
    }
    json_decref(modes);
    return cl_schema_finish(argv, &err);
}
