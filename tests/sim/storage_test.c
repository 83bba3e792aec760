/* Storage under crashes: producers, transactions and metadata changes on the simulated disk, with a
 * crash at a random effect, and then: every acknowledged record is there once, in order; nothing
 * that was not appended is; producer state, last stable offset and aborted lists are what the log
 * says.
 *
 *   storage_test [SEED [COUNT]]     one seed is replayed exactly; default 500 seeds from 1 */
#include "broker/cluster/topic_config.h"
#include "broker/partition/waiter.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/record_batch.h"
#include "tests/sim/model.h"
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTITIONS = 3, PRODUCERS = 4, SIDES = 3 };

struct producer {
    int64_t id;
    int16_t epoch;
    bool transactional, open;
    bool touched[PARTITIONS]; /* by the open transaction */
};

struct run {
    uint64_t seed;
    struct sim_world world;
    struct bs_config *config;
    struct bk_fd_cache *fds;
    struct bk_metadata *metadata;
    struct bk_partitions *table;
    struct model models[PARTITIONS];
    struct producer producers[PRODUCERS];
    bool topic_made, side_known[SIDES], side_there[SIDES], side_pending[SIDES];
    bool interval; /* weir.flush=interval: what was acknowledged may be lost, but only from the end
                    */
    int64_t next_id, largest_pid;
    int boots;
    char why[256];
};

struct ack {
    struct run *run;
    int partition;
    int64_t last_offset;
};

#define FAIL(run, ...)                                                                    \
    do {                                                                                  \
        printf("seed %" PRIu64 ", boot %d, %s:%d: ", (run)->seed, (run)->boots, __FILE__, \
               __LINE__);                                                                 \
        printf(__VA_ARGS__);                                                              \
        printf("\nreplay: storage_test %" PRIu64 "\n", (run)->seed);                      \
        fflush(stdout);                                                                   \
        abort();                                                                          \
    } while (0)

static uint64_t below(struct run *run, uint64_t n)
{
    return sim_rng_below(&run->world.rng, n);
}

static bool chance(struct run *run, unsigned percent)
{
    return sim_rng_chance(&run->world.rng, percent);
}

static bool crashed(const struct run *run)
{
    return sim_disk_crashed(run->world.disk);
}

static struct bk_partition *partition_of(struct run *run, int i)
{
    int16_t error = 0;
    const struct bk_topic *topic = bk_image_topic(bk_metadata_image(run->metadata), "main", 4);
    (void)error;
    return topic ? bk_partitions_find(run->table, topic, i) : NULL;
}

/* ---- append
 * -------------------------------------------------------------------------------------- */

static void acked(void *ctx, enum bk_wait_end end)
{
    struct ack *ack = ctx;
    struct model *model = &ack->run->models[ack->partition];
    if (end == BK_WAIT_MET && !crashed(ack->run) && !ack->run->interval &&
        ack->last_offset + 1 > model->acked_end)
        model->acked_end = ack->last_offset + 1;
    bs_free(ack);
}

static void park(struct run *run, int i, int64_t last_offset)
{
    struct ack *ack = bs_new(struct ack);
    *ack = (struct ack){.run = run, .partition = i, .last_offset = last_offset};
    struct bk_wait_item item = {.partition = partition_of(run, i), .offset = last_offset};
    struct bk_wait_spec spec = {.kind = BK_WAIT_ACKS,
                                .items = &item,
                                .count = 1,
                                .timeout_ms = 30000,
                                .done = acked,
                                .ctx = ack};
    enum bk_wait_end end;
    if (!bk_waiter_park(bk_partitions_waiter(run->table), &spec, &end))
        acked(ack, end);
}

