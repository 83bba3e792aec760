/* HTTP: a real server on port 0, asked with libcurl; and the pure parts. */
#include "lib/http/http.h"
#include "lib/http/route.h"

#include "lib/base/mem.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <curl/curl.h>

static int echo(void *ctx, struct ht_request *request, struct ht_response *response)
{
    const char *query = ht_query(request, "q"), *header = ht_header(request, "X-Test");
    (void)ctx;
    bs_buf_printf(&response->body, "%s %s [%s] [%s] q=%s h=%s body=%.*s", request->method,
                  request->path, request->params[0] ? request->params[0] : "-",
                  request->params[1] ? request->params[1] : "-", query ? query : "-",
                  header ? header : "-", (int)request->body.len,
                  request->body.ptr ? (const char *)request->body.ptr : "");
    response->content_type = "text/plain";
    return 0;
}

static int made(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    response->status = 201;
    ht_response_field(response, "Location",
                      bs_arena_printf(request->arena, "/things/%s", request->params[0]));
    bs_buf_puts(&response->body, "{}");
    return 0;
}

static int refused(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    return ht_error(response, 422, 42201, "bad \"%s\"", request->params[0]);
}

static int broken(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    (void)request;
    bs_buf_puts(&response->body, "half of an answer");
    return BS_ESTATE;
}

static int nothing(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    (void)request;
    response->status = 204;
    return 0;
}

static int slow(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    if (!request->may_block)
        return HT_BLOCKS;
    poll(NULL, 0, 20);
    bs_buf_printf(&response->body, "waited %s %zu q=%s", request->params[0], request->body.len,
                  ht_query(request, "q"));
    return 0;
}

static int listed(void *ctx, struct ht_request *request, struct ht_response *response)
{
    const char *list = ht_header_list(request, "X-List");
    (void)ctx;
    ht_response_field(response, "X-Route", request->route->doc);
    bs_buf_puts(&response->body, list ? list : "none");
    return 0;
}

static int target(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    bs_buf_puts(&response->body, ht_target(request));
    return 0;
}

static int served_by(void *ctx, struct ht_request *request, struct ht_response *response)
{
    (void)ctx;
    (void)request;
    bs_buf_printf(&response->body, "by %lx.", (unsigned long)pthread_self());
    return 0;
}

static const struct ht_route routes[] = {
    {"GET", "/", 0, echo, "the root"},
    {"GET", "/things/{name}", 0, echo, "one thing"},
    {"PUT", "/things/{name}", 1000, made, "makes a thing"},
    {"POST", "/things/{name}/parts/{part}", 300000, echo, "echoes"},
    {"GET", "/refused/{name}", 0, refused, "refuses"},
    {"GET", "/broken", 0, broken, "breaks"},
    {"DELETE", "/things/{name}", 0, nothing, "deletes"},
    {"POST", "/slow/{name}", 1000, slow, "waits"},
    {"GET", "/listed", 0, listed, "joins", 7},
    {"GET", "/thread", 0, served_by, "names its thread"},
    {"GET", "/target/{name}", 0, target, "tells what was sent"},
};

struct answer {
    long status;
    struct bs_buf body, headers;
};

static size_t take(char *data, size_t size, size_t count, void *buf)
{
    bs_buf_put(buf, data, size * count);
    return size * count;
}

static void ask(const char *method, int port, const char *path, const char *body, size_t body_len,
                struct answer *ret)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers =
        curl_slist_append(curl_slist_append(NULL, "X-Test: yes"), "X-Request-ID: r-17");
    char url[512];
    CURLcode rc;
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    *ret = (struct answer){0};
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body_len);
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &ret->body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &ret->headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 20L);
    rc = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &ret->status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (rc != CURLE_OK)
        fail_msg("%s %s: %s", method, path, curl_easy_strerror(rc));
}

static void expect(int port, const char *method, const char *path, const char *body, long status,
                   const char *text)
{
    struct answer a;
    ask(method, port, path, body, body ? strlen(body) : 0, &a);
    if (a.status != status || strcmp(bs_buf_text(&a.body), text) != 0)
        fail_msg("%s %s: %ld %s\n want %ld %s", method, path, a.status, bs_buf_text(&a.body),
                 status, text);
    bs_buf_deinit(&a.body);
    bs_buf_deinit(&a.headers);
}

