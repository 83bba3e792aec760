/* Conn: the connections of the broker, their frames in and their answers out.
 *
 * Bounded: connections, bytes of one frame, requests under way per connection, answers not yet
 * taken per connection, bytes of all together. What is over a bound is not read (or closed). Owner:
 * the loop thread. */
#ifndef WEIR_BROKER_SERVER_CONN_H
#define WEIR_BROKER_SERVER_CONN_H

#include "broker/handler/call.h"
#include "lib/base/err.h"
#include "lib/base/metric.h"
#include "lib/io/clock.h"
#include "lib/io/loop.h"
#include "lib/io/net.h"

struct bk_conns;

struct bk_conns_spec {
    struct io_loop *loop;
    struct io_clock *clock;
    struct bk_service *service;
    /* Reads the header and the request out of call->frame and runs its handler, or ends the call
     * with BK_HANG_UP. */
    void (*dispatch)(struct bk_call *call);
    int64_t connections_max, frame_bytes_max, requests_max, response_bytes_max, total_bytes_max;
    int64_t idle_ms;
};

struct bk_conns *bk_conns_new(const struct bk_conns_spec *spec);
void bk_conns_accept(struct bk_conns *conns, struct io_conn *io, uint16_t local_port);
/* No more requests are read. `idle` is called (once, never inside) when every answer under way has
 * left. */
void bk_conns_drain(struct bk_conns *conns, io_call *idle, void *ctx);
/* Closes all; `closed` as above when the last is gone. */
void bk_conns_close(struct bk_conns *conns, io_call *closed, void *ctx);
void bk_conns_free(struct bk_conns *conns); /* none open; accepts NULL */
/* Bytes of requests and responses in memory; lives as long as conns. */
const int64_t *bk_conns_memory(const struct bk_conns *conns);
size_t bk_conns_count(const struct bk_conns *conns);

#endif
