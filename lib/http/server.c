/* Server: libmicrohttpd behind the route table.
 *
 * One epoll loop per thread, which is a daemon of libmicrohttpd's; a connection goes to the one
 * that has fewest and stays there, so a request is touched by one thread only and needs no lock. (A
 * pool of libmicrohttpd's takes connections in by whoever wakes first: all of them may be one's.) A
 * request is made in libmicrohttpd's first call, its body is collected under the route's limit, and
 * it is answered in the last call (answering in the first one costs three times as much; only a
 * body announced too large is refused there).
 *
 * A request that has to wait or to compute is handed over whole: its connection is suspended, the
 * request goes through the mailbox of a lane to one of its threads, is answered there into
 * `response`, and the connection is resumed; libmicrohttpd then calls once more and the response is
 * sent. */
#include "lib/http/connections.h"
#include "lib/http/http.h"
#include "lib/http/listen.h"
#include "lib/http/query.h"
#include "lib/http/route.h"

#include "lib/base/mem.h"
#include "lib/io/mailbox.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    THREADS = 2,
    CONNECTIONS = 1024,
    IDLE_SECONDS = 120,
    STEP_MS = 30000,
    BODIES_MAX = 128 << 20,
    BODY_FIRST = 64 * 1024,
    HEAD_MAX = 8192, /* request line and fields that are taken for sure */
    FIELDS = 64,     /* of these */
    /* Of a connection, with what libmicrohttpd needs for a field, and the answer's head. It clears
     * one and a half times as much for each request. */
    CONNECTION_BYTES = HEAD_MAX + FIELDS * 64 + 4096,
    ID_MAX = 1024,       /* bytes of an X-Request-ID */
    ARENA_FIRST = 912,   /* of a request; with its head small enough for malloc's quick lists */
    ANSWER_FIRST = 1024, /* most answers fit, with what is kept free behind them */
    LANE_THREADS = 1,
    BLOCKING_MAX = 1024,
};

/* Threads for handlers that would hold up the threads that serve connections. */
struct lane {
    struct ht_server *server;
    struct io_mailbox *waiting; /* exchanges; NULL: not started */
    pthread_t *threads;
    unsigned thread_count;
};

/* A thread that serves connections. */
struct worker {
    struct ht_server *server;
    struct MHD_Daemon *daemon;
    _Atomic unsigned count; /* of connections */
};

struct ht_server {
    struct ht_options options;
    struct worker *workers;
    unsigned worker_count;
    struct ht_connections *connections;
    _Atomic size_t bodies; /* bytes held by all requests */
    int fd, port;
    struct lane blocking, heavy;
};

struct exchange {
    struct bs_arena arena;
    struct ht_connection *connection;
    struct ht_request request;
    const struct ht_route *route;
    const char *allow; /* with 405: the methods of the path */
    struct bs_buf body;
    struct ht_response response;
    int refused;   /* status that the server answers itself, or 0 */
    bool last;     /* the connection ends behind its answer */
    bool answered; /* by a thread of a lane: response is to be sent */
};

static const char *refusal_text(int status)
{
    switch (status) {
    case 400:
        return "HTTP 400 Bad Request";
    case 404:
        return "HTTP 404 Not Found";
    case 405:
        return "HTTP 405 Method Not Allowed";
    case 415:
        return "HTTP 415 Unsupported Media Type";
    case 413:
        return "HTTP 413 Request Entity Too Large";
    case 503:
        return "HTTP 503 Service Unavailable";
    default:
        return "HTTP 500 Internal Server Error";
    }
}

static void release_body(struct ht_server *server, struct exchange *x)
{
    atomic_fetch_sub_explicit(&server->bodies, x->body.len, memory_order_relaxed);
    bs_buf_deinit(&x->body);
}

static void exchange_free(struct exchange *x)
{
    bs_buf_deinit(&x->response.body);
    bs_arena_deinit(&x->arena);
    bs_free(x);
}

/* The next request's header may begin as late as an idle connection is kept, and then take its
 * time: one that sends a byte now and then is never idle. */
