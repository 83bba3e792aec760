/* Config: a small ordered map of texts. Placeholders stay in it wherever it is kept or shown; only
 * a copy made for a task's start is resolved. */
#include "runtime/connect/config.h"

#include "lib/base/mem.h"
#include "lib/base/option.h"
#include "runtime/connect/definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cn_config *rt_config_new(void)
{
    return bs_new(struct cn_config);
}

static size_t find(const struct cn_config *config, const char *name)
{
    size_t i = 0;
    while (i < config->count && strcmp(config->names[i], name) != 0)
        i++;
    return i;
}

void rt_config_set(struct cn_config *config, const char *name, const char *value)
{
    size_t i = find(config, name);
    char *copy = bs_strdup(value);
    if (i < config->count) {
        bs_free(config->values[i]);
        config->values[i] = copy;
        return;
    }
    if (config->count == config->cap) {
        config->cap = config->cap ? config->cap * 2 : 16;
        config->names = bs_realloc(config->names, config->cap * sizeof(char *));
        config->values = bs_realloc(config->values, config->cap * sizeof(char *));
    }
    config->names[config->count] = bs_strdup(name);
    config->values[config->count++] = copy;
}

void rt_config_unset(struct cn_config *config, const char *name)
{
    size_t i = find(config, name);
    if (i == config->count)
        return;
    bs_free(config->names[i]);
    bs_free(config->values[i]);
    config->count--;
    memmove(config->names + i, config->names + i + 1, (config->count - i) * sizeof(char *));
    memmove(config->values + i, config->values + i + 1, (config->count - i) * sizeof(char *));
}

struct cn_config *rt_config_copy(const struct cn_config *config)
{
    struct cn_config *copy = rt_config_new();
    copy->plugin = config->plugin;
    for (size_t i = 0; i < config->count; i++)
        rt_config_set(copy, config->names[i], config->values[i]);
    return copy;
}

void rt_config_free(struct cn_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->count; i++) {
        bs_free(config->names[i]);
        bs_free(config->values[i]);
    }
    bs_free(config->names);
    bs_free(config->values);
    bs_free(config);
}

const char *rt_config_get(const struct cn_config *config, const char *name)
{
    size_t i = find(config, name);
    return i < config->count ? config->values[i] : NULL;
}

const char *rt_config_option(const struct cn_config *config, const char *name)
{
    const char *given = rt_config_get(config, name);
    if (given)
        return given;
    for (size_t i = 0; config->plugin && i < config->plugin->option_count; i++)
        if (!strcmp(rt_plugin_option(config->plugin, i)->name, name))
            return rt_plugin_option(config->plugin, i)->def;
    const struct rt_definition *definition =
        config->plugin ? rt_definition_find(config->plugin->kind, name) : NULL;
    return definition ? definition->option.def : NULL;
}

bool rt_config_is(const struct cn_config *config, const char *name, const char *value)
{
    const char *text = rt_config_option(config, name);
    return text && !strcmp(text, value);
}

int64_t rt_config_int(const struct cn_config *config, const char *name, int64_t otherwise)
{
    const char *text = rt_config_option(config, name);
    int64_t n;
    return text && bs_parse_int(text, INT64_MIN, INT64_MAX, &n) == 0 ? n : otherwise;
}

bool rt_config_equal(const struct cn_config *a, const struct cn_config *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const char *other = rt_config_get(b, a->names[i]);
        if (!other || strcmp(other, a->values[i]) != 0)
            return false;
    }
    return true;
}

int rt_config_from_json(const json_t *object, struct cn_config **ret, struct bs_error *err)
{
    const char *name;
    json_t *value;
    int result = 0;
    if (!json_is_object(object))
        return bs_error_set(err, BS_ESYNTAX, "the configuration must be a JSON object");
    if (json_object_size(object) > RT_CONFIG_ROWS_MAX)
        return bs_error_set(err, BS_ELIMIT, "more than %d options", RT_CONFIG_ROWS_MAX);
    struct cn_config *config = rt_config_new();
    json_object_foreach((json_t *)object, name, value)
    {
        char number[40];
        const char *text = json_string_value(value);
        if (json_is_integer(value))
            snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_real(value))
            snprintf(number, sizeof(number), "%.15g", json_real_value(value));
        else if (json_is_boolean(value))
            snprintf(number, sizeof(number), "%s", json_is_true(value) ? "true" : "false");
        else if (json_is_null(value))
            result = bs_error_set(err, BS_EINVAL,
                                  "Null value can not be supplied as the configuration value.");
        else if (!text)
            result = bs_error_set(err, BS_ESYNTAX,
                                  "option %s: a value must be a string, number or boolean", name);
        if (result < 0)
            break;
        rt_config_set(config, name, text ? text : number);
    }
    if (result < 0)
        rt_config_free(config);
    else
        *ret = config;
    return result;
}

