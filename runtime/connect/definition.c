/* Definition: one table of rows for what every connector may be given, and the checks over it.
 *
 * An option is known when it is a row here or of the plugin, or begins with a prefix that belongs
 * to a converter, a client or topic creation. An unknown one is an error that names the nearest
 * known name, except for plugins under Kafka's own class names, where it is a warning as users'
 * configurations there may hold anything. Transforms are not there yet: they are refused, for they
 * would change data. Messages show values as they were given, never a resolved placeholder. */
#include "runtime/connect/definition.h"

#include "lib/base/mem.h"
#include "lib/base/option.h"
#include "runtime/connect/convert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRING_CONVERTER "org.apache.kafka.connect.storage.StringConverter"
#define ROW(name_, type_, importance_, def_, group_, order_, width_, display_, kinds_, ...) \
    {                                                                                       \
        .option = {.name = (name_),                                                         \
                   .type = (type_),                                                         \
                   .importance = (importance_),                                             \
                   .def = (def_),                                                           \
                   __VA_ARGS__},                                                            \
        .group = (group_), .order = (order_), .width = (width_), .display = (display_),     \
        .kinds = (kinds_)                                                                   \
    }

static const struct rt_definition rows[] = {
    ROW("name", CN_OPT_STRING, CN_HIGH, NULL, "Common", 1, "MEDIUM", "Connector name", 3,
        .flags = CN_OPT_REQUIRED | CN_OPT_NOT_EMPTY, .doc = "Name of the connector."),
    ROW("connector.class", CN_OPT_STRING, CN_HIGH, NULL, "Common", 2, "LONG", "Connector class", 3,
        .flags = CN_OPT_REQUIRED, .doc = "Short name or class name of the connector."),
    ROW("connector.plugin.version", CN_OPT_STRING, CN_MEDIUM, WEIR_VERSION, "Common", 3, "MEDIUM",
        "Connector version", 3, .doc = "Version of the connector."),
    ROW("tasks.max", CN_OPT_INT, CN_HIGH, "1", "Common", 4, "SHORT", "Tasks max", 3, .min = 1,
        .max = 1000, .doc = "Tasks at most."),
    ROW("tasks.max.enforce", CN_OPT_BOOL, CN_LOW, "true", "Common", 5, "SHORT", "Enforce tasks max",
        3, .doc = "Always so here."),
    ROW("key.converter", CN_OPT_CLASS, CN_LOW, NULL, "Common", 6, "SHORT", "Key converter class", 3,
        .doc = "string, json, avro, bytes, auto, or a Java class of Connect; default string."),
    ROW("key.converter.plugin.version", CN_OPT_STRING, CN_LOW, WEIR_VERSION, "Common", 7, "SHORT",
        "Key converter version", 3, .doc = "Version of the converter."),
    ROW("value.converter", CN_OPT_CLASS, CN_LOW, NULL, "Common", 8, "SHORT",
        "Value converter class", 3,
        .doc = "As key.converter; default: what the connector's format says."),
    ROW("value.converter.plugin.version", CN_OPT_STRING, CN_LOW, WEIR_VERSION, "Common", 9, "SHORT",
        "Value converter version", 3, .doc = "Version of the converter."),
    ROW("header.converter", CN_OPT_CLASS, CN_LOW,
        "org.apache.kafka.connect.storage.SimpleHeaderConverter", "Common", 10, "SHORT",
        "Header converter class", 3, .doc = "Headers are passed as text."),
    ROW("header.converter.plugin.version", CN_OPT_STRING, CN_LOW, WEIR_VERSION, "Common", 11,
        "SHORT", "Header converter version", 3, .doc = "Version of the converter."),
    ROW("transforms", CN_OPT_LIST, CN_LOW, "", "Transforms", 12, "LONG", "Transforms", 3,
        .doc = "Not there yet: do it in a pipeline."),
    ROW("predicates", CN_OPT_LIST, CN_LOW, "", "Predicates", 13, "LONG", "Predicates", 3,
        .doc = "Not there yet."),
    ROW("config.action.reload", CN_OPT_STRING, CN_LOW, "restart", "Common", 14, "MEDIUM",
        "Reload Action", 3, .words = "none|restart", .doc = "Placeholders are read at task start."),
    ROW("errors.retry.timeout", CN_OPT_LONG, CN_MEDIUM, "0", "Error Handling", 1, "MEDIUM",
        "Retry Timeout for Errors", 3, .doc = "Without effect: what can be retried is, for ever."),
    ROW("errors.retry.delay.max.ms", CN_OPT_LONG, CN_MEDIUM, "60000", "Error Handling", 2, "MEDIUM",
        "Maximum Delay Between Retries for Errors", 3, .doc = "Longest pause between tries, ms."),
    ROW("errors.tolerance", CN_OPT_STRING, CN_MEDIUM, "none", "Error Handling", 3, "SHORT",
        "Error Tolerance", 3, .words = "none|all",
        .doc = "all: a record that cannot be read or written is counted and passed over."),
    ROW("errors.log.enable", CN_OPT_BOOL, CN_MEDIUM, "false", "Error Handling", 4, "SHORT",
        "Log Errors", 3, .doc = "Each record passed over is logged."),
    ROW("errors.log.include.messages", CN_OPT_BOOL, CN_MEDIUM, "false", "Error Handling", 5,
        "SHORT", "Log Error Details", 3, .doc = "Without effect: records are not logged."),
    ROW("topic.creation.groups", CN_OPT_LIST, CN_LOW, "", "Topic Creation", 1, "LONG",
        "Topic Creation Groups", 1, .doc = "Only the group default is there."),
    ROW("exactly.once.support", CN_OPT_STRING, CN_MEDIUM, "requested", "Exactly Once Support", 2,
        "SHORT", "Exactly once support", 1, .words = "requested|required|REQUESTED|REQUIRED",
        .doc = "Sources are always exactly once here."),
    ROW("transaction.boundary", CN_OPT_STRING, CN_MEDIUM, "poll", "Exactly Once Support", 3,
        "SHORT", "Transaction Boundary", 1, .words = "poll|interval|POLL|INTERVAL",
        .doc = "A transaction takes one or more whole polls."),
    ROW("transaction.boundary.interval.ms", CN_OPT_LONG, CN_LOW, NULL, "Exactly Once Support", 4,
        "SHORT", "Transaction boundary interval", 1, .min = 1, .max = INT64_MAX,
        .doc = "Longest transaction, ms."),
    ROW("offsets.storage.topic", CN_OPT_STRING, CN_LOW, NULL, "offsets.topic", 1, "LONG",
        "Offsets topic", 1, .doc = "One topic holds all offsets."),
    ROW("topics", CN_OPT_LIST, CN_HIGH, "", "Common", 4, "LONG", "Topics", 2,
        .doc = "Topics to read."),
    ROW("topics.regex", CN_OPT_STRING, CN_HIGH, "", "Common", 4, "LONG", "Topics regex", 2,
        .doc = "Topics to read, by pattern."),
    ROW("errors.deadletterqueue.topic.name", CN_OPT_STRING, CN_MEDIUM, "", "Error Handling", 6,
        "MEDIUM", "Dead Letter Queue Topic Name", 2, .doc = "Topic for records passed over."),
    ROW("errors.deadletterqueue.topic.replication.factor", CN_OPT_INT, CN_MEDIUM, "3",
        "Error Handling", 7, "MEDIUM", "Dead Letter Queue Topic Replication Factor", 2,
        .doc = "Copies of that topic when it is made."),
    ROW("errors.deadletterqueue.context.headers.enable", CN_OPT_BOOL, CN_MEDIUM, "false",
        "Error Handling", 8, "MEDIUM", "Enable Error Context Headers", 2,
        .doc = "Headers that say what went wrong."),
};

