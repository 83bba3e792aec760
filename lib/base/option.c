/* Option: see option.h. A config is a flat array of values, one per row of its tables. */
#include "lib/base/option.h"

#include "lib/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct value {
    const struct bs_option *row;
    char *text; /* NULL: the default holds */
    char *source;
};

struct bs_config {
    struct value *values;
    size_t count;
    char **warnings; /* NULL-ended */
    size_t warning_count;
};

static const char *const TYPE_NAMES[] = {
    [BS_OPT_BOOL] = "boolean",  [BS_OPT_INT] = "integer",       [BS_OPT_DOUBLE] = "number",
    [BS_OPT_STRING] = "string", [BS_OPT_PASSWORD] = "password", [BS_OPT_ENUM] = "one of",
    [BS_OPT_LIST] = "list",     [BS_OPT_DURATION] = "duration", [BS_OPT_SIZE] = "size",
};

int bs_parse_int(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    char *end;
    long long v;
    if (*text == '\0' || isspace((unsigned char)*text))
        return BS_EINVAL;
    errno = 0;
    v = strtoll(text, &end, 10);
    if (*end != '\0')
        return BS_EINVAL;
    if (errno == ERANGE || v < min || v > max)
        return BS_ERANGE;
    *ret = v;
    return 0;
}

struct unit {
    const char *name;
    int64_t factor;
};

static int parse_scaled(const char *text, const struct unit *units, size_t count, int64_t *ret)
{
    char *end;
    long long v;
    if (*text == '\0' || isspace((unsigned char)*text))
        return BS_EINVAL;
    errno = 0;
    v = strtoll(text, &end, 10);
    if (end == text)
        return BS_EINVAL;
    if (errno == ERANGE)
        return BS_ERANGE;
    if (*end == '\0') {
        *ret = v;
        return 0;
    }
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(end, units[i].name) == 0)
            return __builtin_mul_overflow((int64_t)v, units[i].factor, ret) ? BS_ERANGE : 0;
    return BS_EINVAL;
}