static struct ht_server *open_server(void)
{
    struct ht_options options = {
        .listen = "127.0.0.1:0", .routes = routes, .route_count = sizeof routes / sizeof *routes};
    struct ht_server *server;
    struct bs_error err;
    if (ht_server_open(&options, &server, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(ht_server_port(server) > 0);
    return server;
}

#define UNREADABLE(part)                                            \
    "{\"error_code\":400,\"message\":\"HTTP 400 Bad Request: " part \
    " is no text: it has a byte that is no UTF-8, a NUL, or a '%' without two digits\"}"

static void test_routes(void **state)
{
    struct ht_server *server = open_server();
    int port = ht_server_port(server);
    (void)state;
    expect(port, "GET", "/", NULL, 200, "GET / [-] [-] q=- h=yes body=");
    expect(port, "GET", "/things/a%2Fb%20c?q=x%26y+z&r", NULL, 200,
           "GET /things/a%2Fb%20c [a/b c] [-] q=x&y z h=yes body=");
    expect(port, "GET", "/things/x/?q", NULL, 200, "GET /things/x/ [x] [-] q= h=yes body=");
    expect(port, "POST", "/things/1/parts/2", "hello", 200,
           "POST /things/1/parts/2 [1] [2] q=- h=yes body=hello");
    expect(port, "GET", "/refused/x", NULL, 422,
           "{\"error_code\":42201,\"message\":\"bad \\\"x\\\"\"}");
    expect(port, "GET", "/broken", NULL, 500,
           "{\"error_code\":500,\"message\":\"HTTP 500 Internal Server Error\"}");
    expect(port, "GET", "/nowhere", NULL, 404,
           "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
    expect(port, "GET", "/things/", NULL, 404,
           "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
    expect(port, "GET", "/things/a%00b", NULL, 400, UNREADABLE("{name} of the path"));
    expect(port, "GET", "/things/a%FF", NULL, 400, UNREADABLE("{name} of the path"));
    expect(port, "GET", "/things/a%2", NULL, 400, UNREADABLE("{name} of the path"));
    expect(port, "POST", "/things/1/parts/%zz", "", 400, UNREADABLE("{part} of the path"));
    expect(port, "GET", "/things/a?x=1&q=b%00", NULL, 400,
           UNREADABLE("parameter 'q' of the query"));
    expect(port, "GET", "/things/a?q=%ff", NULL, 400, UNREADABLE("parameter 'q' of the query"));
    expect(port, "DELETE", "/things/a?p%20q=%", NULL, 400,
           UNREADABLE("parameter 'p q' of the query"));
    expect(port, "GET", "/target/a%2Fb?q=x+y%2B%26z&a+b&c=", NULL, 200,
           "/target/a%2Fb?q=x+y%2B%26z&a+b&c=");
    expect(port, "DELETE", "/things/a", NULL, 204, "");
    expect(port, "HEAD", "/things/a", NULL, 200, "");
    ht_server_close(server);
}

static void test_headers(void **state)
{
    struct ht_server *server = open_server();
    struct answer a;
    (void)state;
    ask("PUT", ht_server_port(server), "/things/a", "{}", 2, &a);
    assert_int_equal(a.status, 201);
    assert_non_null(strstr(bs_buf_text(&a.headers), "Location: /things/a"));
    assert_non_null(strstr(bs_buf_text(&a.headers), "Content-Type: application/json"));
    assert_non_null(strstr(bs_buf_text(&a.headers), "X-Request-ID: r-17"));
    bs_buf_deinit(&a.body);
    bs_buf_deinit(&a.headers);
    ask("PATCH", ht_server_port(server), "/things/a", "{}", 2, &a);
    assert_int_equal(a.status, 405);
    assert_non_null(strstr(bs_buf_text(&a.headers), "Allow: GET, PUT, DELETE"));
    assert_non_null(strstr(bs_buf_text(&a.headers), "X-Request-ID: r-17"));
    bs_buf_deinit(&a.body);
    bs_buf_deinit(&a.headers);
    ht_server_close(server);
}

static void test_body_limit(void **state)
{
    static const size_t sizes[] = {1000, 1001, 100000, 20000000};
    struct ht_server *server = open_server();
    struct answer a;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *body = bs_alloc(sizes[i]);
        memset(body, 'x', sizes[i]);
        ask("PUT", ht_server_port(server), "/things/a", body, sizes[i], &a);
        assert_int_equal(a.status, i == 0 ? 201 : 413);
        bs_buf_deinit(&a.body);
        bs_buf_deinit(&a.headers);
        bs_free(body);
    }
    ht_server_close(server);
}

static void test_listen(void **state)
{
    struct ht_options options = {.listen = "127.0.0.1:0", .routes = routes, .route_count = 1};
    struct ht_server *server, *second;
    struct bs_error err;
    char taken[64], host[64];
    int port;
    (void)state;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    snprintf(taken, sizeof taken, "localhost:%d", ht_server_port(server));
    options.listen = taken;
    if (ht_server_open(&options, &second, &err) == 0) /* ::1 is another address */
        ht_server_close(second);
    snprintf(taken, sizeof taken, "127.0.0.1:%d", ht_server_port(server));
    assert_true(ht_server_open(&options, &second, &err) < 0);
    assert_non_null(strstr(err.text, taken));
    ht_server_close(server);
    ht_server_close(NULL);

    assert_int_equal(ht_split_host_port("[::1]:80", host, sizeof host, &port, &err), 0);
    assert_string_equal(host, "::1");
    assert_int_equal(port, 80);
    assert_int_equal(ht_split_host_port(":80", host, sizeof host, &port, &err), 0);
    assert_string_equal(host, "");
    assert_int_equal(ht_split_host_port("a:65536", host, sizeof host, &port, &err), BS_EINVAL);
    assert_int_equal(ht_split_host_port("::1:80", host, sizeof host, &port, &err), BS_EINVAL);
    assert_int_equal(ht_split_host_port("host", host, sizeof host, &port, &err), BS_EINVAL);
    assert_int_equal(ht_split_host_port("host:", host, sizeof host, &port, &err), BS_EINVAL);
    assert_int_equal(ht_split_host_port("h:8x", host, sizeof host, &port, &err), BS_EINVAL);
    assert_int_equal(ht_split_host_port(NULL, host, sizeof host, &port, &err), BS_EINVAL);
}

static int held(void *ctx, struct ht_request *request, struct ht_response *response)
{
    sem_t *turns = ctx;
    if (!request->may_block)
        return HT_BLOCKS;
    sem_post(&turns[0]);
    sem_wait(&turns[1]);
    bs_buf_printf(&response->body, "%zu", request->body.len);
    return 0;
}

struct holder {
    int port;
    struct answer answer;
};

static void *ask_held(void *arg)
{
    struct holder *holder = arg;
    char body[1000] = "";
    ask("POST", holder->port, "/held", body, sizeof body, &holder->answer);
    return NULL;
}

/* Bodies of all requests together are bounded, too; what one gave back another may have. */
static void test_bodies_limit(void **state)
{
    static const struct ht_route held_routes[] = {{"POST", "/held", 1000, held, "waits"},
                                                  {"PUT", "/things/{name}", 1000, made, "makes"}};
    struct ht_options options = {
        .listen = "127.0.0.1:0", .routes = held_routes, .route_count = 2, .bodies_max = 1500};
    struct ht_server *server;
    struct holder holder;
    struct bs_error err;
    struct answer a;
    char body[501] = "";
    pthread_t thread;
    sem_t turns[2]; /* it is held; it may go on */
    (void)state;
    sem_init(&turns[0], 0, 0);
    sem_init(&turns[1], 0, 0);
    options.ctx = turns;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    holder.port = ht_server_port(server);
    pthread_create(&thread, NULL, ask_held, &holder);
    sem_wait(&turns[0]);
    for (size_t len = 500; len <= 501; len++) {
        ask("PUT", holder.port, "/things/a", body, len, &a);
        assert_int_equal(a.status, len == 500 ? 201 : 503);
        bs_buf_deinit(&a.body);
        bs_buf_deinit(&a.headers);
    }
    sem_post(&turns[1]);
    pthread_join(thread, NULL);
    assert_int_equal(holder.answer.status, 200);
    bs_buf_deinit(&holder.answer.body);
    bs_buf_deinit(&holder.answer.headers);
    ask("PUT", holder.port, "/things/a", body, 501, &a);
    assert_int_equal(a.status, 201);
    bs_buf_deinit(&a.body);
    bs_buf_deinit(&a.headers);
    ht_server_close(server);
}

static void *ask_slow(void *port)
{
    char path[64];
    for (int i = 0; i < 5; i++) {
        struct answer a;
        snprintf(path, sizeof path, "/slow/x%d?q=%d", i, i);
        ask("POST", *(int *)port, path, "body", 4, &a);
        if (a.status == 200)
            snprintf(path, sizeof path, "waited x%d 4 q=%d", i, i);
        assert_string_equal(bs_buf_text(&a.body), path);
        bs_buf_deinit(&a.body);
        bs_buf_deinit(&a.headers);
    }
    return NULL;
}

/* Requests that wait do not stand in the way of others, and all are answered, also at the end. */
static void test_blocking(void **state)
{
    struct ht_server *server = open_server();
    int port = ht_server_port(server);
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, ask_slow, &port);
    for (int i = 0; i < 50; i++)
        expect(port, "DELETE", "/things/a", NULL, 204, "");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ht_server_close(server);
}

static int heavy(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return request->may_block ? held(ctx, request, response) : HT_HEAVY;
}

/* Requests that compute for long hold up neither those that wait nor the others. */
static void test_heavy(void **state)
{
    static const struct ht_route lanes[] = {{"POST", "/held", 1000, heavy, "computes"},
                                            {"POST", "/slow/{name}", 1000, slow, "waits"},
                                            {"DELETE", "/things/{name}", 0, nothing, "deletes"}};
    struct ht_options options = {.listen = "127.0.0.1:0", .routes = lanes, .route_count = 3};
    struct ht_server *server;
    struct holder holders[3];
    pthread_t threads[3];
    struct bs_error err;
    sem_t turns[2]; /* has begun, may end */
    (void)state;
    sem_init(&turns[0], 0, 0);
    sem_init(&turns[1], 0, 0);
    options.ctx = turns;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    for (int i = 0; i < 3; i++) {
        holders[i].port = ht_server_port(server);
        pthread_create(&threads[i], NULL, ask_held, &holders[i]);
    }
    sem_wait(&turns[0]);
    for (int i = 0; i < 50; i++)
        expect(holders[0].port, "DELETE", "/things/a", NULL, 204, "");
    ask_slow(&holders[0].port);
    assert_int_equal(sem_trywait(&turns[0]), -1); /* one at a time */
    for (int i = 0; i < 3; i++)
        sem_post(&turns[1]);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_string_equal(bs_buf_text(&holders[i].answer.body), "1000");
        bs_buf_deinit(&holders[i].answer.body);
        bs_buf_deinit(&holders[i].answer.headers);
    }
    ht_server_close(server);
    sem_destroy(&turns[0]);
    sem_destroy(&turns[1]);
}

/* ---- requests byte by byte ---- */

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the text is there; false: the end came first. */
static bool reads(int fd, struct bs_buf *got, const char *text)
{
    while (strstr(bs_buf_text(got), text) == NULL) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t len;
        if (poll(&ready, 1, 20000) != 1)
            fail_msg("neither \"%s\" nor the end, but \"%s\"", text, bs_buf_text(got));
        len = recv(fd, bs_buf_reserve(got, 4096), 4096, 0);
        if (len <= 0)
            return false;
        got->len += (size_t)len;
    }
    return true;
}

