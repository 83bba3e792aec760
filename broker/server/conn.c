/* Conn: see conn.h.
 *
 * Frame: int32 length, then that many bytes. Small frames are collected in a buffer that the
 * connection has; a frame that does not fit gets memory of its own, which grows with what really
 * arrives (a length alone reserves nothing) and into which the rest is read without a copy.
 *
 * Answers leave in the order of the requests: a request stays in its connection's queue until all
 * before it have been written. Loop thread. */
#include "broker/server/conn.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#include <stdio.h>
#include <utlist.h>

enum {
    FULL_EVERY_MS = 1000,
    SMALL_BYTES = 4096,   /* of a connection's own buffer */
    GROW_FROM = 65536,    /* first memory of a large frame */
    FRAME_LEAST = 8,      /* key, version, correlation id */
    SWEEP_MS_MAX = 30000, /* between two looks for idle connections */
    PIECES_PER_WRITE = 64,
};

static const struct bs_event FULL = {
    "broker.connections.full", BS_LOG_WARN,
    "A connection was closed at once because max.connections are open; raise it or find who opens "
    "them."};
static const struct bs_event BAD_FRAME = {
    "broker.connection.bad_frame", BS_LOG_WARN,
    "A client sent what is not a Kafka request, or one larger than socket.request.max.bytes; its "
    "connection was closed."};
static const struct bs_event NO_MEMORY = {
    "broker.connection.no_memory", BS_LOG_ERROR,
    "There was no memory for a request; its connection was closed."};

static const struct bs_metric_desc CONNECTIONS = {"weir_broker_connections", BS_GAUGE,
                                                  "Open client connections."};
static const struct bs_metric_desc ACCEPTED = {"weir_broker_connections_total", BS_COUNTER,
                                               "Connections accepted since start."};
static const struct bs_metric_desc REFUSED = {"weir_broker_connections_refused_total", BS_COUNTER,
                                              "Connections closed because max.connections was "
                                              "reached."};
static const struct bs_metric_desc BYTES_IN = {"weir_broker_received_bytes_total", BS_COUNTER,
                                               "Bytes of requests."};
static const struct bs_metric_desc BYTES_OUT = {"weir_broker_sent_bytes_total", BS_COUNTER,
                                                "Bytes of responses."};
static const struct bs_metric_desc MEMORY = {"weir_broker_request_memory_bytes", BS_GAUGE,
                                             "Bytes of requests and responses in memory."};

struct request {
    struct bk_call call; /* first: a call is its request */
    struct bk_conns *conns;
    struct conn *conn; /* NULL: it has gone */
    uint8_t *frame;
    size_t frame_len, response_len;
    bool ended;
    enum bk_outcome outcome;
    char host[64], local_host[64];
    struct request *prev, *next;
};

struct conn {
    struct io_conn *io;
    struct bk_conns *conns;
    uint16_t local_port;
    struct request *queue; /* in order of arrival; not yet written */
    int64_t request_count; /* in the queue */
    int64_t unsent_bytes;  /* handed to write, not yet gone */
    int64_t active_ms;
    bool reading, closing, parsing;
    uint8_t *frame; /* a large one, under way */
    size_t frame_len, frame_cap, frame_got;
    size_t have; /* bytes in small */
    uint8_t small[SMALL_BYTES];
    struct conn *prev, *next;
};

struct bk_conns {
    struct bk_conns_spec spec;
    struct conn *list;
    size_t count;
    int64_t bytes; /* of all frames and responses */
    size_t under_way, writes;
    bool starved; /* some connection is not read because of total_bytes_max */
    bool draining;
    struct io_timer *sweep;
    io_call *idle, *closed;
    void *idle_ctx, *closed_ctx;
    bool full_logged;
    int64_t full_ms; /* when FULL was last said: whoever dials in a loop must not fill the log */
    struct bs_metric connections, accepted, refused, bytes_in, bytes_out, memory;
};

