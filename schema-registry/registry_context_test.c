/* Registry: contexts, and settings and modes over them. */
#include "schema-registry/registry_test.h"

#define LONG_SCHEMA   "{\"schema\":\"\\\"long\\\"\"}"
#define STRING_SCHEMA "{\"schema\":\"\\\"string\\\"\"}"

static void test_id_spaces(void **state)
{
    struct bs_buf records = BS_BUF_INIT;
    (void)state;
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/:.a:s/versions", LONG_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("POST", "/subjects/%3A.a%3At/versions", INT_SCHEMA, 200, "{\"id\":2,\"version\":1,…");
    expect("POST", "/contexts/.a/subjects/t/versions", INT_SCHEMA, 200,
           "{\"id\":2,\"version\":1,…");
    expect("POST", "/contexts/:.b:/subjects/x%2Fy/versions", STRING_SCHEMA, 200, "{\"id\":1,…");
    expect("GET", "/contexts", NULL, 200, "[\".\",\".a\",\".b\"]");
    expect("GET", "/contexts?contextPrefix=.a", NULL, 200, "[\".a\"]");
    expect("GET", "/contexts?offset=1&limit=1", NULL, 200, "[\".a\"]");
    expect("GET", "/subjects", NULL, 200, "[\":.a:s\",\":.a:t\",\":.b:x/y\",\"s\"]");
    expect("GET", "/subjects?subjectPrefix=:*:s", NULL, 200, "[\":.a:s\",\"s\"]");
    expect("GET", "/subjects?subjectPrefix=:.:", NULL, 200, "[\"s\"]");
    expect("GET", "/subjects?subjectPrefix=s", NULL, 200, "[\"s\"]");
    expect("GET", "/subjects?subjectPrefix=:.a:", NULL, 200, "[\":.a:s\",\":.a:t\"]");
    expect("GET", "/contexts/.a/subjects", NULL, 200, "[\":.a:s\",\":.a:t\"]");
    expect("GET", "/contexts/.a/subjects/?subjectPrefix=t", NULL, 200, "[\":.a:t\"]");
    expect("GET", "/contexts/.a/subjects?offset=1", NULL, 200, "[\":.a:t\"]");
    expect("GET", "/contexts/.a/schemas?latestOnly=true&limit=1", NULL, 200,
           "[{\"subject\":\":.a:s\",\"version\":1,\"id\":1,…");
    expect("GET", "/contexts/.none/subjects", NULL, 200, "[]");
    expect("GET", "/contexts/.a/subjects/s/versions", NULL, 200, "[1]");
    expect("GET", "/contexts/.a/subjects/s/versions/latest", NULL, 200,
           "{\"subject\":\":.a:s\",\"version\":1,\"id\":1,…");
    expect("GET", "/contexts/./subjects/s/versions/latest/schema", NULL, 200, "\"int\"");
    expect("GET", "/contexts/.b/subjects/x%2Fy/versions/1/schema", NULL, 200, "\"string\"");
    expect("POST", "/contexts/.a/compatibility/subjects/s/versions/latest", STRING_SCHEMA, 200,
           "{\"is_compatible\":false}");
    expect("GET", "/contexts/a/subjects", NULL, 200, "[\":.a:s\",\":.a:t\"]");
    expect("GET", "/subjects?subjectPrefix=:.b:&subjectPrefix=s", NULL, 200, "[\":.b:x/y\",\"s\"]");
    expect("GET", "/contexts/.a/subjects?subjectPrefix=t&subjectPrefix=:.b:", NULL, 200,
           "[\":.a:t\",\":.b:x/y\"]");
    expect("POST", "/contexts/.q%25%2F%3F/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("GET", "/contexts?contextPrefix=.q", NULL, 200, "[\".q%/?\"]");
    expect("GET", "/contexts/.q%25%2F%3F/subjects", NULL, 200, "[\":.q%/?:s\"]");
    expect("GET", "/contexts/.a/subjects/:.b:x%2Fy/versions", NULL, 200, "[1]");
    expect("GET", "/contexts/.a/subjects/%3A%2Eb%3Ax%2Fy/versions", NULL, 200, "[1]");
    expect("GET", "/contexts/.a%3Ab/subjects", NULL, 400, "{\"error_code\":400,…");
    expect("POST", "/subjects/:.__GLOBAL:s/versions", INT_SCHEMA, 422, "{\"error_code\":42208,…");
    expect("POST", "/subjects/:*:s/versions", INT_SCHEMA, 422, "{\"error_code\":42208,…");
    read_records(&records);
    assert_non_null(strstr(bs_buf_text(&records),
                           "{\"keytype\":\"SCHEMA\",\"subject\":\":.a:s\",\"version\":1,"
                           "\"magic\":1} {\"subject\":\":.a:s\",\"version\":1,\"id\":1,"));
    assert_non_null(strstr(bs_buf_text(&records),
                           "}\n{\"keytype\":\"CONTEXT\",\"tenant\":\"default\",\"context\":\".a\","
                           "\"magic\":0} {\"tenant\":\"default\",\"context\":\".a\"}\n"));
    bs_buf_deinit(&records);
}

/* What names no context means the default one first, then the others. */
static void test_search(void **state)
{
    (void)state;
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("POST", "/subjects/:.a:s/versions", LONG_SCHEMA, 200, "{\"id\":1,…");
    expect("POST", "/subjects/:.a:only/versions", STRING_SCHEMA, 200, "{\"id\":2,…");
    expect("POST", "/subjects/:.b:only/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("GET", "/subjects/only/versions/latest", NULL, 200, "{\"subject\":\":.a:only\",…");
    expect("GET", "/subjects/only/versions/1/schema", NULL, 200, "\"string\"");
    expect("GET", "/subjects/only/versions/2", NULL, 404, "{\"error_code\":40401,…");
    expect("GET", "/subjects/s/versions/2", NULL, 404, "{\"error_code\":40402,…");
    expect("GET", "/subjects/:.a:none/versions/1", NULL, 404,
           "{\"error_code\":40401,\"message\":\"Subject ':.a:none' not found.\"}");
    expect("GET", "/subjects/only/versions", NULL, 404, "{\"error_code\":40401,…");
    expect("POST", "/subjects/only", INT_SCHEMA, 200,
           "{\"subject\":\":.b:only\",\"version\":1,\"id\":1,…");
    expect("POST", "/subjects/s", LONG_SCHEMA, 200, "{\"subject\":\":.a:s\",…");
    expect("POST", "/subjects/s", STRING_SCHEMA, 404, "{\"error_code\":40403,…");
    expect("POST", "/subjects/none", INT_SCHEMA, 404, "{\"error_code\":40401,…");
    /* ids */
    expect("GET", "/schemas/ids/1", NULL, 200, "…\"schema\":\"\\\"int\\\"\"");
    expect("GET", "/schemas/ids/1?subject=s", NULL, 200, "{\"subject\":\"s\",\"version\":1,…");
    expect("GET", "/schemas/ids/1?subject=:.a:s", NULL, 200, "{\"subject\":\":.a:s\",…");
    expect("GET", "/schemas/ids/1?subject=:.a:", NULL, 200, "…\"schema\":\"\\\"long\\\"\"");
    expect("GET", "/contexts/.a/schemas/ids/1/schema", NULL, 200, "\"long\"");
    expect("GET", "/contexts/.a/schemas/ids/2?fetchMaxId=true", NULL, 200, "…\"maxId\":2");
    expect("GET", "/schemas/ids/2?subject=only", NULL, 200, "{\"subject\":\":.a:only\",…");
    expect("GET", "/schemas/ids/1?subject=unknown", NULL, 200,
           "{\"subject\":\"s\",\"version\":1,…");
    expect("GET", "/schemas/ids/2?subject=unknown", NULL, 200, "{\"subject\":\":.a:only\",…");
    expect("GET", "/schemas/ids/2?subject=", NULL, 200, "{\"subject\":\":.a:only\",…");
    expect("GET", "/schemas/ids/1?subject=:.a:unknown", NULL, 200, "{\"subject\":\":.a:s\",…");
    expect("GET", "/schemas/ids/2", NULL, 404, "{\"error_code\":40403,…");
    expect("GET", "/schemas/ids/2?subject=:.b:", NULL, 404, "{\"error_code\":40403,…");
    expect("GET", "/contexts/.a/schemas/ids/2/subjects", NULL, 200, "[\":.a:only\"]");
    expect("GET", "/contexts/.a/schemas/ids/1/versions", NULL, 200,
           "[{\"subject\":\":.a:s\",\"version\":1}]");
    expect("GET", "/schemas/ids/2/subjects", NULL, 404, "{\"error_code\":40403,…");
    /* a GUID is the same everywhere */
    expect("GET", "/schemas/guids/ef524ea1-b91e-7317-3d93-8ade36c1db32/ids", NULL, 200,
           "[{\"context\":\".\",\"id\":1},{\"context\":\".b\",\"id\":1}]");
    expect("GET", "/schemas/guids/ffffffff-b91e-7317-3d93-8ade36c1db32/ids", NULL, 200, "[]");
}

static void test_references(void **state)
{
    (void)state;
    expect("POST", "/subjects/:.a:m/versions",
           "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"x.M\\\",\\\"size\\\":8}\"}",
           200, "{\"id\":1,…");
#define USE(subject)                                                                           \
    "{\"schema\":\"{\\\"type\\\":\\\"array\\\",\\\"items\\\":\\\"x.M\\\"}\",\"references\":[{" \
    "\"name\":\"x.M\",\"subject\":\"" subject "\",\"version\":1}]}"
    expect("POST", "/subjects/r/versions", USE("m"), 422, "{\"error_code\":42201,…");
    expect("POST", "/contexts/.a/subjects/r/versions", USE("m"), 200, "{\"id\":2,…");
    expect("POST", "/subjects/r/versions", USE(":.a:m"), 200, "{\"id\":1,…");
    expect("POST", "/subjects/r", USE("m"), 200, "{\"subject\":\":.a:r\",…");
    expect("GET", "/contexts/.a/subjects/m/versions/1/referencedby", NULL, 200, "[1,2]");
    expect("DELETE", "/subjects/:.a:m", NULL, 422,
           "{\"error_code\":42206,\"message\":\"One or more references exist to the schema "
           "{magic=1,keytype=SCHEMA,subject=:.a:m,version=1}.\"}");
}

/* What was given in a context is not given again: not after its schemas are gone for good, not
 * after the context is gone, not after a restart. */
static void test_ids_are_not_given_twice(void **state)
{
    (void)state;
    expect("POST", "/subjects/:.a:s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("POST", "/subjects/:.a:t/versions", LONG_SCHEMA, 200, "{\"id\":2,…");
    expect("DELETE", "/contexts/.a", NULL, 422, "{\"error_code\":42211,…");
    expect("DELETE", "/subjects/:.a:t", NULL, 200, "[1]");
    expect("DELETE", "/subjects/:.a:t?permanent=true", NULL, 200, "[1]");
    expect("DELETE", "/contexts/.a/subjects/s", NULL, 200, "[1]");
    expect("DELETE", "/contexts/.a", NULL, 422, "{\"error_code\":42211,…");
    expect("DELETE", "/contexts/.a/subjects/s?permanent=true", NULL, 200, "[1]");
    expect("PUT", "/contexts/.a/config", "{\"compatibility\":\"NONE\"}", 200, "…NONE");
    expect("GET", "/contexts", NULL, 200, "[\".\",\".a\"]");
    expect("DELETE", "/contexts/.a", NULL, 204, "");
    expect("GET", "/contexts", NULL, 200, "[\".\"]");
    expect("GET", "/config/:.a:", NULL, 404, "{\"error_code\":40408,…");
    expect("DELETE", "/contexts/.a", NULL, 204, "");
    expect("DELETE", "/contexts/.a%3Ab", NULL, 400, "{\"error_code\":400,…");
    stop();
    start();
    expect("GET", "/contexts", NULL, 200, "[\".\"]");
    expect("POST", "/subjects/:.a:s/versions", STRING_SCHEMA, 200, "{\"id\":3,\"version\":1,…");
    expect("POST", "/subjects/s/versions", STRING_SCHEMA, 200, "{\"id\":1,\"version\":1,…");
    expect("GET", "/contexts", NULL, 200, "[\".\",\".a\"]");
}

static void test_settings(void **state)
{
    (void)state;
    expect("GET", "/config/:.__GLOBAL:", NULL, 200, "{\"compatibilityLevel\":\"BACKWARD\"}");
    expect("PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"full\",\"normalize\":true}", 200,
           "{\"normalize\":true,\"compatibility\":\"FULL\"}");
    expect("GET", "/config", NULL, 200, "{\"normalize\":true,\"compatibilityLevel\":\"FULL\"}");
    expect("PUT", "/config", "{\"compatibility\":\"FORWARD\"}", 200, "…FORWARD");
    expect("GET", "/config/:.:", NULL, 200,
           "{\"normalize\":true,\"compatibilityLevel\":\"FORWARD\"}");
    expect("GET", "/contexts/./config", NULL, 200, "…FORWARD");
    expect("GET", "/contexts/.a/config", NULL, 404, "{\"error_code\":40408,…");
    expect("GET", "/contexts/.a/config?defaultToGlobal=true", NULL, 200, "…FULL");
    expect("PUT", "/contexts/.a/config", "{\"compatibility\":\"NONE\"}", 200,
           "{\"compatibility\":\"NONE\"}");
    expect("GET", "/config/:.a:", NULL, 200, "{\"compatibilityLevel\":\"NONE\"}");
    expect("PUT", "/contexts/.a/config/s", "{\"compatibilityGroup\":\"g\"}", 200,
           "{\"compatibilityGroup\":\"g\"}");
    expect("GET", "/config/:.a:s", NULL, 200, "{\"compatibilityGroup\":\"g\"}");
    expect("GET", "/config/:.a:s?defaultToGlobal=true", NULL, 200,
           "{\"normalize\":true,\"compatibilityLevel\":\"NONE\",\"compatibilityGroup\":\"g\"}");
    expect("GET", "/config/s?defaultToGlobal=true", NULL, 200, "…FORWARD");
    expect("DELETE", "/config/:.a:", NULL, 200, "{\"compatibilityLevel\":\"NONE\"}");
    expect("DELETE", "/config/:.a:", NULL, 404, "{\"error_code\":40401,…");
    expect("GET", "/config/:.a:s?defaultToGlobal=true", NULL, 200, "…\"FULL\"");
    expect("PUT", "/config/:.__GLOBAL:s", "{}", 422, "{\"error_code\":42208,…");
    expect("PUT", "/config/__GLOBAL", "{}", 422, "{\"error_code\":42208,…");
    /* an alias is a setting of its own name, and stands for a subject of its context */
    expect("POST", "/subjects/:.a:s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("PUT", "/config/:.a:q", "{\"alias\":\"s\"}", 200, "{\"alias\":\"s\"}");
    expect("GET", "/subjects/:.a:q/versions/1", NULL, 200, "{\"subject\":\":.a:s\",…");
    expect("GET", "/schemas/ids/1?subject=:.a:q", NULL, 200, "{\"subject\":\":.a:s\",…");
    expect("GET", "/schemas?subjectPrefix=:.a:q", NULL, 200, "[]");
    expect("GET", "/schemas?subjectPrefix=:.a:q&aliases=true", NULL, 200,
           "[{\"subject\":\":.a:s\",…");
    expect("DELETE", "/config/:.a:q", NULL, 200, "{\"alias\":\"s\"}");
    expect("GET", "/subjects/:.a:q/versions/1", NULL, 404, "{\"error_code\":40401,…");
}

static void test_modes(void **state)
{
    (void)state;
    expect("POST", "/subjects/:.a:s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("PUT", "/contexts/.a/mode", "{\"mode\":\"readonly\"}", 200, "{\"mode\":\"READONLY\"}");
    expect("GET", "/mode/:.a:s", NULL, 404, "{\"error_code\":40409,…");
    expect("GET", "/mode/:.a:s?defaultToGlobal=true", NULL, 200, "{\"mode\":\"READONLY\"}");
    expect("GET", "/mode/:.b:s?defaultToGlobal=true", NULL, 200, "{\"mode\":\"READWRITE\"}");
    expect("POST", "/subjects/:.a:s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("POST", "/subjects/:.a:s/versions", LONG_SCHEMA, 422,
           "{\"error_code\":42205,\"message\":\"Subject s in context .a is in read-only mode\"}");
    expect("DELETE", "/subjects/:.a:s", NULL, 422, "{\"error_code\":42205,…");
    expect("PUT", "/config/:.a:s", "{\"compatibility\":\"NONE\"}", 422, "{\"error_code\":42205,…");
    expect("POST", "/subjects/s/versions", LONG_SCHEMA, 200, "{\"id\":1,…");
    expect("PUT", "/mode/:.a:s", "{\"mode\":\"READWRITE\"}", 200, "…READWRITE");
    expect("POST", "/subjects/:.a:s/versions", LONG_SCHEMA, 200, "{\"id\":2,…");
    expect("PUT", "/mode", "{\"mode\":\"READONLY_OVERRIDE\"}", 200, "…READONLY_OVERRIDE");
    expect("PUT", "/mode/s", "{\"mode\":\"READWRITE\"}", 200, "…READWRITE");
    expect("POST", "/subjects/s/versions", STRING_SCHEMA, 422, "{\"error_code\":42205,…");
    expect("DELETE", "/mode", NULL, 200, "{\"mode\":\"READONLY_OVERRIDE\"}");
    /* recursive: what is below goes too */
    expect("DELETE", "/mode/:.a:?recursive=true", NULL, 200, "{\"mode\":\"READONLY\"}");
    expect("GET", "/mode/:.a:s", NULL, 404, "{\"error_code\":40409,…");
    expect("GET", "/mode/s", NULL, 200, "{\"mode\":\"READWRITE\"}");
    expect("DELETE", "/mode/:.a:", NULL, 404, "{\"error_code\":40401,…");
    expect("PUT", "/mode/:.a:s", "{\"mode\":\"READONLY\"}", 200, "…READONLY");
    expect("DELETE", "/mode/:.a:?recursive=true", NULL, 200, "{}");
    expect("GET", "/mode/:.a:s", NULL, 404, "{\"error_code\":40409,…");
    expect("PUT", "/mode/:.a:s", "{\"mode\":null}", 200, "{}");
    expect("GET", "/mode/:.__GLOBAL:", NULL, 200, "{\"mode\":\"READWRITE\"}");
    /* FORWARD is for :.__GLOBAL: alone; there ids are given as in IMPORT */
    expect("PUT", "/mode", "{\"mode\":\"FORWARD\"}", 422, "…Forward mode only supported on global");
    expect("PUT", "/mode/:.a:", "{\"mode\":\"FORWARD\"}", 422, "{\"error_code\":42204,…");
    expect("PUT", "/mode/:.__GLOBAL:", "{\"mode\":\"forward\"}", 200, "{\"mode\":\"FORWARD\"}");
    expect("GET", "/mode/:.b:x?defaultToGlobal=true", NULL, 200, "{\"mode\":\"FORWARD\"}");
    expect("POST", "/subjects/:.b:x/versions", INT_SCHEMA, 422, "{\"error_code\":42205,…");
    expect("POST", "/subjects/:.b:x/versions", "{\"schema\":\"\\\"int\\\"\",\"id\":7}", 200,
           "{\"id\":7,…");
    expect("DELETE", "/mode/:.__GLOBAL:?recursive=true", NULL, 200, "{\"mode\":\"FORWARD\"}");
    expect("GET", "/mode/s", NULL, 404, "{\"error_code\":40409,…");
}

static void test_import(void **state)
{
    struct bs_buf records = BS_BUF_INIT;
    (void)state;
    expect("POST", "/subjects/s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("POST", "/subjects/:.a:s/versions", INT_SCHEMA, 200, "{\"id\":1,…");
    expect("POST", "/subjects/:.a:t/versions", LONG_SCHEMA, 200, "{\"id\":2,…");
    expect("PUT", "/mode/:.a:", "{\"mode\":\"IMPORT\"}", 422,
           "{\"error_code\":42205,\"message\":\"Cannot import since found existing subjects\"}");
    expect("PUT", "/mode/:.__GLOBAL:", "{\"mode\":\"IMPORT\"}", 422, "{\"error_code\":42205,…");
    expect("PUT", "/mode/:.b:", "{\"mode\":\"IMPORT\"}", 200, "…IMPORT");
    expect("DELETE", "/subjects/:.a:s", NULL, 200, "[1]");
    expect("PUT", "/mode/:.a:", "{\"mode\":\"IMPORT\"}", 422, "{\"error_code\":42205,…");
    expect("DELETE", "/subjects/:.a:t", NULL, 200, "[1]");
    expect("PUT", "/mode/:.a:", "{\"mode\":\"IMPORT\"}", 200, "…IMPORT");
    expect("GET", "/contexts/.a/subjects?deleted=true", NULL, 200, "[]");
    expect("GET", "/subjects", NULL, 200, "[\"s\"]");
    expect("POST", "/subjects/:.a:s/versions",
           "{\"schema\":\"\\\"int\\\"\",\"id\":40,\"version\":3}", 200,
           "{\"id\":40,\"version\":3,…");
    expect("POST", "/subjects/:.a:t/versions", "{\"schema\":\"\\\"long\\\"\",\"id\":40}", 422,
           "…Overwrite new schema with id 40 in context .a is not permitted.");
    expect("PUT", "/mode/:.a:", "{\"mode\":\"IMPORT\"}", 200, "…IMPORT"); /* it is already */
    expect("POST", "/subjects/r/versions",
           "{\"schema\":\"\\\"long\\\"\",\"references\":[{\"name\":\"x\",\"subject\":\":.a:s\","
           "\"version\":3}]}",
           200, "…id");
    expect("DELETE", "/mode/:.a:", NULL, 200, "{\"mode\":\"IMPORT\"}");
    expect("DELETE", "/subjects/r", NULL, 200, "[1]");
    expect("DELETE", "/subjects/:.a:s", NULL, 200, "[3]");
    expect("PUT", "/mode/:.a:", "{\"mode\":\"IMPORT\"}", 422,
           "{\"error_code\":42206,\"message\":\"One or more references exist to the schema "
           "{magic=1,keytype=SCHEMA,subject=:.a:s,version=3}.\"}");
    /* force: what is there stays */
    expect("PUT", "/mode", "{\"mode\":\"IMPORT\"}", 422, "…found existing subjects");
    expect("PUT", "/mode/:.a:?force=true", "{\"mode\":\"IMPORT\"}", 200, "…IMPORT");
    expect("DELETE", "/mode/:.a:", NULL, 200, "{\"mode\":\"IMPORT\"}");
    expect("POST", "/subjects/:.a:s/versions", LONG_SCHEMA, 200, "{\"id\":41,\"version\":4,…");
    read_records(&records);
    assert_non_null(strstr(bs_buf_text(&records),
                           "{\"keytype\":\"MODE\",\"subject\":\":.a:\",\"magic\":0} "
                           "{\"subject\":\":.a:\",\"mode\":\"IMPORT\"}\n"
                           "{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\":.a:\",\"magic\":0} "
                           "{\"subject\":\":.a:\"}\n"));
    bs_buf_deinit(&records);
}

enum { WRITERS = 6, SCHEMAS = 12, CONTEXTS = 3 };

/* Schemas of its own and shared ones, in every context, all of which are new. */
static void *write_contexts(void *arg)
{
    int writer = *(int *)arg;
    for (int i = 0; i < SCHEMAS * CONTEXTS; i++) {
        struct bs_buf out = BS_BUF_INIT;
        struct bs_error err = {0};
        int size = i / CONTEXTS + 1, status;
        char path[100], body[200];
        snprintf(path, sizeof path, "/contexts/.c%d/subjects/s%d/versions", i % CONTEXTS, writer);
        snprintf(
            body, sizeof body,
            "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"F%d_%d\\\",\\\"size\\\":%d}"
            "\"}",
            size % 2 ? writer : WRITERS, size, size);
        if (rc_request(t.client, "POST", path, body, &out, &status, &err) < 0 || status != 200)
            fail_msg("%s: %d %s %s", path, status, bs_buf_text(&out), err.text);
        bs_buf_deinit(&out);
    }
    return NULL;
}

static const struct sd_value *field(const struct sd_value *row, const char *name)
{
    return sd_value_get(row, bs_bytes_text(name));
}

/* In each context one id stands for one schema and one schema for one id, from 1 without a gap that
 * a failed write would have left. */
static void test_writers_of_contexts(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    (void)state;
    expect("PUT", "/config/:.__GLOBAL:", "{\"compatibility\":\"NONE\"}", 200, "…NONE");
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        pthread_create(&threads[i], NULL, write_contexts, &numbers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    expect("GET", "/contexts", NULL, 200, "[\".\",\".c0\",\".c1\",\".c2\"]");
    for (int c = 0; c < CONTEXTS; c++) {
        struct bs_buf out = BS_BUF_INIT;
        struct sd_value rows;
        char path[100];
        int status;
        int64_t highest = 0;
        snprintf(path, sizeof path, "/contexts/.c%d/schemas", c);
        assert_int_equal(rc_request(t.client, "GET", path, NULL, &out, &status, NULL), 0);
        assert_int_equal(sd_json_read(bs_buf_bytes(&out), &arena, &rows, NULL), 0);
        assert_int_equal(rows.array.count, WRITERS * SCHEMAS);
        for (size_t i = 0; i < rows.array.count; i++) {
            const struct sd_value *a = &rows.array.items[i];
            if (field(a, "id")->number > highest)
                highest = field(a, "id")->number;
            for (size_t k = 0; k < i; k++) {
                const struct sd_value *b = &rows.array.items[k];
                assert_int_equal(field(a, "id")->number == field(b, "id")->number,
                                 sd_value_equal(field(a, "schema"), field(b, "schema")));
            }
        }
        assert_int_equal(highest, SCHEMAS / 2 * WRITERS + SCHEMAS / 2);
        bs_buf_deinit(&out);
    }
    bs_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_id_spaces),  ROW(test_search),
        ROW(test_references), ROW(test_ids_are_not_given_twice),
        ROW(test_settings),   ROW(test_modes),
        ROW(test_import),     ROW(test_writers_of_contexts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