static void expect_raw(int port, const char *request, const char *const *wanted)
{
    struct bs_buf got = BS_BUF_INIT;
    int fd = connect_to(port);
    send_text(fd, request);
    for (; *wanted; wanted++)
        if (!reads(fd, &got, *wanted))
            fail_msg("%s\n gives %s\n without %s", request, bs_buf_text(&got), *wanted);
    close(fd);
    bs_buf_deinit(&got);
}

#define HOST "Host: x\r\n"

static void test_fields(void **state)
{
    struct ht_options options = {
        .listen = "127.0.0.1:0", .routes = routes, .route_count = sizeof routes / sizeof *routes};
    struct bs_buf got = BS_BUF_INIT;
    struct ht_server *server;
    struct bs_error err;
    int port, fd;
    (void)state;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    port = ht_server_port(server);
    expect_raw(port, "GET /listed HTTP/1.1\r\n" HOST "\r\n",
               (const char *[]){"200 OK", "X-Route: joins", "none", NULL});
    expect_raw(port, "GET /listed HTTP/1.1\r\n" HOST "X-List: a\r\nx-list: b, c\r\n\r\n",
               (const char *[]){"a, b, c", NULL});
    expect_raw(port, "GET /listed HTTP/1.1\r\n" HOST "x-request-id: 7 z\r\n\r\n",
               (const char *[]){"X-Request-ID: 7 z\r\n", NULL});
    expect_raw(port, "GET /nowhere HTTP/1.1\r\n" HOST "X-Request-ID: 8\r\n\r\n",
               (const char *[]){"404", "X-Request-ID: 8\r\n", NULL});
    expect_raw(port, "GET /nowhere HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\n\r\n",
               (const char *[]){"404", NULL});
    expect_raw(port,
               "PUT /things/1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n"
               "Content-Encoding: Identity\r\n\r\n{}",
               (const char *[]){"201", NULL});
    expect_raw(port,
               "PUT /things/1 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n"
               "Content-Encoding: gzip\r\n\r\n{}GET /nowhere HTTP/1.1\r\n" HOST "\r\n",
               (const char *[]){"415 Unsupported", "\"error_code\":415", "404", NULL});
    fd = connect_to(port); /* not one that could be taken for something else */
    send_text(fd, "GET /listed HTTP/1.1\r\n" HOST "X-Request-ID: 9\x01\r\n\r\n");
    assert_true(reads(fd, &got, "none"));
    send_text(fd, "GET /listed HTTP/1.1\r\n" HOST "X-Request-ID: 9\xff\r\n\r\n"
                  "GET /nowhere HTTP/1.1\r\n" HOST "\r\n");
    assert_true(reads(fd, &got, "404"));
    assert_null(strstr(bs_buf_text(&got), "X-Request-ID"));
    close(fd);
    bs_buf_reset(&got);
    fd = connect_to(port); /* once */
    send_text(fd, "GET /listed HTTP/1.1\r\n" HOST "X-Request-ID: 9\r\n\r\n");
    assert_true(reads(fd, &got, "none"));
    assert_null(strstr(strstr(bs_buf_text(&got), "X-Request-ID") + 1, "X-Request-ID"));
    close(fd);
    bs_buf_deinit(&got);
    ht_server_close(server);
}

