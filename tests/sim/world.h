/* Sim world: a loop, a clock and a random source that are moved by hand. Everything that could
 * happen next (a post, a timer, the end of a sync) is chosen by the seed. */
#ifndef WEIR_TESTS_SIM_WORLD_H
#define WEIR_TESTS_SIM_WORLD_H

#include "lib/io/clock.h"
#include "lib/io/loop.h"
#include "lib/io/random.h"
#include "tests/sim/disk.h"

struct sim_world {
    struct io_loop loop;
    struct io_clock clock;
    struct io_random random;
    struct sim_rng rng;
    struct sim_disk *disk;
    int64_t now_us;
    struct sim_post *posts, **posts_end;
    struct sim_timer *timers;
};

void sim_world_init(struct sim_world *world, uint64_t seed);
void sim_world_deinit(struct sim_world *world);
/* Lets one thing happen; false: nothing is left to happen by itself (timers are not counted). */
bool sim_world_step(struct sim_world *world);
/* Moves the clock and fires what is due. */
void sim_world_pass(struct sim_world *world, int64_t ms);
/* A restart of the machine: what was posted is forgotten, timers are gone. */
void sim_world_forget(struct sim_world *world);

#endif
