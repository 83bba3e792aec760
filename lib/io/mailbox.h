/* Mailbox: a bounded queue of pointers from many threads to one. What a pointer means, and who
 * frees it, is agreed between the two sides; a mailbox never frees a message. */
#ifndef WEIR_IO_MAILBOX_H
#define WEIR_IO_MAILBOX_H

#include <stddef.h>
#include <stdint.h>

struct io_mailbox;
/* Called by the putting thread after the mailbox became non-empty; must not block (an
 * io_loop post, an uv_async_send). */
typedef void io_mailbox_wake(void *ctx);

struct io_mailbox *io_mailbox_new(size_t capacity, io_mailbox_wake *wake /* or NULL */, void *ctx);
/* Nobody uses it any more, and it is empty or its messages are known elsewhere. Accepts NULL. */
void io_mailbox_free(struct io_mailbox *box);
/* Any thread. Waits up to timeout_ms (0: not at all, -1: for ever) for room.
 * 0; BS_EBUSY (timeout 0) or BS_ETIMEOUT: full; BS_ECANCELLED: closed. */
int io_mailbox_put(struct io_mailbox *box, void *message, int64_t timeout_ms);
/* The owner. Waits up to timeout_ms (0, -1 as above) for a message. 0; BS_ETIMEOUT (or BS_EBUSY at
 * timeout 0): none; BS_ECANCELLED: closed and empty. */
int io_mailbox_take(struct io_mailbox *box, int64_t timeout_ms, void **ret_message);
/* Up to max messages at once without waiting; gives their count. */
size_t io_mailbox_take_many(struct io_mailbox *box, void **out, size_t max);
void io_mailbox_close(struct io_mailbox *box); /* any thread: puts fail, takes drain */
size_t io_mailbox_count(struct io_mailbox *box);

#endif
