/* References: what is behind a schema is collected once, within bounds, also when the topic holds
 * what no registry would have written. */
#include "schema-registry/references.h"

#include "lib/serde/golden_test.h"

static struct sr_store *store;
static struct bs_arena arena;

static int setup(void **state)
{
    (void)state;
    store = sr_store_new(SR_BACKWARD);
    bs_arena_init(&arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sr_store_free(store);
    bs_arena_deinit(&arena);
    return 0;
}

/* "name subject version, …" */
static struct sr_content content(const char *text, const char *refs)
{
    struct sr_content to = {.text = bs_bytes_text(bs_arena_printf(&arena, "%s", text))};
    char name[64], subject[64];
    int version, used;
    to.refs = bs_arena_array(&arena, SR_REFERENCES_MAX + 1, sizeof *to.refs);
    while (sscanf(refs, "%63s %63s %d%n", name, subject, &version, &used) == 3) {
        to.refs[to.ref_count++] = (struct sr_ref){.name = bs_arena_printf(&arena, "%s", name),
                                                  .subject = bs_arena_printf(&arena, "%s", subject),
                                                  .version = version};
        refs += used;
        refs += *refs == ',';
    }
    sr_content_seal(&to, &arena);
    return to;
}

static void stored(const char *subject, int version, const char *text, const char *refs)
{
    static int32_t id;
    struct bs_error err = {0};
    struct sr_record record = {.kind = SR_RECORD_SCHEMA,
                               .subject = subject,
                               .version = version,
                               .id = ++id,
                               .content = content(text, refs)};
    if (sr_store_apply(store, &record, &err) < 0)
        fail_msg("%s", err.text);
}

#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define FIELD(name, type)    "{\"name\":\"" name "\",\"type\":\"" type "\"}"

static int parse(const struct sr_content *c, struct bs_error *err)
{
    struct sd_schema *schema = NULL;
    int rc = sr_content_parse(store, "s", c, true, true, &schema, err);
    sd_schema_unref(schema);
    return rc;
}

/* Two ways to one type; a later spelling of a name that was met does not count. */
static void test_diamond(void **state)
{
    struct sr_content top =
        content(RECORD("T", FIELD("b", "B") "," FIELD("c", "C")), "B b 1,C c 1,D d 2");
    struct sr_content again;
    struct bs_buf text = BS_BUF_INIT;
    struct bs_error err = {0};
    (void)state;
    stored("d", 1, RECORD("D", FIELD("x", "int")), "");
    stored("d", 2, RECORD("D", FIELD("y", "int")), "");
    stored("b", 1, RECORD("B", FIELD("d", "D")), "D d 1");
    stored("c", 1, RECORD("C", FIELD("d", "D")), "D d 1");
    assert_int_equal(parse(&top, &err), 0);
    assert_int_equal(sr_content_resolve(store, "s", &top, &text, &err), 0);
    assert_string_equal(
        bs_buf_text(&text),
        "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"b\",\"type\":{\"type\":"
        "\"record\",\"name\":\"B\",\"fields\":[{\"name\":\"d\",\"type\":{\"type\":\"record\","
        "\"name\":\"D\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}}]}},{\"name\":\"c\","
        "\"type\":{\"type\":\"record\",\"name\":\"C\",\"fields\":[{\"name\":\"d\",\"type\":\"D\"}]}"
        "}]}");
    /* the form written out is found under the subject that has the other */
    stored("s", 1, RECORD("T", FIELD("b", "B") "," FIELD("c", "C")), "B b 1,C c 1,D d 2");
    again = content(bs_buf_text(&text), "");
    assert_int_equal(sr_content_find(store, "s", &again, false)->number, 1);
    assert_true(sr_version_has(store, "s", sr_content_find(store, "s", &top, false), &again));
    assert_null(sr_content_find(store, "b", &again, false));
    bs_buf_deinit(&text);
}

static void test_missing(void **state)
{
    struct sr_content none = content("\"D\"", "D d 7"), deleted = content("\"D\"", "D d 1");
    struct bs_error err = {0};
    struct sr_record gone = {.kind = SR_RECORD_DELETE_SUBJECT, .subject = "d", .version = 1};
    struct sd_schema *schema;
    (void)state;
    stored("d", 1, RECORD("D", FIELD("x", "int")), "");
    assert_int_equal(parse(&none, &err), BS_ENOTFOUND);
    assert_string_equal(err.text, "No schema reference found for subject \"d\" and version 7");
    assert_int_equal(parse(&deleted, &err), 0);
    assert_int_equal(sr_store_apply(store, &gone, &err), 0);
    /* a new schema refers to live versions, a stored one to deleted ones too */
    assert_int_equal(parse(&deleted, &err), BS_ENOTFOUND);
    assert_int_equal(sr_content_parse(store, "s", &deleted, false, false, &schema, &err), 0);
    sd_schema_unref(schema);
}

static void test_cycle(void **state)
{
    struct sr_content top = content("\"A\"", "A a 1");
    struct bs_error err = {0};
    (void)state;
    stored("a", 1, RECORD("A", FIELD("b", "B")), "B b 1");
    stored("b", 1, RECORD("B", FIELD("a", "A")), "A a 1");
    assert_int_equal(parse(&top, &err), BS_EINVAL);
    assert_string_equal(err.text, "references to \"A\" form a cycle");
}

/* A chain of references, as long as allowed and one longer. */
static void test_depth(void **state)
{
    struct bs_error err = {0};
    (void)state;
    for (int i = 0; i <= SR_REFERENCE_DEPTH_MAX; i++) {
        const char *text = bs_arena_printf(
            &arena,
            i ? "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"r\",\"type\":\"R%d\""
                "}]}"
              : "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[]}",
            i, i - 1);
        const char *refs = i ? bs_arena_printf(&arena, "R%d c%d 1", i - 1, i - 1) : "";
        struct sr_content top = content(text, refs);
        stored(bs_arena_printf(&arena, "c%d", i), 1, text, refs);
        assert_int_equal(parse(&top, &err), 0);
    }
    struct sr_content top = content("\"R20\"", "R20 c20 1");
    assert_int_equal(parse(&top, &err), BS_ELIMIT);
    assert_non_null(strstr(err.text, "deeper than 20"));
}

/* Each of a dozen schemas refers to all before it: 2,048 ways to the first, which is read once;
 * more than a thousand names behind one schema are too many.
 */
static void test_count(void **state)
{
    struct bs_buf refs = BS_BUF_INIT, text = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sr_content top;
    (void)state;
    for (int i = 0; i < 12; i++) {
        bs_buf_reset(&text);
        bs_buf_printf(&text, "{\"type\":\"record\",\"name\":\"N%d\",\"fields\":[", i);
        for (int k = 0; k < i; k++)
            bs_buf_printf(&text, "%s{\"name\":\"n%d\",\"type\":\"N%d\"}", k ? "," : "", k, k);
        bs_buf_puts(&text, "]}");
        stored(bs_arena_printf(&arena, "n%d", i), 1, bs_buf_text(&text),
               refs.len ? bs_buf_text(&refs) : "");
        bs_buf_printf(&refs, "%sN%d n%d 1", refs.len ? "," : "", i, i);
    }
    top = content("\"N11\"", "N11 n11 1");
    assert_int_equal(parse(&top, &err), 0);
    bs_buf_reset(&refs);
    stored("flat", 1, RECORD("F", ""), "");
    for (int i = 0; i <= SR_REFERENCES_MAX; i++)
        bs_buf_printf(&refs, "%sF%d flat 1", i ? "," : "", i);
    top = content("\"F\"", bs_buf_text(&refs));
    assert_int_equal(parse(&top, &err), BS_ELIMIT);
    assert_non_null(strstr(err.text, "more than 1000 references"));
    bs_buf_deinit(&refs);
    bs_buf_deinit(&text);
}

/* What was taken is parsed after all of it is gone for good; it has a bound of its own. */
static void test_sources(void **state)
{
    struct sr_content top = content(RECORD("T", FIELD("d", "D")), "D d 1"), much;
    struct sr_record gone = {
        .kind = SR_RECORD_SCHEMA, .subject = "d", .version = 1, .tombstone = true};
    struct bs_buf text = BS_BUF_INIT, refs = BS_BUF_INIT;
    struct bs_error err = {0};
    struct sd_schema *schema;
    struct sr_sources sources;
    (void)state;
    stored("d", 1, RECORD("D", FIELD("x", "int")), "");
    assert_int_equal(sr_sources_take(store, "s", &top, true, &sources, &err), 0);
    assert_int_equal(sr_store_apply(store, &gone, &err), 0);
    assert_int_equal(parse(&top, &err), BS_ENOTFOUND);
    assert_int_equal(sr_sources_parse(&sources, true, &schema, &err), 0);
    assert_string_equal(sd_schema_root(schema)->fields[0].type->name, "D");
    sd_schema_unref(schema);
    sr_sources_free(&sources);
    for (int i = 0; i < 9; i++) { /* each nearly 1 MiB */
        bs_buf_reset(&text);
        bs_buf_printf(&text, "{\"type\":\"enum\",\"name\":\"E%d\",\"symbols\":[],\"doc\":\"%*s\"}",
                      i, (1 << 20) - 100, "");
        stored(bs_arena_printf(&arena, "e%d", i), 1, bs_buf_text(&text), "");
        bs_buf_printf(&refs, "%sE%d e%d 1", i ? "," : "", i, i);
    }
    much = content("\"E0\"", bs_buf_text(&refs));
    assert_int_equal(sr_sources_take(store, "s", &much, true, &sources, &err), BS_ELIMIT);
    assert_string_equal(err.text, "references take more than 8388608 bytes together");
    sr_sources_free(&sources);
    much.ref_count--;
    assert_int_equal(sr_sources_take(store, "s", &much, true, &sources, &err), 0);
    sr_sources_free(&sources);
    bs_buf_deinit(&refs);
    bs_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_diamond, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cycle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
