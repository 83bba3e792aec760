/* Schema: every case of tests/golden/avro-compat/parsing.json, and the bounds of the parser. */
#include "lib/serde/golden_test.h"
#include "lib/serde/path.h"
#include "lib/serde/schema_model.h"
#include "lib/serde/schema_tags.h"

static void check_text(const char *name, const char *what, struct bs_buf *got,
                       const struct sd_value *want)
{
    if (want == NULL || bs_bytes_equal(bs_buf_bytes(got), want->bytes))
        return;
    fail_msg("%s: %s\n got  %s\n want %.*s", name, what, bs_buf_text(got), (int)want->bytes.len,
             (const char *)want->bytes.ptr);
}

static void check_logical(const char *name, const struct sd_schema *schema,
                          const struct sd_value *want)
{
    static const char *const names[] = {
        [SD_LOGICAL_DECIMAL] = "decimal",
        [SD_LOGICAL_UUID] = "uuid",
        [SD_LOGICAL_DATE] = "date",
        [SD_LOGICAL_TIME_MILLIS] = "time-millis",
        [SD_LOGICAL_TIME_MICROS] = "time-micros",
        [SD_LOGICAL_TIMESTAMP_MILLIS] = "timestamp-millis",
        [SD_LOGICAL_TIMESTAMP_MICROS] = "timestamp-micros",
        [SD_LOGICAL_TIMESTAMP_NANOS] = "timestamp-nanos",
        [SD_LOGICAL_LOCAL_TIMESTAMP_MILLIS] = "local-timestamp-millis",
        [SD_LOGICAL_LOCAL_TIMESTAMP_MICROS] = "local-timestamp-micros",
        [SD_LOGICAL_LOCAL_TIMESTAMP_NANOS] = "local-timestamp-nanos",
        [SD_LOGICAL_DURATION] = "duration",
    };
    enum sd_logical got = sd_schema_root(schema)->logical;
    if (want == NULL) {
        if (got != SD_LOGICAL_NONE)
            fail_msg("%s: logical type %s where none is valid", name, names[got]);
        return;
    }
    if (got == SD_LOGICAL_NONE || !bs_bytes_is(want->bytes, names[got]))
        fail_msg("%s: logical type is not %.*s", name, (int)want->bytes.len,
                 (const char *)want->bytes.ptr);
}

static void check_texts(const struct sd_value *row, const char *name,
                        const struct sd_schema *schema)
{
    struct bs_buf out = BS_BUF_INIT;
    const struct sd_value *fp = golden_get(row, "fp64");
    sd_schema_text(schema, false, &out);
    check_text(name, "canonical", &out, golden_get(row, "canonical"));
    bs_buf_reset(&out);
    sd_schema_text(schema, true, &out);
    check_text(name, "normalized", &out, golden_get(row, "normalized"));
    bs_buf_reset(&out);
    sd_schema_pcf(schema, &out);
    check_text(name, "pcf", &out, golden_get(row, "pcf"));
    if (fp) {
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)sd_fingerprint64(bs_buf_bytes(&out)));
        if (!bs_bytes_is(fp->bytes, text))
            fail_msg("%s: fp64 %s, want %.*s", name, text, (int)fp->bytes.len,
                     (const char *)fp->bytes.ptr);
    }
    if (golden_get(row, "pcf")) /* the tool that made the file parsed these as new ones */
        check_logical(name, schema, golden_get(row, "logicalType"));
    bs_buf_deinit(&out);
}

