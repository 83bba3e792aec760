/* Serializer against a small registry made of lib/http: which call each option makes, what is kept,
 * and what the messages look like. */
#include "lib/registry/serializer.h"

#include "lib/base/mem.h"
#include "lib/http/http.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GUID "00112233-4455-6677-8899-aabbccddeeff"
#define FIVE \
    "{\"type\":\"record\",\"name\":\"n.R\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}"
#define OWN "{\"type\":\"record\",\"name\":\"n.R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}"
#define ODD \
    "{\"type\":\"record\",\"name\":\"n.R\",\"fields\":[{\"name\":\"a\",\"type\":\"string\"}]}"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char calls[4096]; /* "METHOD path?normalize; " of all calls */

static void note(struct ht_request *request, const char *name)
{
    const char *value = name ? ht_query(request, name) : NULL;
    pthread_mutex_lock(&lock);
    size_t len = strlen(calls);
    snprintf(calls + len, sizeof calls - len, "%s %s%s%s; ", request->method, request->path,
             value ? "?" : "", value ? value : "");
    pthread_mutex_unlock(&lock);
}

static void expect_calls(const char *want)
{
    pthread_mutex_lock(&lock);
    if (strcmp(calls, want) != 0)
        fail_msg("calls are '%s', not '%s'", calls, want);
    *calls = '\0';
    pthread_mutex_unlock(&lock);
}

static int give(struct ht_response *response, int id, const char *schema, bool guid)
{
    bs_buf_printf(&response->body, "{\"id\":%d,\"version\":1", id);
    if (guid)
        bs_buf_puts(&response->body, ",\"guid\":\"" GUID "\"");
    if (schema) {
        bs_buf_puts(&response->body, ",\"schema\":");
        bs_buf_put_json_string(&response->body, schema, strlen(schema));
    }
    bs_buf_puts(&response->body, "}");
    return 0;
}

static int enter(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    note(request, "normalize");
    return give(response, 1, NULL, false);
}

static int lookup(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    note(request, "normalize");
    if (strcmp(request->params[0], "none-value") == 0)
        return ht_error(response, 404, 40403, "Schema not found");
    return give(response, 2, OWN, true);
}

static int latest(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    note(request, NULL);
    if (strcmp(request->params[0], "none-value") == 0)
        return ht_error(response, 404, 40401, "Subject 'none-value' not found.");
    return strcmp(request->params[0], "odd-value") ? give(response, 3, FIVE, true)
                                                   : give(response, 6, ODD, true);
}

static int metadata(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    note(request, "key");
    return give(response, 4, FIVE, true);
}

static int by_id(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    note(request, "subject");
    return give(response, atoi(request->params[0]), FIVE, strcmp(request->params[0], "8") != 0);
}

static const struct ht_route ROUTES[] = {
    {"POST", "/subjects/{subject}/versions", 10000, enter, ""},
    {"POST", "/subjects/{subject}", 10000, lookup, ""},
    {"GET", "/subjects/{subject}/versions/{version}", 0, latest, ""},
    {"GET", "/subjects/{subject}/metadata", 0, metadata, ""},
    {"GET", "/schemas/ids/{id}", 0, by_id, ""},
};

static struct ht_server *server;
static struct rc_client *client;
static struct sd_schema *own;

static int setup(void **state)
{
    struct ht_options options = {
        .listen = "127.0.0.1:0", .routes = ROUTES, .route_count = sizeof ROUTES / sizeof *ROUTES};
    struct rc_options client_options = {.retries_max = -1};
    char url[64];
    (void)state;
    assert_int_equal(ht_server_open(&options, &server, NULL), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ht_server_port(server));
    client_options.url = url;
    assert_int_equal(rc_client_new(&client_options, &client, NULL), 0);
    assert_int_equal(sd_schema_parse(bs_bytes_text(OWN), true, NULL, 0, &own, NULL), 0);
    *calls = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sd_schema_unref(own);
    rc_client_free(client);
    ht_server_close(server);
    return 0;
}

/* `settings`: "name=value name=value". */
static int make(const char *settings, bool key, struct rc_serializer **ret, struct bs_error *err)
{
    struct bs_config *config = rc_serde_config_new();
    struct rc_serializer_options options = {.config = config, .key = key, .client = client};
    char text[512], *rest = text, *word;
    int rc = 0;
    snprintf(text, sizeof text, "%s", settings);
    while (rc == 0 && (word = strsep(&rest, " ")) != NULL && *word) {
        char *sign = strchr(word, '=');
        *sign = '\0';
        rc = rc_serde_set(config, key, word, sign + 1, "test", err);
    }
    if (rc == 0)
        rc = rc_serializer_new(&options, ret, err);
    bs_config_free(config);
    return rc;
}

