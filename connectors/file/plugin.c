/* File connectors: the option rows of file-source and file-sink, and of the two classes that ship
 * with Kafka under FileStream. */
#include "connectors/file/plugin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const struct cn_host *cn_file_host;

const char *cn_file_option(const struct cn_config *config, const char *name)
{
    const char *text = cn_file_host->option(config, name);
    return text ? text : "";
}

static const struct cn_option stream_source_options[] = {
    {.name = "file",
     .type = CN_OPT_STRING,
     .importance = CN_HIGH,
     .flags = CN_OPT_PATH,
     .doc = "File to read."},
    {.name = "topic",
     .type = CN_OPT_STRING,
     .importance = CN_HIGH,
     .flags = CN_OPT_REQUIRED | CN_OPT_NOT_EMPTY,
     .doc = "Topic that the lines are written to."},
    {.name = "batch.size",
     .type = CN_OPT_INT,
     .importance = CN_LOW,
     .def = "2000",
     .min = 1,
     .max = 1000000,
     .doc = "Records read at most per poll."},
};

static const struct cn_option stream_sink_options[] = {
    {.name = "file",
     .type = CN_OPT_STRING,
     .importance = CN_HIGH,
     .flags = CN_OPT_PATH,
     .doc = "File to append to."},
};

static const struct cn_option source_options[] = {
    {.name = "file",
     .type = CN_OPT_STRING,
     .importance = CN_HIGH,
     .flags = CN_OPT_REQUIRED | CN_OPT_NOT_EMPTY | CN_OPT_PATH,
     .doc = "File to read."},
    {.name = "topic",
     .type = CN_OPT_STRING,
     .importance = CN_HIGH,
     .flags = CN_OPT_REQUIRED | CN_OPT_NOT_EMPTY,
     .doc = "Topic that the records are written to."},
    {.name = "format",
     .type = CN_OPT_STRING,
     .importance = CN_HIGH,
     .def = "lines",
     .words = "lines|jsonl|csv",
     .doc = "What a record is: a line of text, a line of JSON, or a CSV row under a header row."},
    {.name = "bounded",
     .type = CN_OPT_BOOL,
     .importance = CN_HIGH,
     .def = "false",
     .doc =
         "true: the file is read to its end, then the task is complete; false: it is followed as "
         "it grows."},
    {.name = "key.field",
     .type = CN_OPT_STRING,
     .importance = CN_MEDIUM,
     .def = "",
     .doc = "Field whose value becomes the record's key (jsonl, csv)."},
    {.name = "schema.file",
     .type = CN_OPT_STRING,
     .importance = CN_MEDIUM,
     .flags = CN_OPT_PATH,
     .def = "",
     .doc = "Avro schema of the records; gives CSV columns their types. With it the default "
            "value.converter is avro, without it json."},
    {.name = "batch.size",
     .type = CN_OPT_INT,
     .importance = CN_LOW,
     .def = "10000",
     .min = 1,
     .max = 1000000,
     .doc = "Records read at most per poll."},
    {.name = "csv.separator",
     .type = CN_OPT_STRING,
     .importance = CN_LOW,
     .def = ",",
     .doc = "One character between CSV fields; \\t for a tabulator."},
    {.name = "line.bytes.max",
     .type = CN_OPT_INT,
     .importance = CN_LOW,
     .def = "1048576",
     .min = 64,
     .max = 1 << 30,
     .doc =
         "Bytes of the longest record that is accepted; a longer one is an error of that record."},
};

static const struct cn_option sink_options[] = {
    {.name = "file",
     .type = CN_OPT_STRING,
     .importance = CN_HIGH,
     .flags = CN_OPT_REQUIRED | CN_OPT_NOT_EMPTY | CN_OPT_PATH,
     .doc = "File to append to; made when it is not there."},
    {.name = "format",
     .type = CN_OPT_STRING,
     .importance = CN_HIGH,
     .def = "lines",
     .words = "lines|jsonl",
     .doc =
         "lines: text as it is, anything else as JSON; jsonl: everything as JSON, one line each."},
};

static void validate_stream(const struct cn_config *config, cn_report *report, void *ctx)
{
    if (!*cn_file_option(config, "file"))
        report(ctx, "file", "standard input and output are not used as files; name a file");
}

