/* Subjects and records: replay without a broker. Keys and values in the exact bytes of Confluent's
 * registry; what it and others may have left in a topic. */
#include "schema-registry/subject.h"

#include "lib/base/mem.h"
#include "lib/serde/golden_test.h"
#include "schema-registry/scope.h"
#include "schema-registry/spelling.h"

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
    record = (struct sr_record){.kind = SR_RECORD_CONTEXT, .context = ".ctx"};
    expect_bytes(
        &record,
        "{\"keytype\":\"CONTEXT\",\"tenant\":\"default\",\"context\":\".ctx\",\"magic\":0}",
        "{\"tenant\":\"default\",\"context\":\".ctx\"}");
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
    assert_int_equal(sr_store_id(store, NULL, 1)->uses, 2);
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
    assert_null(sr_store_id(store, NULL, 3));
    assert_int_equal(sr_store_max_id(store, NULL), 3);
    assert_int_equal(replay("{\"keytype\":\"CLEAR_SUBJECT\",\"subject\":\"s\",\"magic\":0}", "{}"),
                     0);
    assert_null(sr_store_subject(store, "s"));
    assert_int_equal(sr_store_id(store, NULL, 1)->uses, 1);
    assert_int_equal(replay("{\"keytype\":\"NOOP\",\"magic\":0}", "{\"maxId\":40}"), 0);
    assert_int_equal(sr_store_max_id(store, NULL), 40);
    assert_int_equal(replay("{\"keytype\":\"NOOP\",\"magic\":0}", NULL), 0);
    assert_int_equal(sr_store_max_id(store, NULL), 40);
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
    assert_int_equal(replay("{\"keytype\":\"ASSOC\",\"magic\":0}", "{}"), 0);
    assert_int_equal(replay("{\"keytype\":\"WHAT\",\"magic\":0}", "{}"), BS_EUNSUPPORTED);
    assert_int_equal(replay("{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":2,\"magic\":2}",
                            "{\"id\":1,\"schema\":\"\\\"int\\\"\"}"),
                     BS_EINVAL);
    assert_int_equal(replay("{\"keytype\":\"CONTEXT\",\"context\":\"c\",\"magic\":0}", "{}"),
                     BS_EINVAL);
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

/* Each context counts its own ids; what was given is known after everything is gone. */
static void test_contexts(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sr_record mark;
    struct bs_buf text = BS_BUF_INIT;
    (void)state;
    assert_int_equal(schema("s", 1, 1, "int", false), 0);
    assert_int_equal(schema(":.a:s", 1, 1, "long", false), 0);
    assert_int_equal(schema(":.a:t", 1, 2, "int", false), 0);
    assert_int_equal(schema(":.:u", 1, 2, "long", false), 0); /* the default context, written out */
    assert_int_equal(sr_store_subject_count(store), 4);
    assert_non_null(sr_store_subject(store, "u"));
    assert_int_equal(sr_store_entry_count(store), 4);
    assert_true(bs_bytes_is(sr_store_id(store, ":.a:", 1)->content.text, "\"long\""));
    assert_true(bs_bytes_is(sr_store_id(store, NULL, 1)->content.text, "\"int\""));
    assert_true(bs_bytes_is(sr_store_id(store, "any", 1)->content.text, "\"int\""));
    assert_null(sr_store_id(store, ":.b:s", 1));
    assert_int_equal(sr_store_digest(store, ":.a:", &sr_store_id(store, NULL, 1)->content)->id, 2);
    /* the same id for another schema is refused in its own context only */
    assert_int_equal(schema(":.a:v", 1, 1, "string", false), BS_ECONFLICT);
    assert_int_equal(schema(":.b:v", 1, 1, "string", false), 0);
    assert_int_equal(sr_store_space_count(store), 3);
    assert_string_equal(sr_store_space_at(store, 0)->context, ".");
    assert_string_equal(sr_store_space_at(store, 2)->context, ".b");
    assert_ptr_equal(sr_store_subject_in(store, sr_store_space(store, ":.a:"), "t"),
                     sr_store_subject(store, ":.a:t"));
    assert_ptr_equal(sr_store_subject_in(store, sr_store_space(store, NULL), "s"),
                     sr_store_subject(store, "s"));
    assert_false(sr_store_space(store, ":.b:")->declared);
    assert_int_equal(replay("{\"keytype\":\"CONTEXT\",\"tenant\":\"default\",\"context\":\".b\","
                            "\"magic\":0}",
                            "{\"tenant\":\"default\",\"context\":\".b\"}"),
                     0);
    assert_true(sr_store_space(store, ":.b:")->declared);
    /* everything of .b goes: its highest id stays, and is in the mark */
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\":.b:v\",\"version\":1,\"magic\":1}", NULL),
        0);
    assert_int_equal(sr_store_space(store, ":.b:")->used, 0);
    assert_int_equal(sr_store_max_id(store, ":.b:v"), 1);
    mark = sr_store_mark(store, &arena);
    sr_record_put_key(&mark, &text);
    bs_buf_puts(&text, " ");
    sr_record_put_value(&mark, &text);
    assert_string_equal(bs_buf_text(&text), "{\"keytype\":\"NOOP\",\"magic\":0} "
                                            "{\"maxId\":2,\"contexts\":{\".a\":2,\".b\":1}}");
    assert_int_equal(replay("{\"keytype\":\"NOOP\",\"magic\":0}",
                            "{\"maxId\":9,\"epoch\":3,\"contexts\":{\".b\":7,\".n\":4,\"x\":1,"
                            "\".t\":\"8\"},\"leader\":\"h:1\"}"),
                     0);
    assert_int_equal(sr_store_max_id(store, NULL), 9);
    assert_int_equal(sr_store_max_id(store, ":.a:"), 2);
    assert_int_equal(sr_store_max_id(store, ":.b:"), 7);
    assert_int_equal(sr_store_max_id(store, ":.n:"), 4);
    bs_buf_deinit(&text);
    bs_arena_deinit(&arena);
}