static void request_completed(void *ctx, struct MHD_Connection *connection, void **state,
                              enum MHD_RequestTerminationCode why)
{
    struct ht_server *server = ctx;
    struct exchange *x = *state;
    (void)connection;
    if (x)
        release_body(server, x);
    if (x && why == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        ht_connection_idle(server->connections, x->connection, IDLE_SECONDS * 1000);
    if (x)
        exchange_free(x);
    *state = NULL;
}

static void connection_changed(void *ctx, struct MHD_Connection *connection, void **noted,
                               enum MHD_ConnectionNotificationCode what)
{
    struct worker *worker = ctx;
    struct ht_connections *connections = worker->server->connections;
    const union MHD_ConnectionInfo *info;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        atomic_fetch_sub_explicit(&worker->count, 1, memory_order_relaxed);
        ht_connection_free(connections, *noted);
        *noted = NULL;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    *noted = ht_connection_new(connections, info->connect_fd);
}

/* Parameters are decoded after the path was split: libmicrohttpd must not do it before. */
static size_t unescape_nothing(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx;
    (void)connection;
    return strlen(text);
}

static void body_free(void *body)
{
    bs_free(body);
}

/* Every answer repeats the request's X-Request-ID, if it is printable. */
static void echo_id(struct MHD_Connection *connection, struct MHD_Response *mhd)
{
    static const char name[] = "X-Request-ID";
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    size_t len = 0;
    while (value && value[len] >= ' ' && value[len] <= '~')
        len++;
    if (len && len <= ID_MAX && value[len] == '\0')
        MHD_add_response_header(mhd, name, value);
}

static enum MHD_Result send_response(struct ht_server *server, struct exchange *x,
                                     struct MHD_Connection *connection,
                                     struct ht_response *response)
{
    struct MHD_Response *mhd;
    enum MHD_Result result;
    size_t len;
    uint8_t *body = bs_buf_steal(&response->body, &len);
    const char *type = response->content_type         ? response->content_type
                       : server->options.content_type ? server->options.content_type
                                                      : "application/json";
    mhd = len ? MHD_create_response_from_buffer_with_free_callback(len, body, body_free)
              : MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
    release_body(server, x); /* before the client can send another one */
    ht_connection_step(server->connections, x->connection, len, 0);
    if (mhd == NULL || len == 0)
        bs_free(body);
    if (mhd == NULL)
        return MHD_NO;
    if (len)
        MHD_add_response_header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    for (unsigned i = 0; i < response->field_count; i++)
        MHD_add_response_header(mhd, response->fields[i].name, response->fields[i].value);
    echo_id(connection, mhd);
    if (x->last || ht_connections_crowded(server->connections))
        MHD_add_response_header(mhd, MHD_HTTP_HEADER_CONNECTION, "close");
    if (x->refused == 405 && x->allow)
        MHD_add_response_header(mhd, MHD_HTTP_HEADER_ALLOW, x->allow);
    result =
        MHD_queue_response(connection, (unsigned)(response->status ? response->status : 200), mhd);
    MHD_destroy_response(mhd);
    return result;
}

static enum MHD_Result refuse(struct ht_server *server, struct exchange *x,
                              struct MHD_Connection *connection)
{
    struct ht_response response = {.status = x->refused};
    const char *text = refusal_text(x->refused);
    if (x->request.why)
        text = bs_arena_printf(&x->arena, "%s: %s", text, x->request.why);
    if (server->options.error_body)
        server->options.error_body(x->refused, text, &response.body);
    else
        ht_error(&response, x->refused, x->refused, "%s", text);
    return send_response(server, x, connection, &response);
}

struct framing {
    unsigned lengths, codings;
};

static enum MHD_Result count_framing(void *ctx, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct framing *framing = ctx;
    (void)kind;
    (void)value;
    framing->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    framing->codings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

/* Whoever passed it on may have seen another end of the body, and so another next request (RFC
 * 9112, 6.3). */
static bool is_ambiguous(struct MHD_Connection *connection)
{
    struct framing framing = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_framing, &framing);
    return framing.lengths + framing.codings > 1;
}

/* Bodies are taken as they are sent. */
static bool is_encoded(struct MHD_Connection *connection)
{
    const char *coding =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_ENCODING);
    return coding && *coding && strcasecmp(coding, "identity") != 0;
}

