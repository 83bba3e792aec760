/* The real net: TCP over libuv. Owner: the loop thread. */
#include "lib/io/net.h"

#include "lib/base/mem.h"
#include "lib/io/uv_loop.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

struct net_uv {
    struct io_net base;
    uv_loop_t *loop;
};

struct listener_uv {
    struct io_listener base;
    uv_tcp_t tcp;
    io_accepted *accepted;
    void *ctx;
    bool paused, waiting; /* waiting: a connection came while paused and is not accepted yet */
};

struct conn_uv {
    struct io_conn base;
    uv_tcp_t tcp;
    const struct io_conn_handler *handler;
    void *ctx;
    void (*closed)(void *ctx);
    void *closed_ctx;
    char peer[64], local[64];
};

struct net_write {
    uv_write_t uv;
    io_write_done *done;
    void *ctx;
};

static void net_format(const struct sockaddr_storage *addr, bool with_port, char *out, size_t len)
{
    char host[INET6_ADDRSTRLEN] = "?";
    int port = 0;
    if (addr->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)addr;
        uv_ip6_name(in6, host, sizeof host);
        port = ntohs(in6->sin6_port);
        if (strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.'))
            memmove(host, host + 7, strlen(host + 7) + 1);
    } else if (addr->ss_family == AF_INET) {
        const struct sockaddr_in *in4 = (const void *)addr;
        uv_ip4_name(in4, host, sizeof host);
        port = ntohs(in4->sin_port);
    }
    if (!with_port)
        snprintf(out, len, "%s", host);
    else
        snprintf(out, len, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
}

static void conn_freed(uv_handle_t *handle)
{
    struct conn_uv *conn = handle->data;
    if (conn->closed)
        conn->closed(conn->closed_ctx);
    bs_free(conn);
}

static void listener_take(struct listener_uv *listener)
{
    struct net_uv *net = (struct net_uv *)listener->base.net;
    struct conn_uv *conn = bs_new(struct conn_uv);
    conn->base.net = &net->base;
    conn->tcp.data = conn;
    uv_tcp_init(net->loop, &conn->tcp);
    if (uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&conn->tcp) != 0) {
        uv_close((uv_handle_t *)&conn->tcp, conn_freed);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    struct sockaddr_storage addr = {0};
    int len = sizeof addr;
    uv_tcp_getpeername(&conn->tcp, (struct sockaddr *)&addr, &len);
    net_format(&addr, true, conn->peer, sizeof conn->peer);
    len = sizeof addr;
    uv_tcp_getsockname(&conn->tcp, (struct sockaddr *)&addr, &len);
    net_format(&addr, false, conn->local, sizeof conn->local);
    listener->accepted(listener->ctx, &conn->base);
}

static void listener_ready(uv_stream_t *stream, int status)
{
    struct listener_uv *listener = stream->data;
    if (status < 0)
        return; /* libuv has dealt with EMFILE by closing the newcomer */
    if (listener->paused)
        listener->waiting = true; /* libuv polls no more until it is accepted */
    else
        listener_take(listener);
}

static int listener_bind(struct listener_uv *listener, const char *host, uint16_t port, int backlog)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    char service[8];
    snprintf(service, sizeof service, "%" PRIu16, port);
    if (getaddrinfo(host && *host ? host : NULL, service, &hints, &list) != 0)
        return UV_EADDRNOTAVAIL;
    /* All addresses: prefer the IPv6 one, which takes IPv4 too; a name: as the resolver says. */
    const struct addrinfo *best = list;
    for (const struct addrinfo *a = list; a && !(host && *host); a = a->ai_next)
        if (a->ai_family == AF_INET6 && best->ai_family != AF_INET6)
            best = a;
    int rc = UV_EADDRNOTAVAIL;
    for (int pass = 0; pass < 2 && rc != 0; pass++)
        for (const struct addrinfo *a = pass ? list : best; a; a = pass ? a->ai_next : NULL) {
            rc = uv_tcp_bind(&listener->tcp, a->ai_addr, 0);
            if (rc == 0)
                break;
        }
    freeaddrinfo(list);
    return rc ? rc : uv_listen((uv_stream_t *)&listener->tcp, backlog, listener_ready);
}

static void listener_freed(uv_handle_t *handle)
{
    bs_free(handle->data);
}

static int net_listen(struct io_net *self, const char *host, uint16_t port, int backlog,
                      io_accepted *accepted, void *ctx, struct io_listener **ret_listener,
                      struct bs_error *err)
{
    struct net_uv *net = (struct net_uv *)self;
    struct listener_uv *listener = bs_new(struct listener_uv);
    listener->base.net = self;
    listener->accepted = accepted;
    listener->ctx = ctx;
    listener->tcp.data = listener;
    uv_tcp_init(net->loop, &listener->tcp);
    int rc = listener_bind(listener, host, port, backlog);
    if (rc) {
        uv_close((uv_handle_t *)&listener->tcp, listener_freed);
        return bs_error_set(err, io_uv_error(rc), "listen on %s:%u: %s", host && *host ? host : "*",
                            port, uv_strerror(rc));
    }
    *ret_listener = &listener->base;
    return 0;
}

