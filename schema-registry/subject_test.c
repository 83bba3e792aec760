/* Subjects and records: replay without a broker. Keys and values in the exact bytes of Confluent's
 * registry; what it and others may have left in a topic. */
#include "schema-registry/subject.h"

#include "lib/base/mem.h"
#include "lib/serde/golden_test.h"

static struct sr_store *store;

static int setup(void **state)
{
    (void)state;
    store = sr_store_new(SR_BACKWARD);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sr_store_free(store);
    return 0;
}

/* value NULL: a tombstone */
static int replay(const char *key, const char *value)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_error err = {0};
    struct sr_record record;
    int rc = sr_record_read(bs_bytes_text(key), value ? bs_bytes_text(value) : bs_bytes(NULL, 0),
                            &arena, &record, &err);
    if (rc == 0)
        rc = sr_store_apply(store, &record, &err);
    if (rc < 0)
        assert_true(err.text[0] != '\0');
    bs_arena_deinit(&arena);
    return rc;
}

static int schema(const char *subject, int version, int id, const char *text, bool deleted)
{
    char key[200], value[400];
    snprintf(key, sizeof key,
             "{\"keytype\":\"SCHEMA\",\"subject\":\"%s\",\"version\":%d,\"magic\":1}", subject,
             version);
    snprintf(value, sizeof value,
             "{\"subject\":\"%s\",\"version\":%d,\"id\":%d,\"schema\":\"\\\"%s\\\"\",\"deleted\":"
             "%s}",
             subject, version, id, text, deleted ? "true" : "false");
    return replay(key, value);
}

static const struct sr_version *version(const char *subject, int number, bool deleted)
{
    return sr_subject_version(sr_store_subject(store, subject), number, deleted);
}

static void expect_bytes(const struct sr_record *record, const char *key, const char *value)
{
    struct bs_buf out = BS_BUF_INIT;
    sr_record_put_key(record, &out);
    assert_string_equal(bs_buf_text(&out), key);
    bs_buf_reset(&out);
    if (value) {
        sr_record_put_value(record, &out);
        assert_string_equal(bs_buf_text(&out), value);
    }
    bs_buf_deinit(&out);
}

static void test_bytes(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_ref ref = {.name = "x.M", .subject = "m", .version = 2};
    struct sr_record record = {.kind = SR_RECORD_SCHEMA, .subject = "s", .version = 1, .id = 7};
    (void)state;
    record.content.text = bs_bytes_text("\"int\"");
    expect_bytes(&record, "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}",
                 "{\"subject\":\"s\",\"version\":1,\"id\":7,\"schemaType\":\"AVRO\",\"schema\":"
                 "\"\\\"int\\\"\",\"deleted\":false}");
    record.content.refs = &ref;
    record.content.ref_count = 1;
    record.deleted = true;
    expect_bytes(&record, "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}",
                 "{\"subject\":\"s\",\"version\":1,\"id\":7,\"schemaType\":\"AVRO\","
                 "\"references\":[{\"name\":\"x.M\",\"subject\":\"m\",\"version\":2}],\"schema\":"
                 "\"\\\"int\\\"\",\"deleted\":true}");
    record = (struct sr_record){.kind = SR_RECORD_DELETE_SUBJECT, .subject = "s", .version = 3};
    expect_bytes(&record, "{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"s\",\"magic\":0}",
                 "{\"subject\":\"s\",\"version\":3}");
    record = (struct sr_record){.kind = SR_RECORD_CONFIG, .tombstone = true};
    expect_bytes(&record, "{\"keytype\":\"CONFIG\",\"magic\":0}", NULL);
    record = (struct sr_record){.kind = SR_RECORD_MODE, .subject = "s", .tombstone = true};
    expect_bytes(&record, "{\"keytype\":\"MODE\",\"subject\":\"s\",\"magic\":0}", NULL);
    record = (struct sr_record){.kind = SR_RECORD_NOOP, .tombstone = true};
    expect_bytes(&record, "{\"keytype\":\"NOOP\",\"magic\":0}", NULL);
    bs_arena_deinit(&arena);
}

