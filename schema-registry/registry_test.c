/* Registry: requests of every kind and their answers. */
#include "schema-registry/registry_test.h"

#include "schema-registry/context.h"

static void test_register_and_read(void **state)
{
    (void)state;
    expect("GET", "/subjects", NULL, 200, "[]");
    expect("GET", "/", NULL, 200, "{}");
    expect("GET", "/schemas/types", NULL, 200, "[\"AVRO\"]");
    expect("POST", "/subjects/a%2Fb/versions", INT_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/a%2Fb/versions", INT_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/other/versions", INT_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/r/versions", RECORD(FIELD("x", INT)), 200,
           "{\"id\":2,\"version\":1,…");
    expect("GET", "/subjects", NULL, 200, "[\"a/b\",\"other\",\"r\"]");
    expect("GET", "/subjects?subjectPrefix=o", NULL, 200, "[\"other\"]");
    expect("GET", "/subjects?offset=1&limit=1", NULL, 200, "[\"other\"]");
    expect("GET", "/subjects/a%2Fb/versions", NULL, 200, "[1]");
    expect("GET", "/subjects/a%2Fb/versions/LATEST", NULL, 200,
           "{\"subject\":\"a/b\",\"version\":1,\"id\":1,\"guid\":\"ef524ea1-b91e-7317-3d93-"
           "8ade36c1db32\",\"schemaType\":\"AVRO\",\"schema\":\"\\\"int\\\"\"…");
    expect("GET", "/subjects/a%2Fb/versions/1/schema", NULL, 200, "\"int\"");
    expect("GET", "/schemas/ids/1", NULL, 200, "…\"schema\":\"\\\"int\\\"\"");
    expect("GET", "/schemas/ids/1?subject=other&fetchMaxId=True", NULL, 200,
           "{\"subject\":\"other\",\"version\":1,…");
    expect("GET", "/schemas/ids/1?fetchMaxId=True", NULL, 200, "…\"maxId\":2");
    expect("GET", "/schemas/ids/1?subject=", NULL, 200, "…\"schema\":");
    expect("GET", "/schemas/ids/1/subjects", NULL, 200, "[\"a/b\",\"other\"]");
    expect("GET", "/schemas/ids/1/versions", NULL, 200,
           "[{\"subject\":\"a/b\",\"version\":1},{\"subject\":\"other\",\"version\":1}]");
    expect("GET", "/schemas/guids/ef524ea1-b91e-7317-3d93-8ade36c1db32/ids", NULL, 200,
           "[{\"context\":\".\",\"id\":1}]");
    expect("GET", "/schemas?latestOnly=true&limit=1", NULL, 200, "[{\"subject\":\"a/b\",…");
    expect("POST", "/subjects/other", "{\"schema\":\" {\\\"type\\\" : \\\"int\\\"} \"}", 200,
           "{\"subject\":\"other\",\"version\":1,\"id\":1,…");
    expect("GET", "/health", NULL, 200, "{\"status\":\"ok\",…");
    expect("GET", "/metrics", NULL, 200, "…weir_registry_schemas 2");
    expect("GET", "/associations/resources/-/t", NULL, 404, "{\"error_code\":404,…");
}