/* Connections are dealt out evenly. */
static void test_threads(void **state)
{
    enum { THREADS = 3, EACH = 4, COUNT = THREADS * EACH };
    struct ht_options options = {.listen = "127.0.0.1:0",
                                 .routes = routes,
                                 .route_count = sizeof routes / sizeof *routes,
                                 .threads = THREADS};
    struct ht_server *server;
    struct bs_error err;
    char names[COUNT][32];
    int fds[COUNT];
    (void)state;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    for (int i = 0; i < COUNT; i++) {
        struct bs_buf got = BS_BUF_INIT;
        fds[i] = connect_to(ht_server_port(server));
        send_text(fds[i], "GET /thread HTTP/1.1\r\n" HOST "\r\n");
        assert_true(reads(fds[i], &got, "."));
        assert_int_equal(sscanf(strstr(bs_buf_text(&got), "by "), "by %31[0-9a-f]", names[i]), 1);
        bs_buf_deinit(&got);
    }
    for (int i = 0; i < COUNT; i++) {
        int same = 0;
        for (int k = 0; k < COUNT; k++)
            same += strcmp(names[i], names[k]) == 0;
        assert_int_equal(same, EACH);
    }
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    ht_server_close(server);
}

/* A request of so many bytes and fields, most of them in X-List. */
static size_t put_head(struct bs_buf *out, size_t bytes, unsigned fields)
{
    size_t from;
    bs_buf_reset(out);
    bs_buf_puts(out, "GET /listed?q=1 HTTP/1.1\r\n" HOST "X-Request-ID: ");
    for (unsigned i = 0; i < 1024; i++)
        bs_buf_puts(out, "i");
    for (unsigned i = 3; i < fields; i++)
        bs_buf_printf(out, "\r\nX-%u: %u", i, i);
    bs_buf_puts(out, "\r\nX-List: ");
    from = out->len;
    while (out->len + 4 < bytes)
        bs_buf_puts(out, "z");
    bs_buf_puts(out, "\r\n\r\n");
    return out->len - 4 - from;
}