int bs_parse_duration_ms(const char *text, int64_t *ret)
{
    static const struct unit UNITS[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    return parse_scaled(text, UNITS, sizeof UNITS / sizeof UNITS[0], ret);
}

int bs_parse_size(const char *text, int64_t *ret)
{
    static const struct unit UNITS[] = {
        {"B", 1},           {"K", 1024},          {"KB", 1024},
        {"M", 1048576},     {"MB", 1048576},      {"G", 1073741824},
        {"GB", 1073741824}, {"T", 1099511627776}, {"TB", 1099511627776}};
    return parse_scaled(text, UNITS, sizeof UNITS / sizeof UNITS[0], ret);
}

int bs_parse_bool(const char *text, bool *ret)
{
    if (strcasecmp(text, "true") == 0)
        *ret = true;
    else if (strcasecmp(text, "false") == 0)
        *ret = false;
    else
        return BS_EINVAL;
    return 0;
}

static bool word_in(const char *words, const char *text, size_t len)
{
    while (words && *words) {
        size_t n = strcspn(words, "|");
        if (n == len && strncmp(words, text, n) == 0)
            return true;
        words += n + (words[n] == '|');
    }
    return false;
}

static int check_list(const struct bs_option *row, const char *value)
{
    while (row->words && *value) {
        size_t n = strcspn(value, ",");
        while (n && isspace((unsigned char)*value))
            value++, n--;
        if (!word_in(row->words, value, n))
            return BS_EINVAL;
        value += n + (value[n] == ',');
    }
    return 0;
}

static int read_number(const struct bs_option *row, const char *value, int64_t *ret)
{
    int64_t min = row->min || row->max ? row->min : INT64_MIN;
    int64_t max = row->min || row->max ? row->max : INT64_MAX;
    int rc = row->type == BS_OPT_DURATION ? bs_parse_duration_ms(value, ret)
             : row->type == BS_OPT_SIZE   ? bs_parse_size(value, ret)
                                          : bs_parse_int(value, INT64_MIN, INT64_MAX, ret);
    if (rc == 0 && (*ret < min || *ret > max))
        rc = BS_ERANGE;
    return rc;
}

static void describe_type(const struct bs_option *row, char *out, size_t cap)
{
    size_t n = (size_t)snprintf(out, cap, "%s", TYPE_NAMES[row->type]);
    if (row->type == BS_OPT_DURATION)
        n += (size_t)snprintf(out + n, cap - n, " (ms, or 250ms 10s 5m 1h 7d)");
    if (row->type == BS_OPT_SIZE)
        n += (size_t)snprintf(out + n, cap - n, " (bytes, or 64K 10M 1G)");
    if (row->words && n < cap)
        n += (size_t)snprintf(out + n, cap - n, " %s", row->words);
    if ((row->min || row->max) && n < cap)
        snprintf(out + n, cap - n, " from %" PRId64 " to %" PRId64, row->min, row->max);
}

int bs_option_check(const struct bs_option *row, const char *value, struct bs_error *err)
{
    int64_t number;
    bool flag;
    char *end, type[400];
    int rc = 0;
    switch (row->type) {
    case BS_OPT_BOOL:
        rc = bs_parse_bool(value, &flag);
        break;
    case BS_OPT_INT:
    case BS_OPT_DURATION:
    case BS_OPT_SIZE:
        rc = read_number(row, value, &number);
        break;
    case BS_OPT_DOUBLE:
        (void)strtod(value, &end);
        rc = *value == '\0' || *end != '\0' ? BS_EINVAL : 0;
        break;
    case BS_OPT_ENUM:
        rc = word_in(row->words, value, strlen(value)) ? 0 : BS_EINVAL;
        break;
    case BS_OPT_LIST:
        rc = check_list(row, value);
        break;
    case BS_OPT_STRING:
    case BS_OPT_PASSWORD:
        break;
    }
    if (rc == 0)
        return 0;
    describe_type(row, type, sizeof type);
    return bs_error_set(err, BS_EINVAL, "option '%s': value '%s' is not accepted; it takes %s%s",
                        row->name, value, row->type == BS_OPT_ENUM ? "" : "a value of type ", type);
}

const struct bs_option *bs_option_find(const struct bs_option_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}

/* Levenshtein over at most 63 characters. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[64], la = strlen(a), lb = strlen(b);
    if (la > 63 || lb > 63)
        return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[lb];
}

const char *bs_nearest(const char *name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t limit = strlen(name) / 3 + 2, least = limit + 1;
    for (size_t i = 0; i < count; i++) {
        size_t d = edit_distance(name, names[i]);
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

struct bs_config *bs_config_new(const struct bs_option_table *const *tables, size_t count)
{
    struct bs_config *config = bs_new(struct bs_config);
    size_t total = 0, at = 0;
    for (size_t i = 0; i < count; i++)
        total += tables[i]->count;
    config->values = bs_array(total, sizeof *config->values);
    config->count = total;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < tables[i]->count; j++)
            config->values[at++].row = &tables[i]->rows[j];
    return config;
}

void bs_config_free(struct bs_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->count; i++) {
        bs_free(config->values[i].text);
        bs_free(config->values[i].source);
    }
    for (size_t i = 0; i < config->warning_count; i++)
        bs_free(config->warnings[i]);
    bs_free(config->warnings);
    bs_free(config->values);
    bs_free(config);
}

static struct value *find_value(const struct bs_config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++)
        if (strcmp(config->values[i].row->name, name) == 0)
            return &config->values[i];
    return NULL;
}

static int unknown_option(const struct bs_config *config, const char *name, const char *source,
                          struct bs_error *err)
{
    const char **names = bs_array(config->count, sizeof *names);
    const char *near;
    for (size_t i = 0; i < config->count; i++)
        names[i] = config->values[i].row->name;
    near = bs_nearest(name, names, config->count);
    bs_free(names);
    if (near)
        return bs_error_set(err, BS_ENOTFOUND, "%s: unknown option '%s'; did you mean '%s'?",
                            source, name, near);
    return bs_error_set(err, BS_ENOTFOUND, "%s: unknown option '%s'", source, name);
}

static void add_warning(struct bs_config *config, char *text)
{
    config->warnings =
        bs_realloc(config->warnings, (config->warning_count + 1) * sizeof *config->warnings);
    config->warnings[config->warning_count++] = text;
}

int bs_config_set(struct bs_config *config, const char *name, const char *text, const char *source,
                  struct bs_error *err)
{
    struct value *value = find_value(config, name);
    int rc;
    if (value == NULL)
        return unknown_option(config, name, source, err);
    if (value->row->flags & BS_OPT_REFUSED)
        return bs_error_set(err, BS_EUNSUPPORTED, "%s: option '%s' is refused: %s", source, name,
                            value->row->doc);
    rc = bs_option_check(value->row, text, err);
    if (rc != 0) {
        bs_error_wrap(err, "%s", source);
        return rc;
    }
    if (value->row->flags & BS_OPT_IGNORED)
        add_warning(config, bs_asprintf("%s: option '%s' is accepted without effect (%s)", source,
                                        name, value->row->doc));
    bs_free(value->text);
    bs_free(value->source);
    value->text = bs_strdup(text);
    value->source = bs_strdup(source);
    return 0;
}

/* One logical line of a properties file, joined and unescaped; false at the end. */
static bool next_line(const char **at, const char *end, int *line, int *ret_line,
                      struct bs_buf *out)
{
    bs_buf_reset(out);
    if (*at >= end)
        return false;
    *ret_line = ++*line;
    for (; *at < end; (*at)++) {
        char c = **at;
        if (c == '\r')
            continue;
        if (c == '\n') {
            (*at)++;
            return true;
        }
        if (c == '\\' && *at + 1 < end) {
            char d = *++*at;
            if (d == '\r' && *at + 1 < end && (*at)[1] == '\n')
                d = *++*at;
            if (d == '\n') {
                (*line)++;
                while (*at + 1 < end && ((*at)[1] == ' ' || (*at)[1] == '\t'))
                    (*at)++;
                continue;
            }
            bs_buf_put_u8(out, (uint8_t)(d == 't' ? '\t' : d == 'n' ? '\n' : d == 'r' ? '\r' : d));
            continue;
        }
        bs_buf_put_u8(out, (uint8_t)c);
    }
    return true;
}

static char *trim(char *text)
{
    size_t n;
    while (isspace((unsigned char)*text))
        text++;
    n = strlen(text);
    while (n && isspace((unsigned char)text[n - 1]))
        text[--n] = '\0';
    return text;
}

int bs_config_load_properties(struct bs_config *config, const char *text, size_t len,
                              const char *file, struct bs_error *err)
{
    struct bs_buf joined = BS_BUF_INIT;
    const char *at = text, *end = len ? text + len : text;
    int line = 0, first = 0, rc = 0;
    while (rc == 0 && next_line(&at, end, &line, &first, &joined)) {
        char *copy = bs_strdup(bs_buf_text(&joined)), *name = trim(copy), *split, *source;
        if (*name == '\0' || *name == '#' || *name == '!') {
            bs_free(copy);
            continue;
        }
        source = bs_asprintf("%s:%d", file, first);
        split = strpbrk(name, "=: \t");
        if (split == NULL) {
            rc = bs_error_set(err, BS_ESYNTAX, "%s: '%s' has no value; write name=value", source,
                              name);
        } else {
            char *value = split + 1;
            bool had_sign = *split == '=' || *split == ':';
            *split = '\0';
            value = trim(value);
            if (!had_sign && (*value == '=' || *value == ':'))
                value = trim(value + 1);
            rc = bs_config_set(config, trim(name), value, source, err);
        }
        bs_free(source);
        bs_free(copy);
    }
    bs_buf_deinit(&joined);
    return rc;
}

static bool same_env_name(const char *env, size_t len, const char *name)
{
    if (strlen(name) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i] == '.' || name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
        if (c != env[i])
            return false;
    }
    return true;
}