static void test_versions_and_ids(void **state)
{
    (void)state;
    assert_int_equal(schema("s", 1, 1, "int", false), 0);
    assert_int_equal(schema("s", 2, 2, "long", false), 0);
    assert_int_equal(schema("a", 1, 1, "int", false), 0);
    assert_int_equal(sr_store_subject_count(store), 2);
    assert_string_equal(sr_store_subject_at(store, 0)->name, "a");
    assert_int_equal(version("s", -1, false)->number, 2);
    assert_int_equal(sr_store_entry_count(store), 2);
    assert_int_equal(sr_store_id(store, 1)->uses, 2);
    assert_null(version("s", 3, true));
    /* an id that stands for another schema: the first record wins */
    assert_int_equal(schema("s", 3, 2, "string", false), BS_ECONFLICT);
    assert_null(version("s", 3, true));
    /* soft deletion of one version, then of the subject up to a number */
    assert_int_equal(schema("s", 1, 1, "int", true), 0);
    assert_null(version("s", 1, false));
    assert_non_null(version("s", 1, true));
    assert_int_equal(schema("s", 4, 3, "bytes", false), 0);
    assert_int_equal(replay("{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"s\",\"magic\":0}",
                            "{\"subject\":\"s\",\"version\":2}"),
                     0);
    assert_int_equal(version("s", -1, false)->number, 4);
    assert_null(version("s", 2, false));
    /* permanent deletion: the id goes with its last use, but is not given again */
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":4,\"magic\":1}", NULL), 0);
    assert_null(sr_store_id(store, 3));
    assert_int_equal(sr_store_max_id(store), 3);
    assert_int_equal(replay("{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\"s\",\"magic\":0}", "{}"),
                     0);
    assert_null(sr_store_subject(store, "s"));
    assert_int_equal(sr_store_id(store, 1)->uses, 1);
    assert_int_equal(replay("{\"keytype\":\"NOOP\",\"magic\":0}", "{\"maxId\":40}"), 0);
    assert_int_equal(sr_store_max_id(store), 40);
    assert_int_equal(replay("{\"keytype\":\"NOOP\",\"magic\":0}", NULL), 0);
    assert_int_equal(sr_store_max_id(store), 40);
}

static void test_what_others_wrote(void **state)
{
    (void)state;
    /* another order of members, Karapace's global config, an old magic */
    assert_int_equal(
        replay("{\"subject\":\"s\",\"version\":1,\"magic\":0,\"keytype\":\"SCHEMA\"}",
               "{\"schema\":\"\\\"int\\\"\",\"id\":5,\"subject\":\"s\",\"version\":1}"),
        0);
    assert_int_equal(version("s", 1, false)->entry->id, 5);
    assert_int_equal(replay("{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0}",
                            "{\"compatibilityLevel\":\"FULL\"}"),
                     0);
    assert_int_equal(sr_store_level(store, "s"), SR_FULL);
    assert_int_equal(
        replay("{\"keytype\":\"CONFIG\",\"magic\":0}", "{\"compatibilityLevel\":\"NONE\"}"), 0);
    assert_int_equal(sr_store_level(store, "s"), SR_NONE);
    assert_int_equal(replay("{\"keytype\":\"CONTEXT\",\"tenant\":\"default\",\"context\":\".c\","
                            "\"magic\":0}",
                            "{\"tenant\":\"default\",\"context\":\".c\"}"),
                     0);
    /* unknown kinds and rubbish have no effect */
    assert_int_equal(replay("{\"keytype\":\"ASSOC\",\"magic\":0}", "{}"), BS_EUNSUPPORTED);
    assert_int_equal(replay("rubbish", "{}"), BS_ESYNTAX);
    assert_int_equal(replay("{\"magic\":0}", "{}"), BS_EINVAL);
    assert_int_equal(replay("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"magic\":1}", "{}"),
                     BS_EINVAL);
    assert_int_equal(replay("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":9,\"magic\":1}",
                            "{\"id\":1}"),
                     BS_EINVAL);
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":9,\"magic\":1}", "rubbish"),
        BS_ESYNTAX);
    /* a version that compaction took already */
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\"gone\",\"version\":9,\"magic\":1}", NULL), 0);
    assert_int_equal(replay("{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"gone\",\"magic\":0}",
                            "{\"subject\":\"gone\",\"version\":2}"),
                     0);
    assert_null(sr_store_subject(store, "gone"));
}

static void test_settings(void **state)
{
    (void)state;
    assert_int_equal(sr_store_level(store, "s"), SR_BACKWARD);
    assert_int_equal(replay("{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0}",
                            "{\"subject\":\"s\",\"compatibilityLevel\":\"FULL\",\"normalize\":true,"
                            "\"compatibilityGroup\":\"g\"}"),
                     0);
    assert_int_equal(sr_store_level(store, "s"), SR_FULL);
    assert_true(sr_store_normalize(store, "s"));
    assert_false(sr_store_normalize(store, "other"));
    assert_string_equal(sr_store_group(store, "s"), "g");
    /* a record of the subject without a level: the global one counts */
    assert_int_equal(
        replay("{\"keytype\":\"CONFIG\",\"magic\":0}", "{\"compatibilityLevel\":\"FORWARD\"}"), 0);
    assert_int_equal(replay("{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0}",
                            "{\"subject\":\"s\",\"normalize\":false}"),
                     0);
    assert_int_equal(sr_store_level(store, "s"), SR_FORWARD);
    assert_int_equal(replay("{\"keytype\":\"CONFIG\",\"subject\":\"s\",\"magic\":0}", NULL), 0);
    assert_null(sr_store_subject(store, "s"));
    assert_int_equal(replay("{\"keytype\":\"MODE\",\"magic\":0}", "{\"mode\":\"READONLY\"}"), 0);
    assert_int_equal(sr_store_mode(store, "s"), SR_MODE_READONLY);
    assert_int_equal(replay("{\"keytype\":\"MODE\",\"subject\":\"s\",\"magic\":0}",
                            "{\"subject\":\"s\",\"mode\":\"READWRITE\"}"),
                     0);
    assert_int_equal(sr_store_mode(store, "s"), SR_MODE_READWRITE);
    assert_int_equal(replay("{\"keytype\":\"MODE\",\"magic\":0}", NULL), 0);
    assert_int_equal(sr_store_mode(store, "t"), SR_MODE_READWRITE);
}

