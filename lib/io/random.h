/* Random: the port through which the broker gets random bytes. io_random_real() asks the kernel;
 * tests/sim has a seeded one. Any thread (the real one). */
#ifndef WEIR_IO_RANDOM_H
#define WEIR_IO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct io_random {
    void (*fill)(struct io_random *self, void *out, size_t len); /* cannot fail: aborts instead */
};

static inline void io_random_fill(struct io_random *random, void *out, size_t len)
{
    random->fill(random, out, len);
}
static inline uint64_t io_random_u64(struct io_random *random)
{
    uint64_t v = 0;
    random->fill(random, &v, sizeof v);
    return v;
}
/* A version 4 uuid (RFC 9562). */
void io_random_uuid(struct io_random *random, uint8_t out[16]);

struct io_random *io_random_real(void); /* static; never freed */

#endif
