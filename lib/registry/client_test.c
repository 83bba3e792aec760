/* Registry client against a small registry made of lib/http. */
#include "lib/registry/client.h"

#include "lib/http/http.h"
#include "lib/registry/serde_option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static _Atomic int asked, entered; /* counted by the server's threads */

static int by_id(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    atomic_fetch_add(&asked, 1);
    if (strcmp(request->params[0], "9") == 0)
        return ht_error(response, 404, 40403, "Schema 9 not found");
    if (strcmp(request->params[0], "5") == 0)
        bs_buf_puts(&response->body,
                    "{\"schema\":\"{\\\"type\\\":\\\"array\\\",\\\"items\\\":\\\"x.M\\\"}\","
                    "\"references\":[{\"name\":\"x.M\",\"subject\":\"a/b\",\"version\":2}]}");
    else if (strcmp(request->params[0], "6") == 0)
        bs_buf_puts(&response->body, "{\"schema\":\"\\\"int\\\"\",\"schemaType\":\"JSON\"}");
    else if (strcmp(request->params[0], "7") == 0)
        bs_buf_puts(&response->body, "<html>");
    else
        bs_buf_puts(&response->body, "{\"schema\":\"\\\"int\\\"\"}");
    return 0;
}

static int version(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    if (strcmp(request->params[0], "a/b") != 0)
        return ht_error(response, 404, 40401, "Subject '%s' not found.", request->params[0]);
    bs_buf_puts(&response->body, "{\"subject\":\"a/b\",\"version\":2,\"id\":44,\"schema\":\"{"
                                 "\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"x.M\\\",\\\"size"
                                 "\\\":4}\"}");
    return 0;
}

static int enter(void *ctx, struct ht_request *request, struct ht_response *response)
{
    const char *subject = request->params[0];
    int times = atomic_fetch_add(&entered, 1) + 1;
    (void)ctx;
    if (strcmp(subject, "bad") == 0)
        return ht_error(response, 409, 409, "field 'amount' has no default");
    if (*subject == 's')
        return ht_error(response, atoi(subject + 1), 50301, "later");
    if (strcmp(subject, "once") == 0 && times < 3)
        return ht_error(response, 503, 50301, "later");
    bs_buf_printf(&response->body, "{\"id\":%zu}", request->body.len);
    return 0;
}

static int by_guid(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    atomic_fetch_add(&asked, 1);
    if (strcmp(request->params[0], "ef524ea1-b91e-7317-3d93-8ade36c1db32") != 0)
        return ht_error(response, 404, 40403, "Schema not found");
    bs_buf_puts(&response->body, "{\"schema\":\"\\\"long\\\"\"}");
    return 0;
}

static int ids_of(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    if (strcmp(request->params[0], "ef524ea1-b91e-7317-3d93-8ade36c1db32") == 0)
        bs_buf_puts(&response->body,
                    "[{\"context\":\".x\",\"id\":3},{\"context\":\".\",\"id\":7}]");
    else
        bs_buf_puts(&response->body, "[]");
    return 0;
}

static int signed_in(void *ctx, struct ht_request *request, struct ht_response *response)
{
    const char *sign = ht_header(request, "Authorization");
    const char *cluster = ht_header(request, "target-sr-cluster");
    const char *pool = ht_header(request, "Confluent-Identity-Pool-Id");
    (void)ctx;
    bs_buf_puts(&response->body, sign ? sign : "none");
    if (cluster)
        bs_buf_printf(&response->body, ", %s, %s", cluster, pool ? pool : "none");
    return 0;
}

static const struct ht_route routes[] = {
    {"GET", "/schemas/ids/{id}", 0, by_id, ""},
    {"GET", "/subjects/{subject}/versions/{version}", 0, version, ""},
    {"POST", "/subjects/{subject}/versions", 10000, enter, ""},
    {"GET", "/schemas/guids/{guid}", 0, by_guid, ""},
    {"GET", "/schemas/guids/{guid}/ids", 0, ids_of, ""},
    {"GET", "/signed", 0, signed_in, ""},
};

struct fixture {
    struct ht_server *server;
    struct rc_client *client;
};