struct one {
    const char *settings, *topic;
    bool with_own;
    int id; /* or error code */
    const char *calls;
};

/* The precedence of the options, and the calls each makes. */
static void test_ways(void **state)
{
    static const struct one CASES[] = {
        {"", "t", true, 1, "POST /subjects/t-value/versions; "},
        {"normalize.schemas=true", "t", true, 1, "POST /subjects/t-value/versions?true; "},
        {"use.schema.id=5 use.latest.version=true", "t", true, 1,
         "POST /subjects/t-value/versions; "},
        {"auto.register.schemas=false", "t", true, 2, "POST /subjects/t-value; "},
        {"auto.register.schemas=false normalize.schemas=true", "t", true, 2,
         "POST /subjects/t-value?true; "},
        {"auto.register.schemas=false", "none", true, BS_ENOTFOUND, "POST /subjects/none-value; "},
        {"auto.register.schemas=false use.schema.id=5 use.latest.version=true "
         "use.latest.with.metadata=k=v",
         "t", true, 5, "GET /schemas/ids/5?t-value; "},
        {"auto.register.schemas=false use.latest.version=true use.latest.with.metadata=a=b,c=d",
         "t", true, 4, "GET /subjects/t-value/metadata?a; "},
        {"auto.register.schemas=false use.latest.version=true", "t", true, 3,
         "GET /subjects/t-value/versions/latest; "},
        {"auto.register.schemas=false use.latest.version=true", "odd", true, BS_ECONFLICT,
         "GET /subjects/odd-value/versions/latest; "},
        {"auto.register.schemas=false use.latest.version=true latest.compatibility.strict=false",
         "odd", true, 6, "GET /subjects/odd-value/versions/latest; "},
        {"auto.register.schemas=false use.latest.with.metadata=a", "t", true, BS_EINVAL, ""},
        {"", "t", false, 3, "GET /subjects/t-value/versions/latest; "},
        {"", "none", false, BS_ENOTFOUND, "GET /subjects/none-value/versions/latest; "},
        {"auto.register.schemas=false use.schema.id=5", "a/b ", false, 5,
         "GET /schemas/ids/5?a/b -value; "},
        {"value.subject.name.strategy=RecordNameStrategy", "t", true, 1,
         "POST /subjects/n.R/versions; "},
        {"value.subject.name.strategy=TopicRecordNameStrategy", "t", true, 1,
         "POST /subjects/t-n.R/versions; "},
        {"value.subject.name.strategy=RecordNameStrategy", "t", false, BS_EINVAL, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const struct one *c = &CASES[i];
        struct rc_serializer *s = NULL;
        const struct rc_writing *writing = NULL;
        struct bs_error err = {0};
        if (make(c->settings, false, &s, &err) < 0)
            fail_msg("%s: %s", c->settings, err.text);
        int rc = rc_serializer_pick(s, c->topic, c->with_own ? own : NULL, &writing, &err);
        if (rc != (c->id < 0 ? c->id : 0) || (rc == 0 && writing->id != c->id))
            fail_msg("%s: %d, id %d: %s", c->settings, rc, rc ? 0 : writing->id, err.text);
        expect_calls(c->calls);
        if (rc == 0) { /* kept */
            assert_int_equal(
                rc_serializer_pick(s, c->topic, c->with_own ? own : NULL, &writing, &err), 0);
            expect_calls("");
        }
        rc_serializer_free(s);
    }
}

static void test_incompatible(void **state)
{
    struct rc_serializer *s;
    const struct rc_writing *writing;
    struct bs_error err;
    (void)state;
    assert_int_equal(make("auto.register.schemas=false use.latest.version=true", false, &s, &err),
                     0);
    assert_int_equal(rc_serializer_pick(s, "odd", own, &writing, &err), BS_ECONFLICT);
    assert_non_null(strstr(err.text, "'odd-value'"));
    assert_non_null(strstr(err.text, "/fields/0/type"));
    assert_non_null(strstr(err.text, "latest.compatibility.strict=false"));
    rc_serializer_free(s);
}

/* A time to live of 0 asks every time; the bound holds. */
static void test_kept(void **state)
{
    struct rc_serializer *s;
    const struct rc_writing *writing;
    struct bs_error err;
    (void)state;
    assert_int_equal(make("latest.cache.ttl.sec=0", false, &s, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rc_serializer_pick(s, "t", NULL, &writing, &err), 0);
        expect_calls("GET /subjects/t-value/versions/latest; ");
    }
    rc_serializer_free(s);
    assert_int_equal(make("max.schemas.per.subject=2", false, &s, &err), 0);
    for (int i = 0; i < 2; i++)
        for (int t = 0; t < 3; t++)
            assert_int_equal(rc_serializer_pick(s,
                                                t == 0   ? "a"
                                                : t == 1 ? "b"
                                                         : "c",
                                                own, &writing, &err),
                             0);
    expect_calls("POST /subjects/a-value/versions; POST /subjects/b-value/versions; "
                 "POST /subjects/c-value/versions; POST /subjects/a-value/versions; "
                 "POST /subjects/b-value/versions; POST /subjects/c-value/versions; ");
    rc_serializer_free(s);
}

static void put(const struct rc_writing *writing, struct bs_buf *out)
{
    struct bs_bytes name = bs_bytes_text("a");
    struct sd_field field = {.name = name, .value = {.type = SD_LONG, .number = 3}};
    struct sd_value value = {.type = SD_MAP, .map = {&field, 1}};
    assert_int_equal(rc_writing_put(writing, &value, out, NULL), 0);
}

/* Field "a" of a message of topic `topic`, or what went wrong. */
static int read_topic(struct rc_serializer *s, const char *topic, struct bs_bytes header,
                      struct bs_bytes message, struct bs_error *err)
{
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_schema *schema;
    struct sd_value value;
    int rc = rc_serializer_read(s, topic, header, message, &arena, &schema, &value, err);
    if (rc == 0) {
        rc = (int)sd_value_get(&value, bs_bytes_text("a"))->number;
        sd_schema_unref(schema);
    }
    bs_arena_deinit(&arena);
    return rc;
}

static int read_a(struct rc_serializer *s, struct bs_bytes header, struct bs_bytes message,
                  struct bs_error *err)
{
    return read_topic(s, "t", header, message, err);
}

static void test_messages(void **state)
{
    struct rc_serializer *s;
    const struct rc_writing *writing;
    struct bs_buf out = BS_BUF_INIT;
    struct bs_bytes none = {0};
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(make("", false, &s, &err), 0);
    assert_int_equal(rc_serializer_pick(s, "t", own, &writing, &err), 0);
    assert_false(writing->in_header);
    put(writing, &out);
    assert_memory_equal(out.data, "\0\0\0\0\1\6", 6);
    assert_int_equal(out.len, 6);
    assert_int_equal(read_a(s, none, bs_buf_bytes(&out), &err), 3);
    expect_calls("POST /subjects/t-value/versions; GET /schemas/ids/1; ");
    /* a header goes before the prefix, and may hold an id */
    assert_int_equal(read_a(s, bs_bytes("\0\0\0\0\7", 5), bs_bytes("\6", 1), &err), 3);
    expect_calls("GET /schemas/ids/7; ");
    assert_int_equal(read_a(s, bs_bytes("\2\0\0\0\7", 5), bs_bytes("\6", 1), &err), BS_EINVAL);
    assert_int_equal(read_a(s, none, bs_bytes("\0\0\0\0\7", 5), &err), BS_ETRUNCATED);
    assert_non_null(strstr(err.text, "written with schema 7: "));
    rc_serializer_free(s);
    assert_int_equal(
        make("value.schema.id.deserializer=PrefixSchemaIdDeserializer", false, &s, &err), 0);
    assert_int_equal(read_a(s, bs_bytes("\0\0\0\0\7", 5), bs_buf_bytes(&out), &err), 3);
    expect_calls("");
    rc_serializer_free(s);
    bs_buf_deinit(&out);
}

/* A reader's file before the first record. */
static void test_admit(void **state)
{
    struct rc_serializer *s;
    struct sd_schema *five;
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text(FIVE), true, NULL, 0, &five, &err), 0);
    assert_int_equal(make("auto.register.schemas=false", false, &s, &err), 0);
    if (rc_serializer_admit(s, "t", five, &err) < 0)
        fail_msg("%s", err.text);
    expect_calls("GET /subjects/t-value/versions/latest; ");
    assert_int_equal(rc_serializer_admit(s, "none", own, &err), 0);
    expect_calls("GET /subjects/none-value/versions/latest; ");
    assert_int_equal(rc_serializer_admit(s, "odd", own, &err), BS_ECONFLICT);
    assert_non_null(strstr(err.text, "version 1 of subject 'odd-value' cannot be read with it: "));
    assert_non_null(strstr(err.text, "TYPE_MISMATCH at /fields/0/type: "));
    *calls = '\0';
    rc_serializer_free(s);
    assert_int_equal(make("", false, &s, &err), 0);
    assert_int_equal(rc_serializer_admit(s, "none", own, &err), 0);
    expect_calls("GET /subjects/none-value/versions/latest; POST /subjects/none-value/versions; ");
    rc_serializer_free(s);
    sd_schema_unref(five);
}

