/* Clock: the port through which the broker reads time. io_clock_real() is the machine's own;
 * tests/sim has one that is moved by hand. Any thread. */
#ifndef WEIR_IO_CLOCK_H
#define WEIR_IO_CLOCK_H

#include <stdint.h>

struct io_clock {
    int64_t (*wall_ms)(struct io_clock *self); /* since 1970-01-01 UTC; may jump */
    int64_t (*mono_us)(struct io_clock *self); /* never goes back; start is arbitrary */
};

static inline int64_t io_clock_wall_ms(struct io_clock *clock)
{
    return clock->wall_ms(clock);
}
static inline int64_t io_clock_mono_us(struct io_clock *clock)
{
    return clock->mono_us(clock);
}
static inline int64_t io_clock_mono_ms(struct io_clock *clock)
{
    return clock->mono_us(clock) / 1000;
}

struct io_clock *io_clock_real(void); /* static; never freed */

#endif
