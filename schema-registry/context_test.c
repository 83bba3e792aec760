/* Contexts: the spellings of names. */
#include "schema-registry/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_split_and_stored(void **state)
{
    static const struct {
        const char *name, *context, *bare, *stored;
        bool qualified;
    } rows[] = {
        {"s", ".", "s", "s", false},
        {"", ".", "", "", false},
        {":.:s", ".", "s", "s", true},
        {":.:", ".", "", "", true},
        {":.", ".", "", "", true},
        {":.ctx:s", ".ctx", "s", ":.ctx:s", true},
        {":.ctx:", ".ctx", "", ":.ctx:", true},
        {":.ctx", ".ctx", "", ":.ctx:", true},
        {":.ctx:a:b", ".ctx", "a:b", ":.ctx:a:b", true},
        {":.__GLOBAL:", ".__GLOBAL", "", ":.__GLOBAL:", true},
        {":*:s", "*", "s", ":*:s", true},
        {":s", ".", ":s", ":s", false},
        {":*s", ".", ":*s", ":*s", false},
        {":.::.x:s", ".", ":.x:s", ":.::.x:s", true}, /* ":.x:s" would be another subject */
    };
    struct bs_arena arena = BS_ARENA_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sr_name parts = sr_name_split(rows[i].name);
        const char *stored = sr_name_stored(&arena, rows[i].name);
        assert_true(bs_bytes_is(parts.context, rows[i].context));
        assert_string_equal(parts.bare, rows[i].bare);
        assert_int_equal(parts.qualified, rows[i].qualified);
        assert_string_equal(stored, rows[i].stored);
        assert_string_equal(sr_name_stored(&arena, stored), stored);
    }
    bs_arena_deinit(&arena);
}

static void test_beside(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    (void)state;
    assert_string_equal(sr_name_beside(&arena, "r", "s"), "s");
    assert_string_equal(sr_name_beside(&arena, ":.ctx:r", "s"), ":.ctx:s");
    assert_string_equal(sr_name_beside(&arena, ":.ctx:r", ":.:s"), "s");
    assert_string_equal(sr_name_beside(&arena, ":.ctx:r", ":.d:s"), ":.d:s");
    assert_string_equal(sr_name_beside(&arena, "r", ":.d:s"), ":.d:s");
    assert_true(sr_name_means(":.ctx:r", "s", ":.ctx:s"));
    assert_false(sr_name_means(":.ctx:r", "s", "s"));
    assert_true(sr_name_means(":.ctx:r", ":.:s", "s"));
    assert_true(sr_name_means("r", ":.ctx:s", ":.ctx:s"));
    assert_false(sr_name_means("r", "s", ":.ctx:s"));
    assert_string_equal(sr_name_join(&arena, bs_bytes_text(".ctx"), "s"), ":.ctx:s");
    assert_string_equal(sr_name_join(&arena, bs_bytes_text("."), "s"), "s");
    bs_arena_deinit(&arena);
}

static void test_prefix(void **state)
{
    (void)state;
    assert_true(sr_name_has_prefix("orders", ":*:"));
    assert_true(sr_name_has_prefix(":.ctx:orders", ":*:"));
    assert_true(sr_name_has_prefix(":.ctx:orders", ":*:ord"));
    assert_false(sr_name_has_prefix(":.ctx:orders", ":*:x"));
    assert_true(sr_name_has_prefix("orders", "ord"));
    assert_true(sr_name_has_prefix("orders", ":.:ord"));
    assert_false(sr_name_has_prefix(":.ctx:orders", "ord"));
    assert_false(sr_name_has_prefix(":.ctx:orders", ""));
    assert_true(sr_name_has_prefix(":.ctx:orders", ":.ctx:"));
    assert_true(sr_name_has_prefix(":.ctx:orders", ":.ctx"));
    assert_true(sr_name_has_prefix(":.ctx:orders", ":.ctx:o"));
    assert_false(sr_name_has_prefix(":.ctx2:orders", ":.ctx:"));
    assert_false(sr_name_has_prefix("orders", ":.ctx:"));
}

static void test_valid(void **state)
{
    char long_name[SR_CONTEXT_MAX + 2];
    (void)state;
    memset(long_name, 'x', sizeof long_name);
    long_name[0] = '.';
    assert_true(sr_context_valid(bs_bytes_text(".")));
    assert_true(sr_context_valid(bs_bytes_text(".ctx")));
    assert_true(sr_context_valid(bs_bytes(long_name, SR_CONTEXT_MAX)));
    assert_false(sr_context_valid(bs_bytes(long_name, SR_CONTEXT_MAX + 1)));
    assert_false(sr_context_valid(bs_bytes_text("")));
    assert_false(sr_context_valid(bs_bytes_text("ctx")));
    assert_false(sr_context_valid(bs_bytes_text(".a:b")));
    assert_false(sr_context_valid(bs_bytes_text(".a\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_and_stored),
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