static void test_errors(void **state)
{
    char name[SR_SUBJECT_MAX + 1], path[SR_SUBJECT_MAX + 64];
    (void)state;
    expect("GET", "/subjects/x/versions", NULL, 404,
           "{\"error_code\":40401,\"message\":\"Subject 'x' not found.\"}");
    expect("GET", "/subjects/x/versions/1", NULL, 404, "{\"error_code\":40401,…");
    expect("POST", "/subjects/x", INT_SCHEMA, 404, "{\"error_code\":40401,…");
    expect("POST", "/subjects/x/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("GET", "/subjects/x/versions/7", NULL, 404,
           "{\"error_code\":40402,\"message\":\"Version 7 not found.\"}");
    expect("GET", "/subjects/x/versions/0", NULL, 422, "{\"error_code\":42202,…");
    expect("GET", "/subjects/x/versions/abc", NULL, 422, "{\"error_code\":42202,…");
    expect("POST", "/subjects/x", "{\"schema\":\"\\\"long\\\"\"}", 404,
           "{\"error_code\":40403,\"message\":\"Schema not found\"}");
    expect("GET", "/schemas/ids/99", NULL, 404,
           "{\"error_code\":40403,\"message\":\"Schema 99 not found\"}");
    expect("GET", "/schemas/ids/abc", NULL, 404, "{\"error_code\":404,…");
    expect("POST", "/subjects/x/versions", "{\"schema\":\"{\\\"type\\\":\\\"nope\\\"}\"}", 422,
           "{\"error_code\":42201,\"message\":\"Invalid schema of type AVRO, details: …");
    expect("POST", "/subjects/x/versions", "{\"schema\":\"x\",\"schemaType\":\"JSON\"}", 422,
           "{\"error_code\":42201,\"message\":\"Invalid schema type JSON\"}");
    expect("POST", "/subjects/new/versions", "{\"schema\":\"\"}", 422,
           "{\"error_code\":42201,\"message\":\"Empty schema\"}");
    expect("POST", "/subjects/x/versions", "{\"schema\":", 400, "{\"error_code\":400,…");
    expect("POST", "/subjects/x/versions", "[1]", 400, "{\"error_code\":400,…");
    expect("POST", "/subjects/x/versions", "", 422, "{\"error_code\":422,…");
    expect("POST", "/subjects/__GLOBAL/versions", INT_SCHEMA, 422, "{\"error_code\":42208,…");
    memset(name, 'n', SR_SUBJECT_MAX + 1);
    snprintf(path, sizeof path, "/subjects/%.*s/versions", SR_SUBJECT_MAX + 1, name);
    expect("POST", path, INT_SCHEMA, 422, "{\"error_code\":42208,…");
    snprintf(path, sizeof path, "/config/%.*s", SR_SUBJECT_MAX + 1, name);
    expect("PUT", path, "{}", 422, "{\"error_code\":42208,…");
    snprintf(path, sizeof path, "/subjects/%.*s/versions", SR_SUBJECT_MAX, name);
    expect("GET", path, NULL, 404, "{\"error_code\":40401,…");
    expect("PUT", "/config", "{\"compatibility\":\"sideways\"}", 422, "{\"error_code\":42203,…");
    expect("PUT", "/mode", "{\"mode\":\"sideways\"}", 422, "{\"error_code\":42204,…");
    expect("GET", "/config/x", NULL, 404, "{\"error_code\":40408,…");
    expect("DELETE", "/config/x", NULL, 404, "{\"error_code\":40401,…");
    expect("GET", "/mode/x", NULL, 404, "{\"error_code\":40409,…");
    expect("PATCH", "/subjects", NULL, 405, "{\"error_code\":405,…");
    expect("GET", "/nowhere", NULL, 404, "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
    /* a default that does not fit is refused for a new schema; a wrong name too */
    expect("POST", "/subjects/d/versions", RECORD(WITH_DEFAULT("x", INT, "\\\"a\\\"")), 422,
           "{\"error_code\":42201,\"message\":\"Invalid schema {…");
}

static void test_compatibility(void **state)
{
    (void)state;
    expect("POST", "/subjects/c/versions", RECORD(FIELD("x", INT)), 200, "{\"id\":1,…");
    expect("POST", "/subjects/c/versions", RECORD(FIELD("x", INT) "," FIELD("amount", INT)), 409,
           "{\"error_code\":40901,\"message\":\"Schema being registered is incompatible with an "
           "earlier schema for subject \\\"c\\\", details: [{errorType:'READER_FIELD_MISSING_"
           "DEFAULT_VALUE', description:'The field 'amount' at path '/fields/1' in the new schema "
           "has no default value and is missing in the old schema', additionalInfo:'amount'}, "
           "{oldSchemaVersion: 1}, {oldSchema: '…");
    expect("POST", "/subjects/c/versions",
           RECORD(FIELD("x", INT) "," WITH_DEFAULT("amount", INT, "0")), 200,
           "{\"id\":2,\"version\":2,…");
    expect("POST", "/compatibility/subjects/c/versions/latest", RECORD(FIELD("x", STRING)), 200,
           "{\"is_compatible\":false}");
    expect("POST", "/compatibility/subjects/c/versions/latest?verbose=true",
           RECORD(FIELD("x", INT)), 200, "{\"is_compatible\":true,\"messages\":[]}");
    expect("POST", "/compatibility/subjects/c/versions?verbose=true", RECORD(FIELD("x", STRING)),
           200,
           "{\"is_compatible\":false,\"messages\":[\"{errorType:'TYPE_MISMATCH', description:'The "
           "type (path '/fields/0/type') of a field in the new schema does not match with the old "
           "schema', additionalInfo:'reader type: STRING not compatible with writer type: INT'}\","
           "\"{oldSchemaVersion: 2}\",…");
    expect("POST", "/compatibility/subjects/c/versions/9", RECORD(FIELD("x", INT)), 404,
           "{\"error_code\":40402,…");
    expect("POST", "/compatibility/subjects/none/versions/latest", INT_SCHEMA, 200,
           "{\"is_compatible\":true}");
    expect("POST", "/compatibility/subjects/c/versions/latest", "{\"schema\":\"x\"}", 422,
           "{\"error_code\":42201,…");
    expect("POST", "/compatibility/subjects/c/versions/latest?verbose=true", "{\"schema\":\"x\"}",
           200, "{\"is_compatible\":false,\"messages\":[\"Invalid schema of type AVRO…");
    expect("PUT", "/config/c", "{\"compatibility\":\"none\"}", 200, "{\"compatibility\":\"NONE\"}");
    expect("POST", "/subjects/c/versions", "{\"schema\":\"\\\"string\\\"\"}", 200,
           "{\"id\":3,\"version\":3,…");
    expect("DELETE", "/config/c", NULL, 200, "{\"compatibilityLevel\":\"NONE\"}");
}

static void test_config_and_mode(void **state)
{
    (void)state;
    expect("GET", "/config", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\"}");
    expect("PUT", "/config", "{\"compatibility\":\"full\"}", 200, "{\"compatibility\":\"FULL\"}");
    expect("GET", "/config", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}");
    expect("GET", "/config/s?defaultToGlobal=True", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}");
    expect("PUT", "/config/s", "{\"compatibility\":\"FORWARD\",\"normalize\":true}", 200,
           "{\"normalize\":true,\"compatibility\":\"FORWARD\"}");
    expect("PUT", "/config/s", "{\"normalize\":null}", 200, "{\"compatibility\":\"FORWARD\"}");
    expect("GET", "/config/s", NULL, 200, "{\"compatibilityLevel\":\"FORWARD\"}");
    expect("DELETE", "/config/s", NULL, 200, "{\"compatibilityLevel\":\"FORWARD\"}");
    expect("DELETE", "/config", NULL, 200, "{\"compatibilityLevel\":\"FULL\"}");
    expect("GET", "/config", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\"}");
    expect("GET", "/mode", NULL, 200, "{\"mode\":\"READWRITE\"}");
    expect("POST", "/subjects/m/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("PUT", "/mode/m", "{\"mode\":\"readonly\"}", 200, "{\"mode\":\"READONLY\"}");
    expect("GET", "/mode/m", NULL, 200, "{\"mode\":\"READONLY\"}");
    expect("POST", "/subjects/m/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("POST", "/subjects/m/versions", "{\"schema\":\"\\\"long\\\"\"}", 422,
           "{\"error_code\":42205,…");
    expect("DELETE", "/subjects/m", NULL, 422, "{\"error_code\":42205,…");
    expect("DELETE", "/mode/m", NULL, 200, "{\"mode\":\"READONLY\"}");
    expect("POST", "/subjects/m/versions", "{\"schema\":\"\\\"long\\\"\"}", 200, "{\"id\":2,…");
}

static void test_delete_and_restart(void **state)
{
    (void)state;
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/s/versions", "{\"schema\":\"\\\"long\\\"\"}", 200,
           "{\"id\":2,\"version\":2,…");
    expect("POST", "/subjects/k/versions", "{\"schema\":\"\\\"double\\\"\"}", 200,
           "{\"id\":3,\"version\":1,…");
    expect("DELETE", "/subjects/s/versions/1?permanent=true", NULL, 404, "{\"error_code\":40407,…");
    expect("DELETE", "/subjects/s/versions/1", NULL, 200, "1");
    expect("DELETE", "/subjects/s/versions/1", NULL, 404, "{\"error_code\":40406,…");
    expect("DELETE", "/subjects/s/versions/9", NULL, 404, "{\"error_code\":40402,…");
    expect("DELETE", "/subjects/none", NULL, 404, "{\"error_code\":40401,…");
    expect("DELETE", "/subjects/s?permanent=true", NULL, 404, "{\"error_code\":40405,…");
    expect("GET", "/subjects/s/versions", NULL, 200, "[2]");
    expect("GET", "/subjects/s/versions?deleted=true", NULL, 200, "[1,2]");
    expect("GET", "/subjects/s/versions?deletedAsNegative=true", NULL, 200, "[-1,2]");
    expect("GET", "/schemas/ids/1", NULL, 200, "…schema");
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 409, "…error_code"); /* long reads int */
    expect("DELETE", "/subjects/s", NULL, 200, "[2]");
    expect("DELETE", "/subjects/s", NULL, 404, "{\"error_code\":40404,…");
    expect("GET", "/subjects", NULL, 200, "[\"k\"]");
    expect("GET", "/subjects?deletedOnly=true", NULL, 200, "[\"s\"]");
    /* an old schema comes back under its old id and a new number */
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":1,\"version\":3,…");
    expect("DELETE", "/subjects/s", NULL, 200, "[3]");
    expect("DELETE", "/subjects/s?permanent=true", NULL, 200, "…3]");
    expect("DELETE", "/subjects/k", NULL, 200, "[1]");
    expect("DELETE", "/subjects/k?permanent=true", NULL, 200, "[1]");
    expect("GET", "/schemas/ids/3", NULL, 404, "{\"error_code\":40403,…");
    expect("PUT", "/config", "{\"compatibility\":\"NONE\"}", 200, "…NONE");
    stop();
    start();
    expect("GET", "/subjects?deleted=true", NULL, 200, "[]");
    expect("GET", "/config", NULL, 200, "{\"compatibilityLevel\":\"NONE\"}");
    /* no id is given twice, numbers begin again */
    expect("POST", "/subjects/k/versions", "{\"schema\":\"\\\"double\\\"\"}", 200,
           "{\"id\":4,\"version\":1,…");
    stop();
    start();
    expect("GET", "/subjects/k/versions/1", NULL, 200, "…\"id\":4");
}

static void test_references(void **state)
{
    (void)state;
    expect("POST", "/subjects/money/versions",
           "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"x.M\\\",\\\"size\\\":8}\"}",
           200, "{\"id\":1,…");
    expect("POST", "/subjects/o/versions",
           "{\"schema\":\"{\\\"type\\\":\\\"array\\\",\\\"items\\\":\\\"x.M\\\"}\",\"references\":"
           "[{\"name\":\"x.M\",\"subject\":\"money\",\"version\":-1}]}",
           200, "{\"id\":2,…");
    expect("GET", "/subjects/o/versions/1", NULL, 200,
           "…\"references\":[{\"name\":\"x.M\",\"subject\":\"money\",\"version\":1}]");
    expect("GET", "/subjects/money/versions/1/referencedby", NULL, 200, "[2]");
    expect("DELETE", "/subjects/money", NULL, 422, "{\"error_code\":42206,…");
    expect("POST", "/subjects/o/versions",
           "{\"schema\":\"\\\"x.M\\\"\",\"references\":[{\"name\":\"x.M\",\"subject\":\"money\","
           "\"version\":5}]}",
           422, "{\"error_code\":42201,…");
    expect("POST", "/subjects/o/versions", "{\"schema\":\"\\\"int\\\"\",\"references\":[{}]}", 422,
           "{\"error_code\":42201,…");
}

/* A version that another version of its own subject refers to goes with the whole subject only. */
static void test_own_references(void **state)
{
    (void)state;
    expect("PUT", "/config/s", "{\"compatibility\":\"NONE\"}", 200, "…NONE");
    expect("POST", "/subjects/s/versions",
           "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"x.M\\\",\\\"size\\\":8}\"}",
           200, "…id");
    expect("POST", "/subjects/s/versions",
           "{\"schema\":\"{\\\"type\\\":\\\"array\\\",\\\"items\\\":\\\"x.M\\\"}\",\"references\":"
           "[{\"name\":\"x.M\",\"subject\":\"s\",\"version\":1}]}",
           200, "…\"version\":2");
    expect("DELETE", "/subjects/s/versions/1", NULL, 422, "{\"error_code\":42206,…");
    expect("DELETE", "/subjects/s", NULL, 200, "[1,2]");
    expect("DELETE", "/subjects/s/versions/1?permanent=true", NULL, 422, "{\"error_code\":42206,…");
    expect("DELETE", "/subjects/s?permanent=true", NULL, 200, "[1,2]");
}

static void test_metadata(void **state)
{
    (void)state;
    expect("POST", "/subjects/p/versions",
           "{\"schema\":\"\\\"int\\\"\",\"metadata\":{\"properties\":{\"b\":\"2\",\"a\":\"1\"}}}",
           200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/p/versions", INT_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/p/versions",
           "{\"schema\":\"\",\"metadata\":{\"properties\":{\"a\":\"2\"}}}", 200,
           "{\"id\":2,\"version\":2,…");
    expect("GET", "/subjects/p/versions/1", NULL, 200,
           "…\"metadata\":{\"properties\":{\"a\":\"1\",\"b\":\"2\"}}");
    expect("GET", "/subjects/p/metadata?key=a&value=1", NULL, 200,
           "{\"subject\":\"p\",\"version\":1,…");
    expect("PUT", "/config/q", "{\"alias\":\"p\"}", 200, "{\"alias\":\"p\"}");
    expect("GET", "/subjects/q/versions/latest", NULL, 200, "{\"subject\":\"p\",\"version\":2,…");
}

static void test_import(void **state)
{
    (void)state;
    expect("POST", "/subjects/i/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":9}", 422,
           "{\"error_code\":42205,…");
    expect("POST", "/subjects/i/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("PUT", "/mode/i", "{\"mode\":\"IMPORT\"}", 422, "{\"error_code\":42205,…");
    expect("PUT", "/mode", "{\"mode\":\"FORWARD\"}", 422, "{\"error_code\":42204,…");
    expect("DELETE", "/subjects/i", NULL, 200, "[1]");
    expect("PUT", "/mode/i", "{\"mode\":\"import\"}", 200, "{\"mode\":\"IMPORT\"}");
    expect("GET", "/schemas/ids/1", NULL, 404, "{\"error_code\":40403,…");
    expect("POST", "/subjects/i/versions", INT_SCHEMA, 422, "{\"error_code\":42205,…");
    expect("POST", "/subjects/i/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":40,\"version\":5}",
           200, "{\"id\":40,\"version\":5,…");
    expect("POST", "/subjects/i/versions", "{\"schema\":\"\\\"long\\\"\",\"id\":40}", 422,
           "…Overwrite new schema with id 40");
    expect("PUT", "/mode/i", "{\"mode\":null}", 200, "{}");
    expect("POST", "/subjects/i/versions", "{\"schema\":\"\\\"long\\\"\"}", 200,
           "{\"id\":41,\"version\":6,…");
}

static void *register_many(void *arg)
{
    struct rc_client *client = arg;
    for (int i = 0; i < 20; i++) {
        char body[200];
        struct bs_buf out = BS_BUF_INIT;
        struct bs_error err = {0};
        int status;
        snprintf(body, sizeof body,
                 "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"F%d_%d\\\","
                 "\\\"size\\\":%d}\"}",
                 client == t.client, i, i + 1);
        if (rc_request(client, "POST", "/subjects/shared/versions", body, &out, &status, &err) < 0)
            fail_msg("%s", err.text);
        if (status != 200)
            fail_msg("%d %s", status, bs_buf_text(&out));
        bs_buf_deinit(&out);
    }
    return NULL;
}

/* Two registries on one topic, both writing: every id and every version number is given once. */
static void test_two_registries(void **state)
{
    struct rc_client *first;
    void *role;
    struct bs_config *config;
    struct bs_buf a = BS_BUF_INIT, b = BS_BUF_INIT;
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value versions;
    static const char path[] = "/schemas?subjectPrefix=shared";
    pthread_t thread;
    int status;
    (void)state;
    expect("PUT", "/config", "{\"compatibility\":\"NONE\"}", 200, "…NONE");
    first = t.client;
    role = t.role;
    config = t.config;
    start();
    pthread_create(&thread, NULL, register_many, first);
    register_many(t.client);
    pthread_join(thread, NULL);
    for (int i = 0;; i++) { /* the last records may still be on their way to one of them */
        bs_buf_reset(&a);
        bs_buf_reset(&b);
        assert_int_equal(rc_request(t.client, "GET", path, NULL, &a, &status, NULL), 0);
        assert_int_equal(rc_request(first, "GET", path, NULL, &b, &status, NULL), 0);
        assert_int_equal(sd_json_read(bs_buf_bytes(&a), &arena, &versions, NULL), 0);
        if (versions.array.count == 40 && bs_bytes_equal(bs_buf_bytes(&a), bs_buf_bytes(&b)))
            break;
        if (i == 1000)
            fail_msg("%zu versions\n%s\n%s", versions.array.count, bs_buf_text(&a),
                     bs_buf_text(&b));
        poll(NULL, 0, 10);
    }
    for (size_t i = 0; i < 40; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(
                sd_value_get(&versions.array.items[i], bs_bytes_text("id"))->number,
                sd_value_get(&versions.array.items[k], bs_bytes_text("id"))->number);
    bs_buf_deinit(&a);
    bs_buf_deinit(&b);
    bs_arena_deinit(&arena);
    stop();
    t.client = first;
    t.role = role;
    t.config = config;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_register_and_read),
        ROW(test_errors),
        ROW(test_compatibility),
        ROW(test_config_and_mode),
        ROW(test_delete_and_restart),
        ROW(test_references),
        ROW(test_own_references),
        ROW(test_metadata),
        ROW(test_import),
        ROW(test_two_registries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
