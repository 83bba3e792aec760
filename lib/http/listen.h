/* Listen: the listening socket of a server. */
#ifndef WEIR_HTTP_LISTEN_H
#define WEIR_HTTP_LISTEN_H

#include "lib/base/err.h"

/* Resolves, binds and listens; *ret_port is the real port. The caller closes *ret_fd. */
int ht_listen_open(const char *host_port, int *ret_fd, int *ret_port, struct bs_error *err);

#endif