/* The bytes of a batch, in builder. */
static struct bs_bytes build(struct run *run, struct kp_batch_builder *builder,
                             const struct model_batch *batch, int count)
{
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    options.producer_id = batch->producer_id;
    options.producer_epoch = batch->epoch;
    options.base_sequence = batch->sequence;
    options.transactional = batch->transactional;
    kp_batch_builder_init(builder, &options);
    for (int i = 0; i < count; i++) {
        uint8_t value[64] = {0};
        bs_store_u64(value, (uint64_t)(batch->id + i));
        kp_batch_builder_append(builder, io_clock_wall_ms(&run->world.clock), bs_bytes(NULL, 0),
                                bs_bytes(value, 8 + below(run, 56)), NULL, 0);
    }
    struct bs_bytes bytes;
    if (kp_batch_builder_finish(builder, &bytes) != 0)
        FAIL(run, "cannot build a batch");
    return bytes;
}

/* Appends; the answer must be `want` (or a storage error), want_base its offset (-1: the log end).
 */
static bool append(struct run *run, int i, struct model_batch *batch, int count, int16_t want,
                   int64_t want_base)
{
    struct model *model = &run->models[i];
    struct kp_batch_builder builder;
    struct bs_bytes bytes = build(run, &builder, batch, count);
    struct bk_append a = {.records = (uint8_t *)bytes.ptr, .len = bytes.len};
    int64_t end = bk_partition_log_end(partition_of(run, i));
    int16_t error = bk_partition_append(partition_of(run, i), &a);
    kp_batch_builder_deinit(&builder);
    if (error == KP_ERR_KAFKA_STORAGE_ERROR)
        return false;
    if (error != want)
        FAIL(run, "append by %" PRId64 " epoch %d sequence %d: error %d, want %d (%s)",
             batch->producer_id, batch->epoch, batch->sequence, error, want, a.error_text);
    if (error)
        return false;
    if (a.base_offset != (want_base < 0 ? end : want_base) || a.duplicate != (want_base >= 0))
        FAIL(run, "append: offset %" PRId64 " duplicate %d, want %" PRId64, a.base_offset,
             a.duplicate, want_base);
    if (!a.duplicate) {
        batch->base_offset = a.base_offset;
        batch->last_offset = a.last_offset;
        model_add(model, batch);
    }
    park(run, i, a.last_offset);
    return true;
}

static void produce(struct run *run)
{
    int i = (int)below(run, PARTITIONS), count = 1 + (int)below(run, 5);
    struct producer *p = &run->producers[below(run, PRODUCERS)];
    struct model_batch batch = {.producer_id = -1, .epoch = -1, .sequence = -1};
    batch.id = run->next_id;
    run->next_id += count;
    if (!chance(run, 10)) {
        int16_t epoch = -1;
        model_producer(&run->models[i], p->id, &epoch, &batch.sequence);
        if (epoch < p->epoch)
            batch.sequence = 0;
        batch.producer_id = p->id;
        batch.epoch = p->epoch;
        batch.transactional = p->transactional;
    }
    if (append(run, i, &batch, count, 0, -1) && batch.transactional)
        p->open = p->touched[i] = true;
}

static void produce_again(struct run *run)
{
    int i = (int)below(run, PARTITIONS);
    const struct producer *p = &run->producers[below(run, PRODUCERS)];
    const struct model_batch *old = model_recent(&run->models[i], p->id, (int)below(run, 5));
    if (!old || old->epoch != p->epoch)
        return;
    struct model_batch copy = *old;
    append(run, i, &copy, (int)(old->last_offset - old->base_offset) + 1, 0, old->base_offset);
}

static void produce_wrong(struct run *run)
{
    int i = (int)below(run, PARTITIONS);
    const struct producer *p = &run->producers[below(run, PRODUCERS)];
    struct model_batch batch = {.producer_id = p->id, .epoch = p->epoch, .id = run->next_id++};
    int16_t epoch = -1, want = KP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    model_producer(&run->models[i], p->id, &epoch, &batch.sequence);
    if (epoch < 0)
        return;
    batch.sequence = epoch < p->epoch ? 3 : batch.sequence + 1 + (int32_t)below(run, 3);
    if (chance(run, 30) && epoch > 0) {
        batch.epoch = (int16_t)(epoch - 1);
        want = KP_ERR_INVALID_PRODUCER_EPOCH;
    }
    append(run, i, &batch, 1, want, -1);
}

