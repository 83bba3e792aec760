/* PostgreSQL connectors: the option rows of postgres-sink, named as the JDBC sink names them. */
#include "connectors/postgres/plugin.h"
#include "connectors/postgres/url.h"

#include <string.h>

const struct cn_host *cn_pg_host;

const char *cn_pg_option(const struct cn_config *config, const char *name)
{
    const char *text = cn_pg_host->option(config, name);
    return text ? text : "";
}

#define ROW(name_, type_, importance_, def_, doc_, ...)                               \
    {                                                                                 \
        .name = (name_), .type = (type_), .importance = (importance_), .def = (def_), \
        .doc = (doc_), __VA_ARGS__                                                    \
    }

static const struct cn_option options[] = {
    ROW("connection.url", CN_OPT_STRING, CN_HIGH, NULL,
        "postgresql://host:port/database or jdbc:postgresql://host:port/database.",
        .flags = CN_OPT_REQUIRED | CN_OPT_NOT_EMPTY),
    ROW("connection.user", CN_OPT_STRING, CN_HIGH, "", "User; wins over the one in the URL."),
    ROW("connection.password", CN_OPT_PASSWORD, CN_HIGH, "",
        "Password; wins over the one in the URL. ${env:NAME} keeps it out of the configuration."),
    ROW("insert.mode", CN_OPT_STRING, CN_HIGH, "insert",
        "insert: INSERT; upsert: INSERT … ON CONFLICT (key) DO UPDATE, which also makes a repeated "
        "batch harmless. update is not there: use upsert.",
        .words = "insert|upsert"),
    ROW("batch.size", CN_OPT_INT, CN_MEDIUM, "3000", "Records per transaction at most.", .min = 1,
        .max = 100000),
    ROW("delete.enabled", CN_OPT_BOOL, CN_MEDIUM, "false",
        "A record without value deletes the row of its key; needs pk.mode=record_key."),
    ROW("table.name.format", CN_OPT_STRING, CN_MEDIUM, "${topic}",
        "Table, maybe with schema: \"audit.${topic}\".", .flags = CN_OPT_NOT_EMPTY),
    ROW("pk.mode", CN_OPT_STRING, CN_HIGH, "none",
        "Where the key columns come from: none, kafka (topic, partition, offset), record_key, "
        "record_value.",
        .words = "none|kafka|record_key|record_value"),
    ROW("pk.fields", CN_OPT_LIST, CN_MEDIUM, "",
        "Names of the key columns; for a key that is a single value exactly one."),
    ROW("fields.whitelist", CN_OPT_LIST, CN_MEDIUM, "",
        "Fields of the value that are written; empty: all."),
    ROW("auto.create", CN_OPT_BOOL, CN_MEDIUM, "false",
        "Creates the table from the records' schema when it is not there."),
    ROW("auto.evolve", CN_OPT_BOOL, CN_MEDIUM, "false",
        "Adds columns for new fields that may be null or have a default."),
    ROW("max.retries", CN_OPT_INT, CN_MEDIUM, "-1",
        "How often a batch is tried again while PostgreSQL cannot be reached; -1: for ever.",
        .min = -1, .max = 2147483647),
    ROW("retry.backoff.ms", CN_OPT_INT, CN_MEDIUM, "1000", "Pause before the next try, ms.",
        .min = 1, .max = 3600000),
    ROW("dialect.name", CN_OPT_STRING, CN_LOW, "", "There is one dialect: PostgreSQL.",
        .words = "PostgreSqlDatabaseDialect|"),
    ROW("quote.sql.identifiers", CN_OPT_STRING, CN_LOW, "always",
        "Names are always quoted; never is not there.", .words = "always|ALWAYS"),
    ROW("connection.attempts", CN_OPT_INT, CN_LOW, NULL,
        "Connections are tried as max.retries says.", .flags = CN_OPT_IGNORED),
    ROW("connection.backoff.ms", CN_OPT_INT, CN_LOW, NULL, "The pause is retry.backoff.ms.",
        .flags = CN_OPT_IGNORED),
    ROW("table.types", CN_OPT_LIST, CN_LOW, NULL,
        "Tables, partitioned tables and views are all written to.", .flags = CN_OPT_IGNORED),
    ROW("trim.sensitive.log", CN_OPT_BOOL, CN_LOW, NULL, "Rows are not logged.",
        .flags = CN_OPT_IGNORED),
    ROW("replace.null.with.default", CN_OPT_BOOL, CN_LOW, NULL, "A null stays null.",
        .flags = CN_OPT_IGNORED),
    ROW("db.timezone", CN_OPT_STRING, CN_LOW, "UTC", "Timestamps are written in UTC.",
        .words = "UTC"),
    ROW("date.timezone", CN_OPT_STRING, CN_LOW, "UTC", "Dates are written in UTC.",
        .words = "UTC|DB_TIMEZONE"),
    ROW("timestamp.fields.list", CN_OPT_LIST, CN_LOW, NULL,
        "give the field an Avro logical type, or create the column as bigint",
        .flags = CN_OPT_REFUSED),
    ROW("jdbc.credentials.provider.class", CN_OPT_CLASS, CN_LOW, NULL,
        "Java classes cannot be loaded; use connection.user and connection.password",
        .flags = CN_OPT_REFUSED),
};