json_t *rt_config_to_json(const struct cn_config *config)
{
    json_t *object = json_object();
    for (size_t i = 0; i < config->count; i++)
        json_object_set_new(object, config->names[i], json_string(config->values[i]));
    return object;
}

/* ---- placeholders ---- */

static int from_properties(const char *path, const char *key, struct bs_buf *out,
                           struct bs_error *err)
{
    char *line = NULL;
    size_t cap = 0;
    int result = BS_ENOTFOUND;
    FILE *file = fopen(path, "re");
    if (!file)
        return bs_error_set(err, BS_ENOTFOUND, "cannot read %s", path);
    while (result != 0 && getline(&line, &cap, file) > 0) {
        char *at = line + strspn(line, " \t");
        size_t len = strcspn(at, "=: \t\r\n");
        if (*at == '#' || *at == '!' || len != strlen(key) || strncmp(at, key, len) != 0)
            continue;
        at += len;
        at += strspn(at, " \t");
        at += *at == '=' || *at == ':';
        at += strspn(at, " \t");
        bs_buf_put(out, at, strcspn(at, "\r\n"));
        result = 0;
    }
    free(line);
    fclose(file);
    return result == 0 ? 0 : bs_error_set(err, BS_ENOTFOUND, "%s has no key %s", path, key);
}

static int from_folder(const char *path, const char *name, struct bs_buf *out, struct bs_error *err)
{
    char full[4096], data[4096];
    if (strchr(name, '/'))
        return bs_error_set(err, BS_EINVAL, "a file's name, without a folder");
    snprintf(full, sizeof(full), "%s/%s", path, name);
    FILE *file = fopen(full, "re");
    size_t got = file ? fread(data, 1, sizeof(data), file) : 0;
    if (file)
        fclose(file);
    if (!file)
        return bs_error_set(err, BS_ENOTFOUND, "cannot read %s", full);
    while (got && (data[got - 1] == '\n' || data[got - 1] == '\r'))
        got--;
    bs_buf_put(out, data, got);
    return 0;
}

/* `text` is what stands between ${ and }. 1: not a placeholder. */
static int expand(char *text, struct bs_buf *out, struct bs_error *err)
{
    char *rest = strchr(text, ':'), *key;
    if (!rest)
        return 1;
    *rest++ = 0;
    if (!strcmp(text, "env")) {
        const char *value = getenv(rest);
        if (!value)
            return bs_error_set(err, BS_ENOTFOUND, "environment variable %s is not set", rest);
        bs_buf_puts(out, value);
        return 0;
    }
    key = strrchr(rest, ':');
    if (key && (!strcmp(text, "file") || !strcmp(text, "dir"))) {
        *key++ = 0;
        return *text == 'f' ? from_properties(rest, key, out, err)
                            : from_folder(rest, key, out, err);
    }
    return 1;
}

static int resolve(const char *value, struct bs_buf *out, struct bs_error *err)
{
    for (const char *at = value; *at;) {
        const char *open = strstr(at, "${"), *close = open ? strchr(open, '}') : NULL;
        if (!close) {
            bs_buf_puts(out, at);
            break;
        }
        bs_buf_put(out, at, (size_t)(open - at));
        char *text = bs_strndup(open + 2, (size_t)(close - open) - 2);
        int result = expand(text, out, err);
        bs_free(text);
        if (result < 0)
            return result;
        if (result == 1)
            bs_buf_put(out, open, (size_t)(close - open) + 1);
        at = close + 1;
    }
    return 0;
}

int rt_config_resolve(struct cn_config *config, struct bs_error *err)
{
    for (size_t i = 0; i < config->count; i++) {
        struct bs_buf out = BS_BUF_INIT;
        if (!strstr(config->values[i], "${"))
            continue;
        int result = resolve(config->values[i], &out, err);
        if (result == 0) {
            bs_free(config->values[i]);
            config->values[i] = bs_strdup(bs_buf_text(&out));
        }
        bs_buf_deinit(&out);
        if (result < 0)
            return bs_error_wrap(err, "option %s", config->names[i]);
    }
    return 0;
}