/* An import may give one schema two ids: the lower one is found, whatever comes and goes first. */
static void test_twins(void **state)
{
    static const int orders[][3] = {{5, 3, 9}, {3, 5, 9}, {9, 5, 3}};
    const char *gone = "{\"keytype\":\"SCHEMA\",\"subject\":\"%s\",\"version\":%d,\"magic\":1}";
    char key[200];
    (void)state;
    assert_int_equal(schema("keep", 1, 1, "int", false), 0);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct bs_arena arena = BS_ARENA_INIT;
        struct sr_content wanted;
        for (int k = 0; k < 3; k++)
            assert_int_equal(schema("s", orders[i][k], orders[i][k], "long", false), 0);
        sr_content_copy(&wanted, &sr_store_id(store, NULL, 9)->content, &arena);
        assert_int_equal(sr_store_digest(store, NULL, &wanted)->id, 3);
        snprintf(key, sizeof key, gone, "s", 3);
        assert_int_equal(replay(key, NULL), 0);
        assert_int_equal(sr_store_digest(store, NULL, &wanted)->id, 5);
        snprintf(key, sizeof key, gone, "s", 9);
        assert_int_equal(replay(key, NULL), 0);
        assert_int_equal(sr_store_digest(store, NULL, &wanted)->id, 5);
        snprintf(key, sizeof key, gone, "s", 5);
        assert_int_equal(replay(key, NULL), 0);
        assert_null(sr_store_digest(store, NULL, &wanted));
        bs_arena_deinit(&arena);
    }
}

static void test_referrers_by_context(void **state)
{
    (void)state;
    assert_int_equal(schema("m", 1, 1, "int", false), 0);
    assert_int_equal(schema(":.a:m", 1, 1, "long", false), 0);
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\":.a:r\",\"version\":1,\"magic\":1}",
               "{\"id\":2,\"references\":[{\"name\":\"m\",\"subject\":\"m\",\"version\":1}],"
               "\"schema\":\"\\\"double\\\"\"}"),
        0);
    assert_int_equal(sr_store_referrers(store, ":.a:m", 1, false, NULL), 1);
    assert_int_equal(sr_store_referrers(store, "m", 1, false, NULL), 0);
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\":.b:r\",\"version\":1,\"magic\":1}",
               "{\"id\":2,\"references\":[{\"name\":\"m\",\"subject\":\":.:m\",\"version\":1}],"
               "\"schema\":\"\\\"double\\\"\"}"),
        0);
    assert_int_equal(sr_store_referrers(store, "m", 1, false, NULL), 1);
    /* the same version again, without the reference; then the other one goes */
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\":.b:r\",\"version\":1,\"magic\":1}", NULL),
        0);
    assert_int_equal(schema(":.b:r", 1, 3, "int", false), 0);
    assert_int_equal(sr_store_referrers(store, "m", 1, true, NULL), 0);
    assert_int_equal(sr_store_referrers(store, ":.a:m", 1, true, NULL), 1);
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\":.a:r\",\"version\":1,\"magic\":1}", NULL),
        0);
    assert_int_equal(sr_store_referrers(store, ":.a:m", 1, true, NULL), 0);
}