static void test_parsing(void **state)
{
    struct golden g;
    (void)state;
    golden_open(&g, "parsing.json");
    for (size_t i = 0; i < g.rows.array.count; i++) {
        const struct sd_value *row = &g.rows.array.items[i];
        const char *name = golden_name(&g, row);
        struct bs_bytes text = golden_get(row, "schema")->bytes;
        struct sd_schema *strict = NULL, *stored = NULL;
        struct bs_error err = {0};
        bool accept = sd_schema_parse(text, true, NULL, 0, &strict, &err) == 0;
        if (accept != golden_get(row, "accept")->boolean)
            fail_msg("%s: strict parser says %d: %s", name, accept, err.text);
        if (!accept)
            assert_true(err.text[0] != '\0');
        accept = sd_schema_parse(text, false, NULL, 0, &stored, &err) == 0;
        if (accept != golden_get(row, "accept_stored")->boolean)
            fail_msg("%s: lenient parser says %d: %s", name, accept, err.text);
        if (strict)
            check_texts(row, name, strict);
        if (stored)
            check_texts(row, name, stored);
        sd_schema_unref(strict);
        sd_schema_unref(stored);
    }
    golden_close(&g);
}

/* A canonical text reads back to itself, strictly or not. */
static void test_canonical_is_stable(void **state)
{
    struct golden g;
    (void)state;
    golden_open(&g, "parsing.json");
    for (size_t i = 0; i < g.rows.array.count; i++) {
        const struct sd_value *row = &g.rows.array.items[i];
        const struct sd_value *canonical = golden_get(row, "canonical");
        struct bs_buf out = BS_BUF_INIT;
        struct sd_schema *schema;
        struct bs_error err;
        if (canonical == NULL)
            continue;
        if (sd_schema_parse(canonical->bytes, false, NULL, 0, &schema, &err) < 0)
            fail_msg("%s: %s", golden_name(&g, row), err.text);
        sd_schema_text(schema, false, &out);
        check_text(golden_name(&g, row), "canonical again", &out, canonical);
        bs_buf_deinit(&out);
        sd_schema_unref(schema);
    }
    golden_close(&g);
}

static int parse(const char *text, bool strict, struct sd_schema **ret, struct bs_error *err)
{
    return sd_schema_parse(bs_bytes_text(text), strict, NULL, 0, ret, err);
}

static void test_messages_name_the_place(void **state)
{
    struct sd_schema *schema;
    struct bs_error err;
    (void)state;
    assert_int_equal(
        parse("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"},"
              "{\"name\":\"b\",\"type\":\"strin\"}]}",
              true, &schema, &err),
        BS_EINVAL);
    assert_non_null(strstr(err.text, "strin"));
    assert_non_null(strstr(err.text, "/fields/1/type"));
    assert_int_equal(parse("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"amount\","
                           "\"type\":\"int\",\"default\":\"x\"}]}",
                           true, &schema, &err),
                     BS_EINVAL);
    assert_non_null(strstr(err.text, "amount"));
    assert_int_equal(parse("{\"type\":\n  \"int\",}", true, &schema, &err), BS_ESYNTAX);
    assert_non_null(strstr(err.text, "line 2"));
}

