/* Sim world: see world.h. */
#include "tests/sim/world.h"

#include "lib/base/mem.h"

#include <string.h>

struct sim_post {
    io_call *call;
    void *ctx;
    struct sim_post *next;
};

struct sim_timer {
    struct io_timer base;
    struct sim_world *world;
    io_call *call;
    void *ctx;
    int64_t due_us; /* -1: stopped */
    struct sim_timer *next;
};

#define WORLD_OF(loop) ((struct sim_world *)(loop))

static int64_t world_wall_ms(struct io_clock *clock)
{
    struct sim_world *world =
        (struct sim_world *)((char *)clock - offsetof(struct sim_world, clock));
    return 1700000000000 + world->now_us / 1000;
}

static int64_t world_mono_us(struct io_clock *clock)
{
    return ((struct sim_world *)((char *)clock - offsetof(struct sim_world, clock)))->now_us;
}

static void world_fill(struct io_random *random, void *out, size_t len)
{
    struct sim_world *world =
        (struct sim_world *)((char *)random - offsetof(struct sim_world, random));
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)sim_rng_next(&world->rng);
}

static struct io_timer *world_timer_new(struct io_loop *self, io_call *call, void *ctx)
{
    struct sim_world *world = WORLD_OF(self);
    struct sim_timer *timer = bs_new(struct sim_timer);
    *timer = (struct sim_timer){.base = {.loop = self},
                                .world = world,
                                .call = call,
                                .ctx = ctx,
                                .due_us = -1,
                                .next = world->timers};
    world->timers = timer;
    return &timer->base;
}

static void world_timer_start(struct io_timer *timer, int64_t delay_ms)
{
    struct sim_timer *t = (struct sim_timer *)timer;
    t->due_us = t->world->now_us + (delay_ms > 0 ? delay_ms : 0) * 1000;
}

static void world_timer_stop(struct io_timer *timer)
{
    ((struct sim_timer *)timer)->due_us = -1;
}

static void world_timer_free(struct io_timer *timer)
{
    struct sim_timer *t = (struct sim_timer *)timer;
    struct sim_timer **at = &t->world->timers;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    bs_free(t);
}

static void world_post(struct io_loop *self, io_call *call, void *ctx)
{
    struct sim_world *world = WORLD_OF(self);
    struct sim_post *post = bs_new(struct sim_post);
    *post = (struct sim_post){.call = call, .ctx = ctx};
    *world->posts_end = post;
    world->posts_end = &post->next;
}

static void world_offload(struct io_loop *self, io_call *work, io_call *done, void *ctx)
{
    work(ctx);
    world_post(self, done, ctx);
}

static void world_run(struct io_loop *self)
{
    while (sim_world_step(WORLD_OF(self)))
        ;
}

static void world_stop(struct io_loop *self)
{
    (void)self; /* run ends when nothing is left */
}

void sim_world_init(struct sim_world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->rng.s = seed * 0x9e3779b97f4a7c15 + 1;
    world->posts_end = &world->posts;
    world->loop = (struct io_loop){
        .timer_new = world_timer_new,
        .timer_start = world_timer_start,
        .timer_stop = world_timer_stop,
        .timer_free = world_timer_free,
        .post = world_post,
        .offload = world_offload,
        .run = world_run,
        .stop = world_stop,
    };
    world->clock = (struct io_clock){.wall_ms = world_wall_ms, .mono_us = world_mono_us};
    world->random = (struct io_random){.fill = world_fill};
    world->disk = sim_disk_new(&world->rng);
}

void sim_world_deinit(struct sim_world *world)
{
    sim_world_forget(world);
    sim_disk_free(world->disk);
}

void sim_world_forget(struct sim_world *world)
{
    while (world->posts) {
        struct sim_post *post = world->posts;
        world->posts = post->next;
        bs_free(post);
    }
    world->posts_end = &world->posts;
    while (world->timers)
        world_timer_free(&world->timers->base);
}

bool sim_world_step(struct sim_world *world)
{
    size_t syncs = sim_disk_syncs(world->disk);
    world->now_us += (int64_t)sim_rng_below(&world->rng, 200);
    if (world->posts && (syncs == 0 || sim_rng_chance(&world->rng, 60))) {
        struct sim_post *post = world->posts;
        world->posts = post->next;
        if (!world->posts)
            world->posts_end = &world->posts;
        struct sim_post own = *post;
        bs_free(post);
        own.call(own.ctx);
        return true;
    }
    if (syncs == 0)
        return false;
    sim_disk_sync_end(world->disk, sim_rng_below(&world->rng, syncs));
    return true;
}

void sim_world_pass(struct sim_world *world, int64_t ms)
{
    int64_t until_us = world->now_us + ms * 1000;
    for (;;) {
        struct sim_timer *first = NULL;
        for (struct sim_timer *t = world->timers; t; t = t->next)
            if (t->due_us >= 0 && t->due_us <= until_us && (!first || t->due_us < first->due_us))
                first = t;
        if (!first)
            break;
        if (first->due_us > world->now_us)
            world->now_us = first->due_us;
        first->due_us = -1;
        first->call(first->ctx);
    }
    if (until_us > world->now_us)
        world->now_us = until_us;
}