/* Subject, context (the global record for the default one), :.__GLOBAL:, server; field by field. */
static void test_scopes(void **state)
{
    (void)state;
    assert_int_equal(replay("{\"keytype\":\"CONFIG\",\"subject\":\":.__GLOBAL:\",\"magic\":0}",
                            "{\"compatibilityLevel\":\"FULL\",\"compatibilityGroup\":\"g\","
                            "\"normalize\":true}"),
                     0);
    assert_int_equal(sr_store_level(store, "s"), SR_FULL);
    assert_int_equal(sr_store_level(store, ":.a:s"), SR_FULL);
    assert_int_equal(sr_store_level(store, NULL), SR_FULL);
    assert_int_equal(
        replay("{\"keytype\":\"CONFIG\",\"magic\":0}", "{\"compatibilityLevel\":\"FORWARD\"}"), 0);
    assert_int_equal(sr_store_level(store, "s"), SR_FORWARD);
    assert_int_equal(sr_store_level(store, ":.a:s"), SR_FULL); /* not of the default context */
    assert_int_equal(replay("{\"keytype\":\"CONFIG\",\"subject\":\":.a:\",\"magic\":0}",
                            "{\"subject\":\":.a:\",\"compatibilityLevel\":\"NONE\"}"),
                     0);
    assert_int_equal(replay("{\"keytype\":\"CONFIG\",\"subject\":\":.a:s\",\"magic\":0}",
                            "{\"subject\":\":.a:s\",\"normalize\":false}"),
                     0);
    assert_int_equal(sr_store_level(store, ":.a:s"), SR_NONE);
    assert_int_equal(sr_store_level(store, ":.a:"), SR_NONE);
    assert_int_equal(sr_store_level(store, ":.b:s"), SR_FULL);
    assert_false(sr_store_normalize(store, ":.a:s"));
    assert_true(sr_store_normalize(store, ":.a:t"));
    assert_string_equal(sr_store_group(store, ":.a:s"), "g");
    assert_true(bs_bytes_is(sr_store_setting(store, ":.a:s", "compatibilityLevel")->bytes, "NONE"));
    assert_null(sr_store_setting(store, ":.a:s", "alias"));
    /* a context that had nothing but settings goes with them */
    assert_int_equal(replay("{\"keytype\":\"MODE\",\"subject\":\":.gone:\",\"magic\":0}",
                            "{\"mode\":\"READONLY\"}"),
                     0);
    assert_non_null(sr_store_space(store, ":.gone:"));
    assert_int_equal(replay("{\"keytype\":\"MODE\",\"subject\":\":.gone:\",\"magic\":0}", NULL), 0);
    assert_null(sr_store_space(store, ":.gone:"));
    /* modes; an override of a wider scope wins */
    assert_int_equal(replay("{\"keytype\":\"MODE\",\"subject\":\":.a:\",\"magic\":0}",
                            "{\"subject\":\":.a:\",\"mode\":\"READONLY\"}"),
                     0);
    assert_int_equal(sr_store_mode(store, ":.a:s"), SR_MODE_READONLY);
    assert_int_equal(sr_store_mode(store, "s"), SR_MODE_READWRITE);
    assert_int_equal(replay("{\"keytype\":\"MODE\",\"subject\":\":.a:s\",\"magic\":0}",
                            "{\"subject\":\":.a:s\",\"mode\":\"READWRITE\"}"),
                     0);
    assert_int_equal(sr_store_mode(store, ":.a:s"), SR_MODE_READWRITE);
    assert_int_equal(replay("{\"keytype\":\"MODE\",\"subject\":\":.__GLOBAL:\",\"magic\":0}",
                            "{\"mode\":\"READONLY_OVERRIDE\"}"),
                     0);
    assert_int_equal(sr_store_mode(store, ":.a:s"), SR_MODE_READONLY_OVERRIDE);
    assert_int_equal(sr_store_mode(store, "s"), SR_MODE_READONLY_OVERRIDE);
    assert_true(sr_scope_covers(NULL, "s"));
    assert_false(sr_scope_covers(NULL, ":.a:s"));
    assert_true(sr_scope_covers(":.a:", ":.a:s"));
    assert_false(sr_scope_covers(":.a:", ":.ab:s"));
    assert_true(sr_scope_covers(":.__GLOBAL:", ":.a:s"));
    assert_false(sr_scope_covers(":.a:s", ":.a:st"));
}