static void txn_end(struct run *run, struct producer *p, bool commit, bool bump)
{
    if (bump)
        p->epoch++;
    for (int i = 0; i < PARTITIONS; i++) {
        if (!p->touched[i] || (!bump && !p->open))
            continue;
        struct bk_append a;
        struct bk_marker marker = {
            .producer_id = p->id, .producer_epoch = p->epoch, .commit = commit};
        int16_t error = bk_partition_append_marker(partition_of(run, i), &marker, &a);
        if (error == KP_ERR_KAFKA_STORAGE_ERROR) {
            if (!crashed(run))
                continue; /* disk full: the coordinator asks again */
            return;
        }
        if (error)
            FAIL(run, "marker: error %d (%s)", error, a.error_text);
        model_add(&run->models[i], &(struct model_batch){.base_offset = a.base_offset,
                                                         .last_offset = a.last_offset,
                                                         .producer_id = p->id,
                                                         .epoch = p->epoch,
                                                         .sequence = -1,
                                                         .transactional = true,
                                                         .control = true,
                                                         .commit = commit});
        p->touched[i] = false;
        park(run, i, a.last_offset);
    }
    p->open = false;
    for (int i = 0; i < PARTITIONS; i++)
        p->open |= p->touched[i];
}

/* ---- checks
 * ---------------------------------------------------------------------------------------- */

static void check_aborted(struct run *run, int i)
{
    struct bk_partition *p = partition_of(run, i);
    struct model *model = &run->models[i];
    struct bk_aborted want[512];
    struct bs_buf buf = BS_BUF_INIT;
    struct bk_read read = {.offset = (int64_t)below(run, (uint64_t)model_end(model) + 1),
                           .bytes_max = 1 + below(run, 3000),
                           .at_least_one = true,
                           .isolation = BK_READ_COMMITTED};
    int16_t error = bk_partition_read(p, &read, &buf);
    if (error)
        FAIL(run, "committed read at %" PRId64 ": error %d", read.offset, error);
    if (read.last_stable > read.high_watermark || read.high_watermark > bk_partition_log_end(p))
        FAIL(run, "stable %" PRId64 " high %" PRId64, read.last_stable, read.high_watermark);
    if (read.last_stable != model_stable(model, read.high_watermark))
        FAIL(run, "partition %d: stable %" PRId64 ", model %" PRId64, i, read.last_stable,
             model_stable(model, read.high_watermark));
    int64_t to = read.offset;
    struct kp_batch batch;
    for (size_t at = 0; at < read.len; at += batch.size) {
        if (kp_batch_peek(buf.data + at, read.len - at, &batch) != 0 || batch.size > read.len - at)
            FAIL(run, "half a batch was read");
        to = kp_batch_last_offset(&batch) + 1;
    }
    if (to > read.last_stable && read.len > 0)
        FAIL(run, "read to %" PRId64 " behind the last stable %" PRId64, to, read.last_stable);
    size_t count = read.len ? model_aborted(model, read.offset, to, want, 512) : 0;
    if (count != read.aborted_count ||
        (count && memcmp(want, read.aborted, count * sizeof *want) != 0))
        FAIL(run,
             "partition %d aborted in %" PRId64 "..%" PRId64 ": %zu, model %zu (%" PRId64
             " at %" PRId64 ")",
             i, read.offset, to, read.aborted_count, count, count ? want[0].producer_id : -1,
             count ? want[0].first_offset : -1);
    bs_free(read.aborted);
    bs_buf_deinit(&buf);
}