static const char *const prefixes[] = {
    "key.converter.",     "value.converter.", "header.converter.",      "consumer.override.",
    "producer.override.", "admin.override.",  "topic.creation.default."};

const struct rt_definition *rt_definition_find(uint32_t kind, const char *name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((rows[i].kinds & (1u << kind)) && !strcmp(rows[i].option.name, name))
            return &rows[i];
    return NULL;
}

/* ---- checks ---- */

struct check {
    const struct cn_plugin *plugin;
    const struct cn_config *config; /* resolved as far as possible */
    json_t *lines, *warnings;
    json_t *errors; /* name → array of messages */
};

static void report(void *ctx, const char *option, const char *text)
{
    struct check *check = ctx;
    const char *name = option ? option : "name";
    json_t *list = json_object_get(check->errors, name);
    if (!list) {
        list = json_array();
        json_object_set_new(check->errors, name, list);
    }
    char *line = option ? bs_asprintf("%s: %s", option, text) : bs_strdup(text);
    json_array_append_new(list, json_string(text));
    json_array_append_new(check->lines, json_string(line));
    bs_free(line);
}

__attribute__((format(printf, 3, 4))) static void reportf(struct check *check, const char *option,
                                                          const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    report(check, option, text);
}

static bool in_words(const char *words, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = words;;) {
        size_t n = strcspn(at, "|");
        if (n == len && !strncmp(at, value, n))
            return true;
        if (!at[n])
            return false;
        at += n + 1;
    }
}

