/* weir schema import: what weir schema export wrote (schema_export.c), into another registry.
 *
 * Versions keep ids and numbers: each subject is in mode IMPORT meanwhile and gets its old mode
 * back, also after an error. The file is read twice: first everything that is there already is
 * compared, so that a conflict is found before anything is changed; then what is missing is added.
 * So an import that is run again adds nothing, and one that was cut off goes on. */
#include "cli/client/schema_args.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 16 << 20 };

struct import {
    const struct cl_schema_args *args;
    json_t *there;    /* "subject version" of the file → true: is there, false: is missing */
    json_t *modes;    /* subject → its mode before, null: none of its own */
    json_t *settings; /* modes of the file, for the end */
    json_t *deleted;  /* versions of the file that are to be deleted at the end */
    size_t added, kept, set;
};

static const char *text_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int ask(struct import *import, const char *method, char *path, json_t *body, json_t **ret,
               struct bs_error *err)
{
    int rc = cl_rest_call(&import->args->rest, method, path, body, ret, err);
    bs_free(path);
    return rc;
}

static char *path_of(const char *format, const char *subject, long long version)
{
    char *part = cl_rest_escape(subject);
    char *path = bs_asprintf("%s/%s", format, part), *whole;
    bs_free(part);
    if (version < 0)
        return path;
    whole = bs_asprintf("%s/versions/%lld", path, version);
    bs_free(path);
    return whole;
}

static long long version_of(const json_t *line)
{
    return (long long)json_integer_value(json_object_get(line, "version"));
}

static char *place_of(const json_t *line)
{
    return bs_asprintf("%s %lld", text_member(line, "subject"), version_of(line));
}

static bool is_setting(const json_t *line)
{
    return json_object_get(line, "config") || json_object_get(line, "mode");
}

static int check_line(const struct import *import, const json_t *line, struct bs_error *err)
{
    if (is_setting(line))
        return json_is_object(json_object_get(line, "config")) || text_member(line, "mode")
                   ? 0
                   : bs_error_set(err, BS_EINVAL, "\"config\" must be an object, \"mode\" a text");
    if (text_member(line, "subject") == NULL || text_member(line, "schema") == NULL)
        return bs_error_set(err, BS_EINVAL, "\"subject\" and \"schema\" must be texts");
    if (!import->args->new_ids && (!json_is_integer(json_object_get(line, "id")) ||
                                   !json_is_integer(json_object_get(line, "version"))))
        return bs_error_set(err, BS_EINVAL,
                            "\"id\" or \"version\" is missing; --new-ids does without");
    return 0;
}

/* ---- first reading: what is there? ---- */

static bool same_text(const char *a, const char *b)
{
    struct sd_schema *x = NULL, *y = NULL;
    struct bs_buf p = BS_BUF_INIT, q = BS_BUF_INIT;
    bool same = strcmp(a, b) == 0;
    if (!same && sd_schema_parse(bs_bytes_text(a), false, NULL, 0, &x, NULL) == 0 &&
        sd_schema_parse(bs_bytes_text(b), false, NULL, 0, &y, NULL) == 0) {
        sd_schema_text(x, false, &p);
        sd_schema_text(y, false, &q);
        same = bs_bytes_equal(bs_buf_bytes(&p), bs_buf_bytes(&q));
    }
    sd_schema_unref(x);
    sd_schema_unref(y);
    bs_buf_deinit(&p);
    bs_buf_deinit(&q);
    return same;
}

static int compare_line(struct import *import, json_t *line, struct bs_error *err)
{
    const char *subject = text_member(line, "subject"), *text;
    char *path, *with, *place;
    json_t *answer = NULL;
    bool there = false;
    int rc;
    if (import->args->new_ids || is_setting(line))
        return 0;
    path = path_of("/subjects", subject, version_of(line));
    with = bs_asprintf("%s?deleted=true", path);
    bs_free(path);
    rc = ask(import, "GET", with, NULL, &answer, err);
    if (rc == BS_ENOTFOUND) {
        *err = (struct bs_error){0};
        rc = 0;
    } else if (rc == 0) {
        text = text_member(answer, "schema");
        there = json_is_true(json_object_get(answer, "deleted")) ==
                json_is_true(json_object_get(line, "deleted"));
        if (text == NULL || !same_text(text, text_member(line, "schema")) ||
            !json_equal(json_object_get(answer, "id"), json_object_get(line, "id")))
            rc = bs_error_set(err, BS_ECONFLICT,
                              "subject %s version %lld is there already with another schema (id "
                              "%lld); nothing was imported",
                              subject, version_of(line),
                              (long long)json_integer_value(json_object_get(answer, "id")));
    }
    place = place_of(line);
    json_object_set_new(import->there, place, json_boolean(there));
    bs_free(place);
    json_decref(answer);
    return rc;
}