/* After a start: the log is a prefix of what was appended, and holds all that was acknowledged. */
static void check_recovered(struct run *run)
{
    for (int i = 0; i < PARTITIONS; i++) {
        struct bk_partition *p = partition_of(run, i);
        if (!p || bk_partition_error(p))
            FAIL(run, "partition %d is not online after a start", i);
        int64_t end = model_compare(&run->models[i], p, run->why, sizeof run->why);
        if (end < 0)
            FAIL(run, "partition %d: %s", i, run->why);
        model_cut(&run->models[i], end);
        if (model_end(&run->models[i]) != end)
            FAIL(run, "partition %d ends inside a batch", i);
        if (!run->interval)
            run->models[i].acked_end = end; /* consumers see it from now on */
        if (bk_partition_high_watermark(p) != end)
            FAIL(run, "high watermark %" PRId64 " of %" PRId64 " after a start",
                 bk_partition_high_watermark(p), end);
        for (int k = 0; k < 5; k++)
            check_aborted(run, i);
    }
    for (int i = 0; i < SIDES; i++) {
        char name[8];
        snprintf(name, sizeof name, "side%d", i);
        bool there = bk_image_topic(bk_metadata_image(run->metadata), name, strlen(name));
        if (run->side_known[i] && there != run->side_there[i])
            FAIL(run, "topic %s is %d, acknowledged %d", name, there, run->side_there[i]);
        run->side_there[i] = there;
        run->side_known[i] = true;
        run->side_pending[i] = false;
    }
}

/* ---- metadata
 * ---------------------------------------------------------------------------------------- */

struct side_change {
    struct run *run;
    int i;
    bool make;
};

static void side_done(void *ctx, int16_t error)
{
    struct side_change *change = ctx;
    struct run *run = change->run;
    if (!crashed(run) && error == 0) {
        run->side_there[change->i] = change->make;
        run->side_known[change->i] = true;
        run->side_pending[change->i] = false;
    }
    bs_free(change);
}

static void side_flip(struct run *run)
{
    int i = (int)below(run, SIDES);
    char name[8];
    struct bs_error err = {0};
    if (run->side_pending[i])
        return;
    snprintf(name, sizeof name, "side%d", i);
    const struct bk_topic *topic =
        bk_image_topic(bk_metadata_image(run->metadata), name, strlen(name));
    struct side_change *change = bs_new(struct side_change);
    *change = (struct side_change){.run = run, .i = i, .make = !topic};
    struct bk_topic_spec spec = {.name = name, .partition_count = 2, .replication_factor = 1};
    run->side_pending[i] = true;
    run->side_known[i] = false;
    int error = topic ? bk_metadata_delete_topic(run->metadata, topic, side_done, change, &err)
                      : bk_metadata_create_topic(run->metadata, &spec, side_done, change, &err);
    if (error) {
        if (error != KP_ERR_KAFKA_STORAGE_ERROR)
            FAIL(run, "topic change: %d %s", error, err.text);
        run->side_pending[i] = false;
        bs_free(change);
    }
}

static void take_pid(struct run *run)
{
    int64_t id = -1;
    int rc = bk_metadata_producer_id(run->metadata, &id);
    if (rc == 0 && id <= run->largest_pid)
        FAIL(run, "producer id %" PRId64 " was given before (%" PRId64 ")", id, run->largest_pid);
    if (rc == 0)
        run->largest_pid = id;
}

static void main_made(void *ctx, int16_t error)
{
    struct run *run = ctx;
    if (error == 0 && !crashed(run))
        run->topic_made = true;
}

/* ---- boot
 * -------------------------------------------------------------------------------------------- */

static struct bk_log_ports ports_of(struct run *run)
{
    return (struct bk_log_ports){.files = sim_disk_files(run->world.disk),
                                 .clock = &run->world.clock,
                                 .random = &run->world.random,
                                 .fds = run->fds};
}

static void drain(struct run *run)
{
    while (sim_world_step(&run->world))
        ;
}

static void shut(struct run *run)
{
    drain(run);
    if (run->table)
        bk_waiter_drop(bk_partitions_waiter(run->table));
    bk_partitions_close(run->table);
    drain(run);
    bk_metadata_close(run->metadata);
    bk_fd_cache_free(run->fds);
    run->table = NULL;
    run->metadata = NULL;
    run->fds = NULL;
}

