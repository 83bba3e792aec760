/* Sandbox: scripts that try to run for ever, to eat memory, to escape, or to see what differs from
 * run to run. Each must end in an error (or do no harm) within a bounded time, and the next record
 * must be processed well. */
#include "runtime/testing/driver.h"

#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/weir-sandbox-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct rt_driver *start(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/p.lua", folder);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return rt_driver_new(path);
}

static void stop(struct rt_driver *driver)
{
    char path[128];
    snprintf(path, sizeof path, "%s/p.lua", folder);
    unlink(path);
    rt_driver_free(driver);
}

static int pipe_text(struct rt_driver *driver, const char *value, struct bs_error *err)
{
    struct rt_message message = {
        .topic = "in", .key = bs_bytes_text("k"), .value = bs_bytes_text(value)};
    return rt_driver_pipe(driver, &message, err);
}

struct attack {
    const char *name;
    const char *body;  /* of function(v): runs when v is "bad" */
    const char *error; /* part of the message; NULL: it ends well */
};

static const struct attack attacks[] = {
    {"endless loop", "while true do end", "processor time"},
    {"endless loop under pcall", "while true do pcall(function() while true do end end) end",
     "processor time"},
    {"endless loop under xpcall",
     "while true do xpcall(function() while true do end end, function() while true do end end) end",
     "processor time"},
    {"loop in a to-be-closed variable",
     "local x <close> = setmetatable({}, { __close = function() end })", "not allowed"},
    {"sort with an endless comparator", "table.sort({ 3, 2, 1 }, function() while true do end end)",
     "processor time"},
    {"pattern that backtracks", "return (('a'):rep(200)):find(('.-'):rep(8) .. 'b')",
     "processor time"},
    {"pattern of optional parts",
     "return (('a'):rep(40)):find(('a?'):rep(40) .. ('a'):rep(40) .. 'b')", "processor time"},
    {"gsub that backtracks", "return (('x'):rep(300)):gsub(('.*'):rep(8) .. 'y', '')",
     "processor time"},
    {"string.rep of gigabytes", "return ('x'):rep(1 << 40)", "larger than"},
    {"string.rep of nothing", "return (''):rep(1 << 60)", NULL},
    {"memory by doubling", "local s = 'x' while true do s = s .. s end", "memory"},
    {"memory by tables", "local t = {} for i = 1, 1e9 do t[i] = { i } end", "memory"},
    {"memory under pcall",
     "while true do pcall(function() local s = 'x' while true do s = s .. s end end) end",
     "processor time"},
    /* Nearly all time goes into collecting before the refusal: the stop falls in there. */
    {"memory refused under pcall for ever",
     "local s = ('x'):rep(5 << 20) while true do pcall(function() return s .. s .. s end) end",
     "processor time"},
    {"table.concat of much",
     "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(60000) end "
     "return table.concat(t)",
     "memory"},
    {"deep recursion", "local function f() return 1 + f() end return f()", "memory"},
    {"deep data", "local t = {} for i = 1, 1e5 do t = { t } end return t", "nested"},
    {"data that contains itself", "local t = {} t.t = t return t", "nested"},
    {"deep metatables",
     "local t = setmetatable({}, {}) for i = 1, 1e4 do "
     "t = setmetatable({}, { __index = t }) end return t.x",
     "loop"},
    {"table.move for ever", "table.move({}, 1, math.maxinteger - 1, 2, {})", "range"},
    {"table.insert by a lying length",
     "table.insert(setmetatable({}, { __len = function() return 1 << 50 end }), 1, 1)", "items"},
    {"table.concat by a lying length",
     "table.concat(setmetatable({}, { __len = function() return 1 << 50 end }))", "range"},
    {"unpack of much", "return table.unpack({}, 1, 1e8)", "too many"},
    {"finalizer", "setmetatable({}, { __gc = function() while true do end end })", "__gc"},
    {"weak table", "setmetatable({}, { __mode = 'k' })", "__mode"},
    {"string metatable", "getmetatable('').__index = nil", "attempt"},
    {"load", "return load('return 1')()", "load"},
    {"io", "return io.open('/etc/passwd')", "io"},
    {"os", "return os.getenv('HOME')", "os"},
    {"debug", "return debug.getregistry()", "debug"},
    {"coroutine", "return coroutine.wrap(function() while true do end end)()", "coroutine"},
    {"require", "return require 'os'", "no module"},
    {"string.dump", "return string.dump(function() end)", "nil"},
    {"random", "return math.random()", "random"},
    {"a global", "counter = 1", "global 'counter'"},
    {"a global by its environment", "_ENV.counter = 1", "global 'counter'"},
    {"format with a wide field", "return ('%9999d'):format(1)", "invalid"},
    {"the view's metatable", "return getmetatable(weir.with({ a = 1 }, {})).__index", NULL},
    {"meta kept", "return tostring(weir.null.x)", "no fields"},
};