static void read_on(struct conn *conn);
static void parse(struct conn *conn);
static void write_ready(struct conn *conn);
static void conn_close(struct conn *conn);

static void account(struct bk_conns *conns, int64_t bytes)
{
    conns->bytes += bytes;
    bs_metric_set(&conns->memory, conns->bytes);
}

static void tell_idle(struct bk_conns *conns)
{
    io_call *idle = conns->idle;
    if (!idle || conns->under_way || conns->writes)
        return;
    conns->idle = NULL;
    io_loop_post(conns->spec.loop, idle, conns->idle_ctx);
}

/* --- requests --- */

static void request_free(struct request *request)
{
    struct bk_conns *conns = request->conns;
    account(conns, -(int64_t)(request->frame_len + request->response_len));
    bk_call_deinit(&request->call);
    bs_free(request->frame);
    bs_free(request);
}

static void call_end(struct bk_call *call, enum bk_outcome outcome)
{
    struct request *request = (struct request *)call;
    struct conn *conn = request->conn;
    struct bk_conns *conns = request->conns;
    request->ended = true;
    request->outcome = outcome;
    request->call.cancel = NULL;
    conns->under_way--;
    if (!conn) {
        request_free(request);
        tell_idle(conns);
        return;
    }
    request->response_len = bk_call_bytes(call);
    /* The frame's bytes are done with: a large produce need not live until its answer has left. */
    account(conns, (int64_t)request->response_len - (int64_t)request->frame_len);
    bs_free(request->frame);
    request->frame = NULL;
    request->frame_len = 0;
    write_ready(conn);
    tell_idle(conns);
}

/* The frame becomes the request's. */
static void start_request(struct conn *conn, uint8_t *frame, size_t len)
{
    struct bk_conns *conns = conn->conns;
    struct request *request = bs_new(struct request);
    request->conns = conns;
    request->conn = conn;
    request->frame = frame;
    request->frame_len = len;
    snprintf(request->host, sizeof request->host, "/%s", conn->io->net->peer(conn->io));
    char *colon = strrchr(request->host, ':');
    if (colon)
        *colon = '\0';
    snprintf(request->local_host, sizeof request->local_host, "%s",
             conn->io->net->local_host(conn->io));
    request->call.service = conns->spec.service;
    request->call.frame = bs_bytes(frame, len);
    request->call.client_host = request->host;
    request->call.local_host = request->local_host;
    request->call.local_port = conn->local_port;
    request->call.end = call_end;
    DL_APPEND(conn->queue, request);
    conn->request_count++;
    conns->under_way++;
    conn->active_ms = io_clock_mono_ms(conns->spec.clock);
    bs_metric_add(&conns->bytes_in, (int64_t)len + 4);
    conns->spec.dispatch(&request->call);
}

/* --- reading --- */

static bool may_read(struct conn *conn)
{
    struct bk_conns *conns = conn->conns;
    if (conn->closing || conns->draining)
        return false;
    if (conn->request_count >= conns->spec.requests_max ||
        conn->unsent_bytes > conns->spec.response_bytes_max)
        return false;
    if (conns->bytes > conns->spec.total_bytes_max && conns->under_way + conns->writes > 0) {
        conns->starved = true;
        return false;
    }
    return true;
}

static void conn_room(void *ctx, uint8_t **ret_ptr, size_t *ret_len)
{
    struct conn *conn = ctx;
    if (conn->frame) {
        *ret_ptr = conn->frame + conn->frame_got;
        *ret_len = conn->frame_cap - conn->frame_got;
    } else {
        *ret_ptr = conn->small + conn->have;
        *ret_len = sizeof conn->small - conn->have;
    }
}

/* Room for more of the large frame; false: no memory. */
static bool frame_grow(struct conn *conn)
{
    size_t cap = conn->frame_cap ? conn->frame_cap * 2 : GROW_FROM;
    uint8_t *memory;
    if (cap > conn->frame_len)
        cap = conn->frame_len;
    memory = bs_try_realloc(conn->frame, cap);
    if (!memory) {
        bs_log(&NO_MEMORY, "%s: %zu bytes", conn->io->net->peer(conn->io), cap);
        return false;
    }
    account(conn->conns, (int64_t)(cap - conn->frame_cap));
    conn->frame = memory;
    conn->frame_cap = cap;
    return true;
}