/* 8 KiB are taken, with as many fields as anyone sends; what is too long for a connection's memory
 * gets an answer, too, and ends it. */
static void test_long_heads(void **state)
{
    struct ht_options options = {
        .listen = "127.0.0.1:0", .routes = routes, .route_count = sizeof routes / sizeof *routes};
    struct bs_buf head = BS_BUF_INIT;
    struct ht_server *server;
    struct bs_error err;
    int port;
    (void)state;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    port = ht_server_port(server);
    for (unsigned fields = 3; fields <= 64; fields++) {
        char length[64];
        size_t list = put_head(&head, 8192, fields);
        assert_int_equal(head.len, 8192);
        snprintf(length, sizeof length, "Content-Length: %zu\r\n\r\nzzz", list);
        expect_raw(port, bs_buf_text(&head), (const char *[]){"200 OK", "iii\r\n", length, NULL});
    }
    put_head(&head, 20000, 4);
    expect_raw(port, bs_buf_text(&head),
               (const char *[]){"HTTP/1.1 431 ", "Connection: close", NULL});
    bs_buf_reset(&head);
    bs_buf_printf(&head, "GET /%020000d HTTP/1.1\r\n" HOST "\r\n", 0);
    expect_raw(port, bs_buf_text(&head),
               (const char *[]){"HTTP/1.1 414 ", "Connection: close", NULL});
    bs_buf_deinit(&head);
    ht_server_close(server);
}