static uint64_t announced_length(struct MHD_Connection *connection)
{
    const char *text =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text ? strtoull(text, NULL, 10) : 0;
}

/* What a handler would take for absent, or for another text, must not be told apart by it. */
static void refuse_unreadable(struct exchange *x, const char *part)
{
    if (part == NULL)
        part = ht_query_unreadable(&x->request);
    if (part == NULL)
        return;
    x->refused = 400;
    x->request.why =
        bs_arena_printf(&x->arena,
                        "%s is no text: it has a byte that is no UTF-8, a NUL, or a '%%' "
                        "without two digits",
                        part);
}

static struct exchange *exchange_new(const struct ht_server *server,
                                     struct MHD_Connection *connection, const char *url,
                                     const char *method)
{
    const char *detail;
    struct exchange *x = bs_alloc(sizeof *x); /* calloc knows no quick lists */
    *x = (struct exchange){0};
    bs_arena_reserve(&x->arena, ARENA_FIRST);
    x->connection =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    ht_connection_step(server->connections, x->connection, 0, 0);
    x->request.method = bs_arena_strndup(&x->arena, method, strlen(method));
    x->request.sent_path = x->request.path = bs_arena_strndup(&x->arena, url, strlen(url));
    x->request.arena = &x->arena;
    x->request.mhd = connection;
    if (server->options.rewrite)
        x->refused = server->options.rewrite(server->options.ctx, &x->request);
    if (x->refused)
        return x;
    switch (ht_route_find(server->options.routes, server->options.route_count, method,
                          x->request.path, &x->arena, &x->route, x->request.params, &detail)) {
    case HT_MATCH:
        x->refused = x->route->body_max && is_encoded(connection) ? 415 : 0;
        refuse_unreadable(x, NULL);
        break;
    case HT_NO_PATH:
        x->refused = 404;
        break;
    case HT_NO_METHOD:
        x->refused = 405;
        x->allow = detail;
        break;
    case HT_BAD_ENCODING:
        refuse_unreadable(x, bs_arena_printf(&x->arena, "%s of the path", detail));
        break;
    }
    return x;
}

static void take_body(struct ht_server *server, struct exchange *x, const char *data, size_t len)
{
    size_t max = x->route ? x->route->body_max : 0;
    size_t all = server->options.bodies_max ? server->options.bodies_max : BODIES_MAX;
    ht_connection_grant(x->connection, len);
    if (x->refused)
        return; /* read and dropped, so that the client gets to read the answer */
    if (len > max || x->body.len > max - len) {
        x->refused = 413;
        release_body(server, x);
        return;
    }
    if (all < max)
        all = max; /* one as large as its route takes always fits alone */
    if (atomic_fetch_add_explicit(&server->bodies, len, memory_order_relaxed) + len > all) {
        atomic_fetch_sub_explicit(&server->bodies, len, memory_order_relaxed);
        x->refused = 503;
        release_body(server, x);
        return;
    }
    bs_buf_put(&x->body, data, len);
}

/* Runs the handler: 0, or HT_BLOCKS or HT_HEAVY when it has to be called again. */
static int run_handler(const struct ht_server *server, struct exchange *x)
{
    int rc;
    x->request.body = bs_buf_bytes(&x->body);
    x->request.route = x->route;
    bs_buf_reserve(&x->response.body, ANSWER_FIRST);
    rc = x->route->handler(server->options.ctx, &x->request, &x->response);
    if (rc == HT_BLOCKS || rc == HT_HEAVY) {
        x->request.runs += x->request.may_block;
        bs_buf_deinit(&x->response.body);
        x->response = (struct ht_response){0};
        return rc;
    }
    if (rc != 0) {
        bs_buf_deinit(&x->response.body);
        x->refused = 500;
    }
    return 0;
}