/* ---- second reading ---- */

static int set_mode(struct import *import, const char *method, const char *subject,
                    const char *mode, bool force, json_t **ret, struct bs_error *err)
{
    char *path = subject ? path_of("/mode", subject, -1) : bs_strdup("/mode");
    char *with = bs_asprintf("%s%s", path, force ? "?force=true" : "");
    json_t *body = mode ? json_pack("{s:s}", "mode", mode) : NULL;
    int rc = ask(import, method, with, body, ret, err);
    bs_free(path);
    json_decref(body);
    return rc;
}

/* Has the subject versions that the file has not? *ret_any: has it any, soft-deleted ones too? */
static int check_others(struct import *import, const char *subject, bool *ret_any,
                        struct bs_error *err)
{
    char *path = path_of("/subjects", subject, -1);
    json_t *answer = NULL, *item;
    size_t i;
    int rc = ask(import, "GET", bs_asprintf("%s/versions?deleted=true", path), NULL, &answer, err);
    bs_free(path);
    if (rc == BS_ENOTFOUND) {
        *err = (struct bs_error){0};
        rc = 0;
    }
    json_array_foreach(answer, i, item)
    {
        char *place = bs_asprintf("%s %lld", subject, (long long)json_integer_value(item));
        *ret_any = true;
        if (rc == 0 && !import->args->force && json_object_get(import->there, place) == NULL)
            rc = bs_error_set(err, BS_EEXIST,
                              "existing version %lld of subject %s is not in the file; --force "
                              "imports into the subject nevertheless",
                              (long long)json_integer_value(item), subject);
        bs_free(place);
    }
    json_decref(answer);
    return rc;
}

static int enter_import(struct import *import, const char *subject, struct bs_error *err)
{
    json_t *answer = NULL;
    const char *mode;
    bool any = false;
    int rc;
    if (json_object_get(import->modes, subject))
        return 0;
    if ((rc = check_others(import, subject, &any, err)) < 0)
        return rc;
    rc = set_mode(import, "GET", subject, NULL, false, &answer, err);
    mode = rc == 0 ? text_member(answer, "mode") : NULL;
    if (rc == BS_ENOTFOUND) {
        *err = (struct bs_error){0};
        rc = 0;
    }
    if (rc == 0 && mode && strcmp(mode, "READONLY") == 0)
        rc = bs_error_set(err, BS_ESTATE, "subject %s is READONLY", subject);
    if (rc == 0 && (mode == NULL || strcmp(mode, "IMPORT") != 0)) {
        /* by force: what is soft-deleted would be lost otherwise */
        rc = set_mode(import, "PUT", subject, "IMPORT", any, NULL, err);
        if (rc == 0)
            json_object_set_new(import->modes, subject, mode ? json_string(mode) : json_null());
    }
    json_decref(answer);
    return rc;
}

static void leave_import(struct import *import, struct bs_error *err)
{
    const char *subject;
    json_t *mode;
    json_object_foreach(import->modes, subject, mode)
    {
        struct bs_error own = {0};
        const char *text = json_string_value(mode);
        if (set_mode(import, text ? "PUT" : "DELETE", subject, text, text != NULL, NULL, &own) <
                0 &&
            err->code == 0) {
            *err = own;
            bs_error_wrap(err, "subject %s stays in mode IMPORT", subject);
        }
    }
}

static int put_config(struct import *import, const char *subject, json_t *config,
                      struct bs_error *err)
{
    json_t *level = json_object_get(config, "compatibilityLevel");
    if (level) {
        json_object_set(config, "compatibility", level);
        json_object_del(config, "compatibilityLevel");
    }
    import->set++;
    return ask(import, "PUT", subject ? path_of("/config", subject, -1) : bs_strdup("/config"),
               config, NULL, err);
}

static int add_version(struct import *import, const char *subject, json_t *line,
                       struct bs_error *err)
{
    char *path = path_of("/subjects", subject, -1);
    int rc = ask(import, "POST", bs_asprintf("%s/versions", path), line, NULL, err);
    bs_free(path);
    import->added += rc == 0;
    return rc;
}

/* A number says nothing there: the schema itself is looked for. The look-up goes on in other
 * contexts where the subject has none of its own. */
