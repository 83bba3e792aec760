/* The file connectors through their own table, with a host made of this file. */
#include "connectors/api/connector.h"
#include "connectors/file/buffer.h"
#include "connectors/file/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* What the host knows of the one task of a test. */
struct cn_config {
    const char *pairs[24];
};
struct cn_task {
    struct cn_buffer out; /* "key=value;" of each record */
    char rejected[1000];
    bool tolerant;
    int64_t position;
    char head[20];
    struct cn_value stored_map;
    struct cn_field stored[2];
    size_t logs;
};
static struct cn_task task;
static struct cn_config config;
static char folder[64];

static const char *host_option(const struct cn_config *from, const char *name)
{
    for (size_t i = 0; from->pairs[i]; i += 2)
        if (!strcmp(from->pairs[i], name))
            return from->pairs[i + 1];
    return NULL;
}

static void host_log(struct cn_task *of, enum cn_level level, const char *text)
{
    (void)level;
    (void)text;
    of->logs++;
}

static int host_emit(struct cn_task *of, const struct cn_record *record, struct cn_error *error)
{
    (void)error;
    if (record->key.type != CN_NULL)
        cn_json_write(&record->key, &of->out);
    cn_buffer_puts(&of->out, "=");
    cn_json_write(&record->value, &of->out);
    cn_buffer_puts(&of->out, ";");
    return CN_OK;
}

static void host_position(struct cn_task *of, const struct cn_value *partition,
                          const struct cn_value *offset)
{
    assert_int_equal(partition->map.count, 1);
    of->position = offset->map.fields[0].value.integer;
    if (offset->map.count > 1)
        snprintf(of->head, sizeof(of->head), "%.*s", (int)offset->map.fields[1].value.text.len,
                 offset->map.fields[1].value.text.ptr);
}

static const struct cn_value *host_stored(struct cn_task *of, const struct cn_value *partition)
{
    (void)partition;
    if (!of->position)
        return NULL;
    of->stored[0] = (struct cn_field){{"position", 8}, {.type = CN_INT64, .integer = of->position}};
    of->stored[1] =
        (struct cn_field){{"head", 4}, {.type = CN_STRING, .text = {of->head, strlen(of->head)}}};
    of->stored_map = (struct cn_value){.type = CN_MAP, .map = {of->stored, 2}};
    return &of->stored_map;
}

static int host_reject(struct cn_task *of, const struct cn_error *error)
{
    snprintf(of->rejected, sizeof(of->rejected), "%.990s", error->text);
    return of->tolerant ? CN_OK : CN_FAIL;
}

static int host_reject_record(struct cn_task *of, size_t index, const struct cn_error *error)
{
    (void)index;
    return host_reject(of, error);
}

static int host_stopping(struct cn_task *of)
{
    (void)of;
    return 0;
}

static const struct cn_host host = {
    .struct_size = sizeof(host),
    .abi = CN_ABI,
    .version = "test",
    .option = host_option,
    .log = host_log,
    .emit = host_emit,
    .position = host_position,
    .stored = host_stored,
    .reject = host_reject,
    .reject_record = host_reject_record,
    .wake_fd = host_stopping,
    .stopping = host_stopping,
};

static const struct cn_plugin *plugin(const char *name)
{
    const struct cn_module *module = weir_connector_entry(&host);
    assert_non_null(module);
    for (size_t i = 0; i < module->plugin_count; i++)
        if (!strcmp(module->plugins[i]->name, name))
            return module->plugins[i];
    return NULL;
}

static char *path_of(const char *name)
{
    static char path[4][128];
    static int turn;
    char *at = path[turn++ % 4];
    snprintf(at, sizeof(path[0]), "%s/%s", folder, name);
    return at;
}