static int setup(void **state)
{
    static struct fixture f;
    struct ht_options options = {
        .listen = "127.0.0.1:0", .routes = routes, .route_count = sizeof routes / sizeof *routes};
    struct rc_options client = {.cache_max = 2, .timeout_ms = 20000, .retries_wait_ms = 1};
    char url[128];
    assert_int_equal(ht_server_open(&options, &f.server, NULL), 0);
    /* nothing listens on the first one */
    snprintf(url, sizeof url, "http://127.0.0.1:1/, http://127.0.0.1:%d/",
             ht_server_port(f.server));
    client.url = url;
    assert_int_equal(rc_client_new(&client, &f.client, NULL), 0);
    atomic_store(&asked, 0);
    atomic_store(&entered, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    rc_client_free(f->client);
    ht_server_close(f->server);
    return 0;
}

static void test_by_id(void **state)
{
    struct fixture *f = *state;
    struct sd_schema *schema, *again;
    struct bs_error err;
    memset(&err, 0, sizeof err);
    assert_int_equal(rc_schema_by_id(f->client, 1, &schema, &err), 0);
    assert_int_equal(err.code, 0); /* the first URL's failure is none */
    assert_int_equal(rc_schema_by_id(f->client, 1, &again, &err), 0);
    assert_ptr_equal(schema, again);
    assert_int_equal(atomic_load(&asked), 1);
    sd_schema_unref(again);
    for (int id = 2; id < 4; id++) { /* the cache holds two */
        assert_int_equal(rc_schema_by_id(f->client, id, &again, &err), 0);
        sd_schema_unref(again);
    }
    assert_int_equal(sd_schema_root(schema)->kind, SD_AVRO_INT);
    sd_schema_unref(schema);
    assert_int_equal(rc_schema_by_id(f->client, 1, &schema, &err), 0);
    assert_int_equal(atomic_load(&asked), 4);
    sd_schema_unref(schema);
    assert_int_equal(rc_schema_by_id(f->client, 9, &schema, &err), BS_ENOTFOUND);
    assert_non_null(strstr(err.text, "Schema 9 not found"));
    assert_int_equal(rc_schema_by_id(f->client, 6, &schema, &err), BS_EUNSUPPORTED);
    assert_int_equal(rc_schema_by_id(f->client, 7, &schema, &err), BS_ESYNTAX);
}

static void test_references(void **state)
{
    struct fixture *f = *state;
    struct sd_schema *schema;
    struct bs_error err = {0};
    if (rc_schema_by_id(f->client, 5, &schema, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(sd_schema_root(schema)->items->name, "x.M");
    sd_schema_unref(schema);
}

static void test_guid(void **state)
{
    static const uint8_t guid[16] = {0xef, 0x52, 0x4e, 0xa1, 0xb9, 0x1e, 0x73, 0x17,
                                     0x3d, 0x93, 0x8a, 0xde, 0x36, 0xc1, 0xdb, 0x32};
    static const uint8_t other[16] = {1};
    struct fixture *f = *state;
    struct sd_schema *schema, *again;
    struct bs_error err = {0};
    int32_t id = 0, same = 0;
    if (rc_schema_by_guid(f->client, guid, &id, &schema, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(id, 7); /* of the default context */
    assert_int_equal(sd_schema_root(schema)->kind, SD_AVRO_LONG);
    assert_int_equal(rc_schema_by_guid(f->client, guid, &same, &again, &err), 0);
    assert_ptr_equal(again, schema);
    assert_int_equal(same, 7);
    assert_int_equal(atomic_load(&asked), 1);
    sd_schema_unref(again);
    assert_int_equal(rc_schema_by_guid(f->client, other, &id, &again, &err), BS_ENOTFOUND);
    assert_non_null(strstr(err.text, "01000000-0000-0000-0000-000000000000"));
    sd_schema_unref(schema);
}

static void test_subject(void **state)
{
    struct fixture *f = *state;
    struct rc_version version;
    struct bs_error err = {0};
    assert_int_equal(rc_version_latest(f->client, "a/b", &version, &err), 0);
    assert_int_equal(version.id, 44);
    assert_int_equal(version.number, 2);
    assert_false(version.has_guid);
    rc_version_deinit(&version);
    assert_int_equal(rc_version_latest(f->client, "none", &version, &err), BS_ENOTFOUND);
    assert_int_equal(
        rc_version_register(f->client, "a/b", bs_bytes_text("\"int\""), false, &version, &err), 0);
    assert_int_equal(version.id, (int)strlen("{\"schema\":\"\\\"int\\\"\"}"));
    assert_int_equal(
        rc_version_register(f->client, "bad", bs_bytes_text("\"int\""), false, &version, &err),
        BS_ECONFLICT);
    assert_non_null(strstr(err.text, "field 'amount' has no default"));
    assert_int_equal(atomic_load(&entered), 2); /* a refusal is final */
}

/* What may pass is asked again, as often as the options say. */
static void test_again(void **state)
{
    static const struct {
        const char *subject;
        int rc, asked;
    } cases[] = {{"s503", BS_EBUSY, 4},    {"s500", BS_EBUSY, 4},    {"s502", BS_EBUSY, 4},
                 {"s504", BS_ETIMEOUT, 4}, {"s408", BS_ETIMEOUT, 4}, {"s429", BS_EBUSY, 4},
                 {"s401", BS_EDENIED, 1},  {"s403", BS_EDENIED, 1},  {"s404", BS_ENOTFOUND, 1},
                 {"s422", BS_EINVAL, 1},   {"s501", BS_EBUSY, 1},    {"once", 0, 3}};
    struct fixture *f = *state;
    struct bs_buf out = BS_BUF_INIT;
    struct rc_version version;
    int status = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bs_error err = {0};
        atomic_store(&entered, 0);
        int rc = rc_version_register(f->client, cases[i].subject, bs_bytes_text("\"int\""), false,
                                     &version, &err);
        if (rc != cases[i].rc || atomic_load(&entered) != cases[i].asked)
            fail_msg("%s: %d after %d calls: %s", cases[i].subject, rc, atomic_load(&entered),
                     err.text);
        if (rc == BS_EDENIED && !strstr(err.text, "hint: "))
            fail_msg("%s: what to do? %s", cases[i].subject, err.text);
    }
    atomic_store(&entered, 0);
    assert_int_equal(
        rc_request(f->client, "POST", "/subjects/s503/versions", "{}", &out, &status, NULL), 0);
    assert_int_equal(status, 503);
    assert_int_equal(atomic_load(&entered), 1);
    bs_buf_deinit(&out);
}

static void expect_sign_in(const char *server, const char *user_info, const char *want)
{
    struct rc_options options = {.url = server, .user_info = user_info, .retries_max = -1};
    struct rc_client *client;
    struct bs_error err = {0};
    struct bs_buf out = BS_BUF_INIT;
    int status = 0;
    if (rc_client_new(&options, &client, &err) < 0)
        fail_msg("%s", err.text);
    if (rc_request(client, "GET", "/signed", NULL, &out, &status, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(bs_buf_text(&out), want);
    bs_buf_deinit(&out);
    rc_client_free(client);
}

/* What the options say, or why they cannot be had. */
static void expect_option(const struct fixture *f, const char *settings, int code, const char *want)
{
    struct bs_config *config = rc_serde_config_new();
    struct rc_client *client = NULL;
    struct bs_error err = {0};
    struct bs_buf out = BS_BUF_INIT;
    char *list = strdup(settings), *at = list, *one, *url = NULL;
    int status = 0, rc = 0;
    while ((one = strsep(&at, ";")) && rc == 0) {
        char *sign = strchr(one, '=');
        *sign = '\0';
        rc = rc_serde_set(config, false, one, sign + 1, "here", &err);
    }
    if (asprintf(&url, "http://127.0.0.1:%d", ht_server_port(f->server)) < 0)
        abort();
    if (rc == 0)
        rc = rc_client_of(config, url, &client, &err);
    if (rc == 0)
        rc = rc_request(client, "GET", "/signed", NULL, &out, &status, &err);
    if (rc != code || !strstr(rc < 0 ? err.text : bs_buf_text(&out), want))
        fail_msg("%s: %d %s", settings, rc, rc < 0 ? err.text : bs_buf_text(&out));
    if (strstr(err.text, "s3cret"))
        fail_msg("the token is shown: %s", err.text);
    rc_client_free(client);
    bs_config_free(config);
    bs_buf_deinit(&out);
    free(list);
    free(url);
}

static char *file_of(const char *bytes, size_t len)
{
    char *path = strdup("/tmp/weir-secure-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
    return path;
}

static void expect_file(const struct fixture *f, const char *bytes, size_t len, int code,
                        const char *want)
{
    char settings[200], *path = file_of(bytes, len);
    snprintf(settings, sizeof settings, "schema.registry.ssl.truststore.location=%s", path);
    expect_option(f, settings, code, want);
    remove(path);
    free(path);
}

static void test_secure(void **state)
{
    static const char jks[] = {'\xfe', '\xed', '\xfe', '\xed', 0, 0, 0, 2};
    static const char p12[] = {0x30, '\x82', 1, 2, 2, 1, 3, 0x30};
    static const char pem[] = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    static const char late[] = "subject=CN = x\n-----BEGIN CERTIFICATE-----\n";
    struct fixture *f = *state;
    expect_option(f, "bearer.auth.token=s3cret", 0, "Bearer s3cret");
    expect_option(f,
                  "bearer.auth.credentials.source=STATIC_TOKEN;bearer.auth.token=s3cret;"
                  "bearer.auth.logical.cluster=lsrc-1;bearer.auth.identity.pool.id=pool-2",
                  0, "Bearer s3cret, lsrc-1, pool-2");
    expect_option(f, "bearer.auth.credentials.source=STATIC_TOKEN", BS_EINVAL,
                  "bearer.auth.token is not set");
    expect_option(f, "bearer.auth.logical.cluster=lsrc-1", BS_EINVAL,
                  "bearer.auth.token is not set");
    expect_option(f, "bearer.auth.credentials.source=OAUTHBEARER;bearer.auth.token=s3cret",
                  BS_EUNSUPPORTED, "tokens are not fetched here");
    expect_option(f, "proxy.host=p;proxy.port=1", BS_EUNSUPPORTED, "http_proxy");
    expect_option(f, "url.randomize=true;missing.cache.size=5", 0, "none");
    expect_option(f, "bearer.auth.issuer.endpoint.url=http://x", BS_EUNSUPPORTED,
                  "tokens are not fetched here");
    expect_option(f, "bearer.auth.token=s3cret\nX-Other:1", BS_EINVAL, "a control character");
    expect_option(f, "bearer.auth.token=s3cret;basic.auth.user.info=a:b", BS_EINVAL, "one way");
    expect_option(f, "ssl.key.password=s3cret", BS_EINVAL, "a key without a certificate");
    expect_option(f, "ssl.ca.location=/nowhere", BS_ENOTFOUND, "option ssl.ca.location");
    expect_option(f, "schema.registry.ssl.truststore.certificates=abc", BS_EINVAL, "no PEM");
    expect_option(f, "schema.registry.ssl.truststore.type=JKS", BS_EUNSUPPORTED, "keytool");
    expect_option(f, "schema.registry.ssl.truststore.password=s3cret", BS_EUNSUPPORTED,
                  "no password of its own");
    expect_option(f, "schema.registry.ssl.endpoint.identification.algorithm=", BS_EINVAL, "https");
    expect_file(f, jks, sizeof jks, BS_EUNSUPPORTED, "is a Java keystore");
    expect_file(f, p12, sizeof p12, BS_EUNSUPPORTED, "openssl pkcs12 -in");
    expect_file(f, "", 0, BS_EINVAL, "holds no PEM");
    expect_file(f, "x -----BEGIN ", 13, BS_EINVAL, "holds no PEM");
    expect_file(f, pem, sizeof pem - 1, 0, "none");
    expect_file(f, late, sizeof late - 1, 0, "none");
    char settings[300], *path = file_of(pem, sizeof pem - 1);
    snprintf(settings, sizeof settings,
             "ssl.ca.location=%s;schema.registry.ssl.truststore.location=%s", path, path);
    expect_option(f, settings, BS_EINVAL, "say the same");
    snprintf(settings, sizeof settings,
             "ssl.ca.location=%s;schema.registry.ssl.truststore.certificates=-----BEGIN ", path);
    expect_option(f, settings, BS_EINVAL, "say the same");
    remove(path);
    free(path);
}

static void test_sign_in(void **state)
{
    struct fixture *f = *state;
    char url[128];
    int port = ht_server_port(f->server);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    expect_sign_in(url, NULL, "none");
    expect_sign_in(url, "user:pa:ss", "Basic dXNlcjpwYTpzcw==");
    snprintf(url, sizeof url, "http://us%%40er:p%%3Aw%%2f@127.0.0.1:%d/", port);
    expect_sign_in(url, NULL, "Basic dXNAZXI6cDp3Lw==");
    expect_sign_in(url, "a:b", "Basic YTpi");
}

static void test_unreachable(void **state)
{
    static const char *const bad[] = {"localhost:8081",
                                      " ,",
                                      "ftp://a:1",
                                      "http://",
                                      "http:///x",
                                      "http://user:secret@",
                                      "http://user:secret@/x",
                                      "htp://user:secret@host:1"};
    struct rc_options options = {.url = "http://user:secret@127.0.0.1:1", .retries_wait_ms = 1};
    struct rc_client *client;
    struct sd_schema *schema;
    struct bs_error err;
    (void)state;
    assert_int_equal(rc_client_new(&options, &client, &err), 0);
    assert_int_equal(rc_schema_by_id(client, 1, &schema, &err), BS_ECONNECT);
    assert_non_null(strstr(err.text, "127.0.0.1:1/schemas/ids/1"));
    assert_null(strstr(err.text, "secret"));
    rc_client_free(client);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.url = bad[i];
        if (rc_client_new(&options, &client, &err) != BS_EINVAL || strstr(err.text, "secret"))
            fail_msg("'%s': %s", bad[i], err.text);
    }
    rc_client_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_references, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subject, setup, teardown),
        cmocka_unit_test_setup_teardown(test_guid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sign_in, setup, teardown),
        cmocka_unit_test_setup_teardown(test_secure, setup, teardown),
        cmocka_unit_test(test_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
