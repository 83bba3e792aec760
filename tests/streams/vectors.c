/* Vectors: runs recorded scenarios of Kafka Streams against the runtime.
 *
 *     streams_vectors [--restart] [--show NAME] FILE|FOLDER …
 *
 * Each scenario becomes a pipeline file, is loaded like a user's, and fed record by record;
 * outputs, stores and the count of dropped records are compared with the recording. Exit status 1
 * when one differs. Scenarios that need what is not there yet are listed. */
#include "tests/streams/generate.h"

#include "runtime/pipeline/content.h"
#include "runtime/testing/driver.h"

#include "lib/base/mem.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern const char streams_functions_lua[];
extern const size_t streams_functions_lua_size;

static struct {
    size_t passed, failed, left_out, dropped_differs;
    char folder[64];
    const char *show;
    bool restart;
} run;

static struct bs_bytes encode(const json_t *value, const char *type, struct bs_arena *arena)
{
    if (!value || json_is_null(value))
        return bs_bytes(NULL, 0);
    if (strcmp(type, "int64") == 0) {
        uint8_t *bytes = bs_arena_alloc(arena, 8);
        bs_store_u64(bytes, (uint64_t)json_integer_value(value));
        return bs_bytes(bytes, 8);
    }
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    return bs_bytes(bs_arena_strndup(arena, text, len), len);
}

static json_t *decode(struct bs_bytes bytes, const char *type)
{
    if (!bytes.ptr)
        return json_null();
    if (strcmp(type, "int64") == 0)
        return bytes.len == 8 ? json_integer((json_int_t)bs_load_u64(bytes.ptr))
                              : json_string("(not 8 bytes)");
    json_t *text = json_stringn((const char *)bytes.ptr, bytes.len);
    return text ? text : json_string("(not UTF-8)");
}

static const char *source_type(const json_t *scenario, const char *topic, const char *which)
{
    size_t i, t;
    json_t *op, *name;
    json_array_foreach(json_object_get(scenario, "ops"), i, op)
    {
        const char *one = json_string_value(json_object_get(op, "topic"));
        bool reads = strcmp(json_string_value(json_object_get(op, "op")), "to") != 0 && one &&
                     strcmp(one, topic) == 0;
        json_array_foreach(json_object_get(op, "topics"), t, name) reads |=
            strcmp(json_string_value(name), topic) == 0;
        const char *type = json_string_value(json_object_get(op, which));
        if (reads && type && strcmp(type, "long") == 0)
            return "int64";
    }
    return "string";
}

/* ---- comparing ---- */

struct line {
    char *topic, *key, *text;
    size_t index;
};

static json_t *windowed_key(json_t *plain, json_int_t start, json_int_t size)
{
    return json_pack("{s:o,s:I,s:I}", "key", plain, "start", start, "end", start + size);
}

static char *text_of(json_t *value)
{
    return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
}

static struct line expected_line(const json_t *record)
{
    json_t *copy = json_pack("{s:O,s:O,s:O}", "key", json_object_get(record, "key"), "value",
                             json_object_get(record, "value"), "ts", json_object_get(record, "ts"));
    if (json_object_get(record, "headers"))
        json_object_set(copy, "headers", json_object_get(record, "headers"));
    struct line line = {.topic = bs_strdup(json_string_value(json_object_get(record, "topic"))),
                        .key = text_of(json_object_get(record, "key")),
                        .text = text_of(copy)};
    json_decref(copy);
    return line;
}

static struct line actual_line(const json_t *scenario, const struct rt_driver_record *record)
{
    struct sink_types types = sink_types_of(scenario, record->topic);
    struct bs_bytes key = record->key;
    json_t *shown;
    if (types.windowed && key.len >= 8) {
        key.len -= 8;
        shown = windowed_key(decode(key, types.key), (json_int_t)bs_load_u64(key.ptr + key.len),
                             window_size_of(scenario));
    } else {
        shown = decode(key, types.key);
    }
    json_t *all =
        json_pack("{s:O,s:o,s:I}", "key", shown, "value", decode(record->value, types.value), "ts",
                  (json_int_t)record->timestamp);
    if (record->header_count) {
        json_t *headers = json_array();
        for (size_t i = 0; i < record->header_count; i++)
            json_array_append_new(headers, json_pack("[s%,s%]", record->headers[i].name.ptr,
                                                     record->headers[i].name.len,
                                                     record->headers[i].value.ptr,
                                                     record->headers[i].value.len));
        json_object_set_new(all, "headers", headers);
    }
    struct line line = {
        .topic = bs_strdup(record->topic), .key = text_of(shown), .text = text_of(all)};
    json_decref(shown);
    json_decref(all);
    return line;
}