/* With the version that the subject has now, whatever the message was written with. */
static void test_latest_read(void **state)
{
    static const struct bs_bytes none = {0}, message = {(const uint8_t *)"\0\0\0\0\7\6", 6};
    struct rc_serializer *s;
    struct rc_version version = {0};
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(make("use.latest.version=true", false, &s, &err), 0);
    assert_int_equal(read_a(s, none, message, &err), 3);
    assert_int_equal(read_a(s, none, message, &err), 3);
    expect_calls("GET /schemas/ids/7; GET /subjects/t-value/versions/latest; "); /* once */
    assert_int_equal(rc_serializer_reader(s, "u", own, &version, &err), 0);
    assert_int_equal(version.id, 3);
    rc_version_deinit(&version);
    expect_calls("GET /subjects/u-value/versions/latest; ");
    /* "a" is a string there: refused each time, asked once */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read_topic(s, "odd", none, message, &err), BS_EINVAL);
        assert_non_null(strstr(err.text, "written with schema 7, read with version 1 of subject "
                                         "'odd-value': "));
        assert_non_null(strstr(err.text, "/a"));
        assert_non_null(strstr(err.text, "writer long, reader string"));
    }
    expect_calls("GET /subjects/odd-value/versions/latest; ");
    assert_int_equal(read_topic(s, "none", none, message, &err), BS_ENOTFOUND);
    assert_non_null(strstr(err.text, "subject 'none-value' to read with"));
    *calls = '\0';
    rc_serializer_free(s);
    /* the writer's record names the subject */
    assert_int_equal(make("use.latest.with.metadata=a=b use.latest.version=true "
                          "value.subject.name.strategy=RecordNameStrategy latest.cache.ttl.sec=0",
                          false, &s, &err),
                     0);
    assert_int_equal(read_a(s, none, message, &err), 3);
    assert_int_equal(read_a(s, none, message, &err), 3);
    expect_calls("GET /subjects/n.R/metadata?a; GET /subjects/n.R/metadata?a; ");
    rc_serializer_free(s);
}

