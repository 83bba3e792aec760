/* Avro JSON: what Java read of tests/golden/avro-compat/decode.json, as text that comes back the
 * same; branches of unions; what is refused, and where. */
#include "lib/serde/golden_test.h"

#include <string.h>

static const struct sd_schema *schema_of(const char *text)
{
    struct sd_schema *schema;
    struct bs_error err = {0};
    if (sd_schema_parse(bs_bytes_text(text), true, NULL, 0, &schema, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return schema;
}

/* JSON text → value → binary → value → JSON text. 0, or the first error. */
static int there_and_back(const struct sd_node *node, struct bs_bytes text, struct bs_buf *ret,
                          struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf bytes = BS_BUF_INIT;
    struct sd_value value, again;
    int rc = sd_avro_json_read(node, text, &arena, &value, err);
    if (rc == 0)
        rc = sd_avro_write(node, &value, &bytes, err);
    if (rc == 0)
        rc = sd_avro_read(node, bs_buf_bytes(&bytes), &arena, &again, err);
    if (rc == 0)
        rc = sd_avro_json_write(node, &again, ret, err);
    bs_buf_deinit(&bytes);
    bs_arena_deinit(&arena);
    return rc;
}

static void test_golden(void **state)
{
    struct golden g;
    size_t seen = 0;
    (void)state;
    golden_open(&g, "decode.json");
    for (size_t i = 0; i < g.rows.array.count; i++) {
        const struct sd_value *row = &g.rows.array.items[i], *written = golden_get(row, "written");
        const char *name = golden_name(&g, row);
        struct bs_buf text = BS_BUF_INIT, back = BS_BUF_INIT, twice = BS_BUF_INIT;
        struct bs_error err = {0};
        struct sd_schema *schema;
        if (written == NULL)
            continue;
        schema = golden_schema(golden_get(row, "writer"), name);
        assert_int_equal(sd_json_write(written, false, &text, &err), 0);
        if (there_and_back(sd_schema_root(schema), bs_buf_bytes(&text), &back, &err) < 0 ||
            there_and_back(sd_schema_root(schema), bs_buf_bytes(&back), &twice, &err) < 0)
            fail_msg("%s: %s: %s", name, bs_buf_text(&text), err.text);
        assert_string_equal(bs_buf_text(&back), bs_buf_text(&twice));
        sd_schema_unref(schema);
        bs_buf_deinit(&text);
        bs_buf_deinit(&back);
        bs_buf_deinit(&twice);
        seen++;
    }
    assert_true(seen > 100);
    golden_close(&g);
}

#define RECORD                                                                                     \
    "{\"type\":\"record\",\"name\":\"n.R\",\"fields\":[{\"name\":\"u\",\"type\":[\"null\","        \
    "\"string\",\"bytes\",\"n.R\",{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}]},"       \
    "{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":\"int\"},\"default\":[7]},{\"name\":"  \
    "\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},\"default\":\"\\u00ff\\u0000\"" \
    "},{\"name\":\"d\",\"type\":\"double\",\"default\":0}]}"

/* JSON in; what comes back, or "!" and what the error says. */
static void test_cases(void **state)
{
    static const struct {
        const char *schema, *text, *want;
    } CASES[] = {
        {RECORD, "{\"u\":null}", "{\"u\":null,\"l\":[7],\"x\":\"\303\277\\u0000\",\"d\":0.0}"},
        {RECORD, "{\"u\":{\"bytes\":\"A\"},\"l\":[],\"x\":\"\\u00fea\",\"d\":\"NaN\"}",
         "{\"u\":{\"bytes\":\"A\"},\"l\":[],\"x\":\"\303\276a\",\"d\":\"NaN\"}"},
        {RECORD, "{\"u\":{\"string\":\"A\"},\"d\":\"-Infinity\"}",
         "{\"u\":{\"string\":\"A\"},\"l\":[7],\"x\":\"\303\277\\u0000\",\"d\":\"-Infinity\"}"},
        {RECORD, "{\"u\":{\"n.E\":\"A\"},\"l\":[1]}",
         "{\"u\":{\"n.E\":\"A\"},\"l\":[1],\"x\":\"\303\277\\u0000\",\"d\":0.0}"},
        {RECORD, "{\"u\":{\"n.R\":{\"u\":null,\"l\":[1,\"a\"]}}}", "!/u/n.R/l/1: int is wanted"},
        {RECORD, "{\"u\":\"A\"}",
         "!/u: a value of a union is {\"branch\": value} or null, this is string"},
        {RECORD, "{\"u\":{\"E\":\"A\"}}",
         "!this is branch \"E\"; the branches are null, string, bytes, n.R, n.E"},
        {RECORD, "{\"u\":{\"n.E\":\"B\"}}", "!/u/n.E: enum n.E has no symbol \"B\""},
        {RECORD, "{\"u\":null,\"x\":\"abc\"}", "!/x: fixed n.F has 2 bytes, these are 3"},
        {RECORD, "{\"u\":null,\"x\":\"a\\u0100\"}", "!/x: char 2 is beyond U+00FF"},
        {RECORD, "{\"u\":null,\"y\":1}", "!/y: record n.R has no such field"},
        {RECORD, "{\"l\":[1]}", "!/u"},
        {RECORD, "{\"u\":null,\"l\":[2147483648]}", "!/l/0: 2147483648 is not an int"},
        {RECORD, "{\"u\":null,\"d\":\"none\"}", "!/d: double is wanted, this is string"},
        {RECORD, "{\"u\":null,\n \"l\":[1,]}", "!line 2"},
        {"\"int\"", "1.5", "!int is wanted, this is double"},
        {"\"bytes\"", "\"\\u00e9\"", "\"\303\251\""},
        {"\"null\"", "null", "null"},
        {"\"boolean\"", "0", "!boolean is wanted"},
        {"{\"type\":\"map\",\"values\":[\"null\",\"long\"]}", "{\"a\":{\"long\":5},\"b\":null}",
         "{\"a\":{\"long\":5},\"b\":null}"},
        {"[\"int\"]", "null", "!the branches are int"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct sd_schema *schema = schema_of(CASES[i].schema);
        struct bs_buf out = BS_BUF_INIT;
        struct bs_error err = {0};
        const char *want = CASES[i].want;
        int rc = there_and_back(sd_schema_root(schema), bs_bytes_text(CASES[i].text), &out, &err);
        if (*want == '!' ? rc == 0 || strstr(err.text, want + 1) == NULL
                         : rc < 0 || strcmp(bs_buf_text(&out), want) != 0)
            fail_msg("%s: %s", CASES[i].text, rc < 0 ? err.text : bs_buf_text(&out));
        bs_buf_deinit(&out);
        sd_schema_unref((struct sd_schema *)schema);
    }
}

/* A path is made of what stands in the data: no bytes that are no text get into a message. */
static void test_path_is_text(void **state)
{
    const struct sd_schema *schema = schema_of("{\"type\":\"map\",\"values\":\"boolean\"}");
    const uint8_t bytes[] = {2, 8, 'a', '\n', 0xff, 0x81, 7, 0};
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sd_value value;
    (void)state;
    assert_true(sd_avro_read(sd_schema_root(schema), bs_bytes(bytes, sizeof bytes), &arena, &value,
                             &err) < 0);
    assert_non_null(strstr(err.text, "/a???:"));
    bs_arena_deinit(&arena);
    sd_schema_unref((struct sd_schema *)schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_path_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