static void frame_read(struct conn *conn, size_t len)
{
    uint8_t *frame = conn->frame;
    conn->frame_got += len;
    if (conn->frame_got == conn->frame_len) {
        conn->frame = NULL;
        conn->frame_cap = conn->frame_got = 0;
        start_request(conn, frame, conn->frame_len);
    } else if (conn->frame_got == conn->frame_cap && !frame_grow(conn)) {
        conn_close(conn);
    }
}

static void conn_read(void *ctx, ptrdiff_t len)
{
    struct conn *conn = ctx;
    if (conn->closing)
        return;
    if (len <= 0) {
        /* Nobody reads answers of a connection that is gone; one that only stopped sending (half
         * closed) is treated the same, as Kafka does. */
        conn_close(conn);
        return;
    }
    if (conn->frame) {
        frame_read(conn, (size_t)len);
    } else {
        conn->have += (size_t)len;
    }
    parse(conn);
}

/* One frame out of the small buffer, from *at on. False: no whole one there. */
static bool parse_one(struct conn *conn, size_t *at)
{
    size_t left = conn->have - *at;
    uint32_t len;
    uint8_t *frame;
    if (left < 4)
        return false;
    len = bs_load_u32(conn->small + *at);
    if (len < FRAME_LEAST || len > (uint64_t)conn->conns->spec.frame_bytes_max) {
        bs_log(&BAD_FRAME, "%s: frame of %u bytes (socket.request.max.bytes is %lld)",
               conn->io->net->peer(conn->io), len, (long long)conn->conns->spec.frame_bytes_max);
        conn_close(conn);
        return false;
    }
    if (left - 4 < len && len <= SMALL_BYTES - 4)
        return false;
    if (left - 4 < len) {
        conn->frame_len = len;
        if (!frame_grow(conn)) {
            conn_close(conn);
            return false;
        }
        /* GROW_FROM is more than the small buffer holds. */
        memcpy(conn->frame, conn->small + *at + 4, left - 4);
        conn->frame_got = left - 4;
        *at = conn->have;
        return false;
    }
    frame = bs_try_alloc(len);
    if (!frame) {
        conn_close(conn);
        return false;
    }
    memcpy(frame, conn->small + *at + 4, len);
    account(conn->conns, (int64_t)len);
    *at += 4 + len;
    start_request(conn, frame, len);
    return true;
}

static void parse(struct conn *conn)
{
    size_t at = 0;
    if (conn->parsing)
        return; /* an answer inside of a dispatch made room again */
    conn->parsing = true;
    while (!conn->closing && !conn->frame && may_read(conn) && parse_one(conn, &at))
        ;
    conn->parsing = false;
    if (conn->closing)
        return;
    if (at) {
        memmove(conn->small, conn->small + at, conn->have - at);
        conn->have -= at;
    }
    read_on(conn);
}

static const struct io_conn_handler HANDLER = {.room = conn_room, .read = conn_read};

/* Reading goes on or pauses, by what is allowed now. */
static void read_on(struct conn *conn)
{
    bool may = may_read(conn);
    if (conn->closing || may == conn->reading)
        return;
    if (may && !conn->frame && conn->have == sizeof conn->small)
        return; /* full of whole frames: parse first */
    conn->reading = may;
    if (may)
        io_conn_read_start(conn->io, &HANDLER, conn);
    else
        io_conn_read_stop(conn->io);
}

/* Memory came back: those that had to wait go on. */
static void feed(struct bk_conns *conns)
{
    struct conn *conn, *next;
    if (!conns->starved ||
        (conns->bytes > conns->spec.total_bytes_max && conns->under_way + conns->writes > 0))
        return;
    conns->starved = false;
    DL_FOREACH_SAFE (conns->list, conn, next)
        if (!conn->closing)
            parse(conn);
}

