/* Content: metadata, rule sets, how they are merged, and when two contents are the same. */
#include "schema-registry/content.h"

#include "lib/serde/golden_test.h"
#include "schema-registry/merge.h"
#include "schema-registry/metadata.h"
#include "schema-registry/rule_set.h"

static struct bs_arena arena;

static int setup(void **state)
{
    (void)state;
    bs_arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bs_arena_deinit(&arena);
    return 0;
}

static const struct sd_value *json(const char *text)
{
    struct bs_error err = {0};
    struct sd_value *value = bs_arena_zalloc(&arena, sizeof *value);
    if (sd_json_read(bs_bytes_text(text), &arena, value, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return value;
}

static const struct sd_value *metadata(const char *text)
{
    const struct sd_value *value;
    struct bs_error err = {0};
    if (sr_metadata_read(json(text), &arena, &value, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return value;
}

static void expect_json(const struct sd_value *value, const char *want)
{
    struct bs_buf out = BS_BUF_INIT;
    if (value)
        sd_json_write(value, false, &out, NULL);
    assert_string_equal(value ? bs_buf_text(&out) : "none", want);
    bs_buf_deinit(&out);
}

/* ---- rule sets ---- */

static void test_rule_set_check(void **state)
{
    static const struct {
        const char *set, *wrong; /* NULL: fine */
    } rows[] = {
        {"{}", NULL},
        {"{\"domainRules\":[{\"name\":\"a-1_b\",\"type\":\"CEL\"},{\"name\":\"_x\",\"type\":\"T\","
         "\"mode\":\"READ\",\"kind\":\"CONDITION\",\"tags\":[\"PII\"],\"params\":{\"a\":\"b\"}}],"
         "\"enableAt\":\"CLIENT\"}",
         NULL},
        {"{\"migrationRules\":[{\"name\":\"m\",\"type\":\"J\",\"mode\":\"UPDOWN\",\"onFailure\":"
         "\"NONE,ERROR\"}]}",
         NULL},
        {"{\"encodingRules\":[{\"name\":\"\xc3\xa4\",\"type\":\"E\"}]}", NULL},
        {"{\"domainRules\":[{\"type\":\"CEL\"}]}", "Missing rule name"},
        {"{\"domainRules\":[{\"name\":\"\",\"type\":\"CEL\"}]}", "Empty rule name"},
        {"{\"domainRules\":[{\"name\":\"1a\",\"type\":\"CEL\"}]}",
         "Illegal initial character in rule name: 1a"},
        {"{\"domainRules\":[{\"name\":\"a b\",\"type\":\"CEL\"}]}",
         "Illegal character in rule name: a b"},
        {"{\"domainRules\":[{\"name\":7,\"type\":\"CEL\"}]}", "Rule name is not a string"},
        {"{\"domainRules\":[{\"name\":\"a\"}]}", "Rule 'a': Missing rule type"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"UPGRADE\"}]}",
         "Rule 'a': Domain rules can only be WRITE, READ, WRITEREAD"},
        {"{\"encodingRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"UPDOWN\"}]}",
         "Rule 'a': Encoding rules can only be WRITE, READ, WRITEREAD"},
        {"{\"migrationRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"READ\"}]}",
         "Rule 'a': Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN"},
        {"{\"migrationRules\":[{\"name\":\"a\",\"type\":\"T\"}]}",
         "Rule 'a': Migration rules can only be UPGRADE, DOWNGRADE, UPDOWN"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"SOMETIMES\"}]}",
         "Rule 'a': \"mode\" is not UPGRADE, DOWNGRADE, UPDOWN, WRITE, READ or WRITEREAD"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"kind\":\"transform\"}]}",
         "Rule 'a': \"kind\" is not TRANSFORM or CONDITION"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"params\":{\"x\":[]}}]}",
         "Rule 'a': \"params\" is not an object of strings"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"disabled\":1}]}",
         "Rule 'a': \"disabled\" is not true or false"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\",\"mode\":\"WRITE\",\"onSuccess\":\"A,"
         "B\"}"
         "]}",
         "Rule 'a': Multiple actions only valid with WRITEREAD and UPDOWN"},
        {"{\"domainRules\":[{\"name\":\"a\",\"type\":\"T\"}],\"migrationRules\":[{\"name\":\"a\","
         "\"type\":\"T\",\"mode\":\"UPGRADE\"}]}",
         "Found rule with duplicate name 'a'"},
        {"{\"domainRules\":{}}", "\"domainRules\" is not a list of rules"},
        {"{\"domainRules\":[1]}", "Rule 0 of \"domainRules\" is not an object"},
        {"{\"enableAt\":\"HOME\"}", "\"enableAt\" is not ALL, CLIENT, GATEWAY, SERVER or NONE"},
        {"[]", "A rule set is an object"},
    };
    struct bs_buf text = BS_BUF_INIT;
    struct bs_error err;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        err.text[0] = '\0';
        assert_int_equal(sr_rule_set_check(json(rows[i].set), &err), rows[i].wrong ? BS_EINVAL : 0);
        if (rows[i].wrong)
            assert_string_equal(err.text, rows[i].wrong);
    }
    assert_int_equal(sr_rule_set_check(NULL, &err), 0);
    for (int extra = 0; extra < 2; extra++) {
        bs_buf_reset(&text);
        bs_buf_puts(&text, "{\"domainRules\":[{\"type\":\"T\",\"name\":\"");
        for (int i = 0; i < 256 + extra; i++)
            bs_buf_puts(&text, "a");
        bs_buf_puts(&text, "\"}]}");
        assert_int_equal(sr_rule_set_check(json(bs_buf_text(&text)), &err), extra ? BS_EINVAL : 0);
    }
    assert_non_null(strstr(err.text, "Rule name too long"));
    bs_buf_deinit(&text);
}

static void test_rule_set_complete(void **state)
{
    (void)state;
    expect_json(
        sr_rule_set_complete(
            json("{\"enableAt\":\"ALL\",\"x\":1,\"domainRules\":[{\"type\":\"CEL\",\"params\":{"
                 "\"b\":"
                 "\"2\",\"a\":\"1\"},\"name\":\"r\",\"tags\":[\"Q\",\"P\",\"Q\"],\"doc\":\"\","
                 "\"expr\":\"true\",\"other\":2,\"onFailure\":null}]}"),
            &arena),
        "{\"domainRules\":[{\"name\":\"r\",\"kind\":\"TRANSFORM\",\"mode\":\"WRITEREAD\",\"type\":"
        "\"CEL\",\"tags\":[\"P\",\"Q\"],\"params\":{\"a\":\"1\",\"b\":\"2\"},\"expr\":\"true\","
        "\"disabled\":false}],\"enableAt\":\"ALL\"}");
    expect_json(sr_rule_set_complete(json("{\"domainRules\":[]}"), &arena), "{}");
    expect_json(sr_rule_set_complete(json("{\"domainRules\":7,\"migrationRules\":[3]}"), &arena),
                "{}");
}

static void test_rule_set_merge(void **state)
{
    const struct sd_value *old = json("{\"domainRules\":[{\"name\":\"a\",\"v\":1},{\"name\":\"b\","
                                      "\"v\":1}],\"encodingRules\":[{\"name\":\"e\"}],"
                                      "\"enableAt\":\"ALL\"}");
    const struct sd_value *new =
        json("{\"domainRules\":[{\"name\":\"c\"},{\"name\":\"a\",\"v\":2}],"
             "\"migrationRules\":[{\"name\":\"b\"}]}");
    (void)state;
    expect_json(sr_rule_set_merge(old, new, &arena),
                "{\"migrationRules\":[{\"name\":\"b\"}],\"domainRules\":[{\"name\":\"b\",\"v\":1},{"
                "\"name\":\"c\"},{\"name\":\"a\",\"v\":2}],\"encodingRules\":[{\"name\":\"e\"}],"
                "\"enableAt\":\"ALL\"}");
    assert_ptr_equal(sr_rule_set_merge(NULL, new, &arena), new);
    assert_ptr_equal(sr_rule_set_merge(old, NULL, &arena), old);
    expect_json(sr_rule_set_without(old, json("[\"b\",\"e\",\"z\"]"), &arena),
                "{\"domainRules\":[{\"name\":\"a\",\"v\":1}],\"enableAt\":\"ALL\"}");
}

/* ---- metadata ---- */

static void test_metadata_read(void **state)
{
    static const char *const bad[] = {"[]",
                                      "{\"tags\":{\"p\":\"x\"}}",
                                      "{\"properties\":[]}",
                                      "{\"properties\":{\"a\":{}}}",
                                      "{\"sensitive\":{}}",
                                      "{\"properties\":{\"a\":null}}"};
    const struct sd_value *value;
    struct bs_error err = {0};
    (void)state;
    expect_json(metadata("{\"sensitive\":[\"z\",\"b\",\"z\"],\"properties\":{\"b\":1,\"a\":true,"
                         "\"c\":\"x\"},\"tags\":{\"t\":[\"2\",\"1\",\"2\"],\"a\":[\"x\"]},"
                         "\"more\":1}"),
                "{\"tags\":{\"a\":[\"x\"],\"t\":[\"1\",\"2\"]},\"properties\":{\"a\":\"true\","
                "\"b\":\"1\",\"c\":\"x\"},\"sensitive\":[\"b\",\"z\"]}");
    expect_json(metadata("{\"properties\":{}}"), "{}");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(sr_metadata_read(json(bad[i]), &arena, &value, &err), BS_EINVAL);
        assert_non_null(strstr(err.text, "metadata"));
    }
}

static void test_metadata_merge(void **state)
{
    const struct sd_value *old = metadata("{\"properties\":{\"a\":\"1\",\"c\":\"3\"},\"tags\":{"
                                          "\"p\":[\"x\"]},\"sensitive\":[\"b\"]}");
    const struct sd_value *new = metadata("{\"properties\":{\"b\":\"2\",\"c\":\"9\"},\"tags\":{"
                                          "\"p\":[\"y\"],\"q\":[\"z\"]},\"sensitive\":[\"a\"]}");
    (void)state;
    expect_json(sr_metadata_merge(old, new, &arena),
                "{\"tags\":{\"p\":[\"y\"],\"q\":[\"z\"]},\"properties\":{\"a\":\"1\",\"b\":\"2\","
                "\"c\":\"9\"},\"sensitive\":[\"a\",\"b\"]}");
    assert_ptr_equal(sr_metadata_merge(NULL, new, &arena), new);
    expect_json(sr_metadata_with(old, "b", "7", &arena),
                "{\"tags\":{\"p\":[\"x\"]},\"properties\":{\"a\":\"1\",\"b\":\"7\",\"c\":\"3\"},"
                "\"sensitive\":[\"b\"]}");
    expect_json(sr_metadata_with(metadata("{\"properties\":{\"b\":\"1\"}}"), "b", NULL, &arena),
                "{}");
    expect_json(sr_metadata_with(NULL, "confluent:version", "3", &arena),
                "{\"properties\":{\"confluent:version\":\"3\"}}");
}

/* ---- merge ---- */

static void test_merge(void **state)
{
    struct sr_presets none = {0}, presets = {0};
    struct sr_content previous = {.text = bs_bytes_text("\"int\"")}, content = previous;
    (void)state;
    previous.metadata = metadata("{\"properties\":{\"owner\":\"a\",\"confluent:version\":\"4\"}}");
    previous.rule_set = json("{\"domainRules\":[{\"name\":\"old\",\"type\":\"T\"}]}");
    /* not given: the previous version's, but its number */
    sr_merge(&content, &previous, &none, &arena);
    expect_json(content.metadata, "{\"properties\":{\"owner\":\"a\"}}");
    expect_json(content.rule_set, "{\"domainRules\":[{\"name\":\"old\",\"type\":\"T\"}]}");
    /* given, if only to have none */
    content = (struct sr_content){.metadata = metadata("{}"), .rule_set = json("{}")};
    sr_merge(&content, &previous, &none, &arena);
    expect_json(content.metadata, "{}");
    expect_json(content.rule_set, "{}");
    /* numbered: by asking for it, or by the property */
    content = (struct sr_content){0};
    sr_merge_number(&content, false, 5, &arena);
    assert_null(content.metadata);
    sr_merge_number(&content, true, 5, &arena);
    expect_json(content.metadata, "{\"properties\":{\"confluent:version\":\"5\"}}");
    content = (struct sr_content){.metadata = previous.metadata};
    sr_merge_number(&content, false, 5, &arena);
    expect_json(content.metadata, "{\"properties\":{\"confluent:version\":\"5\",\"owner\":\"a\"}}");
    /* defaults under, overrides over */
    presets.default_metadata = metadata("{\"properties\":{\"owner\":\"d\",\"d\":\"d\"}}");
    presets.override_metadata = metadata("{\"properties\":{\"o\":\"o\"}}");
    presets.default_rules = json("{\"domainRules\":[{\"name\":\"d\"},{\"name\":\"n\",\"v\":0}]}");
    presets.override_rules = json("{\"domainRules\":[{\"name\":\"o\"}]}");
    assert_true(sr_presets_any(&presets));
    assert_false(sr_presets_any(&none));
    content = (struct sr_content){
        .metadata = metadata("{\"properties\":{\"owner\":\"r\",\"o\":\"r\"}}"),
        .rule_set = json("{\"domainRules\":[{\"name\":\"n\",\"v\":1},{\"name\":\"o\",\"v\":1}]}")};
    sr_merge(&content, &previous, &presets, &arena);
    expect_json(content.metadata, "{\"properties\":{\"d\":\"d\",\"o\":\"o\",\"owner\":\"r\"}}");
    expect_json(content.rule_set, "{\"domainRules\":[{\"name\":\"d\"},{\"name\":\"n\",\"v\":1},{"
                                  "\"name\":\"o\"}]}");
}

/* ---- the same content ---- */

static struct sr_content content(const char *text, const char *meta, const char *rules)
{
    struct sr_content to = {.text = bs_bytes_text(text)};
    to.metadata = meta ? metadata(meta) : NULL;
    to.rule_set = rules ? json(rules) : NULL;
    sr_content_seal(&to, &arena);
    return to;
}

static void test_digest(void **state)
{
    struct sr_content plain = content("\"int\"", NULL, NULL);
    struct sr_content empty = content("\"int\"", "{}", "{}");
    struct sr_content given =
        content("\"int\"", NULL, "{\"domainRules\":[{\"name\":\"r\",\"type\":\"T\"}]}");
    struct sr_content written =
        content("\"int\"", NULL,
                "{\"domainRules\":[{\"type\":\"T\",\"name\":\"r\",\"mode\":\"WRITEREAD\",\"kind\":"
                "\"TRANSFORM\",\"disabled\":false}]}");
    char guid[SR_GUID_TEXT];
    (void)state;
    sr_content_guid(&plain, guid); /* printf '"int"' | md5sum */
    assert_string_equal(guid, "ef524ea1-b91e-7317-3d93-8ade36c1db32");
    assert_true(sr_content_same_digest(&plain, &empty));
    assert_true(sr_content_same_digest(&given, &written));
    assert_false(sr_content_same_digest(&plain, &given));
}

static void test_matches(void **state)
{
    struct sr_content plain = content("\"int\"", NULL, NULL);
    struct sr_content none = content("\"int\"", "{}", "{}");
    struct sr_content owned = content("\"int\"", "{\"properties\":{\"a\":\"1\"}}", NULL);
    struct sr_content other = content("\"int\"", "{\"properties\":{\"a\":\"2\"}}", NULL);
    struct sr_content numbered =
        content("\"int\"", "{\"properties\":{\"a\":\"1\",\"confluent:version\":\"3\"}}", NULL);
    struct sr_content ruled =
        content("\"int\"", NULL, "{\"domainRules\":[{\"name\":\"r\",\"type\":\"T\"}]}");
    (void)state;
    assert_true(sr_content_matches(&plain, &owned, 3));
    assert_true(sr_content_matches(&plain, &ruled, 3));
    assert_true(sr_content_matches(&owned, &numbered, 3));
    assert_true(sr_content_matches(&numbered, &owned, 3));
    assert_false(sr_content_matches(&numbered, &owned, 4));
    assert_false(sr_content_matches(&owned, &other, 3));
    assert_false(sr_content_matches(&owned, &plain, 3));
    assert_false(sr_content_matches(&none, &owned, 3));
    assert_false(sr_content_matches(&none, &ruled, 3));
    assert_true(sr_content_matches(&none, &plain, 3));
    assert_true(sr_content_matches(&plain, &none, 3));
    assert_false(sr_content_matches(&ruled, &plain, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rule_set_check, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_set_complete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rule_set_merge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metadata_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_metadata_merge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_digest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_matches, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
