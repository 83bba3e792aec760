/* weir schema export: a registry as lines of JSON, for weir schema import.
 *
 *     {"subject":…, "version":…, "id":…, "schema":…, …}   a version, as GET /schemas gives it, with
 *                                                         "deleted":true when it is soft-deleted
 *     {"subject":…, "config":{…}}                         without subject: of the registry;
 *     {"subject":…, "mode":"READONLY"}                    ":.ctx:": of a context
 *
 * Versions come in the order of ids, and each behind those that it refers to. */
#include "cli/client/schema_args.h"
#include "lib/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000, REFERENCE_DEPTH_MAX = 100 };

static int64_t member(const json_t *object, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(object, name));
}

static const char *text_member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static int by_id(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int64_t p = member(x, "id"), q = member(y, "id");
    if (p == q) {
        int order = strcmp(text_member(x, "subject"), text_member(y, "subject"));
        if (order)
            return order;
        p = member(x, "version");
        q = member(y, "version");
    }
    return (p > q) - (p < q);
}

static int read_versions(const struct cl_rest *rest, json_t *all, struct bs_error *err)
{
    size_t got;
    do {
        char *path =
            bs_asprintf("/schemas?deleted=true&offset=%zu&limit=%d", json_array_size(all), PAGE);
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

/* ---- the order ---- */

struct order {
    json_t **sorted;
    json_t *places; /* "subject version" → index */
    json_t *out;
    char *visited;
};

static char *place_of(const char *context, size_t context_len, const char *subject, int64_t version)
{
    return bs_asprintf("%.*s%s %lld", (int)context_len, context, subject, (long long)version);
}

static void visit(struct order *order, size_t at, unsigned depth)
{
    json_t *line = order->sorted[at], *references = json_object_get(line, "references"), *one;
    const char *subject = text_member(line, "subject");
    const char *colon = strncmp(subject, ":.", 2) == 0 ? strchr(subject + 1, ':') : NULL;
    size_t i, context = colon ? (size_t)(colon + 1 - subject) : 0;
    if (order->visited[at] || depth > REFERENCE_DEPTH_MAX)
        return;
    order->visited[at] = 1;
    json_array_foreach(references, i, one)
    {
        const char *name = text_member(one, "subject");
        char *place = place_of(subject, *name == ':' ? 0 : context, name, member(one, "version"));
        json_t *found = json_object_get(order->places, place);
        if (found)
            visit(order, (size_t)json_integer_value(found), depth + 1);
        bs_free(place);
    }
    json_object_del(line, "guid"); /* follow from the rest */
    json_object_del(line, "ts");
    if (!json_is_true(json_object_get(line, "deleted")))
        json_object_del(line, "deleted");
    json_array_append(order->out, line);
}

static json_t *in_order(json_t *all)
{
    size_t count = json_array_size(all);
    struct order order = {.sorted = bs_array(count + 1, sizeof(json_t *)),
                          .places = json_object(),
                          .out = json_array(),
                          .visited = bs_array(count + 1, 1)};
    for (size_t i = 0; i < count; i++)
        order.sorted[i] = json_array_get(all, i);
    qsort(order.sorted, count, sizeof *order.sorted, by_id);
    for (size_t i = 0; i < count; i++) {
        char *place = place_of("", 0, text_member(order.sorted[i], "subject"),
                               member(order.sorted[i], "version"));
        json_object_set_new(order.places, place, json_integer((json_int_t)i));
        bs_free(place);
    }
    for (size_t i = 0; i < count; i++)
        visit(&order, i, 0);
    json_decref(order.places);
    bs_free(order.sorted);
    bs_free(order.visited);
    return order.out;
}

/* ---- config and mode ---- */

/* Appends the line of one scope, if it has a setting of its own. subject NULL: the registry. */
static int read_setting(const struct cl_rest *rest, const char *what, const char *subject,
                        json_t *lines, struct bs_error *err)
{
    char *part = cl_rest_escape(subject ? subject : "");
    char *path = bs_asprintf("/%s%s%s", what, subject ? "/" : "", part);
    struct bs_error own = {0};
    json_t *answer = NULL, *line;
    int rc = cl_rest_call(rest, "GET", path, NULL, &answer, &own);
    bs_free(path);
    bs_free(part);
    if (rc == BS_ENOTFOUND)
        return 0;
    if (rc < 0) {
        *err = own;
        return rc;
    }
    if (strcmp(what, "mode") == 0) {
        line = json_pack("{s:O}", "mode", json_object_get(answer, "mode"));
        if (subject == NULL && strcmp(text_member(answer, "mode"), "READWRITE") == 0) {
            json_decref(line);
            line = NULL;
        }
    } else {
        line = json_pack("{s:O}", "config", answer);
    }
    if (line && subject)
        json_object_set_new(line, "subject", json_string(subject));
    if (line)
        json_array_append_new(lines, line);
    json_decref(answer);
    return 0;
}

static int read_settings(const struct cl_rest *rest, json_t *versions, json_t *lines,
                         struct bs_error *err)
{
    static const char *const WHAT[] = {"config", "mode"};
    json_t *scopes = json_object(), *contexts = NULL, *item;
    const char *subject;
    size_t i;
    int rc = cl_rest_call(rest, "GET", "/contexts", NULL, &contexts, err);
    json_array_foreach(contexts, i,
                       item) if (json_is_string(item) && strcmp(json_string_value(item), ".") != 0)
    {
        char *scope = bs_asprintf(":%s:", json_string_value(item));
        json_object_set_new(scopes, scope, json_null());
        bs_free(scope);
    }
    json_array_foreach(versions, i, item)
        json_object_set_new(scopes, text_member(item, "subject"), json_null());
    for (size_t w = 0; w < 2 && rc == 0; w++) {
        rc = read_setting(rest, WHAT[w], NULL, lines, err);
        json_object_foreach(scopes, subject, item) if (rc == 0) rc =
            read_setting(rest, WHAT[w], subject, lines, err);
    }
    json_decref(contexts);
    json_decref(scopes);
    return rc;
}

static int write_lines(const json_t *lines, FILE *out)
{
    size_t i;
    json_t *line;
    int rc = 0;
    json_array_foreach(lines, i, line)
    {
        rc = rc ? rc : json_dumpf(line, out, JSON_COMPACT);
        fputc('\n', out);
    }
    return rc || ferror(out) ? BS_EIO : 0;
}

int cl_schema_export(int argc, char **argv)
{
    struct cl_schema_args args;
    struct bs_error err = {0};
    json_t *all = json_array(), *lines = NULL;
    FILE *out = stdout;
    cl_schema_args_parse(&args, 0, "[FILE]",
                         "Writes all versions (those that are soft-deleted, too), configurations "
                         "and modes, of all contexts, as lines of JSON.",
                         0, argc, argv);
    if (read_versions(&args.rest, all, &err) == 0) {
        size_t versions = json_array_size(all);
        lines = in_order(all);
        if (read_settings(&args.rest, all, lines, &err) < 0) {
            bs_error_wrap(&err, "settings");
        } else if (args.count && (out = fopen(args.args[0], "we")) == NULL) {
            bs_error_sys(&err, errno, "cannot write %s", args.args[0]);
        } else {
            int rc = write_lines(lines, out);
            if ((out == stdout ? fflush(out) : fclose(out)) != 0 || rc < 0)
                bs_error_set(&err, BS_EIO, "cannot write %s",
                             args.count ? args.args[0] : "to standard output");
            else
                fprintf(stderr, "%zu version%s, %zu setting%s\n", versions,
                        bs_plural((long long)versions), json_array_size(lines) - versions,
                        bs_plural((long long)(json_array_size(lines) - versions)));
        }
    }
    json_decref(all);
    json_decref(lines);
    return cl_schema_finish(&args, argv, &err);
}
