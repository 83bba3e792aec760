/* Converters without a registry, Connect's JSON envelope, and placeholders in configurations. */
#include "runtime/connect/config.h"
#include "runtime/connect/convert.h"
#include "runtime/connect/definition.h"
#include "runtime/connect/envelope.h"
#include "runtime/connect/tree.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *read_and_write(const char *in_name, const char *out_name, const char *text,
                                  const char **ret_schema)
{
    static char out_text[1100];
    struct bs_error err = {0};
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    struct rt_converter *in = NULL, *to = NULL;
    struct cn_config *config = rt_config_new();
    struct cn_value value;
    bool null;
    struct bs_bytes header = {0};
    static char schema_text[1000];
    const char *schema = NULL;
    rt_config_set(config, "value.converter", in_name);
    rt_config_set(config, "key.converter", out_name);
    assert_int_equal(rt_converter_new(config, "value", "json", NULL, &in, &err), 0);
    assert_int_equal(rt_converter_new(config, "key", "json", NULL, &to, &err), 0);
    int result =
        rt_converter_read(in, "t", header, bs_bytes_text(text), &arena, &value, &schema, &err);
    if (result == 0)
        result = rt_converter_write(to, "t", &value, schema, &arena, &out, &null, &header, &err);
    snprintf(out_text, sizeof(out_text), "%s", result == 0 ? bs_buf_text(&out) : err.text);
    snprintf(schema_text, sizeof(schema_text), "%s", schema ? schema : "");
    if (ret_schema)
        *ret_schema = schema_text;
    rt_converter_free(in);
    rt_converter_free(to);
    rt_config_free(config);
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
    return out_text;
}

#define JSON_CLASS "org.apache.kafka.connect.json.JsonConverter"

static void test_plain(void **state)
{
    (void)state;
    assert_string_equal(read_and_write("json", "json", "{\"b\":1,\"a\":[1.5,null]}", NULL),
                        "{\"b\":1,\"a\":[1.5,null]}");
    assert_string_equal(read_and_write("string", "string", "text", NULL), "text");
    assert_string_equal(read_and_write("bytes", "bytes", "text", NULL), "text");
    assert_string_equal(read_and_write("auto", "json", "[1,2]", NULL), "[1,2]");
    assert_string_equal(read_and_write("json", "string", "{\"a\":1}", NULL), "{\"a\":1}");
    assert_string_equal(read_and_write("string", JSON_CLASS, "x", NULL),
                        "{\"schema\":{\"type\":\"string\",\"optional\":false},\"payload\":\"x\"}");
}

static void test_envelope(void **state)
{
    (void)state;
    static const char text[] =
        "{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":false,"
        "\"field\":"
        "\"id\"},{\"type\":\"string\",\"optional\":true,\"field\":\"name\"},{\"type\":\"array\","
        "\"items\":{\"type\":\"double\",\"optional\":false},\"optional\":false,\"field\":\"xs\"}],"
        "\"optional\":false},\"payload\":{\"id\":1,\"name\":null,\"xs\":[0.5]}}";
    const char *schema;
    const char *again = read_and_write(JSON_CLASS, JSON_CLASS, text, &schema);
    assert_string_equal(schema,
                        "{\"type\":\"record\",\"name\":\"Struct1\",\"fields\":[{\"name\":\"id\","
                        "\"type\":\"int\"},{\"name\":\"name\",\"type\":[\"null\",\"string\"]},{"
                        "\"name\":\"xs\",\"type\":{\"type\":\"array\",\"items\":\"double\"}}]}");
    assert_non_null(strstr(again, "\"payload\":{\"id\":1,\"name\":null,\"xs\":[0.5]}}"));
    assert_non_null(strstr(again, "{\"type\":\"string\",\"optional\":true,\"field\":\"name\"}"));
    assert_non_null(strstr(read_and_write(JSON_CLASS, "json", "{\"a\":1}", NULL),
                           "for plain JSON set schemas.enable=false"));
}

static void test_without_registry(void **state)
{
    (void)state;
    struct bs_error err = {0};
    struct rt_converter *converter = NULL;
    struct cn_config *config = rt_config_new();
    assert_int_equal(rt_converter_new(config, "value", "avro", NULL, &converter, &err),
                     BS_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "no schema registry"));
    rt_config_set(config, "value.converter", "avro");
    rt_config_set(config, "value.converter.reader.schema.file", "/nowhere/r.avsc");
    assert_int_equal(rt_converter_check_avro(config, "value", &err), 0); /* it may come later */
    assert_int_equal(rt_converter_new(config, "value", "avro", NULL, &converter, &err),
                     BS_ENOTFOUND);
    assert_non_null(strstr(err.text, "option value.converter.reader.schema.file: /nowhere"));
    assert_int_equal(rt_converter_check("AvroConverter", &err), 0);
    assert_int_equal(rt_converter_check("com.example.Nope", &err), BS_EINVAL);
    rt_config_free(config);
}

static void test_placeholders(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-config-XXXXXX";
    struct bs_error err = {0};
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    fputs("# secrets\nuser = me\npassword=p=1\n", f);
    fclose(f);
    struct cn_config *config = rt_config_new(), *copy;
    char *value = bs_asprintf("${file:%s:user}:${file:%s:password}@${topic}", path, path);
    setenv("WEIR_CONFIG_TEST", "from-env", 1);
    rt_config_set(config, "a", value);
    rt_config_set(config, "b", "x${env:WEIR_CONFIG_TEST}y");
    copy = rt_config_copy(config);
    assert_int_equal(rt_config_resolve(copy, &err), 0);
    assert_string_equal(rt_config_get(copy, "a"), "me:p=1@${topic}");
    assert_string_equal(rt_config_get(copy, "b"), "xfrom-envy");
    assert_string_equal(rt_config_get(config, "a"), value); /* what is kept and shown */
    rt_config_set(copy, "c", "${env:WEIR_CONFIG_TEST_NOT_SET}");
    assert_int_equal(rt_config_resolve(copy, &err), BS_ENOTFOUND);
    assert_string_equal(err.text,
                        "option c: environment variable WEIR_CONFIG_TEST_NOT_SET is not set");
    bs_free(value);
    rt_config_free(config);
    rt_config_free(copy);
    remove(path);
}

static void test_config_json(void **state)
{
    (void)state;
    struct bs_error err = {0};
    struct cn_config *config = NULL, *other = NULL;
    json_t *json = json_loads("{\"a\":1,\"b\":true,\"c\":1.5,\"d\":\"x\"}", 0, NULL);
    assert_int_equal(rt_config_from_json(json, &config, &err), 0);
    json_decref(json);
    assert_string_equal(rt_config_get(config, "a"), "1");
    assert_string_equal(rt_config_get(config, "b"), "true");
    assert_string_equal(rt_config_get(config, "c"), "1.5");
    other = rt_config_copy(config);
    assert_true(rt_config_equal(config, other));
    rt_config_unset(other, "a");
    assert_false(rt_config_equal(config, other));
    rt_config_free(config);
    rt_config_free(other);
    json = json_loads("{\"a\":null}", 0, NULL);
    assert_int_equal(rt_config_from_json(json, &config, &err), BS_EINVAL);
    json_decref(json);
    json = json_loads("{\"a\":{}}", 0, NULL);
    assert_int_equal(rt_config_from_json(json, &config, &err), BS_ESYNTAX);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_without_registry),
        cmocka_unit_test(test_placeholders),
        cmocka_unit_test(test_config_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
