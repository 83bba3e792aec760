/* Connections: takes them in, as long as there are places, and knows how long each may take for
 * what it is doing; one that is too slow is cut, so that a few clients cannot hold all places by
 * sending, or taking, a byte now and then. Where more than three quarters of the places are taken,
 * an answer should be its connection's last; where seven eighths are, those that have been between
 * two requests, or before their first, for longest are cut.
 *
 * A connection is noted by the thread that serves it. They are taken in, and looked at once in a
 * quarter of a second, by a thread of its own. */
#ifndef WEIR_HTTP_CONNECTIONS_H
#define WEIR_HTTP_CONNECTIONS_H

#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct ht_connections;
struct ht_connection;

/* Gives a new connection to a thread that serves it, on which ht_connection_new is called then;
 * false: it could not, and has closed it. */
typedef bool ht_take(void *ctx, int fd, const struct sockaddr *address, socklen_t len);

/* `listening` is the caller's, non-blocking. */
int ht_connections_open(int listening, unsigned step_ms, unsigned places, ht_take *take, void *ctx,
                        struct ht_connections **ret, struct bs_error *err);
int ht_connections_start(struct ht_connections *all, struct bs_error *err);
void ht_connections_stop(struct ht_connections *all);  /* takes no more in; cuts none */
void ht_connections_close(struct ht_connections *all); /* when none is left; accepts NULL */

struct ht_connection *ht_connection_new(struct ht_connections *all, int fd);
void ht_connection_free(struct ht_connections *all, struct ht_connection *connection);

/* A step begins that may take step_ms, more_ms, and a millisecond for every 64 bytes. */
void ht_connection_step(const struct ht_connections *all, struct ht_connection *connection,
                        size_t bytes, unsigned more_ms);
/* It has no request: the next one's header is awaited for step_ms and more_ms. */
void ht_connection_idle(const struct ht_connections *all, struct ht_connection *connection,
                        unsigned more_ms);
bool ht_connections_crowded(const struct ht_connections *all);
/* `bytes` of the step's came. */
void ht_connection_grant(struct ht_connection *connection, size_t bytes);
/* It is ours to do something now: nothing is cut. */
void ht_connection_rest(struct ht_connection *connection);

#endif
