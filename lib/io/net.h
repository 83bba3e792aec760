/* Net: the port of stream connections. io_net_uv_new() is the real one (TCP over libuv).
 *
 * Owner: the loop thread. Memory handed to write stays the caller's until its callback. Reading
 * goes straight into memory that the connection's owner gives, so a frame is collected without a
 * copy. Callbacks never run inside the call that asked for them. */
#ifndef WEIR_IO_NET_H
#define WEIR_IO_NET_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct io_net;
struct io_listener;
struct io_conn;
struct io_loop;

typedef void io_accepted(void *ctx, struct io_conn *conn); /* the callee owns conn */

struct io_conn_handler {
    /* Where the next bytes go; *ret_len 0 is not allowed (stop reading instead). */
    void (*room)(void *ctx, uint8_t **ret_ptr, size_t *ret_len);
    /* len bytes arrived at the start of the last room; 0: the peer has closed its side; < 0:
     * BS_E…, the connection is broken. Either of the last two is said once. */
    void (*read)(void *ctx, ptrdiff_t len);
};

typedef void io_write_done(void *ctx, int result); /* 0, BS_EIO, or BS_ECANCELLED by close */

struct io_net {
    /* host: a numeric address, a name, or "" for all; port 0: one that is free. */
    int (*listen)(struct io_net *self, const char *host, uint16_t port, int backlog,
                  io_accepted *accepted, void *ctx, struct io_listener **ret_listener,
                  struct bs_error *err);
    uint16_t (*listener_port)(struct io_listener *listener);
    void (*listener_pause)(struct io_listener *listener, bool paused); /* accepts no more */
    void (*listener_close)(struct io_listener *listener);

    void (*read_start)(struct io_conn *conn, const struct io_conn_handler *handler, void *ctx);
    void (*read_stop)(struct io_conn *conn);
    /* All of it, in order of the calls. The vector itself is copied, its memory is not. */
    void (*write)(struct io_conn *conn, const struct iovec *vec, size_t count, io_write_done *done,
                  void *ctx);
    size_t (*pending)(struct io_conn *conn); /* bytes given to write and not yet with the system */
    const char *(*peer)(struct io_conn *conn);       /* "127.0.0.1:40422"; lives as long as conn */
    const char *(*local_host)(struct io_conn *conn); /* the address the peer reached us at */
    /* Pending writes end with BS_ECANCELLED, then `closed` (may be NULL), then conn is gone. */
    void (*close)(struct io_conn *conn, void (*closed)(void *ctx), void *ctx);
};

/* A connection's and a listener's functions find their net through the first member. */
struct io_conn {
    struct io_net *net;
};
struct io_listener {
    struct io_net *net;
};

struct io_net *io_net_uv_new(struct io_loop *loop);
void io_net_uv_free(struct io_net *net); /* accepts NULL; listeners and connections closed before */

static inline void io_conn_read_start(struct io_conn *conn, const struct io_conn_handler *handler,
                                      void *ctx)
{
    conn->net->read_start(conn, handler, ctx);
}
static inline void io_conn_read_stop(struct io_conn *conn)
{
    conn->net->read_stop(conn);
}
static inline void io_conn_write(struct io_conn *conn, const struct iovec *vec, size_t count,
                                 io_write_done *done, void *ctx)
{
    conn->net->write(conn, vec, count, done, ctx);
}
static inline void io_conn_close(struct io_conn *conn, void (*closed)(void *ctx), void *ctx)
{
    conn->net->close(conn, closed, ctx);
}

#endif