static bool by_key;

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = strcmp(x->topic, y->topic);
    if (!order && by_key)
        order = strcmp(x->key, y->key);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static void free_lines(struct line *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bs_free(lines[i].topic);
        free(lines[i].key);
        free(lines[i].text);
    }
    bs_free(lines);
}

static bool same_step(const json_t *scenario, size_t step, struct rt_driver *driver,
                      struct bs_buf *why)
{
    size_t i, count = 0, wanted = 0;
    json_t *record;
    const struct rt_driver_record *records = rt_driver_outputs(driver, &count);
    const json_t *expect = json_object_get(scenario, "expect");
    struct line *want = bs_array(json_array_size(expect) + 1, sizeof *want);
    struct line *have = bs_array(count + 1, sizeof *have);
    json_array_foreach(expect, i, record)
    {
        if (json_integer_value(json_object_get(record, "step")) != (json_int_t)step)
            continue;
        want[wanted] = expected_line(record);
        want[wanted].index = wanted;
        wanted++;
    }
    for (i = 0; i < count; i++) {
        have[i] = actual_line(scenario, &records[i]);
        have[i].index = i;
    }
    by_key = strcmp(json_string_value(json_object_get(scenario, "order")), "key") == 0;
    qsort(want, wanted, sizeof *want, compare_lines);
    qsort(have, count, sizeof *have, compare_lines);
    bool same = wanted == count;
    for (i = 0; same && i < count; i++)
        same = strcmp(want[i].topic, have[i].topic) == 0 && strcmp(want[i].text, have[i].text) == 0;
    if (!same) {
        bs_buf_printf(why, "step %zu\n", step);
        for (i = 0; i < wanted; i++)
            bs_buf_printf(why, "      want %s %s\n", want[i].topic, want[i].text);
        for (i = 0; i < count; i++)
            bs_buf_printf(why, "      have %s %s\n", have[i].topic, have[i].text);
    }
    free_lines(want, wanted);
    free_lines(have, count);
    return same;
}

/* ---- stores ---- */

static json_t *datum_json(const struct rt_datum *datum)
{
    switch ((enum rt_form)datum->form) {
    case RT_NULL:
        return json_null();
    case RT_LONG:
        return json_integer(datum->number);
    case RT_STRING:
        return json_stringn((const char *)datum->bytes.ptr, datum->bytes.len);
    default:
        return json_string("(another type)");
    }
}

static json_t *row_json(struct rt_driver *driver, const struct rt_node *node,
                        const struct rt_row *row)
{
    struct rt_pipeline *pipeline = rt_driver_pipeline(driver);
    struct rt_datum key, value;
    struct bs_error err = {0};
    bool raw = node->raw || node->op == RT_OP_GLOBAL;
    const struct rt_node *source = node->raw ? node->parents[0] : node;
    int rc;
    if (raw) {
        rc = rt_serde_decode(pipeline, &source->key, row->key, &key, &err);
        rc = rc ? rc : rt_serde_decode(pipeline, &source->value, row->value, &value, &err);
    } else {
        rc = rt_key_decode(pipeline, row->value.ptr[0], row->key, &key, &err);
        rc = rc ? rc
                : rt_flat_datum(pipeline, bs_bytes(row->value.ptr + 1, row->value.len - 1), &value,
                                &err);
    }
    if (rc)
        return json_string(err.text);
    json_t *shown = datum_json(&key);
    if (node->windowed)
        shown = windowed_key(shown, row->start, node->size_ms);
    return json_pack("{s:o,s:o,s:I}", "key", shown, "value", datum_json(&value), "ts",
                     (json_int_t)row->timestamp);
}

static const struct rt_node *store_node(struct rt_driver *driver, const char *name)
{
    const struct rt_graph *graph = &rt_driver_pipeline(driver)->graph;
    for (size_t i = 0; i < graph->node_count; i++)
        if (graph->nodes[i].stored && strcmp(graph->nodes[i].name, name) == 0)
            return &graph->nodes[i];
    return NULL;
}

/* Of a versioned table only the newest version of each key is listed; they come in order. */
static void add_version(struct rt_driver *driver, const struct rt_node *node, struct rt_row *row,
                        json_t *have)
{
    row->key = bs_bytes(row->key.ptr + 4, row->key.len - 12);
    bool deleted = !row->value.ptr[0];
    row->value = bs_bytes(deleted ? NULL : row->value.ptr + 1, row->value.len - 1);
    json_t *shown = row_json(driver, node, row);
    size_t last = json_array_size(have);
    if (last && json_equal(json_object_get(json_array_get(have, last - 1), "key"),
                           json_object_get(shown, "key")))
        json_array_remove(have, last - 1);
    if (deleted)
        json_decref(shown);
    else
        json_array_append_new(have, shown);
}