static void test_bounds(void **state)
{
    struct bs_buf text = BS_BUF_INIT;
    struct sd_schema *schema;
    struct bs_error err;
    (void)state;
    for (int i = 0; i < 250; i++)
        bs_buf_puts(&text, "{\"type\":\"array\",\"items\":");
    bs_buf_puts(&text, "\"int\"");
    for (int i = 0; i < 250; i++)
        bs_buf_puts(&text, "}");
    assert_int_equal(sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, &schema, &err), BS_ELIMIT);
    /* deep only by names, each used before its definition */
    bs_buf_reset(&text);
    bs_buf_puts(&text, "{\"type\":\"record\",\"name\":\"R\",\"fields\":["
                       "{\"name\":\"start\",\"type\":\"N0\"}");
    for (int i = 0; i < 3000; i++)
        bs_buf_printf(&text,
                      ",{\"name\":\"f%d\",\"type\":{\"type\":\"record\",\"name\":\"N%d\","
                      "\"fields\":[{\"name\":\"n\",\"type\":\"%s%d\"}]}}",
                      i, i, i == 2999 ? "N" : "N", i == 2999 ? 0 : i + 1);
    bs_buf_puts(&text, "]}");
    assert_int_equal(sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, &schema, &err), BS_ELIMIT);
    /* defaults that double at every level */
    bs_buf_reset(&text);
    bs_buf_puts(&text, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[");
    for (int i = 0; i < 40; i++) {
        bs_buf_printf(&text,
                      "%s{\"name\":\"f%d\",\"type\":{\"type\":\"record\",\"name\":\"D%d\","
                      "\"fields\":[",
                      i ? "," : "", i, i);
        if (i)
            bs_buf_printf(&text,
                          "{\"name\":\"a\",\"type\":\"D%d\",\"default\":{}},"
                          "{\"name\":\"b\",\"type\":\"D%d\",\"default\":{}}",
                          i - 1, i - 1);
        bs_buf_puts(&text, "]}}");
    }
    bs_buf_puts(&text, "]}");
    assert_int_equal(sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, &schema, &err), BS_ELIMIT);
    assert_int_equal(sd_schema_parse(bs_buf_bytes(&text), false, NULL, 0, &schema, &err), 0);
    sd_schema_unref(schema);
    bs_buf_deinit(&text);
}

static void test_references(void **state)
{
    struct sd_schema *money, *order, *nested;
    struct sd_reference refs[2];
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(parse("{\"type\":\"record\",\"name\":\"x.Money\",\"fields\":[{\"name\":"
                           "\"cents\",\"type\":\"long\"}]}",
                           true, &money, &err),
                     0);
    refs[0] = (struct sd_reference){.name = "x.Money", .schema = money};
    assert_int_equal(
        sd_schema_parse(bs_bytes_text("{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"x\","
                                      "\"fields\":[{\"name\":\"m\",\"type\":\"Money\"}]}"),
                        true, refs, 1, &order, &err),
        0);
    sd_schema_text(order, false, &out);
    assert_string_equal(bs_buf_text(&out),
                        "{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"x\",\"fields\":["
                        "{\"name\":\"m\",\"type\":\"Money\"}]}");
    refs[1] = (struct sd_reference){.name = "x.Order", .schema = order};
    assert_int_equal(sd_schema_parse(bs_bytes_text("[\"null\",\"x.Order\",\"x.Money\"]"), true,
                                     refs, 2, &nested, &err),
                     0);
    assert_string_equal(sd_schema_root(nested)->branches[1]->fields[0].type->name, "x.Money");
    bs_buf_reset(&out);
    assert_int_equal(sd_schema_resolved(nested, &out), 0);
    assert_string_equal(
        bs_buf_text(&out),
        "[\"null\",{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"x\",\"fields\":[{"
        "\"name\":\"m\",\"type\":{\"type\":\"record\",\"name\":\"Money\",\"fields\":[{\"name\":"
        "\"cents\",\"type\":\"long\"}]}}]},\"x.Money\"]");
    sd_schema_unref(money);
    sd_schema_unref(order);
    sd_schema_unref(nested);
    bs_buf_deinit(&out);
}

