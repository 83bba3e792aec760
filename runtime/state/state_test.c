/* The state of a task on RocksDB: overlay, commit, a crash before commit, expiry, restore; global
 * tables seen by a reader. A crash is a close without commit: nothing is written by close. */
#include "lib/base/mem.h"
#include "runtime/state/global.h"
#include "runtime/state/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct rt_store_spec SPECS[] = {
    {.name = "counts", .logged = true},
    {.name = "hours", .kind = RT_STORE_WINDOW, .retention_ms = 100, .logged = true},
    {.name = "light", .in_memory = true, .logged = true},
};

struct fixture {
    char dir[64];
    struct rt_rocks_shared *rocks;
    struct rt_state *state;
    char log[8192];
};

static int on_change(void *ctx, const struct rt_store_spec *spec, struct bs_bytes key,
                     struct bs_bytes value, int64_t timestamp, struct bs_error *err)
{
    struct fixture *f = ctx;
    size_t len = strlen(f->log), plain = spec->kind == RT_STORE_WINDOW ? key.len - 12 : key.len;
    (void)timestamp, (void)err;
    snprintf(f->log + len, sizeof f->log - len, "%s:%.*s=%.*s ", spec->name, (int)plain,
             (const char *)key.ptr, value.ptr ? (int)value.len : 4,
             value.ptr ? (const char *)value.ptr : "null");
    return 0;
}

static void open_state(struct fixture *f)
{
    struct bs_error err = {0};
    char task[80];
    struct rt_state_options options = {.dir = task,
                                       .specs = SPECS,
                                       .spec_count = 3,
                                       .change = on_change,
                                       .change_ctx = f,
                                       .rocks = f->rocks,
                                       .cache_bytes = 1 << 20};
    snprintf(task, sizeof task, "%s/0_0", f->dir);
    if (rt_state_open(&options, &f->state, &err) != 0)
        fail_msg("%s", err.text);
}

static void reopen(struct fixture *f)
{
    rt_state_close(f->state);
    f->state = NULL;
    open_state(f);
}