static void test_find(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_content wanted = {.text = bs_bytes_text("\"int\"")};
    struct sd_value metadata;
    (void)state;
    assert_int_equal(schema("s", 1, 1, "int", false), 0);
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":2,\"magic\":1}",
               "{\"subject\":\"s\",\"version\":2,\"id\":2,\"schema\":\"\\\"int\\\"\",\"metadata\":"
               "{\"properties\":{\"owner\":\"a\",\"confluent:version\":\"2\"}}}"),
        0);
    sr_content_seal(&wanted, &arena);
    /* the exact digest first; metadata only where it is asked for */
    assert_int_equal(sr_subject_find(sr_store_subject(store, "s"), &wanted, false)->number, 1);
    assert_int_equal(
        sd_json_read(bs_bytes_text("{\"properties\":{\"owner\":\"a\"}}"), &arena, &metadata, NULL),
        0);
    wanted.metadata = &metadata;
    sr_content_seal(&wanted, &arena);
    assert_int_equal(sr_subject_find(sr_store_subject(store, "s"), &wanted, false)->number, 2);
    assert_int_equal(
        sd_json_read(bs_bytes_text("{\"properties\":{\"owner\":\"b\"}}"), &arena, &metadata, NULL),
        0);
    wanted.metadata = &metadata;
    sr_content_seal(&wanted, &arena);
    assert_null(sr_subject_find(sr_store_subject(store, "s"), &wanted, false));
    bs_arena_deinit(&arena);
}

static void test_guid(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_content content = {.text = bs_bytes_text("\"int\"")};
    char guid[SR_GUID_TEXT];
    (void)state;
    sr_content_seal(&content, &arena);
    sr_content_guid(&content, guid);
    assert_string_equal(guid, "ef524ea1-b91e-7317-3d93-8ade36c1db32");
    bs_arena_deinit(&arena);
    {
        struct golden g;
        golden_open(&g, "parsing.json");
        for (size_t i = 0; i < g.rows.array.count; i++) {
            const struct sd_value *row = &g.rows.array.items[i];
            const struct sd_value *want = golden_get(row, "guid");
            if (want == NULL)
                continue;
            content = (struct sr_content){.text = golden_get(row, "canonical")->bytes};
            sr_content_seal(&content, &g.arena);
            sr_content_guid(&content, guid);
            if (!bs_bytes_is(want->bytes, guid))
                fail_msg("%s: %s", golden_name(&g, row), guid);
        }
        golden_close(&g);
    }
}

/* Any order of valid and broken records leaves a store that answers. */
static void test_random_replay(void **state)
{
    uint32_t random = 7;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        static const char *const texts[] = {"int", "long", "string", "bytes", "double"};
        static const char *const names[] = {"a", "b", "c"};
        const char *name;
        char key[200], value[100];
        random = random * 1664525 + 1013904223;
        name = names[(random >> 8) % 3];
        switch ((random >> 16) % 8) {
        case 0:
            snprintf(key, sizeof key,
                     "{\"keytype\":\"SCHEMA\",\"subject\":\"%s\",\"version\":%u,\"magic\":1}", name,
                     (random >> 20) % 5 + 1);
            replay(key, NULL);
            break;
        case 1:
            snprintf(key, sizeof key,
                     "{\"keytype\":\"DELETE_SUBJECT\",\"subject\":\"%s\",\"magic\":0}", name);
            snprintf(value, sizeof value, "{\"version\":%u}", (random >> 20) % 5);
            replay(key, value);
            break;
        case 2:
            snprintf(key, sizeof key, "{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\"%s\"}", name);
            replay(key, "{}");
            break;
        case 3:
            snprintf(key, sizeof key, "{\"keytype\":\"CONFIG\",\"subject\":\"%s\"}", name);
            replay(key, random & 64 ? "{\"compatibilityLevel\":\"FULL\"}" : NULL);
            break;
        default:
            schema(name, (int)((random >> 20) % 5) + 1, (int)((random >> 24) % 7) + 1,
                   texts[(random >> 12) % 5], random & 32);
        }
        for (size_t k = 0; k < sr_store_subject_count(store); k++) {
            const struct sr_subject *subject = sr_store_subject_at(store, k);
            for (size_t v = 0; v < subject->count; v++) {
                assert_true(subject->versions[v].entry->uses > 0);
                assert_true(v == 0 ||
                            subject->versions[v - 1].number < subject->versions[v].number);
            }
        }
    }
}

#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(test_bytes),
        ROW(test_versions_and_ids),
        ROW(test_what_others_wrote),
        ROW(test_settings),
        ROW(test_find),
        ROW(test_guid),
        ROW(test_random_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