static void validate(const struct cn_config *config, cn_report *report, void *ctx)
{
    const char *mode = cn_pg_option(config, "pk.mode");
    const char *fields = cn_pg_option(config, "pk.fields");
    bool upsert = !strcmp(cn_pg_option(config, "insert.mode"), "upsert");
    struct cn_error error = {.struct_size = sizeof(error)};
    struct cn_url url;
    if (*cn_pg_option(config, "connection.url")) {
        if (!cn_url_parse(&url, cn_pg_option(config, "connection.url"), NULL, NULL, &error))
            report(ctx, "connection.url", error.text);
        cn_url_deinit(&url);
    }
    if (upsert && !strcmp(mode, "none"))
        report(ctx, "pk.mode",
               "insert.mode=upsert needs a key: set pk.mode to kafka, record_key or "
               "record_value");
    if (upsert && !strcmp(mode, "record_value") && !*fields)
        report(ctx, "pk.fields", "pk.mode=record_value needs the names of the key columns");
    if (!strcmp(cn_pg_option(config, "delete.enabled"), "true") && strcmp(mode, "record_key") != 0)
        report(ctx, "delete.enabled", "needs pk.mode=record_key");
    if (!strcmp(mode, "kafka") && *fields) {
        size_t commas = 0;
        for (const char *p = fields; *p; p++)
            commas += *p == ',';
        if (commas != 2)
            report(ctx, "pk.fields", "pk.mode=kafka takes three names: topic, partition, offset");
    }
}

static void describe(const struct cn_config *config, struct cn_description *ret)
{
    (void)config;
    ret->task_count = UINT32_MAX;
    ret->value_converter = "auto";
}

static const char *const classes[] = {"io.confluent.connect.jdbc.JdbcSinkConnector",
                                      "io.aiven.connect.jdbc.JdbcSinkConnector", NULL};

static const struct cn_plugin sink = {
    .struct_size = sizeof(sink),
    .kind = CN_SINK,
    .name = "postgres-sink",
    .classes = classes,
    .version = WEIR_VERSION,
    .doc = "Writes records into PostgreSQL tables: insert or upsert.",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .option_size = sizeof(options[0]),
    .sink = &cn_pg_sink,
    .validate = validate,
    .describe = describe,
};

static const struct cn_plugin *const plugins[] = {&sink};

static const struct cn_module module = {
    .struct_size = sizeof(module), .abi = CN_ABI, .plugins = plugins, .plugin_count = 1};

__attribute__((visibility("default"))) const struct cn_module *weir_connector_entry(
    const struct cn_host *host)
{
    if (host->abi != CN_ABI || !CN_HAS(host, stopping))
        return NULL;
    cn_pg_host = host;
    return &module;
}
