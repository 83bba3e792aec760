/* JSON member: what health objects look like, and what is not one. */
#include "cli/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const char *json, const char *name, const char *wanted)
{
    char text[32] = "untouched";
    bool found = cl_json_member(bs_bytes_text(json), name, text, sizeof text);
    assert_int_equal(found, wanted != NULL);
    if (wanted)
        assert_string_equal(text, wanted);
}

static void test_members(void **state)
{
    const char *json =
        "{\"status\":\"ok\", \"inner\":{\"listen\":\"no\",\"list\":[\"listen\",1]},\n"
        " \"listen\" : \"127.0.0.1:9092\",\"caught_up\":true,\"lag\":-1.5e3}";
    (void)state;
    expect(json, "status", "ok");
    expect(json, "listen", "127.0.0.1:9092");
    expect(json, "caught_up", "true");
    expect(json, "lag", "-1.5e3");
    expect(json, "list", NULL);
    expect(json, "ok", NULL);
    expect("{\"message\":\"a \\\"b\\\"\\nc \\u00e4\"}", "message", "a \"b\"\nc \\u00e4");
    expect("{\"m\":\"0123456789012345678901234567890123456789\"}", "m",
           "0123456789012345678901234567890");
}

static void test_broken(void **state)
{
    (void)state;
    expect("", "a", NULL);
    expect("{", "a", NULL);
    expect("{\"a", "a", NULL);
    expect("{\"a\"", "a", NULL);
    expect("{\"a\":", "a", NULL);
    expect("{\"a\":\"", "a", NULL);
    expect("{\"a\":\"\\", "a", NULL);
    expect("[\"a\",\"b\"]", "a", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_members),
                                       cmocka_unit_test(test_broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