/* With a schema of the reader's own: aliases, promotions, defaults. */
static void test_reader(void **state)
{
    static const struct bs_bytes none = {0};
    static const char text[] =
        "{\"type\":\"record\",\"name\":\"n.R\",\"fields\":[{\"name\":\"b\",\"type\":\"string\","
        "\"default\":\"x\"},{\"name\":\"c\",\"aliases\":[\"a\"],\"type\":[\"null\",\"double\"]}]}";
    struct bs_config *config = rc_serde_config_new();
    struct rc_serializer_options options = {.config = config, .client = client};
    struct rc_serializer *s;
    struct sd_schema *reader, *used;
    struct bs_arena arena = BS_ARENA_INIT;
    struct sd_value value;
    struct bs_error err = {0};
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text(text), true, NULL, 0, &reader, NULL), 0);
    options.reader = reader;
    assert_int_equal(rc_serde_set(config, false, "max.schemas.per.subject", "2", "test", &err), 0);
    assert_int_equal(rc_serde_set(config, false, "use.latest.version", "true", "test", &err), 0);
    assert_int_equal(rc_serializer_new(&options, &s, &err), 0);
    bs_config_free(config);
    for (int i = 0; i < 20; i++) { /* more writers than are kept */
        const uint8_t message[] = {0, 0, 0, 0, (uint8_t)(11 + i % 5), 6};
        if (rc_serializer_read(s, i % 2 ? "t" : "u", none, bs_bytes(message, sizeof message),
                               &arena, &used, &value, &err) < 0)
            fail_msg("%s", err.text);
        assert_ptr_equal(used, reader);
        assert_int_equal(value.map.count, 2);
        assert_true(bs_bytes_is(sd_value_get(&value, bs_bytes_text("b"))->bytes, "x"));
        assert_true(sd_value_get(&value, bs_bytes_text("c"))->real == 3.0);
        sd_schema_unref(used);
    }
    expect_calls("GET /schemas/ids/11; GET /schemas/ids/12; GET /schemas/ids/13; "
                 "GET /schemas/ids/14; GET /schemas/ids/15; ");
    rc_serializer_free(s);
    sd_schema_unref(reader);
    bs_arena_deinit(&arena);
}