/* The program is gone, and in three of five cases the machine with it. */
static void end_life(struct run *run)
{
    shut(run);
    sim_world_forget(&run->world);
    if (chance(run, 60))
        sim_disk_restart(run->world.disk);
    else
        sim_disk_restart_program(run->world.disk);
}

static bool boot(struct run *run)
{
    struct bs_error err = {0};
    run->boots++;
    run->fds = bk_fd_cache_new(sim_disk_files(run->world.disk), 4);
    struct bk_metadata_spec spec = {.dir = "data",
                                    .ports = ports_of(run),
                                    .loop = &run->world.loop,
                                    .config = run->config,
                                    .node_id = 1};
    int rc = bk_metadata_open(&spec, &run->metadata, &err);
    if (!rc) {
        struct bk_partitions_spec table = {.dir = "data",
                                           .ports = ports_of(run),
                                           .loop = &run->world.loop,
                                           .metadata = run->metadata,
                                           .config = run->config};
        rc = bk_partitions_open(&table, &run->table, &err);
    }
    if (rc && !crashed(run))
        FAIL(run, "start: %s", err.text);
    return rc == 0 && !crashed(run);
}

/* Starts until it succeeds, sometimes with a crash in the middle of starting. */
static void boot_through(struct run *run)
{
    for (int tries = 0;; tries++) {
        if (tries < 4 && chance(run, 30))
            sim_disk_crash_after(run->world.disk, (int64_t)below(run, 60));
        if (boot(run)) {
            sim_disk_crash_after(run->world.disk, -1);
            return;
        }
        end_life(run);
    }
}

static void make_main(struct run *run)
{
    char segment[16], interval[16];
    struct bs_error err = {0};
    snprintf(segment, sizeof segment, "%d", 1024 + (int)below(run, 6000));
    snprintf(interval, sizeof interval, "%d", (int)below(run, 600));
    struct bk_setting settings[] = {{(char *)"segment.bytes", segment},
                                    {(char *)"index.interval.bytes", interval}};
    struct bk_topic_spec spec = {.name = "main",
                                 .partition_count = PARTITIONS,
                                 .replication_factor = -1,
                                 .settings = settings,
                                 .setting_count = 2};
    int error = bk_metadata_create_topic(run->metadata, &spec, main_made, run, &err);
    if (error)
        FAIL(run, "create main: %d %s", error, err.text);
    drain(run);
    if (!run->topic_made)
        FAIL(run, "main was not made");
}

static void act(struct run *run)
{
    unsigned dice = (unsigned)below(run, 100);
    struct producer *p = &run->producers[below(run, PRODUCERS)];
    if (dice < 45)
        produce(run);
    else if (dice < 53)
        produce_again(run);
    else if (dice < 57)
        produce_wrong(run);
    else if (dice < 64)
        txn_end(run, p, chance(run, 50), chance(run, 30));
    else if (dice < 85)
        for (int n = 1 + (int)below(run, 6); n > 0; n--)
            sim_world_step(&run->world);
    else if (dice < 88)
        sim_world_pass(&run->world, (int64_t)below(run, 50));
    else if (dice < 91)
        side_flip(run);
    else if (dice < 93)
        take_pid(run);
    else if (dice < 94)
        sim_disk_set_space(run->world.disk, (int64_t)below(run, 300));
    else if (dice < 96)
        sim_disk_set_space(run->world.disk, -1);
    else if (!crashed(run))
        check_aborted(run, (int)below(run, PARTITIONS));
}

static void stopped(void *ctx)
{
    *(bool *)ctx = true;
}

