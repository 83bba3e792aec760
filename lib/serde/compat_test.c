/* Compatibility: the strict rules for logical types, and how much work a check may be. The rules of
 * Avro are proved by the golden files in schema-registry/compat_test.c. */
#include "lib/serde/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct sd_schema *parse(const char *text)
{
    struct bs_error err = {0};
    struct sd_schema *schema;
    if (sd_schema_parse(bs_bytes_text(text), true, NULL, 0, &schema, &err) < 0)
        fail_msg("%s", err.text);
    return schema;
}

static void check(const char *reader, const char *writer, enum sd_compat_rules rules,
                  struct bs_arena *arena, struct sd_problems *ret)
{
    struct sd_schema *r = parse(reader), *w = parse(writer);
    sd_compat(r, w, rules, arena, ret);
    sd_schema_unref(r);
    sd_schema_unref(w);
}

#define DECIMAL(precision, scale)                                               \
    "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":" #precision \
    ",\"scale\":" #scale "}"
#define LOGICAL(type, name) "{\"type\":\"" type "\",\"logicalType\":\"" name "\"}"
#define RECORD(type) \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":" type "}]}"
#define NULLABLE(type) "[\"null\"," type "]"
#define FIXED(precision)                                                         \
    "{\"type\":\"fixed\",\"name\":\"F\",\"size\":8,\"logicalType\":\"decimal\"," \
    "\"precision\":" #precision "}"

/* Avro's rules pass all of them; the strict ones say what is wrong and where. */
static void test_logical(void **state)
{
    static const struct {
        const char *reader, *writer;
        int type; /* -1: fine */
        const char *path, *info;
    } rows[] = {
        {DECIMAL(10, 2), DECIMAL(10, 2), -1, NULL, NULL},
        {DECIMAL(12, 2), DECIMAL(10, 2), SD_DECIMAL_MISMATCH, "/",
         "expected: decimal(10,2), found: decimal(12,2)"},
        {DECIMAL(10, 3), DECIMAL(10, 2), SD_DECIMAL_MISMATCH, "/",
         "expected: decimal(10,2), found: decimal(10,3)"},
        {RECORD(DECIMAL(9, 0)), RECORD(DECIMAL(10, 0)), SD_DECIMAL_MISMATCH, "/fields/0/type",
         "expected: decimal(10,0), found: decimal(9,0)"},
        {RECORD(NULLABLE(DECIMAL(9, 1))), RECORD(NULLABLE(DECIMAL(9, 2))), SD_DECIMAL_MISMATCH,
         "/fields/0/type/1", "expected: decimal(9,2), found: decimal(9,1)"},
        {NULLABLE(DECIMAL(9, 1)), DECIMAL(9, 2), SD_DECIMAL_MISMATCH, "/",
         "expected: decimal(9,2), found: decimal(9,1)"},
        {FIXED(10), FIXED(12), SD_DECIMAL_MISMATCH, "/",
         "expected: decimal(12,0), found: decimal(10,0)"},
        {"\"bytes\"", DECIMAL(10, 2), SD_LOGICAL_TYPE_MISMATCH, "/",
         "reader logical type: none not compatible with writer logical type: decimal"},
        {LOGICAL("long", "timestamp-micros"), LOGICAL("long", "timestamp-millis"),
         SD_LOGICAL_TYPE_MISMATCH, "/",
         "reader logical type: timestamp-micros not compatible with writer logical type: "
         "timestamp-millis"},
        {"\"long\"", LOGICAL("int", "date"), SD_LOGICAL_TYPE_MISMATCH, "/",
         "reader logical type: none not compatible with writer logical type: date"},
        {"{\"type\":\"array\",\"items\":\"string\"}",
         "{\"type\":\"array\",\"items\":" LOGICAL("string", "uuid") "}", SD_LOGICAL_TYPE_MISMATCH,
         "/items", "reader logical type: none not compatible with writer logical type: uuid"},
        {"[\"string\",\"int\"]", "\"int\"", -1, NULL, NULL},
        {"\"long\"", "\"int\"", -1, NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bs_arena arena = BS_ARENA_INIT;
        struct sd_problems problems;
        check(rows[i].reader, rows[i].writer, SD_COMPAT_AVRO, &arena, &problems);
        assert_int_equal(problems.count, 0);
        check(rows[i].reader, rows[i].writer, SD_COMPAT_LOGICAL, &arena, &problems);
        assert_int_equal(problems.count, rows[i].type >= 0);
        if (rows[i].type >= 0) {
            assert_int_equal(problems.items[0].type, rows[i].type);
            assert_string_equal(problems.items[0].path, rows[i].path);
            assert_string_equal(problems.items[0].info, rows[i].info);
        }
        bs_arena_deinit(&arena);
    }
}

/* Another type is told as before, whatever its logical type. */
static void test_type_first(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems;
    (void)state;
    check(NULLABLE(DECIMAL(9, 1)), "\"boolean\"", SD_COMPAT_LOGICAL, &arena, &problems);
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.items[0].type, SD_MISSING_UNION_BRANCH);
    check("\"string\"", LOGICAL("int", "date"), SD_COMPAT_LOGICAL, &arena, &problems);
    assert_int_equal(problems.count, 1);
    assert_int_equal(problems.items[0].type, SD_TYPE_MISMATCH);
    bs_arena_deinit(&arena);
}

