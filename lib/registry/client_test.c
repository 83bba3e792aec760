/* Registry client against a small registry made of lib/http. */
#include "lib/registry/client.h"

#include "lib/http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static _Atomic int asked; /* counted by the server's threads */

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
    (void)ctx;
    if (strcmp(request->params[0], "bad") == 0)
        return ht_error(response, 409, 409, "field 'amount' has no default");
    if (strcmp(request->params[0], "slow") == 0)
        return ht_error(response, 503, 50301, "later");
    bs_buf_printf(&response->body, "{\"id\":%zu}", request->body.len);
    return 0;
}

static const struct ht_route routes[] = {
    {"GET", "/schemas/ids/{id}", 0, by_id, ""},
    {"GET", "/subjects/{subject}/versions/{version}", 0, version, ""},
    {"POST", "/subjects/{subject}/versions", 10000, enter, ""},
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
    struct rc_options client = {.cache_max = 2, .timeout_ms = 20000};
    char url[128];
    assert_int_equal(ht_server_open(&options, &f.server, NULL), 0);
    /* nothing listens on the first one */
    snprintf(url, sizeof url, "http://127.0.0.1:1/, http://127.0.0.1:%d/",
             ht_server_port(f.server));
    client.url = url;
    assert_int_equal(rc_client_new(&client, &f.client, NULL), 0);
    atomic_store(&asked, 0);
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
    assert_int_equal(rc_schema_by_id(f->client, 1, &schema, &err), 0);
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

static void test_subject(void **state)
{
    struct fixture *f = *state;
    struct sd_schema *schema;
    struct bs_error err = {0};
    int32_t id;
    int number;
    assert_int_equal(rc_schema_latest(f->client, "a/b", &id, &number, &schema, &err), 0);
    assert_int_equal(id, 44);
    assert_int_equal(number, 2);
    sd_schema_unref(schema);
    assert_int_equal(rc_schema_latest(f->client, "none", &id, &number, &schema, &err),
                     BS_ENOTFOUND);
    assert_int_equal(rc_schema_register(f->client, "a/b", bs_bytes_text("\"int\""), &id, &err), 0);
    assert_int_equal(id, (int)strlen("{\"schema\":\"\\\"int\\\"\"}"));
    assert_int_equal(rc_schema_register(f->client, "bad", bs_bytes_text("\"int\""), &id, &err),
                     BS_ECONFLICT);
    assert_non_null(strstr(err.text, "field 'amount' has no default"));
    assert_int_equal(rc_schema_register(f->client, "slow", bs_bytes_text("\"int\""), &id, &err),
                     BS_EBUSY);
}

static void test_unreachable(void **state)
{
    struct rc_options options = {.url = "http://user:secret@127.0.0.1:1"};
    struct rc_client *client;
    struct sd_schema *schema;
    struct bs_error err;
    (void)state;
    assert_int_equal(rc_client_new(&options, &client, &err), 0);
    assert_int_equal(rc_schema_by_id(client, 1, &schema, &err), BS_ECONNECT);
    assert_non_null(strstr(err.text, "127.0.0.1:1/schemas/ids/1"));
    assert_null(strstr(err.text, "secret"));
    rc_client_free(client);
    options.url = "localhost:8081";
    assert_int_equal(rc_client_new(&options, &client, &err), BS_EINVAL);
    options.url = " ,";
    assert_int_equal(rc_client_new(&options, &client, &err), BS_EINVAL);
    rc_client_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_references, setup, teardown),
        cmocka_unit_test_setup_teardown(test_subject, setup, teardown),
        cmocka_unit_test(test_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