static int setup(void **state)
{
    static const struct rt_rocks_options OPTIONS = {8 << 20, 1 << 20};
    struct fixture *f = bs_new(struct fixture);
    strcpy(f->dir, "/tmp/weir-state-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    f->rocks = rt_rocks_shared_new(&OPTIONS);
    open_state(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];
    rt_state_close(f->state);
    rt_rocks_shared_free(f->rocks);
    snprintf(command, sizeof command, "rm -rf %s", f->dir);
    (void)!system(command);
    bs_free(f);
    return 0;
}

static void put(struct fixture *f, size_t i, const char *key, const char *value)
{
    assert_int_equal(rt_store_put(rt_state_store(f->state, i), bs_bytes_text(key),
                                  bs_bytes_text(value), 7, NULL),
                     0);
}

static void wput(struct fixture *f, const char *key, int64_t start, const char *value)
{
    assert_int_equal(rt_window_put(rt_state_store(f->state, 1), bs_bytes_text(key), start,
                                   bs_bytes_text(value), start, NULL),
                     0);
}

static void expect(struct fixture *f, size_t i, const char *key, const char *want)
{
    struct bs_bytes value;
    int64_t timestamp;
    int rc =
        rt_store_get(rt_state_store(f->state, i), bs_bytes_text(key), &value, &timestamp, NULL);
    assert_int_equal(rc, want ? 0 : 1);
    if (want)
        assert_true(bs_bytes_is(value, want));
}

static void expect_rows(struct fixture *f, size_t i, bool backward, const char *want)
{
    struct rt_store *store = rt_state_store(f->state, i);
    struct bs_bytes all = {0};
    struct rt_iter *iter;
    struct rt_row row;
    char got[1024] = "";
    int rc = i == 1 ? rt_window_fetch(store, all, INT64_MIN, INT64_MAX, backward, &iter, NULL)
                    : rt_store_range(store, all, all, backward, &iter, NULL);
    assert_int_equal(rc, 0);
    while ((rc = rt_iter_next(iter, &row, NULL)) == 0) {
        size_t len = strlen(got);
        snprintf(got + len, sizeof got - len, "%.*s@%lld=%.*s ", (int)row.key.len,
                 (const char *)row.key.ptr, (long long)row.start, (int)row.value.len,
                 (const char *)row.value.ptr);
    }
    assert_int_equal(rc, 1);
    assert_string_equal(got, want);
    rt_iter_close(iter);
}

static void commit(struct fixture *f, int64_t position)
{
    int64_t positions[3] = {position, position, position};
    assert_int_equal(rt_state_flush(f->state, NULL), 0);
    assert_int_equal(rt_state_commit(f->state, positions, NULL), 0);
}

static void a_crash_before_commit_leaves_the_last_commit(void **state)
{
    struct fixture *f = *state;
    put(f, 0, "a", "1");
    put(f, 0, "b", "1");
    wput(f, "w", 10, "x");
    expect(f, 0, "a", "1");
    commit(f, 42);
    assert_string_equal(f->log, "counts:a=1 counts:b=1 hours:w=x ");
    put(f, 0, "a", "2");
    put(f, 0, "b", NULL);
    put(f, 0, "c", "3");
    wput(f, "w", 60, "y");
    expect_rows(f, 0, false, "a@0=2 c@0=3 ");
    expect_rows(f, 0, true, "c@0=3 a@0=2 ");
    assert_true(rt_state_uncommitted_bytes(f->state) > 0);
    assert_int_equal(rt_state_flush(f->state, NULL), 0); /* the crash: no commit */
    reopen(f);
    assert_int_equal(rt_state_position(f->state, 0), 42);
    assert_int_equal(rt_state_position(f->state, 1), 42);
    assert_int_equal(rt_state_position(f->state, 2), -1);
    expect_rows(f, 0, false, "a@0=1 b@0=1 ");
    expect_rows(f, 1, false, "w@10=x ");
}

static void abort_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    put(f, 0, "a", "1");
    put(f, 2, "m", "1");
    wput(f, "w", 10, "x");
    commit(f, 1);
    put(f, 0, "a", "2");
    put(f, 2, "m", NULL);
    wput(f, "w", 500, "later");
    rt_state_abort(f->state);
    assert_int_equal(rt_state_uncommitted_bytes(f->state), 0);
    expect(f, 0, "a", "1");
    expect(f, 2, "m", "1");
    expect_rows(f, 1, false, "w@10=x "); /* its observed time went back too */
    commit(f, 2);
    reopen(f);
    expect(f, 0, "a", "1");
    expect(f, 2, "m", NULL); /* in memory: comes back from its changelog */
}

static void a_changelog_record_for_each_row_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++)
        put(f, 0, i % 2 ? "odd" : "even", i == 99 ? "last" : "v");
    commit(f, 1);
    assert_string_equal(f->log, "counts:even=v counts:odd=last ");
    put(f, 0, "odd", "again");
    assert_int_equal(rt_state_flush(f->state, NULL), 0);
    assert_int_equal(rt_state_flush(f->state, NULL), 0);
    assert_string_equal(f->log, "counts:even=v counts:odd=last counts:odd=again ");
}

static void expiry_reaches_committed_rows(void **state)
{
    struct fixture *f = *state;
    wput(f, "a", 0, "1");
    wput(f, "b", 50, "2");
    commit(f, 1);
    reopen(f);
    wput(f, "c", 120, "3");
    f->log[0] = '\0';
    assert_int_equal(rt_window_expire(rt_state_store(f->state, 1), 0, NULL), 0);
    commit(f, 2);
    assert_string_equal(f->log, "hours:c=3 hours:a=null ");
    reopen(f);
    expect_rows(f, 1, false, "b@50=2 c@120=3 ");
    wput(f, "b", 30, "late but shown");
    f->log[0] = '\0';
    assert_int_equal(rt_window_expire(rt_state_store(f->state, 1), 1000, NULL), 0);
    commit(f, 3);
    assert_string_equal(f->log, "hours:b=null hours:b=null hours:c=null ");
    reopen(f);
    expect_rows(f, 1, false, "");
}