static bool same_store(struct rt_driver *driver, const char *name, const json_t *want,
                       struct bs_buf *why)
{
    const struct rt_node *node = store_node(driver, name);
    struct rt_store *store = rt_driver_store(driver, name);
    struct rt_iter *iter = NULL;
    struct bs_error err = {0};
    struct rt_row row;
    json_t *have = json_array();
    if (!node || !store) {
        bs_buf_printf(why, "there is no store %s\n", name);
        json_decref(have);
        return false;
    }
    int rc = node->windowed
                 ? rt_window_fetch(store, bs_bytes(NULL, 0), 0, INT64_MAX, false, &iter, &err)
                 : rt_store_range(store, bs_bytes(NULL, 0), bs_bytes(NULL, 0), false, &iter, &err);
    while (!rc && rt_iter_next(iter, &row, &err) == 0) {
        if (node->versioned_ms)
            add_version(driver, node, &row, have);
        else
            json_array_append_new(have, row_json(driver, node, &row));
    }
    rt_iter_close(iter);
    bool same = !rc && json_equal(have, (json_t *)want);
    if (!same) {
        char *a = text_of((json_t *)want), *b = text_of(have);
        bs_buf_printf(why, "store %s\n      want %s\n      have %s %s\n", name, a, b, err.text);
        free(a);
        free(b);
    }
    json_decref(have);
    return same;
}

/* ---- scenarios ---- */

static int do_step(const json_t *scenario, const json_t *step, struct rt_driver *driver,
                   struct bs_arena *arena, struct bs_error *err)
{
    const json_t *wall = json_object_get(step, "advance_wall_ms");
    if (wall)
        return rt_driver_advance(driver, json_integer_value(wall), err);
    const json_t *pipe = json_object_get(step, "pipe"), *headers = json_object_get(pipe, "headers");
    const char *topic = json_string_value(json_object_get(pipe, "topic"));
    struct rt_message message = {
        .topic = topic,
        .timestamp = json_integer_value(json_object_get(pipe, "ts")),
        .key = encode(json_object_get(pipe, "key"), source_type(scenario, topic, "key"), arena),
        .value =
            encode(json_object_get(pipe, "value"), source_type(scenario, topic, "value"), arena),
        .header_count = json_array_size(headers),
    };
    const char *hex = json_string_value(json_object_get(pipe, "value_hex"));
    if (hex) {
        uint8_t *bytes = bs_arena_alloc(arena, strlen(hex) / 2 + 1);
        for (size_t i = 0; hex[2 * i]; i++) {
            unsigned byte = 0;
            sscanf(hex + 2 * i, "%2x", &byte);
            bytes[i] = (uint8_t)byte;
        }
        message.value = bs_bytes(bytes, strlen(hex) / 2);
    }
    struct rt_header *list = bs_arena_array(arena, message.header_count + 1, sizeof *list);
    for (size_t i = 0; i < message.header_count; i++) {
        const json_t *pair = json_array_get(headers, i);
        list[i].name = encode(json_array_get(pair, 0), "string", arena);
        list[i].value = encode(json_array_get(pair, 1), "string", arena);
    }
    message.headers = list;
    return rt_driver_pipe(driver, &message, err);
}

