/* Plan: what a worker is told about a file: topics, subtopologies, stores, names, fingerprint. */
#include "runtime/testing/driver.h"

#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rt_driver *load(const char *text)
{
    char path[] = "/tmp/weir-plan-XXXXXX.lua";
    struct bs_error err = {0};
    int fd = mkstemps(path, 4);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct rt_driver *driver = rt_driver_new(path);
    int rc = rt_driver_load(driver, &err);
    unlink(path);
    if (rc)
        print_error("%s\n", err.text);
    assert_int_equal(rc, 0);
    return driver;
}

static const struct rt_topic *find(const struct rt_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->topic_count; i++)
        if (strcmp(plan->topics[i].name, name) == 0)
            return &plan->topics[i];
    print_error("no topic %s\n", name);
    return NULL;
}

static const char flights[] =
    "local weir = require 'weir'\n"
    "weir.app { id = 'delays', commit_interval = '1s', kafka = { ['linger.ms'] = 5 } }\n"
    "local airports = weir.global_table('airports')\n"
    "weir.stream('flights'):filter(function() return true end)\n"
    "  :join(airports, function(f) return f.o end, function(f, a) return f end)\n"
    "  :group_by(function(f) return f.o end, { partitions = 4 })\n"
    "  :windowed_by(weir.tumbling('1h'):grace('10m')):count():to_stream():to('out')\n";

static void test_flights(void **state)
{
    (void)state;
    struct rt_driver *driver = load(flights);
    const struct rt_plan *plan = rt_pipeline_plan(rt_driver_pipeline(driver));
    assert_string_equal(plan->app_id, "delays");
    assert_true(plan->exactly_once);
    assert_int_equal(plan->commit_interval_ms, 1000);
    assert_int_equal(plan->kafka_count, 1);
    assert_string_equal(plan->kafka[0].value, "5");
    assert_int_equal(plan->global_count, 1);
    assert_string_equal(plan->globals[0].topic, "airports");
    assert_false(plan->globals[0].store.logged);
    assert_int_equal(plan->subtopology_count, 2);
    assert_string_equal(plan->subtopologies[0].topics[0], "flights");
    assert_false(plan->subtopologies[0].copartitioned);
    const struct rt_subtopology *second = &plan->subtopologies[1];
    assert_string_equal(second->topics[0], "delays-flights-group-by-repartition");
    assert_int_equal(second->store_count, 1);
    assert_string_equal(second->stores[0].name, "flights-count");
    assert_int_equal(second->stores[0].kind, RT_STORE_WINDOW);
    assert_int_equal(second->stores[0].retention_ms, 70 * 60 * 1000);
    const struct rt_topic *topic = find(plan, "delays-flights-group-by-repartition");
    assert_non_null(topic);
    assert_true(topic->internal && !topic->compacted);
    assert_int_equal(topic->partitions, 4);
    topic = find(plan, "delays-flights-count-changelog");
    assert_non_null(topic);
    assert_true(topic->internal && topic->compacted);
    assert_non_null(find(plan, "out"));
    assert_non_null(find(plan, "airports"));
    rt_driver_free(driver);
}

static void test_lines_elsewhere_rename_nothing(void **state)
{
    (void)state;
    char *more =
        bs_asprintf("%sweir.stream('other'):group_by_key():count():to_stream():to('x')\n", flights);
    struct rt_driver *one = load(flights), *same = load(flights), *two = load(more);
    const struct rt_plan *a = rt_pipeline_plan(rt_driver_pipeline(one)),
                         *b = rt_pipeline_plan(rt_driver_pipeline(same)),
                         *c = rt_pipeline_plan(rt_driver_pipeline(two));
    assert_true(a->fingerprint == b->fingerprint);
    assert_true(a->fingerprint != c->fingerprint);
    assert_non_null(find(c, "delays-flights-count-changelog"));
    assert_non_null(find(c, "delays-other-count-changelog"));
    rt_driver_free(one);
    rt_driver_free(same);
    rt_driver_free(two);
    bs_free(more);
}

static void test_rekeyed_join_is_copartitioned(void **state)
{
    (void)state;
    struct rt_driver *driver =
        load("local weir = require 'weir'\n"
             "weir.app { id = 'j' }\n"
             "weir.stream('orders'):select_key 'customer'\n"
             "  :join(weir.table('customers'), function(o, c) return o end)\n"
             "  :to('out')\n");
    const struct rt_plan *plan = rt_pipeline_plan(rt_driver_pipeline(driver));
    assert_int_equal(plan->subtopology_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct rt_subtopology *sub = &plan->subtopologies[i];
        assert_int_equal(sub->copartitioned, sub->topic_count == 2);
    }
    assert_non_null(find(plan, "j-orders-join-repartition"));
    assert_non_null(find(plan, "j-customers-table-changelog"));
    rt_driver_free(driver);
}

static int64_t head_time(struct rt_task *task, const char *topic, const char *value)
{
    struct rt_message message = {.topic = topic, .timestamp = 7, .value = bs_bytes_text(value)};
    return rt_task_head_time(task, &message);
}