static bool excepted(const char *entry, const char *const *except)
{
    for (; except && *except; except++) {
        size_t n = strlen(*except);
        if (strncmp(entry, *except, n) == 0 && entry[n] == '=')
            return true;
    }
    return false;
}

int bs_config_load_environ(struct bs_config *config, char *const *environ_list,
                           const char *const *except, struct bs_error *err)
{
    for (; *environ_list; environ_list++) {
        const char *entry = *environ_list, *equals = strchr(entry, '=');
        const char *name = NULL;
        char *source;
        int rc;
        if (strncmp(entry, "WEIR_", 5) != 0 || equals == NULL || excepted(entry, except))
            continue;
        for (size_t i = 0; name == NULL && i < config->count; i++)
            if (same_env_name(entry + 5, (size_t)(equals - entry) - 5, config->values[i].row->name))
                name = config->values[i].row->name;
        source = bs_strndup(entry, (size_t)(equals - entry));
        rc = name ? bs_config_set(config, name, equals + 1, source, err)
                  : bs_error_set(err, BS_ENOTFOUND,
                                 "environment variable %s names no option; 'WEIR_LOG_RETENTION_MS' "
                                 "would set log.retention.ms",
                                 source);
        bs_free(source);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int bs_config_check(const struct bs_config *config, struct bs_error *err)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct value *value = &config->values[i];
        if ((value->row->flags & BS_OPT_REQUIRED) && value->text == NULL)
            return bs_error_set(err, BS_EINVAL, "option '%s' is required: %s", value->row->name,
                                value->row->doc);
    }
    return 0;
}

