/* The machine's own clock and random source. No state; any thread. */
#include "lib/io/clock.h"
#include "lib/io/random.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static int64_t real_wall_ms(struct io_clock *self)
{
    (void)self;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t real_mono_us(struct io_clock *self)
{
    (void)self;
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct io_clock *io_clock_real(void)
{
    static struct io_clock clock = {.wall_ms = real_wall_ms, .mono_us = real_mono_us};
    return &clock;
}

static void real_fill(struct io_random *self, void *out, size_t len)
{
    (void)self;
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = getrandom(at, len < 256 ? len : 256, 0);
        if (n <= 0)
            continue; /* EINTR; up to 256 bytes cannot fail otherwise once the pool is up */
        at += n;
        len -= (size_t)n;
    }
}

struct io_random *io_random_real(void)
{
    static struct io_random random = {.fill = real_fill};
    return &random;
}

void io_random_uuid(struct io_random *random, uint8_t out[16])
{
    io_random_fill(random, out, 16);
    out[6] = (uint8_t)((out[6] & 0x0f) | 0x40);
    out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}