static enum MHD_Result answer(struct ht_server *server, struct exchange *x,
                              struct MHD_Connection *connection)
{
    int rc = x->refused || x->answered ? 0 : run_handler(server, x);
    if (rc) {
        struct lane *lane = rc == HT_HEAVY ? &server->heavy : &server->blocking;
        x->request.may_block = true;
        ht_connection_rest(x->connection);
        MHD_suspend_connection(connection); /* before another thread may resume it */
        if (io_mailbox_put(lane->waiting, x, 0) == 0)
            return MHD_YES;
        x->refused = 503;
        x->answered = true;
        MHD_resume_connection(connection);
        return MHD_YES;
    }
    return x->refused ? refuse(server, x, connection)
                      : send_response(server, x, connection, &x->response);
}

static void *run_lane(void *arg)
{
    struct lane *lane = arg;
    void *message;
    while (io_mailbox_take(lane->waiting, -1, &message) == 0) {
        struct exchange *x = message;
        while (run_handler(lane->server, x))
            ;
        x->answered = true;
        MHD_resume_connection(x->request.mhd);
    }
    return NULL;
}

static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    struct ht_server *server = ctx;
    struct exchange *x = *state;
    (void)version;
    if (x == NULL) {
        x = *state = exchange_new(server, connection, url, method);
        if (is_ambiguous(connection)) {
            x->refused = 400;
            x->last = true;
            return refuse(server, x, connection);
        }
        if (!x->refused && announced_length(connection) > x->route->body_max &&
            announced_length(connection) > BODY_FIRST) {
            x->refused = 413;
            return refuse(server, x, connection);
        }
        return MHD_YES;
    }
    if (*upload_size) {
        take_body(server, x, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    return answer(server, x, connection);
}

static void stop_lane(struct lane *lane)
{
    if (lane->waiting == NULL)
        return;
    io_mailbox_close(lane->waiting); /* what is in it is still answered */
    for (unsigned i = 0; i < lane->thread_count; i++)
        pthread_join(lane->threads[i], NULL);
    bs_free(lane->threads);
}

static int start_lane(struct ht_server *server, struct lane *lane, unsigned count,
                      struct bs_error *err)
{
    unsigned max = server->options.blocking_max;
    lane->server = server;
    lane->waiting = io_mailbox_new(max ? max : BLOCKING_MAX, NULL, NULL);
    lane->threads = bs_array(count, sizeof *lane->threads);
    for (; lane->thread_count < count; lane->thread_count++) {
        int rc = pthread_create(&lane->threads[lane->thread_count], NULL, run_lane, lane);
        if (rc != 0)
            return bs_error_sys(err, rc, "cannot start a thread of the HTTP server");
    }
    return 0;
}

static int start_lanes(struct ht_server *server, struct bs_error *err)
{
    const struct ht_options *options = &server->options;
    unsigned blocking = options->blocking_threads ? options->blocking_threads : LANE_THREADS;
    unsigned heavy = options->heavy_threads ? options->heavy_threads : LANE_THREADS;
    int rc = start_lane(server, &server->blocking, blocking, err);
    return rc < 0 ? rc : start_lane(server, &server->heavy, heavy, err);
}

static void stop_lanes(struct ht_server *server)
{
    stop_lane(&server->blocking);
    stop_lane(&server->heavy);
}

/* What is open of a server that has no requests, or never had any. */
static void server_free(struct ht_server *server)
{
    io_mailbox_free(server->blocking.waiting);
    io_mailbox_free(server->heavy.waiting);
    ht_connections_close(server->connections);
    bs_free(server->workers);
    bs_free(server);
}

static unsigned connections_max(const struct ht_options *options)
{
    return options->connections_max ? options->connections_max : (unsigned)CONNECTIONS;
}

static bool take(void *ctx, int fd, const struct sockaddr *address, socklen_t len)
{
    struct ht_server *server = ctx;
    struct worker *least = server->workers;
    for (unsigned i = 1; i < server->worker_count; i++)
        if (atomic_load_explicit(&server->workers[i].count, memory_order_relaxed) <
            atomic_load_explicit(&least->count, memory_order_relaxed))
            least = &server->workers[i];
    atomic_fetch_add_explicit(&least->count, 1, memory_order_relaxed);
    if (MHD_add_connection(least->daemon, fd, address, len) == MHD_YES)
        return true;
    atomic_fetch_sub_explicit(&least->count, 1, memory_order_relaxed);
    return false;
}

/* The daemon's own limit is never met: it counts one as gone a little later than we do. It has no
 * time limits, which it would look at for each request: ours are finer. */
static struct MHD_Daemon *start_daemon(struct worker *worker)
{
    struct ht_server *server = worker->server;
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0,
        NULL, NULL, handle, server, MHD_OPTION_CONNECTION_LIMIT,
        connections_max(&server->options) * 2, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_NOTIFY_COMPLETED, request_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, connection_changed, worker, MHD_OPTION_UNESCAPE_CALLBACK,
        unescape_nothing, NULL, MHD_OPTION_END);
}