static const char *type_problem(const struct cn_option *option, const char *value)
{
    int64_t n;
    char *end;
    bool bounded = option->min || option->max;
    switch (option->type) {
    case CN_OPT_BOOL:
        return !strcasecmp(value, "true") || !strcasecmp(value, "false")
                   ? NULL
                   : "Expected value to be either true or false";
    case CN_OPT_INT:
    case CN_OPT_LONG:
        if (bs_parse_int(value, INT64_MIN, INT64_MAX, &n) < 0 ||
            (option->type == CN_OPT_INT && (n < INT32_MIN || n > INT32_MAX)))
            return option->type == CN_OPT_INT ? "Not a number of type INT"
                                              : "Not a number of type LONG";
        if (bounded && n < option->min)
            return "Value must be at least the minimum";
        return bounded && n > option->max ? "Value must be no more than the maximum" : NULL;
    case CN_OPT_DOUBLE:
        errno = 0;
        strtod(value, &end);
        return end == value || *end ? "Not a number of type DOUBLE" : NULL;
    default:
        return NULL;
    }
}

static void check_option(struct check *check, const struct cn_option *option,
                         const struct cn_config *given)
{
    const char *value = rt_config_get(check->config, option->name);
    const char *shown = rt_config_get(given, option->name);
    if (option->type == CN_OPT_PASSWORD)
        shown = "[hidden]";
    if (!value) {
        if (option->flags & CN_OPT_REQUIRED)
            reportf(check, option->name,
                    "Missing required configuration \"%s\" which has no default value.",
                    option->name);
        return;
    }
    if (option->flags & CN_OPT_REFUSED) {
        reportf(check, option->name, "is not supported: %s", option->doc);
        return;
    }
    if (option->flags & CN_OPT_IGNORED) {
        char *text = bs_asprintf("option %s is without effect: %s", option->name, option->doc);
        json_array_append_new(check->warnings, json_string(text));
        bs_free(text);
        return;
    }
    if ((option->flags & CN_OPT_NOT_EMPTY) && !*value) {
        reportf(check, option->name, "Invalid value %s for configuration %s: it must not be empty",
                shown, option->name);
        return;
    }
    const char *problem = type_problem(option, value);
    if (problem && (option->min || option->max))
        reportf(check, option->name, "Invalid value %s for configuration %s: %s (%lld to %lld)",
                shown, option->name, problem, (long long)option->min, (long long)option->max);
    else if (problem)
        reportf(check, option->name, "Invalid value %s for configuration %s: %s", shown,
                option->name, problem);
    else if (option->words && !in_words(option->words, value))
        reportf(check, option->name,
                "Invalid value %s for configuration %s: String must be one of: %s", shown,
                option->name, option->words);
}