static void test_header(void **state)
{
    static const uint8_t WANT[] = {1,    0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                   0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct rc_serializer *s;
    const struct rc_writing *writing;
    struct bs_buf out = BS_BUF_INIT;
    struct bs_error err = {0};
    (void)state;
    /* the answer to register gives no GUID here: it is asked for */
    assert_int_equal(make("value.schema.id.serializer=io.confluent.kafka.serializers.schema.id."
                          "HeaderSchemaIdSerializer",
                          false, &s, &err),
                     0);
    if (rc_serializer_pick(s, "t", own, &writing, &err) < 0)
        fail_msg("%s", err.text);
    expect_calls("POST /subjects/t-value/versions; GET /schemas/ids/1?t-value; ");
    assert_true(writing->in_header);
    assert_memory_equal(writing->header, WANT, sizeof WANT);
    put(writing, &out);
    assert_int_equal(out.len, 1);
    rc_serializer_free(s);
    assert_int_equal(make("key.schema.id.serializer=HeaderSchemaIdSerializer use.schema.id=8 "
                          "auto.register.schemas=false",
                          true, &s, &err),
                     0);
    assert_int_equal(rc_serializer_pick(s, "t", own, &writing, &err), BS_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "key.schema.id.serializer"));
    assert_string_equal(rc_schema_header(true), "__key_schema_id");
    rc_serializer_free(s);
    assert_int_equal(make("value.schema.id.serializer=Other", false, &s, &err), BS_EINVAL);
    assert_int_equal(make("value.subject.name.strategy=Other", false, &s, &err), BS_EINVAL);
    assert_int_equal(make("specific.avro.reader=true", false, &s, &err), BS_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "use.latest.version"));
    bs_buf_deinit(&out);
}

/* A schema that is `bytes` as a whole: no length in the message. */
static void test_raw_bytes(void **state)
{
    struct sd_schema *bytes, *string;
    struct sd_resolver *resolver;
    struct rc_writing writing = {.id = 1};
    struct sd_value value = {.type = SD_BYTES, .bytes = bs_bytes("ab", 2)}, back;
    struct bs_arena arena = BS_ARENA_INIT;
    struct bs_buf out = BS_BUF_INIT;
    (void)state;
    assert_int_equal(sd_schema_parse(bs_bytes_text("\"bytes\""), true, NULL, 0, &bytes, NULL), 0);
    writing.schema = bytes;
    assert_int_equal(rc_writing_put(&writing, &value, &out, NULL), 0);
    assert_int_equal(out.len, 7);
    assert_memory_equal(out.data, "\0\0\0\0\1ab", 7);
    assert_int_equal(
        sd_payload_read(sd_schema_root(bytes), bs_bytes(out.data + 5, 2), &arena, &back, NULL), 0);
    assert_true(sd_value_equal(&value, &back));
    assert_int_equal(sd_schema_parse(bs_bytes_text("\"string\""), true, NULL, 0, &string, NULL), 0);
    assert_int_equal(sd_resolver_new(bytes, string, &resolver, NULL), 0);
    assert_false(sd_resolver_same(resolver));
    assert_int_equal(sd_payload_resolve(resolver, bs_bytes(out.data + 5, 2), &arena, &back, NULL),
                     0);
    assert_int_equal(back.type, SD_STRING);
    assert_true(bs_bytes_is(back.bytes, "ab"));
    sd_resolver_free(resolver);
    sd_schema_unref(string);
    value = (struct sd_value){.type = SD_LONG};
    assert_true(rc_writing_put(&writing, &value, &out, NULL) < 0);
    value = (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text("a+b=")};
    assert_int_equal(rc_writing_put_base64(&writing, &value, &out, NULL), BS_ESYNTAX);
    assert_int_equal(out.len, 7);
    value.bytes = bs_bytes_text("AGE=");
    assert_int_equal(rc_writing_put_base64(&writing, &value, &out, NULL), 0);
    assert_int_equal(out.len, 14);
    assert_memory_equal(out.data + 7, "\0\0\0\0\1\0a", 7);
    bs_buf_deinit(&out);
    bs_arena_deinit(&arena);
    sd_schema_unref(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ways, setup, teardown),
        cmocka_unit_test_setup_teardown(test_incompatible, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_admit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_latest_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_header, setup, teardown),
        cmocka_unit_test(test_raw_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
