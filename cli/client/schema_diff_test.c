/* Schema diff: what is printed for changes at both ends, in the middle, and for none. */
#include "cli/client/schema_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define FIELD(name)    "{\"name\":\"" name "\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"
#define LINE(name)     "    " FIELD(name)

static void expect(const char *old, const char *new, const char *want)
{
    struct bs_buf out = BS_BUF_INIT;
    cl_schema_diff(old, "old", new, "new", &out);
    if (strcmp(bs_buf_text(&out), want) != 0)
        fail_msg("%s", bs_buf_text(&out));
    bs_buf_deinit(&out);
}

static void test_diff(void **state)
{
    (void)state;
    expect("\"int\"", "\"int\"", "");
    expect("\"int\"", " \"int\" ", "");
    expect("\"int\"", "\"long\"", "--- old\n+++ new\n-\"int\"\n+\"long\"\n");
    expect(RECORD(FIELD("a") "," FIELD("b") "," FIELD("c") "," FIELD("d") "," FIELD("e")),
           RECORD(FIELD("a") "," FIELD("b") "," FIELD("c") "," FIELD("x") "," FIELD("e")),
           "--- old\n+++ new\n …\n " LINE("b") ",\n " LINE("c") ",\n-" LINE("d") ",\n+" LINE(
               "x") ",\n " LINE("e") "\n   ]\n …\n");
    expect(RECORD(FIELD("a") "," FIELD("b")), RECORD(FIELD("a") "," FIELD("b") "," FIELD("c")),
           "--- old\n+++ new\n …\n   \"fields\":[\n " LINE("a") ",\n-" LINE("b") "\n+" LINE(
               "b") ",\n+" LINE("c") "\n   ]\n }\n");
    /* short records too, the inner ones as well */
    expect("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}",
           "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}",
           "--- old\n+++ new\n …\n   \"name\":\"R\",\n   \"fields\":[\n"
           "-    {\"name\":\"a\",\"type\":\"int\"}\n+    {\"name\":\"a\",\"type\":\"long\"}\n   "
           "]\n }\n");
    expect(
        "{\"type\":\"array\",\"items\":{\"name\":\"I\",\"fields\":[{\"name\":\"a\"}]}}",
        "{\"type\":\"array\",\"items\":{\"name\":\"I\",\"fields\":[{\"name\":\"b\"}]}}",
        "--- old\n+++ new\n …\n     \"name\":\"I\",\n     \"fields\":[\n-      {\"name\":\"a\"}\n"
        "+      {\"name\":\"b\"}\n     ]\n   }\n …\n");
    expect("{\"fields\":[]}", "{\"fields\":[ ]}", "");
    expect("not JSON", "\"int\"", "--- old\n+++ new\n-not JSON\n+\"int\"\n");
    expect("", "", "");
}

/* Beyond the bound of the table all old lines go before all new ones; nothing is lost. */
static void test_large(void **state)
{
    struct bs_buf old = BS_BUF_INIT, new = BS_BUF_INIT, out = BS_BUF_INIT;
    size_t minus = 0, plus = 0;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        bs_buf_printf(&old, "%s%d", i ? "," : "[", i);
        bs_buf_printf(&new, "%s%d", i ? "," : "[", i + 10000);
    }
    bs_buf_puts(&old, "]");
    bs_buf_puts(&new, "]");
    cl_schema_diff(bs_buf_text(&old), "old", bs_buf_text(&new), "new", &out);
    for (const char *line = bs_buf_text(&out); line; line = strchr(line, '\n')) {
        line += *line == '\n';
        minus += *line == '-';
        plus += *line == '+';
    }
    assert_int_equal(minus, 5000 + 1);
    assert_int_equal(plus, 5000 + 1);
    bs_buf_deinit(&old);
    bs_buf_deinit(&new);
    bs_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diff),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