static void stop_workers(struct ht_server *server)
{
    for (unsigned i = 0; i < server->worker_count; i++)
        MHD_stop_daemon(server->workers[i].daemon);
    server->worker_count = 0;
}

static int start_workers(struct ht_server *server, struct bs_error *err)
{
    unsigned count = server->options.threads ? server->options.threads : (unsigned)THREADS;
    server->workers = bs_array(count, sizeof *server->workers);
    for (; server->worker_count < count; server->worker_count++) {
        struct worker *worker = &server->workers[server->worker_count];
        worker->server = server;
        worker->daemon = start_daemon(worker);
        if (worker->daemon == NULL)
            return bs_error_set(err, BS_EIO, "cannot start the HTTP server on %s (%u threads)",
                                server->options.listen, count);
    }
    return 0;
}

int ht_server_open(const struct ht_options *options, struct ht_server **ret, struct bs_error *err)
{
    struct ht_server *server = bs_new(struct ht_server);
    int fd = -1, rc;
    server->options = *options;
    if ((rc = ht_listen_open(options->listen, &fd, &server->port, err)) < 0) {
        bs_free(server);
        return rc;
    }
    rc = ht_connections_open(fd, options->step_ms ? options->step_ms : STEP_MS,
                             connections_max(options), take, server, &server->connections, err);
    if (rc < 0 || (rc = start_lanes(server, err)) < 0 || (rc = start_workers(server, err)) < 0 ||
        (rc = ht_connections_start(server->connections, err)) < 0) {
        stop_lanes(server);
        stop_workers(server);
        server_free(server);
        close(fd);
        return rc;
    }
    server->fd = fd;
    *ret = server;
    return 0;
}

int ht_server_port(const struct ht_server *server)
{
    return server->port;
}

void ht_server_close(struct ht_server *server)
{
    if (server == NULL)
        return;
    ht_connections_stop(server->connections);
    close(server->fd); /* no new connections */
    stop_lanes(server);
    stop_workers(server);
    server_free(server);
}

const char *ht_header(const struct ht_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

uint64_t ht_client(const struct ht_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    uint64_t number = 0;
    if (address && address->sa_family == AF_INET) {
        memcpy(&number, &((const struct sockaddr_in *)address)->sin_addr, 4);
    } else if (address && address->sa_family == AF_INET6) {
        const struct in6_addr *six = &((const struct sockaddr_in6 *)address)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(six))
            memcpy(&number, six->s6_addr + 12, 4);
        else
            memcpy(&number, six->s6_addr, 8);
    }
    return number;
}

struct joined {
    const char *name, *only;
    struct bs_buf list; /* from the second on */
};

static enum MHD_Result join_field(void *ctx, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct joined *joined = ctx;
    (void)kind;
    if (value == NULL || strcasecmp(name, joined->name) != 0)
        return MHD_YES;
    if (joined->only && joined->list.len == 0)
        bs_buf_puts(&joined->list, joined->only);
    if (joined->only)
        bs_buf_printf(&joined->list, ", %s", value);
    joined->only = value;
    return MHD_YES;
}

const char *ht_header_list(const struct ht_request *request, const char *name)
{
    struct joined joined = {.name = name};
    MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, join_field, &joined);
    if (joined.list.len)
        joined.only =
            bs_arena_strndup(request->arena, (const char *)joined.list.data, joined.list.len);
    bs_buf_deinit(&joined.list);
    return joined.only;
}
