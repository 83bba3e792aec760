/* Columns: CSV fields typed by an Avro record schema.
 *
 * Scalars and unions of one scalar with null. An empty field that was not quoted is null where null
 * is allowed, an empty string for a string, an error for anything else. Numbers are decimal without
 * blanks, the whole field; an integer beyond its type's range is an error, never cut. */
#include "connectors/file/columns.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(struct cn_error *error, const char *file, const char *field, const char *text)
{
    if (field)
        snprintf(error->text, sizeof(error->text), "%s: field %s: %s", file, field, text);
    else
        snprintf(error->text, sizeof(error->text), "%s: %s", file, text);
    return CN_FAIL;
}

static const struct {
    const char *name;
    uint32_t type;
    bool narrow;
} scalars[] = {
    {"boolean", CN_BOOL, false}, {"int", CN_INT64, true},      {"long", CN_INT64, false},
    {"float", CN_FLOAT, false},  {"double", CN_DOUBLE, false}, {"string", CN_STRING, false},
    {"bytes", CN_BYTES, false},
};

static const char *set_enum(struct cn_column *column, const json_t *type)
{
    const json_t *symbols = json_object_get(type, "symbols");
    size_t n = json_array_size(symbols);
    column->type = CN_STRING;
    column->symbols = calloc(n + 1, sizeof(char *));
    for (size_t i = 0; column->symbols && i < n; i++) {
        const char *symbol = json_string_value(json_array_get(symbols, i));
        if (!symbol)
            return "an enum's symbols must be strings";
        column->symbols[i] = strdup(symbol);
    }
    return NULL;
}

/* NULL, or why the type does not fit a CSV column. */
static const char *set_type(struct cn_column *column, const json_t *type)
{
    if (json_is_object(type)) {
        const char *name = json_string_value(json_object_get(type, "type"));
        const char *logical = json_string_value(json_object_get(type, "logicalType"));
        if (logical && !strcmp(logical, "decimal"))
            return "decimal columns are not read from CSV; use string or double";
        if (name && !strcmp(name, "enum"))
            return set_enum(column, type);
        return set_type(column, json_object_get(type, "type"));
    }
    if (json_is_array(type)) {
        const json_t *only = NULL;
        for (size_t i = 0; i < json_array_size(type); i++) {
            const json_t *branch = json_array_get(type, i);
            const char *name = json_string_value(branch);
            if (name && !strcmp(name, "null"))
                column->nullable = true;
            else if (only)
                return "a union of more than one type and null cannot be read from CSV";
            else
                only = branch;
        }
        return only ? set_type(column, only) : "a column cannot be null only";
    }
    const char *name = json_string_value(type);
    for (size_t i = 0; name && i < sizeof(scalars) / sizeof(scalars[0]); i++)
        if (!strcmp(name, scalars[i].name)) {
            column->type = scalars[i].type;
            column->narrow = scalars[i].narrow;
            return NULL;
        }
    return "its type cannot be read from CSV; a column is boolean, int, long, float, double, "
           "string, bytes or enum, or a union of one of them with null";
}

static int load_fields(struct cn_columns *columns, const json_t *root, const char *file,
                       struct cn_error *error)
{
    const json_t *fields = json_object_get(root, "fields");
    const char *type = json_string_value(json_object_get(root, "type"));
    if (!type || strcmp(type, "record") != 0 || !json_is_array(fields))
        return fail(error, file, NULL, "the schema of CSV rows must be a record");
    columns->list = calloc(json_array_size(fields) + 1, sizeof(*columns->list));
    for (size_t i = 0; columns->list && i < json_array_size(fields); i++) {
        const json_t *field = json_array_get(fields, i);
        const char *name = json_string_value(json_object_get(field, "name"));
        if (!name)
            return fail(error, file, NULL, "a field without a name");
        struct cn_column *column = &columns->list[columns->count++];
        column->name = strdup(name);
        column->has_default = json_object_get(field, "default") != NULL;
        const char *why = set_type(column, json_object_get(field, "type"));
        if (why)
            return fail(error, file, name, why);
    }
    return CN_OK;
}

int cn_columns_load(struct cn_columns *columns, const char *file, bool flat, struct cn_error *error)
{
    json_error_t where;
    int result;
    *columns = (struct cn_columns){0};
    json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &where);
    if (!root) {
        if (where.line > 0)
            snprintf(error->text, sizeof(error->text), "schema.file %s:%d: %s", file, where.line,
                     where.text);
        else /* jansson's text names the file and why */
            snprintf(error->text, sizeof(error->text), "schema.file: %s", where.text);
        return CN_FAIL;
    }
    columns->text = json_dumps(root, JSON_COMPACT);
    result = flat ? load_fields(columns, root, file, error) : CN_OK;
    json_decref(root);
    if (result != CN_OK)
        cn_columns_deinit(columns);
    return result;
}

void cn_columns_deinit(struct cn_columns *columns)
{
    for (size_t i = 0; i < columns->count; i++) {
        for (char **symbol = columns->list[i].symbols; symbol && *symbol; symbol++)
            free(*symbol);
        free(columns->list[i].symbols);
        free(columns->list[i].name);
    }
    free(columns->list);
    free(columns->text);
    *columns = (struct cn_columns){0};
}

static bool integer_value(struct cn_text text, bool narrow, int64_t *ret)
{
    bool negative = text.len && text.ptr[0] == '-';
    size_t i = negative || (text.len && text.ptr[0] == '+');
    if (i == text.len || text.len - i > 19)
        return false;
    uint64_t n = 0;
    for (; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    uint64_t most = (narrow ? (uint64_t)INT32_MAX : (uint64_t)INT64_MAX) + negative;
    if (n > most)
        return false;
    *ret = negative ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

static bool real_value(struct cn_text text, double *ret)
{
    char copy[64], *end;
    if (!text.len || text.len >= sizeof(copy) || !memchr("+-.0123456789", text.ptr[0], 13))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (copy[strspn(copy, "+-.0123456789eE")] != 0)
        return false;
    *ret = strtod(copy, &end);
    return *end == 0 && isfinite(*ret);
}

static bool bool_value(struct cn_text text, int64_t *ret)
{
    bool yes = text.len == 4 && !strncasecmp(text.ptr, "true", 4);
    bool no = text.len == 5 && !strncasecmp(text.ptr, "false", 5);
    *ret = yes;
    return yes || no;
}

static bool known_symbol(const struct cn_column *column, struct cn_text text)
{
    for (char **symbol = column->symbols; symbol && *symbol; symbol++)
        if (strlen(*symbol) == text.len && !memcmp(*symbol, text.ptr, text.len))
            return true;
    return !column->symbols;
}

bool cn_column_value(const struct cn_column *column, struct cn_text text, bool quoted,
                     struct cn_value *ret, const char **ret_reason)
{
    ret->type = column->type;
    if (!text.len && !quoted && column->nullable) {
        ret->type = CN_NULL;
        return true;
    }
    switch (column->type) {
    case CN_BOOL:
        *ret_reason = "expected true or false";
        return bool_value(text, &ret->integer);
    case CN_INT64:
        *ret_reason =
            column->narrow ? "expected an integer of 32 bits" : "expected an integer of 64 bits";
        return integer_value(text, column->narrow, &ret->integer);
    case CN_FLOAT:
    case CN_DOUBLE:
        *ret_reason = "expected a number";
        return real_value(text, &ret->real);
    default:
        *ret_reason = "is not one of the enum's symbols";
        ret->text = text;
        return known_symbol(column, text);
    }
}