/* --- writing --- */

static void written(void *ctx, int result)
{
    struct request *request = ctx;
    struct bk_conns *conns = request->conns;
    struct conn *conn = request->conn;
    conns->writes--;
    conn->unsent_bytes -= (int64_t)request->response_len;
    if (result == 0) {
        bs_metric_add(&conns->bytes_out, (int64_t)request->response_len);
        conn->active_ms = io_clock_mono_ms(conns->spec.clock);
    }
    request_free(request);
    if (result && !conn->closing)
        conn_close(conn);
    else if (!conn->closing)
        parse(conn);
    feed(conns);
    tell_idle(conns);
}

static void write_request(struct conn *conn, struct request *request)
{
    struct bk_call *call = &request->call;
    struct kp_piece *items = call->pieces.items;
    struct iovec few[PIECES_PER_WRITE], *vec = few;
    size_t count = 0, at = 0;
    conn->unsent_bytes += (int64_t)request->response_len;
    conn->conns->writes++;
    if (call->pieces.count * 2 + 1 > PIECES_PER_WRITE)
        vec = bs_array(call->pieces.count * 2 + 1, sizeof *vec);
    for (size_t i = 0; i < call->pieces.count; i++) {
        if (items[i].at > at)
            vec[count++] = (struct iovec){call->out.data + at, items[i].at - at};
        vec[count++] = (struct iovec){(void *)items[i].bytes.ptr, items[i].bytes.len};
        at = items[i].at;
    }
    if (call->out.len > at)
        vec[count++] = (struct iovec){call->out.data + at, call->out.len - at};
    io_conn_write(conn->io, vec, count, written, request);
    if (vec != few)
        bs_free(vec);
}

static void write_ready(struct conn *conn)
{
    while (!conn->closing && conn->queue && conn->queue->ended) {
        struct request *request = conn->queue;
        DL_DELETE(conn->queue, request);
        conn->request_count--;
        if (request->outcome == BK_REPLY) {
            write_request(conn, request);
            continue;
        }
        if (request->outcome == BK_HANG_UP)
            conn_close(conn);
        request_free(request);
    }
    if (!conn->closing)
        parse(conn);
}

/* --- life --- */

static void conn_gone(void *ctx)
{
    struct conn *conn = ctx;
    struct bk_conns *conns = conn->conns;
    DL_DELETE(conns->list, conn);
    conns->count--;
    bs_metric_set(&conns->connections, (int64_t)conns->count);
    if (conn->frame)
        account(conns, -(int64_t)conn->frame_cap);
    bs_free(conn->frame);
    bs_free(conn);
    if (!conns->list && conns->closed) {
        io_call *closed = conns->closed;
        conns->closed = NULL;
        io_loop_post(conns->spec.loop, closed, conns->closed_ctx);
    }
    feed(conns);
}

static void conn_close(struct conn *conn)
{
    struct request *request, *next;
    if (conn->closing)
        return;
    conn->closing = true;
    DL_FOREACH_SAFE (conn->queue, request, next) {
        DL_DELETE(conn->queue, request);
        request->conn = NULL;
        if (request->ended) {
            request_free(request);
        } else if (request->call.cancel) {
            request->call.cancel(&request->call);
            conn->conns->under_way--;
            request_free(request);
        }
        /* else: it is with a coordinator, and ends later without an answer */
    }
    if (conn->reading)
        io_conn_read_stop(conn->io);
    conn->reading = false;
    io_conn_close(conn->io, conn_gone, conn);
    tell_idle(conn->conns);
}

/* Silent for too long, and not because it waits for us: a parked join may take longer than that. */
static bool is_idle(const struct conn *conn, int64_t now_ms)
{
    bool waits_for_us = conn->queue && conn->unsent_bytes == 0 && !conn->frame;
    return !conn->closing && !waits_for_us && now_ms - conn->active_ms >= conn->conns->spec.idle_ms;
}