/* Texts alone, each with what it refers to before or behind it. */
static void test_reference_texts(void **state)
{
    struct sd_reference refs[2] = {
        {.name = "x.Order",
         .text = bs_bytes_text("{\"type\":\"record\",\"name\":\"Order\",\"namespace\":\"x\","
                               "\"fields\":[{\"name\":\"m\",\"type\":\"Money\"}]}")},
        {.name = "x.Money",
         .text = bs_bytes_text("{\"type\":\"record\",\"name\":\"x.Money\",\"fields\":[{\"name\":"
                               "\"cents\",\"type\":\"long\"}]}")}};
    struct sd_schema *schema;
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text("{\"type\":\"array\",\"items\":\"x.Order\"}"),
                                     true, refs, 2, &schema, &err),
                     0);
    assert_string_equal(sd_schema_root(schema)->items->fields[0].type->name, "x.Money");
    sd_schema_unref(schema);
    /* a name that nobody defines */
    assert_int_equal(sd_schema_parse(bs_bytes_text("\"x.Order\""), true, refs, 1, &schema, &err),
                     BS_EINVAL);
    assert_non_null(strstr(err.text, "Money"));
    /* ten texts of nearly a megabyte are too much, the same one ten times is not */
    for (int same = 0; same < 2; same++) {
        struct sd_reference many[10] = {0};
        struct bs_buf texts[10] = {{0}};
        for (int i = 0; i < 10; i++) {
            bs_buf_printf(&texts[i], "{\"type\":\"record\",\"name\":\"T%d\",\"doc\":\"",
                          same ? 0 : i);
            for (int k = 0; k < 100000; k++)
                bs_buf_puts(&texts[i], "ten bytes ");
            bs_buf_puts(&texts[i], "\",\"fields\":[]}");
            many[i] = (struct sd_reference){.name = "T", .text = bs_buf_bytes(&texts[i])};
        }
        assert_int_equal(sd_schema_parse(bs_bytes_text("\"T0\""), true, many, 10, &schema, &err),
                         same ? 0 : BS_ELIMIT);
        if (same)
            sd_schema_unref(schema);
        for (int i = 0; i < 10; i++)
            bs_buf_deinit(&texts[i]);
    }
}

static const struct sd_value *json(struct bs_arena *arena, const char *text)
{
    struct sd_value *value = bs_arena_zalloc(arena, sizeof *value);
    assert_int_equal(sd_json_read(bs_bytes_text(text), arena, value, NULL), 0);
    return value;
}

static void test_tags(void **state)
{
    const char *text =
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"x\",\"fields\":[{\"name\":\"a\","
        "\"type\":\"string\",\"confluent:tags\":[\"PII\"],\"z\":1},{\"name\":\"in\",\"type\":["
        "\"null\",{\"type\":\"record\",\"name\":\"In\",\"fields\":[{\"name\":\"b\",\"type\":"
        "\"double\",\"default\":1e3}],\"aliases\":[\"Old\"]}]}]}";
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_schema *schema;
    struct sd_tagged *tagged;
    size_t count;
    struct sd_retag changes[4] = {
        {.path = "x.R.a", .field = true, .remove = json(&arena, "[\"PII\"]")},
        {.path = ".In", .add = json(&arena, "[\"A\",\"B\"]")},
        {.path = "x.In", .add = json(&arena, "[\"B\",\"C\"]"), .remove = json(&arena, "[\"A\"]")},
        {.path = "In.b", .field = true, .add = json(&arena, "[\"D\"]")},
    };
    (void)state;
    assert_int_equal(parse(text, true, &schema, &err), 0);
    sd_schema_tags(schema, &arena, &tagged, &count);
    assert_int_equal(count, 1);
    assert_string_equal(tagged[0].path, "x.R.a");
    assert_true(tagged[0].field);
    assert_int_equal(tagged[0].tags->array.count, 1);
    assert_int_equal(sd_schema_retag(schema, changes, 4, false, &out, &err), 0);
    assert_string_equal(
        bs_buf_text(&out),
        "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"x\",\"fields\":[{\"name\":\"a\","
        "\"type\":\"string\",\"z\":1},{\"name\":\"in\",\"type\":[\"null\",{\"type\":\"record\","
        "\"name\":\"In\",\"fields\":[{\"name\":\"b\",\"type\":\"double\",\"default\":1000.0,"
        "\"confluent:tags\":[\"D\"]}],\"confluent:tags\":[\"B\",\"C\"],\"aliases\":[\"Old\"]}]}]}");
    changes[0].path = "x.R.none";
    bs_buf_reset(&out);
    assert_int_equal(sd_schema_retag(schema, changes, 1, false, &out, &err), BS_ENOTFOUND);
    assert_string_equal(err.text, "No matching path 'x.R.none' found in the schema");
    assert_int_equal(sd_schema_retag(schema, changes, 1, true, &out, &err), 0);
    sd_schema_unref(schema);
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
}

