/* What the libuv files share: the loop's own uv_loop_t. Only lib/io/uv_*.c. */
#ifndef WEIR_IO_UV_LOOP_H
#define WEIR_IO_UV_LOOP_H

#include "lib/io/loop.h"

#include <uv.h>

uv_loop_t *io_loop_uv_handle(struct io_loop *loop);
int io_uv_error(int status); /* BS_E… of a negative libuv status */

#endif