static bool own_option(const struct cn_plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->option_count; i++)
        if (!strcmp(rt_plugin_option(plugin, i)->name, name))
            return true;
    return false;
}

static void check_unknown(struct check *check)
{
    const struct cn_plugin *plugin = check->plugin;
    const char **names =
        bs_array(plugin->option_count + sizeof(rows) / sizeof(rows[0]), sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; i < plugin->option_count; i++)
        names[n++] = rt_plugin_option(plugin, i)->name;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].kinds & (1u << plugin->kind))
            names[n++] = rows[i].option.name;
    for (size_t i = 0; i < check->config->count; i++) {
        const char *name = check->config->names[i];
        bool known = own_option(plugin, name) || rt_definition_find(plugin->kind, name);
        for (size_t j = 0; j < sizeof(prefixes) / sizeof(prefixes[0]); j++)
            known |= !strncmp(name, prefixes[j], strlen(prefixes[j]));
        if (known || !strncmp(name, "transforms.", 11) || !strncmp(name, "predicates.", 11))
            continue;
        const char *near = bs_nearest(name, names, n);
        char *text = bs_asprintf("unknown option %s of %s%s%s%s", name, plugin->name,
                                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        if (plugin->flags & CN_LENIENT)
            json_array_append_new(check->warnings, json_string(text));
        else
            report(check, name, text);
        bs_free(text);
    }
    bs_free(names);
}

static void check_together(struct check *check)
{
    const struct cn_config *config = check->config;
    const char *topics = rt_config_option(config, "topics");
    const char *regex = rt_config_option(config, "topics.regex");
    const char *queue = rt_config_option(config, "errors.deadletterqueue.topic.name");
    static const char *const converters[] = {"key.converter", "value.converter"};
    for (size_t i = 0; i < 2; i++) {
        struct bs_error err = {0};
        const char *name = rt_config_get(config, converters[i]);
        if (name && rt_converter_check(name, &err) < 0)
            report(check, converters[i], err.text);
        else if (name && rt_converter_is_avro(name) &&
                 rt_converter_check_avro(config, i ? "value" : "key", &err) < 0)
            report(check, converters[i], err.text);
    }
    if (*rt_config_option(config, "transforms"))
        report(check, "transforms", "transforms are not supported yet; do it in a pipeline");
    if (*rt_config_option(config, "predicates"))
        report(check, "predicates", "predicates are not supported yet");
    if (check->plugin->kind == CN_SOURCE) {
        if (*rt_config_option(config, "topic.creation.groups"))
            report(check, "topic.creation.groups", "only topic.creation.default.* is supported");
        return;
    }
    if (!*topics && !*regex)
        report(check, "topics", "Must configure one of topics or topics.regex");
    if (*topics && *regex)
        report(check, "topics.regex",
               "topics and topics.regex are mutually exclusive options, but "
               "both are set.");
    size_t len = strlen(queue);
    for (const char *at = topics; len && *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == len && !strncmp(at, queue, len))
            reportf(check, "errors.deadletterqueue.topic.name",
                    "The DLQ topic '%s' may not be included in the list of topics ('topics=[%s]') "
                    "consumed by the connector",
                    queue, topics);
}

/* ---- the answer ---- */

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {"STRING",  "INT",  "LONG",     "DOUBLE",
                                        "BOOLEAN", "LIST", "PASSWORD", "CLASS"};
    return names[type < 8 ? type : 0];
}

static json_t *definition_json(const struct cn_option *option,
                               const struct rt_definition *framework)
{
    static const char *const importance[] = {"HIGH", "MEDIUM", "LOW"};
    const char *group = framework ? framework->group : NULL;
    int order = framework ? framework->order : -1;
    return json_pack("{s:s, s:s, s:b, s:s?, s:s, s:s?, s:s?, s:i, s:i, s:s, s:s, s:[]}", "name",
                     option->name, "type", type_name(option->type), "required",
                     (option->flags & CN_OPT_REQUIRED) != 0, "default_value",
                     option->flags & CN_OPT_REQUIRED ? NULL : option->def, "importance",
                     importance[option->importance < 3 ? option->importance : 2], "documentation",
                     option->doc, "group", group, "order", order, "order_in_group", order, "width",
                     framework ? framework->width : "NONE", "display_name",
                     framework ? framework->display : option->name, "dependents");
}