static int add_new(struct import *import, const char *subject, json_t *line, struct bs_error *err)
{
    json_t *answer = NULL;
    const char *found = NULL;
    int rc;
    json_object_del(line, "id");
    json_object_del(line, "version");
    rc = ask(import, "POST", path_of("/subjects", subject, -1), line, &answer, err);
    if (rc == BS_ENOTFOUND) {
        *err = (struct bs_error){0};
        rc = 0;
    } else if (rc == 0) {
        found = text_member(answer, "subject");
    }
    if (found && strcmp(found, subject) == 0)
        import->kept++;
    else if (rc == 0)
        rc = add_version(import, subject, line, err);
    json_decref(answer);
    return rc;
}

static int import_line(struct import *import, json_t *line, struct bs_error *err)
{
    const char *subject = text_member(line, "subject");
    bool deleted = json_is_true(json_object_get(line, "deleted"));
    char *place;
    bool there;
    int rc;
    if (json_object_get(line, "config"))
        return put_config(import, subject, json_object_get(line, "config"), err);
    if (json_object_get(line, "mode"))
        return json_array_append(import->settings, line);
    json_object_del(line, "deleted");
    if (import->args->new_ids)
        return deleted ? 0 : add_new(import, subject, line, err);
    place = place_of(line);
    there = json_is_true(json_object_get(import->there, place));
    bs_free(place);
    if (there) {
        import->kept++;
        return 0;
    }
    rc = enter_import(import, subject, err);
    if (rc == 0)
        rc = add_version(import, subject, line, err);
    if (rc == 0 && deleted)
        json_array_append(import->deleted, line);
    return rc;
}

static int finish(struct import *import, struct bs_error *err)
{
    json_t *line;
    size_t i;
    int rc = 0;
    json_array_foreach(import->deleted, i, line) if (rc == 0) rc =
        ask(import, "DELETE", path_of("/subjects", text_member(line, "subject"), version_of(line)),
            NULL, NULL, err);
    json_array_foreach(import->settings, i, line) if (rc == 0)
    {
        rc = set_mode(import, "PUT", text_member(line, "subject"), text_member(line, "mode"), true,
                      NULL, err);
        import->set += rc == 0;
    }
    return rc;
}

/* ---- the file ---- */

typedef int line_handler(struct import *import, json_t *line, struct bs_error *err);

static int read_lines(struct import *import, FILE *in, line_handler *handle, struct bs_error *err)
{
    const char *file = import->args->args[0];
    char *line = NULL;
    size_t cap = 0, number = 0;
    ssize_t len;
    int rc = 0;
    while (rc == 0 && (len = getline(&line, &cap, in)) > 0) {
        json_error_t where;
        json_t *json;
        number++;
        if (len > LINE_MAX_BYTES) {
            rc = bs_error_set(err, BS_ELIMIT, "%s line %zu: longer than 16 MiB", file, number);
            break;
        }
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        json = json_loadb(line, (size_t)len, JSON_REJECT_DUPLICATES, &where);
        rc = json_is_object(json) ? check_line(import, json, err)
                                  : bs_error_set(err, BS_ESYNTAX, "%s",
                                                 json ? "it is not a JSON object" : where.text);
        if (rc == 0)
            rc = handle(import, json, err);
        if (rc < 0)
            bs_error_wrap(err, "%s line %zu", file, number);
        json_decref(json);
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
    struct import import = {.args = &args,
                            .there = json_object(),
                            .modes = json_object(),
                            .settings = json_array(),
                            .deleted = json_array()};
    FILE *in;
    cl_schema_args_parse(&args, CL_SCHEMA_IMPORT, "FILE",
                         "Adds what `weir schema export` wrote: versions with their ids and "
                         "numbers, configurations, modes. What is there already stays; the first "
                         "line that is refused ends it, and it may be run again.",
                         1, argc, argv);
    in = fopen(args.args[0], "re");
    if (in == NULL) {
        bs_error_sys(&err, errno, "cannot read %s", args.args[0]);
    } else if (read_lines(&import, in, compare_line, &err) == 0) {
        if (fseek(in, 0, SEEK_SET) != 0)
            bs_error_sys(&err, errno, "cannot read %s twice", args.args[0]);
        else
            read_lines(&import, in, import_line, &err);
        leave_import(&import, &err);
        if (err.code == 0)
            finish(&import, &err);
        printf("%zu version%s imported, %zu %s there, %zu setting%s\n", import.added,
               import.added == 1 ? "" : "s", import.kept, import.kept == 1 ? "was" : "were",
               import.set, import.set == 1 ? "" : "s");
    }
    if (in)
        fclose(in);
    json_decref(import.there);
    json_decref(import.modes);
    json_decref(import.settings);
    json_decref(import.deleted);
    return cl_schema_finish(&args, argv, &err);
}