static bool play(const json_t *scenario, struct rt_driver *driver, struct bs_buf *why)
{
    struct bs_error err = {0};
    struct bs_arena arena;
    const json_t *error = json_object_get(scenario, "error");
    int rc = rt_driver_load(driver, &err);
    if (json_is_string(error)) { /* "build" */
        if (!rc)
            bs_buf_puts(why, "it should have been refused\n");
        return rc != 0;
    }
    if (rc) {
        bs_buf_printf(why, "%s\n", err.text);
        return false;
    }
    bs_arena_init(&arena);
    bool same = true, stopped = false;
    size_t i;
    json_t *step, *rows;
    const char *name;
    json_array_foreach(json_object_get(scenario, "steps"), i, step)
    {
        bool must_fail = error && (size_t)json_integer_value(error) == i;
        rc = run.restart ? rt_driver_restart(driver, &err) : 0;
        rc = rc ? rc : do_step(scenario, step, driver, &arena, &err);
        if ((rc != 0) != must_fail) {
            bs_buf_printf(why, "step %zu: %s\n", i, rc ? err.text : "it should have failed");
            same = false;
            break;
        }
        same = same_step(scenario, i, driver, why);
        rt_driver_clear(driver);
        stopped = must_fail;
        if (!same || stopped)
            break;
    }
    json_object_foreach(json_object_get(scenario, "stores"), name, rows)
    {
        if (same && !stopped)
            same = same_store(driver, name, rows, why);
    }
    json_int_t dropped = json_integer_value(json_object_get(scenario, "dropped"));
    if (same && !stopped && json_object_get(scenario, "dropped") &&
        (uint64_t)dropped != rt_driver_dropped(driver)) {
        run.dropped_differs++;
        printf("note      %s: dropped %llu, recorded %lld\n",
               json_string_value(json_object_get(scenario, "name")),
               (unsigned long long)rt_driver_dropped(driver), (long long)dropped);
    }
    bs_arena_deinit(&arena);
    return same;
}

static void run_scenario(const json_t *scenario)
{
    const char *name = json_string_value(json_object_get(scenario, "name"));
    const char *lacks = scenario_lacks(scenario);
    if (run.show && strcmp(run.show, name) != 0)
        return;
    if (lacks) {
        run.left_out++;
        printf("left out  %s: needs %s\n", name, lacks);
        return;
    }
    struct bs_buf text = BS_BUF_INIT, why = BS_BUF_INIT;
    char path[96];
    bs_buf_put(&text, streams_functions_lua, streams_functions_lua_size);
    size_t head = text.len;
    generate_pipeline(scenario, &text);
    if (run.show)
        printf("%s\n", bs_buf_text(&text) + head);
    snprintf(path, sizeof path, "%s/scenario.lua", run.folder);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(text.data, 1, text.len, file) != text.len || fclose(file)) {
        fprintf(stderr, "%s cannot be written\n", path);
        exit(1);
    }
    struct rt_driver *driver = rt_driver_new(path);
    json_t *config = json_object_get(scenario, "config");
    rt_driver_set_wall(driver, json_integer_value(json_object_get(config, "wall_ms")));
    if (play(scenario, driver, &why)) {
        run.passed++;
    } else {
        run.failed++;
        printf("FAILED    %s%s: %s", name, json_object_get(scenario, "quirk") ? " (quirk)" : "",
               bs_buf_text(&why));
    }
    rt_driver_free(driver);
    unlink(path);
    bs_buf_deinit(&text);
    bs_buf_deinit(&why);
}

static int run_file(const char *path)
{
    json_error_t problem;
    json_t *root = json_load_file(path, 0, &problem);
    size_t i;
    json_t *scenario;
    if (!root) {
        fprintf(stderr, "%s:%d: %s\n", path, problem.line, problem.text);
        return 1;
    }
    json_array_foreach(json_object_get(root, "scenarios"), i, scenario) run_scenario(scenario);
    json_decref(root);
    return 0;
}

static int filter_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static int run_path(const char *path)
{
    struct stat about;
    struct dirent **entries = NULL;
    if (stat(path, &about)) {
        fprintf(stderr, "%s: there is no such file\n", path);
        return 1;
    }
    if (!S_ISDIR(about.st_mode))
        return run_file(path);
    int count = scandir(path, &entries, filter_json, alphasort), rc = 0;
    for (int i = 0; i < count; i++) {
        char full[4096];
        snprintf(full, sizeof full, "%s/%s", path, entries[i]->d_name);
        rc |= run_file(full);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = 0, first = 1;
    if (argc > first && strcmp(argv[first], "--restart") == 0) {
        run.restart = true;
        first++;
    }
    if (argc > first + 1 && strcmp(argv[first], "--show") == 0) {
        run.show = argv[first + 1];
        first += 2;
    }
    if (first >= argc) {
        fprintf(stderr, "usage: streams_vectors [--restart] [--show NAME] FILE|FOLDER …\n");
        return 2;
    }
    snprintf(run.folder, sizeof run.folder, "/tmp/streams-vectors-XXXXXX");
    if (!mkdtemp(run.folder)) {
        perror(run.folder);
        return 1;
    }
    for (int i = first; i < argc; i++)
        rc |= run_path(argv[i]);
    rmdir(run.folder);
    printf("%zu passed, %zu failed, %zu left out; dropped counts differ in %zu\n", run.passed,
           run.failed, run.left_out, run.dropped_differs);
    return rc || run.failed || !run.passed ? 1 : 0;
}