static void test_heads_are_compared_by_the_timestamp_function(void **state)
{
    (void)state;
    static const struct rt_ports ports;
    struct rt_driver *driver =
        load("local weir = require 'weir'\n"
             "local timed = weir.stream('timed', { timestamp = function(v) return v.t end })\n"
             "timed:merge(weir.stream('plain')):for_each(function() end)\n");
    struct rt_task *task = NULL;
    struct bs_error err = {0};
    assert_int_equal(rt_task_new(rt_driver_pipeline(driver), 0, 0, &ports, &task, &err), 0);
    assert_int_equal(head_time(task, "timed", "{\"t\":50}"), 50);
    assert_int_equal(head_time(task, "plain", "{\"t\":50}"), 7);
    assert_int_equal(head_time(task, "timed", "{\"t\":-1}"), 7);    /* will be dropped */
    assert_int_equal(head_time(task, "timed", "{\"t\":\"x\"}"), 7); /* will be an error */
    assert_int_equal(head_time(task, "timed", "{"), 7);
    assert_int_equal(rt_task_stream_time(task), -1); /* looking changes nothing */
    struct rt_message message = {
        .topic = "timed", .timestamp = 7, .value = bs_bytes_text("{\"t\":50}")};
    assert_int_equal(rt_task_process(task, &message, &err), 0);
    assert_int_equal(rt_task_stream_time(task), 50);
    rt_task_free(task);
    rt_driver_free(driver);
}

/* More writers than plans are kept: the oldest is planned anew, and nothing points to what is gone.
 */
static void test_many_writers(void **state)
{
    static const char text[] = "local weir = require 'weir'\n"
                               "weir.stream('in', { value = 'avro', schema = '%s' })\n"
                               "  :group_by(function(v) return v.a end):count():to_stream()\n"
                               "  :to('out', { key = 'int64', value = 'int64' })\n";
    static const char reader[] = "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
                                 "{\"name\":\"a\",\"type\":\"long\"}]}";
    enum { WRITERS = 1100 };
    char path[] = "/tmp/weir-reader-XXXXXX.avsc", pipeline[500], schema[200];
    struct bs_error err = {0};
    size_t count = 0;
    int fd = mkstemps(path, 5);
    (void)state;
    assert_int_equal(write(fd, reader, sizeof reader - 1), (ssize_t)sizeof reader - 1);
    close(fd);
    snprintf(pipeline, sizeof pipeline, text, path);
    struct rt_driver *driver = load(pipeline);
    for (int i = 0; i < WRITERS; i++) {
        int len = snprintf(schema, sizeof schema,
                           "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x%d\","
                           "\"type\":\"int\"},{\"name\":\"a\",\"type\":\"int\"}]}",
                           i);
        struct rt_driver_schema add = {.topic = "in", .text = bs_bytes(schema, (size_t)len)};
        assert_int_equal(rt_driver_schema(driver, &add, &err), 0);
    }
    for (int i = 0; i < WRITERS + 20; i++) {
        uint8_t message[] = {0, 0, 0, 0, 0, 4, 14}; /* x = 2, a = 7 */
        struct rt_message record = {
            .topic = "in", .timestamp = i, .value = bs_bytes(message, sizeof message)};
        bs_store_u32(message + 1, (uint32_t)(i % WRITERS) + 1);
        if (rt_driver_pipe(driver, &record, &err))
            fail_msg("%s", err.text);
    }
    const struct rt_driver_record *out = rt_driver_outputs(driver, &count);
    assert_int_equal(count, WRITERS + 20);
    assert_int_equal(bs_load_u64(out[count - 1].value.ptr), WRITERS + 20);
    assert_int_equal(bs_load_u64(out[count - 1].key.ptr), 7);
    rt_driver_free(driver);
    unlink(path);
}

/* A row that its schema cannot read is the record's failure, not the worker's. */
static void test_bad_row(void **state)
{
    static const char text[] =
        "local weir = require 'weir'\n"
        "weir.app { on_error = { dead_letter = 'letters' } }\n"
        "local rows = weir.global_table('rows', { value = 'avro',\n"
        "  schema = '%s' })\n"
        "weir.stream('in', { value = 'string' })\n"
        "  :join(rows, function(v) return v end, function(v, r) return r end)\n"
        "  :to('out')\n";
    static const char reader[] = "[\"null\",\"double\"]", writer[] = "[\"null\",\"long\"]";
    static const uint8_t bad[] = {0, 0, 0, 0, 1, 14}; /* branch 7 */
    char path[] = "/tmp/weir-reader-XXXXXX.avsc", pipeline[500];
    struct bs_error err = {0};
    size_t count = 0;
    int fd = mkstemps(path, 5);
    (void)state;
    assert_int_equal(write(fd, reader, sizeof reader - 1), (ssize_t)sizeof reader - 1);
    close(fd);
    snprintf(pipeline, sizeof pipeline, text, path);
    struct rt_driver *driver = load(pipeline);
    struct rt_driver_schema add = {.topic = "rows", .text = bs_bytes_text(writer)};
    assert_int_equal(rt_driver_schema(driver, &add, &err), 0);
    struct rt_message row = {
        .topic = "rows", .key = bs_bytes_text("k"), .value = bs_bytes(bad, sizeof bad)};
    struct rt_message ask = {.topic = "in", .value = bs_bytes_text("k")};
    assert_int_equal(rt_driver_pipe(driver, &row, &err), 0);
    if (rt_driver_pipe(driver, &ask, &err))
        fail_msg("%s", err.text);
    const struct rt_driver_record *out = rt_driver_outputs(driver, &count);
    assert_int_equal(count, 1);
    assert_string_equal(out[0].topic, "letters");
    assert_non_null(memmem(out[0].headers[0].value.ptr, out[0].headers[0].value.len,
                           "a row of table 'rows': written with schema 1", 44));
    rt_driver_free(driver);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_writers),
        cmocka_unit_test(test_bad_row),
        cmocka_unit_test(test_heads_are_compared_by_the_timestamp_function),
        cmocka_unit_test(test_flights),
        cmocka_unit_test(test_lines_elsewhere_rename_nothing),
        cmocka_unit_test(test_rekeyed_join_is_copartitioned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