static uint16_t net_listener_port(struct io_listener *base)
{
    struct sockaddr_storage addr = {0};
    int len = sizeof addr;
    uv_tcp_getsockname(&((struct listener_uv *)base)->tcp, (struct sockaddr *)&addr, &len);
    return addr.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&addr)->sin6_port)
                                      : ntohs(((struct sockaddr_in *)&addr)->sin_port);
}

static void net_listener_pause(struct io_listener *base, bool paused)
{
    struct listener_uv *listener = (struct listener_uv *)base;
    listener->paused = paused;
    if (!paused && listener->waiting) {
        listener->waiting = false;
        listener_take(listener);
    }
}

static void net_listener_close(struct io_listener *base)
{
    if (base)
        uv_close((uv_handle_t *)&((struct listener_uv *)base)->tcp, listener_freed);
}

static void conn_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct conn_uv *conn = handle->data;
    uint8_t *ptr = NULL;
    size_t len = 0;
    conn->handler->room(conn->ctx, &ptr, &len);
    *buf = uv_buf_init((char *)ptr, len < INT32_MAX ? (unsigned)len : INT32_MAX);
}

static void conn_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    struct conn_uv *conn = stream->data;
    if (len == 0)
        return; /* libuv: nothing there after all */
    if (len < 0)
        uv_read_stop(stream);
    conn->handler->read(conn->ctx, len == UV_EOF ? 0 : len < 0 ? io_uv_error((int)len) : len);
}

static void net_read_start(struct io_conn *base, const struct io_conn_handler *handler, void *ctx)
{
    struct conn_uv *conn = (struct conn_uv *)base;
    conn->handler = handler;
    conn->ctx = ctx;
    uv_read_start((uv_stream_t *)&conn->tcp, conn_room, conn_read);
}

static void net_read_stop(struct io_conn *base)
{
    uv_read_stop((uv_stream_t *)&((struct conn_uv *)base)->tcp);
}

static void write_done(uv_write_t *uv, int status)
{
    struct net_write write = *(struct net_write *)uv->data;
    bs_free(uv->data);
    if (write.done)
        write.done(write.ctx, status == 0 ? 0 : status == UV_ECANCELED ? BS_ECANCELLED : BS_EIO);
}

static void net_write_failed(void *ctx)
{
    struct net_write *write = ctx;
    write_done(&write->uv, UV_EPIPE);
}

static void net_write(struct io_conn *base, const struct iovec *vec, size_t count,
                      io_write_done *done, void *ctx)
{
    _Static_assert(sizeof(struct iovec) == sizeof(uv_buf_t), "libuv lays its buffers out as iovec");
    struct conn_uv *conn = (struct conn_uv *)base;
    struct net_write *write = bs_new(struct net_write);
    write->uv.data = write;
    write->done = done;
    write->ctx = ctx;
    int rc = uv_write(&write->uv, (uv_stream_t *)&conn->tcp, (const uv_buf_t *)vec, (unsigned)count,
                      write_done);
    if (rc) { /* not a callback inside the call */
        struct io_loop *loop = conn->tcp.loop->data;
        loop->post(loop, net_write_failed, write);
    }
}

static size_t net_pending(struct io_conn *base)
{
    return uv_stream_get_write_queue_size((uv_stream_t *)&((struct conn_uv *)base)->tcp);
}

static const char *net_peer(struct io_conn *base)
{
    return ((struct conn_uv *)base)->peer;
}

static const char *net_local_host(struct io_conn *base)
{
    return ((struct conn_uv *)base)->local;
}

static void net_close(struct io_conn *base, void (*closed)(void *ctx), void *ctx)
{
    struct conn_uv *conn = (struct conn_uv *)base;
    conn->closed = closed;
    conn->closed_ctx = ctx;
    uv_close((uv_handle_t *)&conn->tcp, conn_freed);
}

struct io_net *io_net_uv_new(struct io_loop *loop)
{
    struct net_uv *net = bs_new(struct net_uv);
    net->loop = io_loop_uv_handle(loop);
    net->loop->data = loop; /* for net_write's post */
    net->base = (struct io_net){
        .listen = net_listen,
        .listener_port = net_listener_port,
        .listener_pause = net_listener_pause,
        .listener_close = net_listener_close,
        .read_start = net_read_start,
        .read_stop = net_read_stop,
        .write = net_write,
        .pending = net_pending,
        .peer = net_peer,
        .local_host = net_local_host,
        .close = net_close,
    };
    return &net->base;
}

void io_net_uv_free(struct io_net *net)
{
    bs_free(net);
}