static json_t *row_json(struct check *check, const struct cn_option *option,
                        const struct rt_definition *framework, const struct cn_config *given)
{
    json_t *errors = json_object_get(check->errors, option->name);
    const char *value = rt_config_get(given, option->name);
    int64_t n;
    if (!value)
        value = option->def;
    if (value && errors && (option->type == CN_OPT_INT || option->type == CN_OPT_LONG) &&
        bs_parse_int(value, INT64_MIN, INT64_MAX, &n) < 0)
        value = NULL; /* as Connect: what is not of the type has no value */
    if (value && option->type == CN_OPT_PASSWORD)
        value = "[hidden]";
    json_t *answer = json_pack("{s:s, s:s?, s:[], s:O?, s:b}", "name", option->name, "value", value,
                               "recommended_values", "errors", errors, "visible", 1);
    if (!errors)
        json_object_set_new(answer, "errors", json_array());
    return json_pack("{s:o, s:o}", "definition", definition_json(option, framework), "value",
                     answer);
}

json_t *rt_definition_list(const struct cn_plugin *plugin)
{
    json_t *list = json_array();
    for (size_t i = 0; i < plugin->option_count; i++)
        json_array_append_new(list, definition_json(rt_plugin_option(plugin, i), NULL));
    return list;
}

static json_t *groups_json(const struct cn_plugin *plugin)
{
    return plugin->kind == CN_SOURCE
               ? json_pack("[s, s, s, s, s, s, s]", "Common", "Transforms", "Predicates",
                           "Error Handling", "Topic Creation", "Exactly Once Support",
                           "offsets.topic")
               : json_pack("[s, s, s, s]", "Common", "Transforms", "Predicates", "Error Handling");
}

json_t *rt_definition_validate(const struct cn_plugin *plugin, const char *shown_class,
                               const struct cn_config *given, json_t *lines, json_t *warnings)
{
    struct cn_config *config = rt_config_copy(given);
    struct bs_error err = {0};
    struct check check = {.plugin = plugin,
                          .config = config,
                          .lines = lines,
                          .warnings = warnings,
                          .errors = json_object()};
    json_t *configs = json_array();
    config->plugin = plugin;
    if (rt_config_resolve(config, &err) < 0)
        report(&check, NULL, err.text);
    /* A plugin's own row wins over the host's. */
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((rows[i].kinds & (1u << plugin->kind)) && !own_option(plugin, rows[i].option.name))
            check_option(&check, &rows[i].option, given);
    for (size_t i = 0; i < plugin->option_count; i++)
        check_option(&check, rt_plugin_option(plugin, i), given);
    check_unknown(&check);
    check_together(&check);
    if (plugin->validate && json_object_size(check.errors) == 0)
        plugin->validate(config, report, &check);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if ((rows[i].kinds & (1u << plugin->kind)) && !own_option(plugin, rows[i].option.name))
            json_array_append_new(configs, row_json(&check, &rows[i].option, &rows[i], given));
    for (size_t i = 0; i < plugin->option_count; i++) {
        const struct cn_option *option = rt_plugin_option(plugin, i);
        if (!(option->flags & (CN_OPT_IGNORED | CN_OPT_REFUSED)))
            json_array_append_new(configs, row_json(&check, option, NULL, given));
    }
    json_t *answer = json_pack("{s:s, s:i, s:o, s:o}", "name", shown_class, "error_count",
                               (int)json_object_size(check.errors), "groups", groups_json(plugin),
                               "configs", configs);
    json_decref(check.errors);
    rt_config_free(config);
    return answer;
}