static void restore_builds_the_same_rows(void **state)
{
    struct fixture *f = *state;
    int64_t positions[3] = {9, 9, 9};
    uint8_t key[1 + 12] = {'w'};
    put(f, 0, "stale", "1");
    commit(f, 100);
    assert_int_equal(rt_state_wipe(f->state, 0, NULL), 0);
    f->log[0] = '\0';
    bs_store_u64(key + 1, 70);
    assert_int_equal(rt_state_restore(f->state, 0, bs_bytes_text("k"), bs_bytes_text("v"), 5, NULL),
                     0);
    assert_int_equal(
        rt_state_restore(f->state, 1, bs_bytes(key, sizeof key), bs_bytes_text("x"), 5, NULL), 0);
    assert_int_equal(
        rt_state_restore(f->state, 1, bs_bytes_text("short"), bs_bytes_text("x"), 5, NULL),
        BS_ECORRUPT);
    assert_int_equal(rt_state_commit(f->state, positions, NULL), 0);
    assert_int_equal(rt_state_flush(f->state, NULL), 0);
    assert_string_equal(f->log, "");
    reopen(f);
    assert_int_equal(rt_state_position(f->state, 0), 9);
    expect_rows(f, 0, false, "k@0=v ");
    expect_rows(f, 1, false, "w@70=x ");
}

static void readers_see_what_the_writer_wrote(void **state)
{
    static const struct rt_store_spec SPEC = {.name = "airports"};
    struct fixture *f = *state;
    struct rt_globals *globals;
    struct rt_store *reader;
    struct bs_bytes value;
    int64_t number;
    char dir[80];
    snprintf(dir, sizeof dir, "%s/global", f->dir);
    assert_int_equal(rt_globals_open(f->rocks, dir, &SPEC, 1, &globals, NULL), 0);
    reader = rt_globals_reader_new(globals, 0, 1 << 16);
    assert_int_equal(rt_store_get(reader, bs_bytes_text("JFK"), &value, &number, NULL), 1);
    rt_globals_put(globals, 0, bs_bytes_text("JFK"), bs_bytes_text("New York"), 3);
    rt_globals_set_position(globals, 0, 0, 17);
    assert_int_equal(rt_globals_write(globals, NULL), 0);
    assert_int_equal(rt_store_get(reader, bs_bytes_text("JFK"), &value, &number, NULL), 0);
    assert_true(bs_bytes_is(value, "New York"));
    assert_int_equal(rt_store_put(reader, bs_bytes_text("x"), value, 1, NULL), BS_EDENIED);
    assert_int_equal(rt_globals_position(globals, 0, 0, &number, NULL), 0);
    assert_int_equal(number, 17);
    assert_int_equal(rt_globals_wipe(globals, 0, 1, NULL), 0);
    assert_int_equal(rt_store_get(reader, bs_bytes_text("JFK"), &value, &number, NULL), 1);
    rt_globals_reader_free(reader);
    rt_globals_close(globals);
}

static void a_second_opener_is_told(void **state)
{
    struct fixture *f = *state;
    struct rt_rocks *other;
    struct bs_error err = {0};
    char dir[80];
    snprintf(dir, sizeof dir, "%s/0_0", f->dir);
    assert_int_equal(rt_rocks_open(f->rocks, dir, &other, &err), BS_EBUSY);
    assert_non_null(strstr(err.text, "state.dir"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_crash_before_commit_leaves_the_last_commit),
        TEST(abort_leaves_no_trace),
        TEST(a_changelog_record_for_each_row_once),
        TEST(expiry_reaches_committed_rows),
        TEST(restore_builds_the_same_rows),
        TEST(readers_see_what_the_writer_wrote),
        TEST(a_second_opener_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