const char *bs_config_warning(const struct bs_config *config, size_t i)
{
    return i < config->warning_count ? config->warnings[i] : NULL;
}

static const struct value *must_find(const struct bs_config *config, const char *name)
{
    const struct value *value = find_value(config, name);
    if (value == NULL) {
        fprintf(stderr, "weir: bug: no option row '%s'\n", name);
        abort();
    }
    return value;
}

bool bs_config_is_set(const struct bs_config *config, const char *name)
{
    return must_find(config, name)->text != NULL;
}

const char *bs_config_text(const struct bs_config *config, const char *name)
{
    const struct value *value = must_find(config, name);
    return value->text ? value->text : value->row->def;
}

bool bs_config_bool(const struct bs_config *config, const char *name)
{
    const char *text = bs_config_text(config, name);
    bool flag = false;
    if (text)
        (void)bs_parse_bool(text, &flag);
    return flag;
}

int64_t bs_config_int(const struct bs_config *config, const char *name)
{
    const struct value *value = must_find(config, name);
    const char *text = value->text ? value->text : value->row->def;
    int64_t number = 0;
    if (text)
        (void)read_number(value->row, text, &number);
    return number;
}

double bs_config_double(const struct bs_config *config, const char *name)
{
    const char *text = bs_config_text(config, name);
    return text ? strtod(text, NULL) : 0.0;
}

const char *bs_config_source(const struct bs_config *config, const char *name)
{
    const char *source = must_find(config, name)->source;
    return source ? source : "default";
}

void bs_option_print_help(const struct bs_option_table *table, struct bs_buf *out)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct bs_option *row = &table->rows[i];
        char type[400];
        if (row->flags & (BS_OPT_IGNORED | BS_OPT_REFUSED))
            continue;
        describe_type(row, type, sizeof type);
        bs_buf_printf(out, "  %-38s %s\n  %-38s   %s; default %s\n", row->name, row->doc, "", type,
                      row->flags & BS_OPT_REQUIRED ? "none, required"
                      : row->def                   ? row->def
                                                   : "unset");
    }
}

void bs_option_print_markdown(const struct bs_option_table *table, struct bs_buf *out)
{
    bs_buf_printf(
        out, "## %s\n\n| option | type | default | what it does |\n| --- | --- | --- | --- |\n",
        table->title);
    for (size_t i = 0; i < table->count; i++) {
        const struct bs_option *row = &table->rows[i];
        const char *note = row->flags & BS_OPT_IGNORED   ? "Accepted, without effect: "
                           : row->flags & BS_OPT_REFUSED ? "Refused: "
                                                         : "";
        char type[400];
        describe_type(row, type, sizeof type);
        bs_buf_printf(out, "| `%s` | ", row->name);
        for (const char *p = type; *p; p++) /* a bar would end the cell */
            bs_buf_printf(out, *p == '|' ? "\\|" : "%c", *p);
        bs_buf_printf(out, " | %s | %s%s |\n",
                      row->flags & BS_OPT_REQUIRED ? "required"
                      : row->def == NULL           ? ""
                      : *row->def == '\0'          ? "(empty)"
                                                   : row->def,
                      note, row->doc);
    }
    bs_buf_puts(out, "\n");
}
