/* JSON: what is read and what is not, how numbers print, hostile texts. */
#include "lib/serde/golden_test.h"

#include "lib/base/mem.h"

#include <math.h>

static void test_round_trip(void **state)
{
    static const char *const rows[][2] = {
        {"{\"b\":1,\"a\":[true,false,null]}", NULL},
        {" [ 1 , -2 , 9223372036854775807 , -9223372036854775808 ] ",
         "[1,-2,9223372036854775807,-9223372036854775808]"},
        {"[1.0,0.1,-0.5,1e2,1.5e-9,1e21,123456.789,0.30000000000000004,1E400e]", ""},
        {"[1.0,0.1,-0.5,1e2,1.5e-9,1e21,123456.789,0.30000000000000004]",
         "[1.0,0.1,-0.5,100.0,1.5e-9,1e21,123456.789,0.30000000000000004]"},
        {"[5e-324,1.7976931348623157e308,-0.0,2.2250738585072014e-308]",
         "[5e-324,1.7976931348623157e308,-0.0,2.2250738585072014e-308]"},
        {"\"\\u00e9\\n\\\"\\\\\\/\\ud83d\\ude00\\u0000\"",
         "\"\xc3\xa9\\n\\\"\\\\/\xf0\x9f\x98\x80\\u0000\""},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"},
        {"\"\"", NULL},
        {"{}", NULL},
        {"[]", NULL},
        {"{\"\":{\"\":[]}}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bs_arena arena = BS_ARENA_INIT;
        struct bs_buf out = BS_BUF_INIT;
        struct bs_error err = {0};
        struct sd_value value;
        const char *want = rows[i][1] ? rows[i][1] : rows[i][0];
        int rc = sd_json_read(bs_bytes_text(rows[i][0]), &arena, &value, &err);
        if (*want == '\0') {
            assert_true(rc < 0);
        } else {
            if (rc < 0 || sd_json_write(&value, false, &out, &err) < 0)
                fail_msg("%s: %s", rows[i][0], err.text);
            assert_string_equal(bs_buf_text(&out), want);
        }
        bs_buf_deinit(&out);
        bs_arena_deinit(&arena);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        int code;
        const char *says;
    } rows[] = {
        {"", BS_ESYNTAX, "line 1 column 1"},
        {"{\"a\":1,}", BS_ESYNTAX, "line 1 column 8"},
        {"{\n\"a\" 1}", BS_ESYNTAX, "line 2 column 5"},
        {"[1 2]", BS_ESYNTAX, "','"},
        {"[1,]", BS_ESYNTAX, "','"},
        {"01", BS_ESYNTAX, "0"},
        {"1.", BS_ESYNTAX, "too early"},
        {"-", BS_ESYNTAX, "too early"},
        {"1e", BS_ESYNTAX, "too early"},
        {"+1", BS_ESYNTAX, "value"},
        {"NaN", BS_ESYNTAX, "value"},
        {"nul", BS_ESYNTAX, "value"},
        {"true false", BS_ESYNTAX, "goes on"},
        {"\"\t\"", BS_ESYNTAX, "control"},
        {"\"\\x\"", BS_ESYNTAX, "escape"},
        {"\"\\ud800\"", BS_ESYNTAX, "surrogate"},
        {"\"\\u12\"", BS_ESYNTAX, "hexadecimal"},
        {"\"abc", BS_ESYNTAX, "too early"},
        {"\"\\", BS_ESYNTAX, "too early"},
        {"\"\xff\"", BS_ESYNTAX, "UTF-8"},
        {"// x\n1", BS_ESYNTAX, "value"},
        {"9223372036854775808", BS_ERANGE, "64 bits"},
        {"1e999", BS_ERANGE, "large"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bs_arena arena = BS_ARENA_INIT;
        struct bs_error err = {0};
        struct sd_value value;
        size_t len = strlen(rows[i].text);
        char *exact = bs_memdup(rows[i].text, len);
        int rc = sd_json_read(bs_bytes(exact, len), &arena, &value, &err);
        if (rc != rows[i].code || strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s gives %d: %s", rows[i].text, rc, err.text);
        bs_free(exact);
        bs_arena_deinit(&arena);
    }
}

static void test_deep(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf text = BS_BUF_INIT;
    struct bs_error err;
    struct sd_value value;
    (void)state;
    for (int i = 0; i < 100000; i++)
        bs_buf_puts(&text, "[");
    assert_int_equal(sd_json_read(bs_buf_bytes(&text), &arena, &value, &err), BS_ELIMIT);
    bs_buf_reset(&text);
    for (int i = 0; i < 512; i++)
        bs_buf_puts(&text, "[");
    for (int i = 0; i < 512; i++)
        bs_buf_puts(&text, "]");
    assert_int_equal(sd_json_read(bs_buf_bytes(&text), &arena, &value, &err), 0);
    bs_buf_deinit(&text);
    bs_arena_deinit(&arena);
}

static void test_many_members(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf text = BS_BUF_INIT;
    struct sd_value value;
    (void)state;
    bs_buf_puts(&text, "{\"k0\":-1");
    for (int i = 0; i < 5000; i++)
        bs_buf_printf(&text, ",\"k%d\":%d", i % 2500, i);
    bs_buf_puts(&text, "}");
    assert_int_equal(sd_json_read(bs_buf_bytes(&text), &arena, &value, NULL), 0);
    assert_int_equal(value.map.count, 2500);
    assert_int_equal(sd_value_get(&value, bs_bytes_text("k0"))->number, 2500);
    assert_int_equal(sd_value_get(&value, bs_bytes_text("k2499"))->number, 4999);
    bs_buf_deinit(&text);
    bs_arena_deinit(&arena);
}

static void test_write_refuses(void **state)
{
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err;
    struct sd_field field = {.name = bs_bytes_text("x")};
    struct sd_value map = {.type = SD_MAP, .map = {.fields = &field, .count = 1}};
    (void)state;
    field.value = (struct sd_value){.type = SD_DOUBLE, .real = NAN};
    assert_int_equal(sd_json_write(&map, false, &out, &err), BS_EINVAL);
    assert_non_null(strstr(err.text, "/x"));
    field.value = (struct sd_value){.type = SD_BYTES, .bytes = bs_bytes("\xff\x00z", 3)};
    assert_int_equal(sd_json_write(&map, false, &out, &err), BS_EINVAL);
    assert_int_equal(out.len, 0);
    assert_int_equal(sd_json_write(&map, true, &out, &err), 0);
    assert_string_equal(bs_buf_text(&out), "{\"x\":\"/wB6\"}");
    bs_buf_reset(&out);
    field.value = (struct sd_value){.type = SD_FLOAT, .real = (double)0.1f};
    assert_int_equal(sd_json_write(&map, true, &out, &err), 0);
    assert_string_equal(bs_buf_text(&out), "{\"x\":0.1}");
    bs_buf_deinit(&out);
}

/* Random doubles of all sizes print so that they read back, and no longer than printf would. */
static void test_numbers_read_back(void **state)
{
    uint64_t random = 88172645463325252u;
    (void)state;
    for (int i = 0; i < 50000; i++) {
        struct bs_arena arena = BS_ARENA_INIT;
        struct bs_buf out = BS_BUF_INIT;
        struct sd_value value = {.type = SD_DOUBLE}, back;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memcpy(&value.real, &random, sizeof value.real);
        if (i % 2)
            value.real = (double)(int64_t)(random % 2000000000) / (i % 4 == 1 ? 1000 : 7);
        if (!isfinite(value.real))
            continue;
        assert_int_equal(sd_json_write(&value, false, &out, NULL), 0);
        assert_int_equal(sd_json_read(bs_buf_bytes(&out), &arena, &back, NULL), 0);
        if (back.real != value.real)
            fail_msg("%.17g printed as %s", value.real, bs_buf_text(&out));
        bs_buf_deinit(&out);
        bs_arena_deinit(&arena);
    }
}

/* Truncated and changed schema texts: accepted or refused, never more. */
static void test_mutated_texts(void **state)
{
    struct golden g;
    uint32_t random = 4711;
    (void)state;
    golden_open(&g, "parsing.json");
    for (size_t i = 0; i < g.rows.array.count; i++) {
        struct bs_bytes text = golden_get(&g.rows.array.items[i], "schema")->bytes;
        for (int round = 0; round < 40 && text.len; round++) {
            struct sd_schema *schema = NULL;
            uint8_t *copy = bs_memdup(text.ptr, text.len);
            size_t len = text.len;
            random = random * 1664525 + 1013904223;
            if (round % 2)
                len = (random >> 8) % text.len;
            else
                copy[(random >> 8) % text.len] = "{}[]\",:0.e\\ntf/*"[(random >> 4) % 16];
            if (sd_schema_parse(bs_bytes(copy, len), round % 4 < 2, NULL, 0, &schema, NULL) == 0) {
                struct bs_buf out = BS_BUF_INIT;
                sd_schema_text(schema, true, &out);
                sd_schema_pcf(schema, &out);
                bs_buf_deinit(&out);
            }
            sd_schema_unref(schema);
            bs_free(copy);
        }
    }
    golden_close(&g);
}

static void test_few_values(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sd_value value;
    (void)state;
    assert_int_equal(sd_json_read_few(bs_bytes_text("{\"a\":[1,{}]}"), 4, &arena, &value, &err), 0);
    assert_int_equal(sd_json_read_few(bs_bytes_text("{\"a\":[1,{}]}"), 3, &arena, &value, &err),
                     BS_ELIMIT);
    assert_non_null(strstr(err.text, "column 9"));
    bs_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_values),        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refused),           cmocka_unit_test(test_deep),
        cmocka_unit_test(test_many_members),      cmocka_unit_test(test_write_refuses),
        cmocka_unit_test(test_numbers_read_back), cmocka_unit_test(test_mutated_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