static const char *file_put(const char *name, const char *text, const char *mode)
{
    char *path = path_of(name);
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void configure(const char *first, ...)
{
    va_list ap;
    size_t n = 0;
    va_start(ap, first);
    for (const char *at = first; at; at = va_arg(ap, const char *))
        config.pairs[n++] = at;
    config.pairs[n] = NULL;
    va_end(ap);
}

static void *start(void)
{
    void *self = NULL;
    struct cn_error error = {.struct_size = sizeof(error)};
    struct cn_open open = {.struct_size = sizeof(open),
                           .task = &task,
                           .config = &config,
                           .connector = "t",
                           .count = 1};
    assert_int_equal(plugin("file-source")->source->open(&open, &self, &error), CN_OK);
    return self;
}

static const char *text_out(void)
{
    cn_buffer_put(&task.out, "", 1);
    task.out.len = 0;
    return task.out.data;
}

/* Polls until a poll gives no more; the verdict of the last one. */
static int drain(void *self, struct cn_error *error)
{
    int result = CN_OK;
    for (int i = 0; i < 4 && result == CN_OK; i++)
        result = plugin("file-source")->source->poll(self, 100, error);
    return result;
}

static void finish(void *self)
{
    plugin("file-source")->source->close(self);
}

static int setup(void **state)
{
    (void)state;
    cn_buffer_deinit(&task.out);
    task = (struct cn_task){0};
    return 0;
}

static const char flights_schema[] =
    "{\"type\":\"record\",\"name\":\"Flight\",\"fields\":[{\"name\":\"date\",\"type\":\"string\"},"
    "{\"name\":\"delay\",\"type\":[\"null\",\"int\"]},{\"name\":\"miles\",\"type\":\"double\"}]}";

static void test_lines_follow(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    configure("file", file_put("a.txt", "one\ntwo\r\nthr", "w"), "topic", "t", "format", "lines",
              "batch.size", "10", "line.bytes.max", "1000", NULL);
    void *self = start();
    assert_int_equal(drain(self, &error), CN_OK);
    assert_string_equal(text_out(), "=\"one\";=\"two\";");
    assert_int_equal(task.position, 9);
    file_put("a.txt", "ee\n", "a");
    drain(self, &error);
    assert_string_equal(text_out(), "=\"three\";");
    finish(self);

    /* A restart goes on; a shorter or replaced file starts over. */
    file_put("a.txt", "four\n", "a");
    self = start();
    drain(self, &error);
    assert_string_equal(text_out(), "=\"four\";");
    unlink(path_of("a.txt"));
    file_put("a.txt", "new\n", "w");
    drain(self, &error);
    assert_string_equal(text_out(), "=\"new\";");
    finish(self);
    file_put("a.txt", "other, and longer than it was\n", "w");
    self = start();
    drain(self, &error);
    assert_string_equal(text_out(), "=\"other, and longer than it was\";");
    finish(self);
}

static void test_csv_typed(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    file_put("f.avsc", flights_schema, "w");
    configure("file", file_put("f.csv", "date,delay,miles\n\"2001,a\",66,1.5\nb,,2\nc,-3,1e3", "w"),
              "topic", "t", "format", "csv", "schema.file", path_of("f.avsc"), "bounded", "true",
              "key.field", "date", "batch.size", "2", NULL);
    void *self = start();
    assert_int_equal(drain(self, &error), CN_COMPLETE);
    assert_string_equal(text_out(), "\"2001,a\"={\"date\":\"2001,a\",\"delay\":66,\"miles\":1.5};"
                                    "\"b\"={\"date\":\"b\",\"delay\":null,\"miles\":2.0};"
                                    "\"c\"={\"date\":\"c\",\"delay\":-3,\"miles\":1000.0};");
    finish(self);
    self = start(); /* complete again, nothing twice */
    assert_int_equal(drain(self, &error), CN_COMPLETE);
    assert_string_equal(text_out(), "");
    finish(self);
}

static void test_csv_errors(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    file_put("f.avsc", flights_schema, "w");
    configure(
        "file",
        file_put("bad.csv", "date,delay,miles\na,1,1\nb,x,2\nc,2\nd,99999999999,4\ne,5,6\n", "w"),
        "topic", "t", "format", "csv", "schema.file", path_of("f.avsc"), "bounded", "true", NULL);
    void *self = start();
    assert_int_equal(drain(self, &error), CN_FAIL);
    assert_non_null(strstr(task.rejected, "bad.csv:3: column 2 (delay): expected an integer of 32 "
                                          "bits, found \"x\""));
    finish(self);
    setup(NULL);
    task.tolerant = true;
    self = start();
    assert_int_equal(drain(self, &error), CN_COMPLETE);
    assert_string_equal(text_out(), "={\"date\":\"a\",\"delay\":1,\"miles\":1.0};"
                                    "={\"date\":\"e\",\"delay\":5,\"miles\":6.0};");
    assert_non_null(strstr(task.rejected, "bad.csv:5: column 2 (delay)"));
    finish(self);
}

static void test_json_lines(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    configure("file", file_put("a.jsonl", "{\"b\":1,\"a\":[1.5,null,true]}\n\n{\"b\":\n", "w"),
              "topic", "t", "format", "jsonl", "key.field", "b", "bounded", "true", NULL);
    void *self = start();
    assert_int_equal(drain(self, &error), CN_FAIL);
    assert_string_equal(text_out(), "1={\"b\":1,\"a\":[1.5,null,true]};");
    assert_non_null(strstr(task.rejected, "a.jsonl:3: column "));
    finish(self);
}

static void test_long_line(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    char *text = malloc(700000);
    memset(text, 'x', 699990);
    strcpy(text + 699990, "\nok\n");
    task.tolerant = true;
    configure("file", file_put("long.txt", text, "w"), "topic", "t", "format", "lines",
              "line.bytes.max", "1000", "bounded", "true", NULL);
    void *self = start();
    assert_int_equal(drain(self, &error), CN_COMPLETE);
    assert_string_equal(text_out(), "=\"ok\";");
    assert_non_null(strstr(task.rejected, "long.txt:1: the record is longer than line.bytes.max"));
    finish(self);
    free(text);
}

static void test_sink_cut_back(void **state)
{
    (void)state;
    struct cn_error error = {.struct_size = sizeof(error)};
    const struct cn_sink *sink = plugin("file-sink")->sink;
    struct cn_open open = {.struct_size = sizeof(open),
                           .task = &task,
                           .config = &config,
                           .connector = "t",
                           .count = 1};
    struct cn_record record = {.topic = "t", .value = {.type = CN_STRING, .text = {"one", 3}}};
    struct cn_batch batch = {sizeof(batch), sizeof(record), &record, 1};
    struct cn_partition partition = {.topic = "t", .metadata = ""};
    const char *metadata = NULL;
    char kept[128];
    void *self = NULL;
    configure("file", path_of("out.txt"), "format", "lines", NULL);
    assert_int_equal(sink->open(&open, &self, &error), CN_OK);
    assert_int_equal(sink->assign(self, &partition, 1, sizeof(partition), &error), CN_OK);
    assert_int_equal(sink->put(self, &batch, &error), CN_OK);
    assert_int_equal(sink->flush(self, &metadata, &error), CN_OK);
    snprintf(kept, sizeof(kept), "%s", metadata);
    assert_int_equal(sink->put(self, &batch, &error), CN_OK); /* never committed */
    sink->close(self);

    partition.metadata = kept;
    assert_int_equal(sink->open(&open, &self, &error), CN_OK);
    assert_int_equal(sink->assign(self, &partition, 1, sizeof(partition), &error), CN_OK);
    assert_int_equal(sink->put(self, &batch, &error), CN_OK);
    sink->close(self);
    struct stat st;
    assert_int_equal(stat(path_of("out.txt"), &st), 0);
    assert_int_equal(st.st_size, 8);
}

int main(void)
{
    snprintf(folder, sizeof(folder), "/tmp/weir-file-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines_follow, setup),
        cmocka_unit_test_setup(test_csv_typed, setup),
        cmocka_unit_test_setup(test_csv_errors, setup),
        cmocka_unit_test_setup(test_json_lines, setup),
        cmocka_unit_test_setup(test_long_line, setup),
        cmocka_unit_test_setup(test_sink_cut_back, setup),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cn_buffer_deinit(&task.out);
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command) != 0 || failed;
}