static bool run_attack(const struct attack *attack)
{
    struct bs_error err = {0};
    /* What is to be stopped by another bound gets the time to reach it, in a sanitizer's build too.
     */
    const char *cpu = attack->error && strstr(attack->error, "processor") ? "300ms" : "15s";
    char *text = bs_asprintf("local weir = require 'weir'\n"
                             "weir.app { cpu_max_per_record = '%s', memory_max = 16 << 20 }\n"
                             "weir.stream('in', { value = 'string' }):map_values(function(v)\n"
                             "  if v == 'bad' then %s end\n"
                             "  return v\n"
                             "end):to('out', { value = 'json' })\n",
                             cpu, attack->body);
    struct rt_driver *driver = start(text);
    double begin = now_s();
    size_t count = 0;
    int rc = rt_driver_load(driver, &err);
    bool well = rc == 0;
    if (well) {
        rc = pipe_text(driver, "bad", &err);
        well = (rc != 0) == (attack->error != NULL) && (!rc || strstr(err.text, attack->error));
    }
    double took = now_s() - begin;
    if (!well || took > 20)
        print_error("%s: %.1f s, rc %d: %s\n", attack->name, took, rc, err.text);
    rt_driver_clear(driver);
    rc = pipe_text(driver, "good", &err);
    rt_driver_outputs(driver, &count);
    if (rc || count != 1)
        print_error("%s, the record after: %s\n", attack->name, err.text);
    well = well && took < 20 && !rc && count == 1;
    stop(driver);
    bs_free(text);
    return well;
}

static void test_attacks(void **state)
{
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++)
        failed += !run_attack(&attacks[i]);
    assert_int_equal(failed, 0);
}

static void test_file_in_an_endless_loop(void **state)
{
    (void)state;
    struct bs_error err = {0};
    struct rt_driver *driver = start("while true do end");
    assert_int_not_equal(rt_driver_load(driver, &err), 0);
    assert_non_null(strstr(err.text, "processor time"));
    stop(driver);
}

static void test_meddled_handles(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "s.node.parents = { 1, 1 }", "s.node.parents = {}",     "s.node.parents = { 99 }",
        "s.node.op = 'join'",        "s.node.op = 'aggregate'", "s.node.op = 'nothing'",
        "s.node.op = 'table_group'", "s.node.fn = 3",           "s.node.kind = {}",
        "s.node.op = 'split'",       "s.node.topics = { {} }",  "s.node.parents = 7",
        "s.node.op = 'repartition'", "s.node.op = 'global'",    "s.node.where = nil",
        "s.node.op = 'table'",       "s.node.op = 'to_stream'", "s.node.window = { size = 1 }",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct bs_error err = {0};
        char *text = bs_asprintf("local weir = require 'weir'\n"
                                 "local s = weir.stream('in', { value = 'string' })"
                                 ":map_values(function(v) return v end)\n"
                                 "s:to('out', { value = 'string' })\n%s\n",
                                 texts[i]);
        struct rt_driver *driver = start(text);
        if (rt_driver_load(driver, &err) == 0)
            pipe_text(driver, "x", &err); /* well or not: no harm */
        stop(driver);
        bs_free(text);
    }
}

static void test_bytecode_is_refused(void **state)
{
    (void)state;
    struct bs_error err = {0};
    struct rt_driver *driver = start("\x1bLuaT");
    assert_int_not_equal(rt_driver_load(driver, &err), 0);
    assert_non_null(strstr(err.text, "binary chunk"));
    stop(driver);
}

static void test_pairs_has_one_order(void **state)
{
    (void)state;
    struct bs_error err = {0};
    size_t count = 0;
    struct rt_driver *driver =
        start("local weir = require 'weir'\n"
              "weir.stream('in', { value = 'string' }):map_values(function(v)\n"
              "  local t, out = { zebra = 1, ant = 2, mole = 3, [2] = 'b', [1] = 'a' }, ''\n"
              "  for k in pairs(t) do out = out .. k .. ' ' end\n"
              "  return out\n"
              "end):to('out', { value = 'string' })\n");
    assert_int_equal(pipe_text(driver, "x", &err), 0);
    const struct rt_driver_record *records = rt_driver_outputs(driver, &count);
    assert_int_equal(count, 1);
    assert_memory_equal(records[0].value.ptr, "1 2 ant mole zebra ", records[0].value.len);
    stop(driver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attacks),
        cmocka_unit_test(test_file_in_an_endless_loop),
        cmocka_unit_test(test_meddled_handles),
        cmocka_unit_test(test_bytecode_is_refused),
        cmocka_unit_test(test_pairs_has_one_order),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