static void sweep(void *ctx)
{
    struct bk_conns *conns = ctx;
    struct conn *conn, *next;
    int64_t now_ms = io_clock_mono_ms(conns->spec.clock);
    int64_t every_ms = conns->spec.idle_ms / 4;
    DL_FOREACH_SAFE (conns->list, conn, next)
        if (is_idle(conn, now_ms))
            conn_close(conn);
    io_timer_start(conns->sweep, every_ms < SWEEP_MS_MAX ? every_ms : SWEEP_MS_MAX);
}

void bk_conns_accept(struct bk_conns *conns, struct io_conn *io, uint16_t local_port)
{
    struct conn *conn;
    if (conns->draining || (int64_t)conns->count >= conns->spec.connections_max) {
        bs_metric_add(&conns->refused, 1);
        int64_t now_ms = io_clock_mono_ms(conns->spec.clock);
        bool quiet = conns->full_logged && now_ms - conns->full_ms < FULL_EVERY_MS;
        if (!conns->draining && !quiet) {
            conns->full_logged = true;
            conns->full_ms = now_ms;
            bs_log(&FULL, "%s: max.connections is %lld", io->net->peer(io),
                   (long long)conns->spec.connections_max);
        }
        io_conn_close(io, NULL, NULL);
        return;
    }
    conn = bs_new(struct conn);
    conn->io = io;
    conn->conns = conns;
    conn->local_port = local_port;
    conn->active_ms = io_clock_mono_ms(conns->spec.clock);
    DL_APPEND(conns->list, conn);
    conns->count++;
    bs_metric_add(&conns->accepted, 1);
    bs_metric_set(&conns->connections, (int64_t)conns->count);
    read_on(conn);
}

struct bk_conns *bk_conns_new(const struct bk_conns_spec *spec)
{
    struct bk_conns *conns = bs_new(struct bk_conns);
    conns->spec = *spec;
    bs_metric_init(&conns->connections, &CONNECTIONS, NULL);
    bs_metric_init(&conns->accepted, &ACCEPTED, NULL);
    bs_metric_init(&conns->refused, &REFUSED, NULL);
    bs_metric_init(&conns->bytes_in, &BYTES_IN, NULL);
    bs_metric_init(&conns->bytes_out, &BYTES_OUT, NULL);
    bs_metric_init(&conns->memory, &MEMORY, NULL);
    conns->sweep = io_timer_new(spec->loop, sweep, conns);
    sweep(conns);
    return conns;
}

void bk_conns_drain(struct bk_conns *conns, io_call *idle, void *ctx)
{
    struct conn *conn;
    conns->draining = true;
    conns->idle = idle;
    conns->idle_ctx = ctx;
    DL_FOREACH (conns->list, conn)
        read_on(conn);
    tell_idle(conns);
}

void bk_conns_close(struct bk_conns *conns, io_call *closed, void *ctx)
{
    struct conn *conn, *next;
    conns->closed = closed;
    conns->closed_ctx = ctx;
    if (!conns->list) {
        conns->closed = NULL;
        io_loop_post(conns->spec.loop, closed, ctx);
        return;
    }
    DL_FOREACH_SAFE (conns->list, conn, next)
        conn_close(conn);
}

void bk_conns_free(struct bk_conns *conns)
{
    if (!conns)
        return;
    io_timer_free(conns->sweep);
    bs_metric_deinit(&conns->connections);
    bs_metric_deinit(&conns->accepted);
    bs_metric_deinit(&conns->refused);
    bs_metric_deinit(&conns->bytes_in);
    bs_metric_deinit(&conns->bytes_out);
    bs_metric_deinit(&conns->memory);
    bs_free(conns);
}

const int64_t *bk_conns_memory(const struct bk_conns *conns)
{
    return &conns->bytes;
}

size_t bk_conns_count(const struct bk_conns *conns)
{
    return conns->count;
}