/* ---- work, counted in steps ---- */

/* A record of that many fields f0, f1, … of a type each. */
static void put_record(struct bs_buf *out, const char *field, size_t count, const char *type)
{
    bs_buf_reset(out);
    bs_buf_puts(out, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[");
    for (size_t i = 0; i < count; i++)
        bs_buf_printf(out, "%s{\"name\":\"%s%zu\",\"type\":%s}", i ? "," : "", field, i, type);
    bs_buf_puts(out, "]}");
}

static size_t text_of(const struct sd_problems *problems)
{
    size_t len = 0;
    for (size_t i = 0; i < problems->count; i++)
        len += strlen(problems->items[i].path) + strlen(problems->items[i].info);
    return len;
}

static void test_wide(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems;
    struct bs_buf a = BS_BUF_INIT, b = BS_BUF_INIT;
    (void)state;
    put_record(&a, "f", 1000, "[\"null\",\"string\"]");
    put_record(&b, "f", 1000, "\"string\"");
    check(bs_buf_text(&a), bs_buf_text(&b), SD_COMPAT_AVRO, &arena, &problems);
    assert_int_equal(problems.count, 0);
    assert_in_range(problems.steps, 1000, 10000);
    put_record(&a, "f", 10000, "\"long\"");
    put_record(&b, "f", 10000, "\"int\"");
    check(bs_buf_text(&a), bs_buf_text(&b), SD_COMPAT_AVRO, &arena, &problems);
    assert_int_equal(problems.count, 0);
    assert_in_range(problems.steps, 10000, 50000);
    put_record(&a, "a_name_that_is_long_so_that_texts_grow_and_grow_", 10000, "\"long\"");
    check(bs_buf_text(&a), bs_buf_text(&b), SD_COMPAT_AVRO, &arena, &problems);
    assert_int_equal(problems.count, SD_COMPAT_PROBLEMS_MAX);
    assert_in_range(problems.steps, 10000, 50000);
    assert_in_range(text_of(&problems), 1, SD_COMPAT_TEXT_MAX + 2 * SD_COMPAT_INFO_MAX);
    bs_buf_deinit(&a);
    bs_buf_deinit(&b);
    bs_arena_deinit(&arena);
}

/* A list, and two types that need each other; in the other schema unrolled once. */
static void test_recursive(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems;
    const char *list = "{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"v\",\"type\":"
                       "\"int\"},{\"name\":\"next\",\"type\":[\"null\",\"L\"]}]}";
    const char *unrolled =
        "{\"type\":\"record\",\"name\":\"L\",\"fields\":[{\"name\":\"v\",\"type\":\"int\"},{"
        "\"name\":\"next\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"o.L\",\"fields\":[{"
        "\"name\":\"v\",\"type\":\"int\"},{\"name\":\"next\",\"type\":[\"null\",\"L\"]}]}]}]}";
    (void)state;
    check(list, unrolled, SD_COMPAT_AVRO, &arena, &problems);
    assert_int_equal(problems.count, 0);
    assert_in_range(problems.steps, 1, 100);
    check(unrolled, list, SD_COMPAT_LOGICAL, &arena, &problems);
    assert_int_equal(problems.count, 0);
    assert_in_range(problems.steps, 1, 100);
    bs_arena_deinit(&arena);
}

/* 199 arrays in each other around a record whose field is missing. */
static void test_deep(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems;
    struct bs_buf a = BS_BUF_INIT, b = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_schema *none;
    (void)state;
    for (size_t deep = 190; deep <= 201; deep += 11) {
        bs_buf_reset(&a);
        bs_buf_reset(&b);
        for (size_t i = 0; i < deep; i++) {
            bs_buf_puts(&a, "{\"type\":\"array\",\"items\":");
            bs_buf_puts(&b, "{\"type\":\"array\",\"items\":");
        }
        bs_buf_puts(&a, "\"int\"");
        bs_buf_puts(&b, "\"string\"");
        for (size_t i = 0; i < deep; i++) {
            bs_buf_puts(&a, "}");
            bs_buf_puts(&b, "}");
        }
        if (deep > 200) {
            assert_int_equal(sd_schema_parse(bs_buf_bytes(&a), true, NULL, 0, &none, &err),
                             BS_ELIMIT);
            continue;
        }
        check(bs_buf_text(&a), bs_buf_text(&b), SD_COMPAT_AVRO, &arena, &problems);
        assert_int_equal(problems.count, 1);
        assert_int_equal(problems.items[0].type, SD_TYPE_MISMATCH);
        assert_in_range(problems.steps, deep, 3 * deep);
    }
    bs_buf_deinit(&a);
    bs_buf_deinit(&b);
    bs_arena_deinit(&arena);
}

/* Two unions of 15,000 records without a common one are 225 million pairs: given up, and not said
 * to be fine. */
static void test_unions(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems;
    struct bs_buf a = BS_BUF_INIT, b = BS_BUF_INIT;
    (void)state;
    bs_buf_puts(&a, "[");
    bs_buf_puts(&b, "[");
    for (size_t i = 0; i < 15000; i++) {
        bs_buf_printf(&a, "%s{\"type\":\"record\",\"name\":\"A%zu\",\"fields\":[]}", i ? "," : "",
                      i);
        bs_buf_printf(&b, "%s{\"type\":\"record\",\"name\":\"B%zu\",\"fields\":[]}", i ? "," : "",
                      i);
    }
    bs_buf_puts(&a, "]");
    bs_buf_puts(&b, "]");
    check(bs_buf_text(&a), bs_buf_text(&b), SD_COMPAT_AVRO, &arena, &problems);
    assert_in_range(problems.count, 1, SD_COMPAT_PROBLEMS_MAX);
    assert_int_equal(problems.items[problems.count - 1].type, SD_UNDECIDED);
    assert_in_range(problems.steps, 1, SD_COMPAT_STEPS_MAX + 1000); /* and the last text */
    assert_in_range(bs_arena_used(&arena), 1, 5 << 20);
    bs_buf_deinit(&a);
    bs_buf_deinit(&b);
    bs_arena_deinit(&arena);
}

/* A union of records of one base name in as many namespaces, each with the union of those before.
 */
static void put_same_base(struct bs_buf *out, const char *prefix, const char *field, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bs_buf_printf(out,
                      "%s{\"type\":\"record\",\"name\":\"%s%zu.X\",\"fields\":[{\"name\":\"%s\","
                      "\"type\":\"int\"},{\"name\":\"u\",\"type\":[",
                      i ? "," : "[", prefix, i, field);
        for (size_t k = 0; k <= i; k++)
            bs_buf_printf(out, "%s\"%s%zu.X\"", k ? "," : "", prefix, k);
        bs_buf_puts(out, "]}]}");
    }
    bs_buf_puts(out, "]");
}

/* Many comparisons share a bound: what they take together does not pass it, and the one for which
 * nothing is left says no. */
static void test_shared_steps(void **state)
{
    struct bs_buf a = BS_BUF_INIT, b = BS_BUF_INIT;
    struct sd_schema *reader, *writer;
    size_t steps = SD_COMPAT_STEPS_MAX, before = steps;
    (void)state;
    put_same_base(&a, "p", "zz", 20);
    put_same_base(&b, "q", "z", 20);
    reader = parse(bs_buf_text(&a));
    writer = parse(bs_buf_text(&b));
    for (int i = 0; i < 1000; i++) {
        struct bs_arena arena = BS_ARENA_INIT;
        struct sd_problems problems;
        sd_compat_within(reader, writer, SD_COMPAT_AVRO, &steps, &arena, &problems);
        assert_in_range(problems.count, 1, SD_COMPAT_PROBLEMS_MAX);
        assert_true(steps < before || steps == 0);
        if (before == 0) {
            assert_int_equal(problems.items[0].type, SD_UNDECIDED);
            assert_in_range(problems.steps, 0, 100);
        } else {
            assert_int_equal(before - steps, problems.steps < before ? problems.steps : before);
        }
        before = steps;
        bs_arena_deinit(&arena);
    }
    assert_int_equal(steps, 0);
    sd_schema_unref(reader);
    sd_schema_unref(writer);
    bs_buf_deinit(&a);
    bs_buf_deinit(&b);
}

/* One bad record that thousands of arrays hold: what is remembered of each stays small. */
static void test_shared(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_problems problems;
    struct bs_buf a = BS_BUF_INIT, b = BS_BUF_INIT;
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct bs_buf *out = side ? &b : &a;
        bs_buf_puts(out, "{\"type\":\"record\",\"name\":\"W\",\"fields\":[{\"name\":\"x\",\"type\":"
                         "{\"type\":\"record\",\"name\":\"R\",\"fields\":[");
        for (size_t i = 0; i < 2000; i++)
            bs_buf_printf(out, "%s{\"name\":\"%s%zu\",\"type\":\"int\"}", i ? "," : "",
                          side ? "b" : "a", i);
        bs_buf_puts(out, "]}}");
        for (size_t i = 0; i < 10000; i++)
            bs_buf_printf(out, ",{\"name\":\"f%zu\",\"type\":{\"type\":\"array\",\"items\":\"R\"}}",
                          i);
        bs_buf_puts(out, "]}");
    }
    check(bs_buf_text(&a), bs_buf_text(&b), SD_COMPAT_AVRO, &arena, &problems);
    assert_int_equal(problems.count, SD_COMPAT_PROBLEMS_MAX);
    assert_in_range(problems.steps, 1, 1000000);
    assert_in_range(bs_arena_used(&arena), 1, 5 << 20);
    bs_buf_deinit(&a);
    bs_buf_deinit(&b);
    bs_arena_deinit(&arena);
}

/* Types whose names part them are no pairs to be remembered: a union of all events of a company. */
static void test_union_of_many_records(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf text = BS_BUF_INIT;
    struct sd_problems problems;
    (void)state;
    for (int i = 0; i < 1500; i++)
        bs_buf_printf(&text,
                      "%s{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\","
                      "\"type\":\"int\"}]}",
                      i ? "," : "[", i);
    bs_buf_puts(&text, "]");
    check(bs_buf_text(&text), bs_buf_text(&text), SD_COMPAT_LOGICAL, &arena, &problems);
    assert_int_equal(problems.count, 0);
    bs_buf_deinit(&text);
    bs_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logical),
        cmocka_unit_test(test_type_first),
        cmocka_unit_test(test_wide),
        cmocka_unit_test(test_recursive),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_unions),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_shared_steps),
        cmocka_unit_test(test_union_of_many_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
