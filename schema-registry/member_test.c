/* Member: what is taken for what, and what is said where it cannot be. */
#include "schema-registry/member.h"

#include "lib/serde/golden_test.h"

static void expect(const char *object, enum sd_type type, const char *want)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_value json, value;
    assert_int_equal(sd_json_read(bs_bytes_text(object), &arena, &json, NULL), 0);
    if (sr_member_read(&json, "a", type, &arena, &value, &err) < 0)
        bs_buf_puts(&out, err.text);
    else
        sd_json_write(&value, false, &out, NULL);
    assert_string_equal(bs_buf_text(&out), want);
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

static void test_texts(void **state)
{
    (void)state;
    expect("{\"a\":\"x\"}", SD_STRING, "\"x\"");
    expect("{\"a\":5}", SD_STRING, "\"5\"");
    expect("{\"a\":1.5}", SD_STRING, "\"1.5\"");
    expect("{\"a\":false}", SD_STRING, "\"false\"");
    expect("{\"a\":null}", SD_STRING, "null");
    expect("{}", SD_STRING, "null");
    expect("{\"a\":{}}", SD_STRING, "\"a\" is an object, a string is wanted");
    expect("{\"a\":[]}", SD_STRING, "\"a\" is an array, a string is wanted");
}

static void test_integers(void **state)
{
    (void)state;
    expect("{\"a\":7}", SD_LONG, "7");
    expect("{\"a\":\" -7 \"}", SD_LONG, "-7");
    expect("{\"a\":\"+7\"}", SD_LONG, "7");
    expect("{\"a\":2.0}", SD_LONG, "2");
    expect("{\"a\":\"  \"}", SD_LONG, "null");
    expect("{\"a\":\"null\"}", SD_LONG, "null");
    expect("{\"a\":2.5}", SD_LONG, "\"a\" is a number, an integer is wanted");
    expect("{\"a\":1e300}", SD_LONG, "\"a\" is a number, an integer is wanted");
    expect("{\"a\":\"7x\"}", SD_LONG, "\"a\" is a string, an integer is wanted");
    expect("{\"a\":\"7\\u00007\"}", SD_LONG, "\"a\" is a string, an integer is wanted");
    expect("{\"a\":\"99999999999999999999\"}", SD_LONG, "\"a\" is a string, an integer is wanted");
    expect("{\"a\":true}", SD_LONG, "\"a\" is a boolean, an integer is wanted");
}

static void test_booleans(void **state)
{
    (void)state;
    expect("{\"a\":true}", SD_BOOL, "true");
    expect("{\"a\":\"True\"}", SD_BOOL, "true");
    expect("{\"a\":\"FALSE \"}", SD_BOOL, "false");
    expect("{\"a\":0}", SD_BOOL, "false");
    expect("{\"a\":3}", SD_BOOL, "true");
    expect("{\"a\":\"\"}", SD_BOOL, "null");
    expect("{\"a\":1.0}", SD_BOOL, "\"a\" is a number, a boolean is wanted");
    expect("{\"a\":\"yes\"}", SD_BOOL, "\"a\" is a string, a boolean is wanted");
}

static void test_whole_ones(void **state)
{
    (void)state;
    expect("{\"a\":{\"b\":1}}", SD_MAP, "{\"b\":1}");
    expect("{\"a\":[1]}", SD_ARRAY, "[1]");
    expect("{\"a\":\"\"}", SD_MAP, "\"a\" is a string, an object is wanted");
    expect("{\"a\":1}", SD_ARRAY, "\"a\" is a number, an array is wanted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_whole_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