/* Keys in other bytes are other keys to compaction: a deletion has to name them all. */
static void test_spellings(void **state)
{
    static const char other[] = "{\"subject\":null,\"keytype\":\"CONFIG\",\"magic\":0}";
    static const char karapace[] = "{\"keytype\":\"CONFIG\",\"subject\":null,\"magic\":0}";
    static const char moved[] =
        "{\"subject\":\"s\",\"version\":1,\"magic\":1,\"keytype\":\"SCHEMA\"}";
    struct sr_record record = {.kind = SR_RECORD_CONFIG, .tombstone = true};
    const struct bs_bytes *others;
    (void)state;
    assert_int_equal(sr_store_spellings(store, &record, &others), 0);
    assert_int_equal(replay(other, "{\"compatibilityLevel\":\"FULL\"}"), 0);
    assert_int_equal(replay(karapace, "{\"compatibilityLevel\":\"NONE\"}"), 0);
    assert_int_equal(replay(karapace, "{\"compatibilityLevel\":\"NONE\"}"), 0);
    assert_int_equal(
        replay("{\"keytype\":\"CONFIG\",\"magic\":0}", "{\"compatibilityLevel\":\"FULL\"}"), 0);
    assert_int_equal(sr_store_spellings(store, &record, &others), 2);
    assert_true(bs_bytes_is(others[0], other));
    assert_true(bs_bytes_is(others[1], karapace));
    record.spelling = others[1];
    expect_bytes(&record, karapace, NULL);
    record.spelling = bs_bytes(NULL, 0);
    assert_int_equal(replay(karapace, NULL), 0);
    assert_null(sr_store_config(store, NULL));
    assert_int_equal(sr_store_spellings(store, &record, &others), 1);
    record = (struct sr_record){
        .kind = SR_RECORD_SCHEMA, .subject = "s", .version = 1, .tombstone = true};
    assert_int_equal(replay(moved, "{\"id\":1,\"schema\":\"\\\"int\\\"\"}"), 0);
    assert_int_equal(sr_store_spellings(store, &record, &others), 1);
    assert_true(bs_bytes_is(others[0], moved));
    for (int i = 0; i < SR_SPELLINGS_MAX + 5; i++) {
        char key[200];
        snprintf(key, sizeof key,
                 "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1,\"seq\":%d}",
                 i);
        assert_int_equal(replay(key, "{\"id\":1,\"schema\":\"\\\"int\\\"\"}"), 0);
    }
    assert_int_equal(sr_store_spellings(store, &record, &others), SR_SPELLINGS_MAX);
}

/* What is not ours to understand survives a soft deletion. */
static void test_unknown_members_stay(void **state)
{
    struct bs_arena arena = BS_ARENA_INIT;
    char guid[SR_GUID_TEXT];
    struct sr_record record;
    (void)state;
    assert_int_equal(
        replay(
            "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}",
            "{\"subject\":\"s\",\"version\":1,\"id\":4,\"md5\":\"71JOobkecxc9k4reNsHbMg==\","
            "\"schemaType\":\"JSON\",\"schema\":\"{}\",\"deleted\":false,\"later\":{\"a\":[1]}}"),
        0);
    assert_true(sr_store_id(store, NULL, 4)->other_type);
    /* md5 is what it says it is, whatever the metadata look like now; but not for another text */
    sr_content_guid(&sr_store_id(store, NULL, 4)->content, guid);
    assert_string_equal(guid, "ef524ea1-b91e-7317-3d93-8ade36c1db32");
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\"t\",\"version\":1,\"magic\":1}",
               "{\"subject\":\"t\",\"version\":1,\"id\":4,\"md5\":\"71JOobkecxc9k4reNsHbMg==\","
               "\"schemaType\":\"JSON\",\"metadata\":{\"properties\":{\"k\":\"x9\"}},\"schema\":\"{"
               "}\"}"),
        0);
    assert_int_equal(
        replay("{\"keytype\":\"SCHEMA\",\"subject\":\"u\",\"version\":1,\"magic\":1}",
               "{\"subject\":\"u\",\"version\":1,\"id\":4,\"md5\":\"71JOobkecxc9k4reNsHbMg==\","
               "\"schema\":\"[]\"}"),
        BS_ECONFLICT);
    record = sr_version_record(sr_store_subject(store, "s"), version("s", 1, false), &arena);
    record.deleted = true;
    expect_bytes(
        &record, "{\"keytype\":\"SCHEMA\",\"subject\":\"s\",\"version\":1,\"magic\":1}",
        "{\"subject\":\"s\",\"version\":1,\"id\":4,\"md5\":\"71JOobkecxc9k4reNsHbMg==\","
        "\"later\":{\"a\":[1]},\"schemaType\":\"JSON\",\"schema\":\"{}\",\"deleted\":true}");
    bs_arena_deinit(&arena);
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
                const struct sr_entry *entry = subject->versions[v].entry;
                const struct sr_subject *holder = sr_store_subject(store, entry->holder);
                bool holds = false;
                for (size_t h = 0; h < holder->count; h++)
                    holds = holds || holder->versions[h].entry == entry;
                assert_true(holds);
                assert_true(entry->uses > 0);
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
        ROW(test_contexts),
        ROW(test_twins),
        ROW(test_referrers_by_context),
        ROW(test_scopes),
        ROW(test_spellings),
        ROW(test_unknown_members_stay),
        ROW(test_find),
        ROW(test_guid),
        ROW(test_random_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