static void stop_in_order(struct run *run)
{
    bool done = false;
    struct bs_error err = {0};
    sim_disk_set_space(run->world.disk, -1);
    drain(run);
    bk_partitions_stop(run->table, stopped, &done);
    drain(run);
    if (!done)
        FAIL(run, "the stop does not end");
    if (bk_metadata_seal(run->metadata, &err) != 0 && !crashed(run))
        FAIL(run, "seal: %s", err.text);
    for (int i = 0; i < PARTITIONS && !crashed(run); i++) /* an orderly stop loses nothing */
        if (bk_partition_error(partition_of(run, i)) == 0)
            run->models[i].acked_end = model_end(&run->models[i]);
}

/* One life of the broker. */
static void live(struct run *run)
{
    bool offline = false;
    int acts = 50 + (int)below(run, 250);
    if (chance(run, 70))
        sim_disk_crash_after(run->world.disk, (int64_t)below(run, 700));
    int64_t fail_sync_at = chance(run, 10) ? (int64_t)below(run, (uint64_t)acts) : -1;
    for (int i = 0; i < acts && !crashed(run) && !offline; i++) {
        if (i == fail_sync_at)
            sim_disk_fail_sync(run->world.disk);
        act(run);
        for (int k = 0; k < PARTITIONS && !crashed(run); k++)
            offline |= bk_partition_error(partition_of(run, k)) != 0;
        offline |= bk_metadata_failed(run->metadata);
    }
    if (!crashed(run) && !offline && chance(run, 40))
        stop_in_order(run);
    end_life(run);
}

static uint64_t run_seed(uint64_t seed)
{
    static const struct bs_option_table *const tables[] = {&bk_storage_options,
                                                           &bk_cluster_options};
    struct run *run = bs_new(struct run);
    run->seed = seed;
    run->next_id = 1;
    run->largest_pid = -1;
    sim_world_init(&run->world, seed);
    struct io_files *files = sim_disk_files(run->world.disk);
    files->mkdir(files, "data", NULL); /* the user's folder is there for good */
    files->sync_dir(files, "", NULL);
    run->config = bs_config_new(tables, 2);
    run->interval = chance(run, 25);
    if (run->interval) {
        char every[16];
        snprintf(every, sizeof every, "%d", 1 + (int)below(run, 40));
        bs_config_set(run->config, "weir.flush", "interval", "test", NULL);
        bs_config_set(run->config,
                      chance(run, 50) ? "log.flush.interval.messages" : "log.flush.interval.ms",
                      every, "test", NULL);
    }
    for (int i = 0; i < PRODUCERS; i++)
        run->producers[i] =
            (struct producer){.id = 100 + i, .epoch = 0, .transactional = i >= PRODUCERS / 2};
    for (int i = 0; i < SIDES; i++)
        run->side_known[i] = true;
    int lives = 3 + (int)below(run, 4);
    for (int i = 0; i < lives; i++) {
        boot_through(run);
        if (!run->topic_made)
            make_main(run);
        check_recovered(run);
        /* What the coordinator does after a start: open transactions of the past are aborted. */
        for (int k = PRODUCERS / 2; k < PRODUCERS; k++)
            if (run->producers[k].open)
                txn_end(run, &run->producers[k], false, true);
        drain(run);
        live(run);
    }
    boot_through(run);
    check_recovered(run);
    shut(run);
    uint64_t hash = sim_disk_hash(run->world.disk);
    sim_world_deinit(&run->world);
    bs_config_free(run->config);
    for (int i = 0; i < PARTITIONS; i++)
        model_deinit(&run->models[i]);
    bs_free(run);
    return hash;
}

static void say(void *ctx, const struct bs_event *event, const char *text)
{
    (void)ctx;
    printf("  %s: %s\n", event->id, text);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        bs_log_set_sink(say, NULL); /* one seed: show what the broker says */
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : argc > 1 ? 1 : 500;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t hash = run_seed(seed + i);
        if ((seed + i) % 50 == 0 && run_seed(seed + i) != hash) {
            printf("seed %" PRIu64 " does not run the same way twice\n", seed + i);
            return 1;
        }
    }
    printf("%" PRIu64 " seeds\n", count);
    return 0;
}