/* A request whose end two readers may see in different places is refused and ends its connection:
 * what follows is not a request. */
static void test_ambiguous_length(void **state)
{
    static const char *const fields[] = {
        "Content-Length: 2\r\nContent-Length: 60\r\n", "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 2\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"};
    static const char next[] = "{}GET /listed HTTP/1.1\r\n" HOST "\r\n";
    struct ht_server *server = open_server();
    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        struct bs_buf got = BS_BUF_INIT;
        int fd = connect_to(ht_server_port(server));
        send_text(fd, "PUT /things/1 HTTP/1.1\r\n" HOST);
        send_text(fd, fields[i]);
        send_text(fd, "\r\n");
        send(fd, next, strlen(next), MSG_NOSIGNAL); /* or it has ended already */
        assert_false(reads(fd, &got, "X-Route"));
        if (strstr(bs_buf_text(&got), "HTTP/1.1 400") == NULL ||
            strstr(strstr(bs_buf_text(&got), "HTTP/1.1") + 1, "HTTP/1.1"))
            fail_msg("%s: %s", fields[i], bs_buf_text(&got));
        close(fd);
        bs_buf_deinit(&got);
    }
    ht_server_close(server);
}

static void test_expect_continue(void **state)
{
    struct ht_server *server = open_server();
    struct bs_buf got = BS_BUF_INIT;
    int fd = connect_to(ht_server_port(server));
    (void)state;
    send_text(fd, "POST /things/1/parts/2 HTTP/1.1\r\n" HOST
                  "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_true(reads(fd, &got, "HTTP/1.1 100 Continue"));
    send_text(fd, "hello");
    assert_true(reads(fd, &got, "body=hello"));
    close(fd);
    bs_buf_reset(&got);
    fd = connect_to(ht_server_port(server)); /* too large: told before the body is sent */
    send_text(fd, "PUT /things/1 HTTP/1.1\r\n" HOST
                  "Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n");
    assert_true(reads(fd, &got, "413"));
    assert_null(strstr(bs_buf_text(&got), "100 Continue"));
    close(fd);
    bs_buf_deinit(&got);
    ht_server_close(server);
}

/* Sends a byte now and then until the server cuts the connection. */
static void trickle(int fd)
{
    for (int i = 0; send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++) {
        struct pollfd ready = {.fd = fd, .events = POLLIN | POLLRDHUP};
        if (i == 1000)
            fail_msg("it may go on for ever");
        if (poll(&ready, 1, 10) == 1 && ready.revents & (POLLRDHUP | POLLHUP | POLLERR))
            return;
    }
}

/* Slow ones are cut while sending the header or the body, and who waited for their place comes; one
 * that the server itself lets wait is not. */
static void test_slow_clients(void **state)
{
    static const char *const begun[] = {"", "GET /things/", "GET / HTTP/1.1\r\nHo",
                                        "PUT /things/1 HTTP/1.1\r\n" HOST
                                        "Content-Length: 1000\r\n\r\n"};
    struct ht_options options = {.listen = "127.0.0.1:0",
                                 .routes = routes,
                                 .route_count = sizeof routes / sizeof *routes,
                                 .threads = 1,
                                 .connections_max = 4,
                                 .step_ms = 10};
    struct ht_server *server;
    struct bs_error err;
    int port, fds[4];
    (void)state;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    port = ht_server_port(server);
    for (size_t i = 0; i < 4; i++) {
        fds[i] = connect_to(port);
        if (*begun[i])
            send_text(fds[i], begun[i]);
    }
    expect(port, "GET", "/refused/x", NULL, 422,
           "{\"error_code\":42201,\"message\":\"bad \\\"x\\\"\"}");
    for (size_t i = 0; i < 4; i++) {
        trickle(fds[i]);
        close(fds[i]);
    }
    ask_slow(&port);
    ht_server_close(server);
}

/* Those that have had their answer, or never ask, do not keep others out: from the last quarter on
 * an answer ends its connection, and who holds a place without a request goes. */
static void test_idle_clients(void **state)
{
    enum { PLACES = 16 };
    struct ht_options options = {.listen = "127.0.0.1:0",
                                 .routes = routes,
                                 .route_count = sizeof routes / sizeof *routes,
                                 .threads = 1,
                                 .connections_max = PLACES};
    struct ht_server *server;
    struct bs_error err;
    int port, fds[PLACES];
    (void)state;
    assert_int_equal(ht_server_open(&options, &server, &err), 0);
    port = ht_server_port(server);
    for (int i = 0; i < PLACES; i++) {
        struct bs_buf got = BS_BUF_INIT;
        fds[i] = connect_to(port);
        send_text(fds[i], "GET /listed HTTP/1.1\r\n" HOST "\r\n");
        assert_true(reads(fds[i], &got, "none"));
        assert_int_equal(strstr(bs_buf_text(&got), "Connection: close") != NULL,
                         i >= PLACES - PLACES / 4);
        if (i >= PLACES - PLACES / 4)
            assert_false(reads(fds[i], &got, "nothing more"));
        bs_buf_deinit(&got);
    }
    expect(port, "GET", "/refused/x", NULL, 422,
           "{\"error_code\":42201,\"message\":\"bad \\\"x\\\"\"}");
    for (int i = 0; i < PLACES; i++)
        close(fds[i]);
    for (int i = 0; i < PLACES; i++)
        fds[i] = connect_to(port); /* and say nothing */
    expect(port, "GET", "/refused/x", NULL, 422,
           "{\"error_code\":42201,\"message\":\"bad \\\"x\\\"\"}");
    for (int i = 0; i < PLACES; i++)
        close(fds[i]);
    ht_server_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_routes),           cmocka_unit_test(test_headers),
        cmocka_unit_test(test_body_limit),       cmocka_unit_test(test_listen),
        cmocka_unit_test(test_bodies_limit),     cmocka_unit_test(test_blocking),
        cmocka_unit_test(test_fields),           cmocka_unit_test(test_long_heads),
        cmocka_unit_test(test_threads),          cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_slow_clients),     cmocka_unit_test(test_idle_clients),
        cmocka_unit_test(test_ambiguous_length), cmocka_unit_test(test_heavy),
    };
    int rc;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return rc;
}