static void validate_source(const struct cn_config *config, cn_report *report, void *ctx)
{
    const char *format = cn_file_option(config, "format");
    const char *separator = cn_file_option(config, "csv.separator");
    if (!strcmp(format, "lines") && *cn_file_option(config, "key.field"))
        report(ctx, "key.field", "a line of text has no fields; use format=jsonl or csv");
    if (!strcmp(format, "lines") && *cn_file_option(config, "schema.file"))
        report(ctx, "schema.file", "a line of text has no schema; use format=jsonl or csv");
    if (strcmp(separator, "\\t") != 0 && (strlen(separator) != 1 || strchr("\"\r\n", *separator)))
        report(ctx, "csv.separator", "one character that is not a quote or a line end, or \\t");
}

static void describe_source(const struct cn_config *config, struct cn_description *ret)
{
    const char *format = cn_file_option(config, "format");
    ret->task_count = 1;
    ret->bounded = !strcmp(cn_file_option(config, "bounded"), "true");
    ret->topic = cn_file_option(config, "topic");
    ret->value_converter = !*format || !strcmp(format, "lines")     ? "string"
                           : *cn_file_option(config, "schema.file") ? "avro"
                                                                    : "json";
}

static void describe_sink(const struct cn_config *config, struct cn_description *ret)
{
    ret->task_count = UINT32_MAX;
    ret->value_converter = !strcmp(cn_file_option(config, "format"), "jsonl") ? "auto" : "string";
}

#define ROWS(table)                                                         \
    .options = (table), .option_count = sizeof(table) / sizeof((table)[0]), \
    .option_size = sizeof((table)[0])

static const struct cn_plugin file_source = {
    .struct_size = sizeof(struct cn_plugin),
    .kind = CN_SOURCE,
    .name = "file-source",
    .version = WEIR_VERSION,
    .doc = "Reads a file: lines, JSON lines or CSV.",
    ROWS(source_options),
    .source = &cn_file_source,
    .validate = validate_source,
    .describe = describe_source,
};

static const struct cn_plugin file_sink = {
    .struct_size = sizeof(struct cn_plugin),
    .kind = CN_SINK,
    .name = "file-sink",
    .version = WEIR_VERSION,
    .doc = "Appends records to a file: lines or JSON lines.",
    ROWS(sink_options),
    .sink = &cn_file_sink,
    .describe = describe_sink,
};

static const char *const stream_source_classes[] = {
    "org.apache.kafka.connect.file.FileStreamSourceConnector", NULL};
static const char *const stream_sink_classes[] = {
    "org.apache.kafka.connect.file.FileStreamSinkConnector", NULL};

static const struct cn_plugin stream_source = {
    .struct_size = sizeof(struct cn_plugin),
    .kind = CN_SOURCE,
    .flags = CN_LENIENT,
    .name = "FileStreamSource",
    .classes = stream_source_classes,
    .version = WEIR_VERSION,
    .doc = "Kafka's file source: the lines of one file, followed as it grows.",
    ROWS(stream_source_options),
    .source = &cn_file_source,
    .validate = validate_stream,
    .describe = describe_source,
};

static const struct cn_plugin stream_sink = {
    .struct_size = sizeof(struct cn_plugin),
    .kind = CN_SINK,
    .flags = CN_LENIENT,
    .name = "FileStreamSink",
    .classes = stream_sink_classes,
    .version = WEIR_VERSION,
    .doc = "Kafka's file sink: values as lines, appended.",
    ROWS(stream_sink_options),
    .sink = &cn_file_sink,
    .validate = validate_stream,
    .describe = describe_sink,
};

static const struct cn_plugin *const plugins[] = {&file_source, &file_sink, &stream_source,
                                                  &stream_sink};

static const struct cn_module module = {
    .struct_size = sizeof(module),
    .abi = CN_ABI,
    .plugins = plugins,
    .plugin_count = sizeof(plugins) / sizeof(plugins[0]),
};

__attribute__((visibility("default"))) const struct cn_module *weir_connector_entry(
    const struct cn_host *host)
{
    if (host->abi != CN_ABI || !CN_HAS(host, stopping))
        return NULL;
    cn_file_host = host;
    return &module;
}
