/* Subject names and serde options, no registry. */
#include "lib/registry/serde_option.h"
#include "lib/registry/subject_name.h"

#include "lib/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *strategy, bool key, const char *schema, const char *want)
{
    enum rc_strategy read;
    struct sd_schema *parsed = NULL;
    struct bs_error err;
    char *name = NULL;
    int rc;
    assert_int_equal(rc_strategy_read(strategy, &read, &err), 0);
    if (schema)
        assert_int_equal(sd_schema_parse(bs_bytes_text(schema), true, NULL, 0, &parsed, &err), 0);
    rc = rc_subject_name(read, "t", key, parsed ? sd_schema_root(parsed) : NULL, &name, &err);
    if (want) {
        assert_int_equal(rc, 0);
        assert_string_equal(name, want);
    } else {
        assert_int_equal(rc, BS_EINVAL);
        assert_non_null(strstr(err.text, key ? "key.subject.name" : "value.subject.name"));
    }
    bs_free(name);
    sd_schema_unref(parsed);
}

static void test_names(void **state)
{
    const char *record = "{\"type\":\"record\",\"name\":\"a.b.R\",\"fields\":[]}";
    enum rc_strategy strategy;
    struct bs_error err;
    (void)state;
    expect("TopicNameStrategy", false, NULL, "t-value");
    expect("io.confluent.kafka.serializers.subject.TopicNameStrategy", true, "\"int\"", "t-key");
    expect("AssociatedNameStrategy", false, record, "t-value");
    expect("RecordNameStrategy", false, record, "a.b.R");
    expect("io.confluent.kafka.serializers.subject.TopicRecordNameStrategy", true, record,
           "t-a.b.R");
    expect("RecordNameStrategy", true, "\"int\"", NULL);
    expect("TopicRecordNameStrategy", false, NULL, NULL);
    assert_int_equal(rc_strategy_read("com.example.Own", &strategy, &err), BS_EINVAL);
    assert_non_null(strstr(err.text, "com.example.Own"));
    assert_int_equal(rc_strategy_read("io.confluent.kafka.serializers.subject.", &strategy, &err),
                     BS_EINVAL);
}

static void test_options(void **state)
{
    struct bs_config *config = rc_serde_config_new(), *above = rc_serde_config_new();
    struct bs_error err;
    (void)state;
    assert_true(bs_config_bool(config, "auto.register.schemas"));
    assert_true(rc_serde_of_one_side("key.use.schema.id"));
    assert_false(rc_serde_of_one_side("key.subject.name.strategy")); /* a name of its own */
    assert_false(rc_serde_of_one_side("use.schema.id"));
    assert_false(rc_serde_of_one_side("key.none"));
    assert_false(rc_serde_needs_client(config));
    assert_int_equal(rc_serde_set(config, true, "value.use.schema.id", "7", "here", &err), 0);
    assert_int_equal(bs_config_int(config, "use.schema.id"), -1);
    assert_int_equal(rc_serde_set(config, true, "value.use.schema.id", "x", "here", &err),
                     BS_EINVAL);
    assert_int_equal(rc_serde_set(config, true, "key.use.schema.id", "7", "here", &err), 0);
    assert_int_equal(bs_config_int(config, "use.schema.id"), 7);
    assert_int_equal(
        rc_serde_set(config, true, "key.subject.name.strategy", "RecordNameStrategy", "here", &err),
        0);
    assert_int_equal(rc_serde_set(config, false, "auto.register.schema", "no", "f.lua:3", &err),
                     BS_ENOTFOUND);
    assert_non_null(strstr(err.text, "auto.register.schemas"));
    assert_non_null(strstr(err.text, "f.lua:3"));
    assert_int_equal(rc_serde_set(config, true, "value.subject.name.strateg", "x", "here", &err),
                     BS_ENOTFOUND);
    assert_non_null(strstr(err.text, "'value.subject.name.strategy'"));
    assert_int_equal(rc_serde_set(config, false, "bearer.auth.client.id", "t", "here", &err),
                     BS_EUNSUPPORTED);
    assert_int_equal(rc_serde_set(above, false, "use.schema.id", "9", "above", &err), 0);
    assert_int_equal(rc_serde_set(above, false, "basic.auth.user.info", "a:b", "above", &err), 0);
    assert_int_equal(rc_serde_inherit(config, above, &err), 0);
    assert_int_equal(bs_config_int(config, "use.schema.id"), 7);
    assert_false(rc_serde_needs_client(config)); /* the one above will do */
    assert_int_equal(rc_serde_set(config, false, "max.retries", "0", "here", &err), 0);
    assert_int_equal(rc_serde_inherit(config, above, &err), 0);
    assert_string_equal(bs_config_text(config, "basic.auth.user.info"), "a:b");
    bs_config_free(config);
    config = rc_serde_config_new();
    assert_int_equal(rc_serde_set(config, false, "schema.registry.url", "http://x", "here", &err),
                     0);
    assert_int_equal(rc_serde_inherit(config, above, &err), 0);
    assert_null(bs_config_text(config, "basic.auth.user.info")); /* not for another registry */
    bs_config_free(config);
    config = rc_serde_config_new(); /* who has a token takes over no user, but whom to trust */
    assert_int_equal(rc_serde_set(above, false, "ssl.ca.location", "f.pem", "above", &err), 0);
    assert_int_equal(rc_serde_set(config, false, "bearer.auth.token", "t", "here", &err), 0);
    assert_true(rc_serde_needs_client(config));
    assert_int_equal(rc_serde_inherit(config, above, &err), 0);
    assert_null(bs_config_text(config, "basic.auth.user.info"));
    assert_string_equal(bs_config_text(config, "ssl.ca.location"), "f.pem");
    bs_config_free(config);
    bs_config_free(above);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