/* Lists that are long enough for a table: each alias once, in the order of the text; the members of
 * a default by name, those that are no fields ignored, what is missing by its own default. */
static void test_long_lists(void **state)
{
    struct bs_buf text = BS_BUF_INIT, wanted = BS_BUF_INIT;
    struct sd_schema *schema;
    struct bs_error err;
    (void)state;
    bs_buf_puts(&text, "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"d\",\"type\":{"
                       "\"type\":\"record\",\"name\":\"D\",\"fields\":[");
    for (int i = 0; i < 100; i++)
        bs_buf_printf(&text, "%s{\"name\":\"f%d\",\"type\":\"int\"%s}", i ? "," : "", i,
                      i == 50 ? ",\"default\":7" : "");
    bs_buf_puts(&text, "]},\"default\":{\"other\":\"x\"");
    for (int i = 99; i >= 0; i--)
        if (i != 50)
            bs_buf_printf(&text, ",\"f%d\":%d", i, i);
    bs_buf_puts(&text, "}}],\"aliases\":[");
    for (int i = 0; i < 300; i++)
        bs_buf_printf(&text, "%s\"A%d\"", i ? "," : "", i % 200);
    bs_buf_puts(&text, "]}");
    assert_int_equal(sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, &schema, &err), 0);
    assert_int_equal(sd_schema_root(schema)->alias_count, 200);
    for (int i = 0; i < 200; i++) {
        char name[8];
        snprintf(name, sizeof name, "A%d", i);
        assert_string_equal(sd_schema_root(schema)->aliases[i], name);
    }
    for (int i = 0; i < 100; i++)
        bs_buf_put_varlong(&wanted, i == 50 ? 7 : i);
    assert_true(
        bs_bytes_equal(sd_more(sd_schema_root(schema))->more[0].encoded, bs_buf_bytes(&wanted)));
    sd_schema_unref(schema);
    text.len -= 1; /* the same with a member of the wrong type */
    memcpy(strstr((char *)text.data, "\"f99\":99"), "\"f99\":[]", 8);
    bs_buf_puts(&text, "}");
    assert_int_equal(sd_schema_parse(bs_buf_bytes(&text), true, NULL, 0, &schema, &err), BS_EINVAL);
    bs_buf_deinit(&text);
    bs_buf_deinit(&wanted);
}

/* A path of hundreds of equal steps tells nothing but its ends. */
static void test_long_path(void **state)
{
    struct sd_path steps[201] = {{0}};
    char text[1024], want[1024] = "";
    (void)state;
    for (size_t i = 1; i <= 200; i++)
        steps[i] = (struct sd_path){.up = &steps[i - 1], .index = i};
    for (int i = 1; i <= 24; i++)
        snprintf(want + strlen(want), sizeof want - strlen(want), "/%d", i);
    snprintf(want + strlen(want), sizeof want - strlen(want), "/…");
    for (int i = 189; i <= 200; i++)
        snprintf(want + strlen(want), sizeof want - strlen(want), "/%d", i);
    assert_string_equal(sd_path_text(&steps[200], text, sizeof text), want);
    assert_string_equal(sd_path_text(&steps[3], text, sizeof text), "/1/2/3");
    assert_null(strstr(sd_path_text(&steps[37], text, sizeof text), "…"));
    assert_non_null(strstr(sd_path_text(&steps[38], text, sizeof text), "/24/…/27/"));
    for (size_t cap = 1; cap < sizeof want; cap++)
        assert_true(strlen(sd_path_text(&steps[200], text, cap)) < cap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parsing),
        cmocka_unit_test(test_canonical_is_stable),
        cmocka_unit_test(test_messages_name_the_place),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_reference_texts),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_long_lists),
        cmocka_unit_test(test_long_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
