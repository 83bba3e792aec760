/* HTTP client: against the server of this folder, and against peers that misbehave. */
#include "lib/http/client.h"
#include "lib/http/http.h"

#include "lib/base/mem.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int echo(void *ctx, struct ht_request *request, struct ht_response *response)
{
    const char *kept = ht_header(request, "X-Kept");
    (void)ctx;
    response->status = 201;
    response->content_type = "text/x-echo";
    bs_buf_printf(&response->body, "%s %s %s %.*s", request->method, ht_target(request),
                  kept ? kept : "", (int)request->body.len,
                  request->body.ptr ? (const char *)request->body.ptr : "");
    return 0;
}

static int nothing(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx, (void)request;
    response->status = 204;
    return 0;
}

static const struct ht_route ROUTES[] = {
    {"POST", "/echo/{what}", 1000000, echo, "", 0},
    {"DELETE", "/echo/{what}", 0, echo, "", 0},
    {"GET", "/nothing", 0, nothing, "", 0},
};

static int ask(struct ht_client *client, const char *url, const char *method, const char *target,
               const char *body, struct ht_exchange *x, struct bs_buf *out, struct bs_error *err)
{
    static const char *const headers[] = {"X-Kept: yes", NULL};
    *x = (struct ht_exchange){.url = url,
                              .method = method,
                              .target = target,
                              .headers = headers,
                              .body = bs_bytes_text(body),
                              .timeout_ms = 5000,
                              .out = out};
    bs_buf_reset(out);
    return ht_client_ask(client, x, err);
}

static void test_exchanges(void **state)
{
    struct ht_options options = {.listen = "127.0.0.1:0", .routes = ROUTES, .route_count = 3};
    struct ht_client *client = ht_client_new(2, 1000);
    struct bs_buf out = BS_BUF_INIT, big = BS_BUF_INIT;
    struct bs_error err = {0};
    struct ht_server *server;
    struct ht_exchange x;
    char url[64];
    (void)state;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ht_server_port(server));
    for (int i = 0; i < 3; i++) { /* over one connection */
        if (ask(client, url, "POST", "/echo/a%2Fb?x=%20y&z", "body", &x, &out, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(x.status, 201);
        assert_string_equal(x.content_type, "text/x-echo");
        assert_string_equal(bs_buf_text(&out), "POST /echo/a%2Fb?x=%20y&z yes body");
    }
    assert_int_equal(ask(client, url, "DELETE", "/echo/1?permanent=true", "", &x, &out, &err), 0);
    assert_string_equal(bs_buf_text(&out), "DELETE /echo/1?permanent=true yes ");
    assert_int_equal(ask(client, url, "GET", "/nothing", "", &x, &out, &err), 0);
    assert_int_equal(x.status, 204);
    assert_int_equal(ask(client, url, "GET", "/nowhere", "", &x, &out, &err), 0);
    assert_int_equal(x.status, 404);
    while (big.len < 2000)
        bs_buf_puts(&big, "0123456789");
    assert_int_equal(ask(client, url, "POST", "/echo/1", bs_buf_text(&big), &x, &out, &err),
                     BS_ELIMIT);
    assert_false(ht_client_refused(url, 1000));
    ht_server_close(server);
    assert_true(ht_client_refused(url, 1000));
    /* what was kept is not used once the server has gone */
    assert_int_equal(ask(client, url, "GET", "/nothing", "", &x, &out, &err), BS_ECONNECT);
    assert_true(x.refused);
    assert_false(x.sent);
    assert_int_equal(ask(client, "https://127.0.0.1:1", "GET", "/", "", &x, &out, &err),
                     BS_EUNSUPPORTED);
    bs_buf_deinit(&out);
    bs_buf_deinit(&big);
    ht_client_free(client);
}

/* One connection: reads a little, says its text, and closes (or waits for the client to). */
struct peer {
    int fd, port;
    const char *says;
    bool waits;
};

static void *serve(void *arg)
{
    struct peer *peer = arg;
    int fd = accept(peer->fd, NULL, NULL);
    char piece[4096];
    if (recv(fd, piece, sizeof piece, 0) > 0 && *peer->says)
        send(fd, peer->says, strlen(peer->says), MSG_NOSIGNAL);
    if (peer->waits)
        while (recv(fd, piece, sizeof piece, 0) > 0)
            ;
    close(fd);
    return NULL;
}

static bool give_up(void *ctx)
{
    return ++*(int *)ctx == 2;
}

static int ask_peer(const char *says, bool waits, int *gives_up, struct ht_exchange *x,
                    struct bs_buf *out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct peer peer = {.fd = socket(AF_INET, SOCK_STREAM, 0), .says = says, .waits = waits};
    struct ht_client *client = ht_client_new(1, 100);
    pthread_t thread;
    char url[64];
    int rc;
    assert_int_equal(bind(peer.fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(peer.fd, 1), 0);
    getsockname(peer.fd, (struct sockaddr *)&address, &len);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    pthread_create(&thread, NULL, serve, &peer);
    *x = (struct ht_exchange){.url = url,
                              .method = "GET",
                              .target = "/",
                              .timeout_ms = gives_up ? 20000 : 300,
                              .give_up = gives_up ? give_up : NULL,
                              .give_up_ctx = gives_up,
                              .out = out};
    bs_buf_reset(out);
    rc = ht_client_ask(client, x, NULL);
    ht_client_free(client); /* which ends what it has kept */
    pthread_join(thread, NULL);
    close(peer.fd);
    return rc;
}

static void test_peers_that_misbehave(void **state)
{
    struct bs_buf out = BS_BUF_INIT;
    struct ht_exchange x;
    int asked = 0;
    (void)state;
    assert_int_equal(
        ask_peer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, NULL, &x, &out), 0);
    assert_string_equal(bs_buf_text(&out), "ok");
    assert_int_equal(ask_peer("", true, NULL, &x, &out), BS_ETIMEOUT);
    assert_true(x.sent);
    assert_int_equal(ask_peer("", true, &asked, &x, &out), BS_ECANCELLED);
    assert_int_equal(asked, 2);
    assert_int_equal(ask_peer("", false, NULL, &x, &out), BS_ECONNECT);
    assert_int_equal(ask_peer("SSH-2.0-x\r\n\r\n", false, NULL, &x, &out), BS_ESYNTAX);
    assert_int_equal(ask_peer("HTTP/1.1 200 OK\r\n\r\nmore", true, NULL, &x, &out), BS_ESYNTAX);
    assert_int_equal(
        ask_peer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", false, NULL, &x, &out),
        BS_ECONNECT);
    assert_int_equal(
        ask_peer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", false, NULL, &x, &out),
        BS_ELIMIT);
    bs_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_peers_that_misbehave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
