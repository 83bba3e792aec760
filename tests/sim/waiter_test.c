/* The waiter: acks, bytes, time limits, cancelling, a topic that goes away; on the simulated loop.
 */
#include "broker/partition/waiter.h"

#include "broker/cluster/topic_config.h"
#include "lib/base/mem.h"
#include "lib/kafka/record_batch.h"
#include "tests/sim/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sim_world world;
    struct bs_config *config;
    struct bk_fd_cache *fds;
    struct bk_metadata *metadata;
    struct bk_partitions *table;
};

struct told {
    int count;
    enum bk_wait_end end;
    struct bk_wait *cancel; /* in the callback: other's wait */
    struct told *other;
};

static void told(void *ctx, enum bk_wait_end end)
{
    struct told *t = ctx;
    t->count++;
    t->end = end;
    if (!t->other)
        return;
    bk_wait_cancel(t->cancel);
    t->other->other = NULL;
}

static void drain(struct fixture *f)
{
    while (sim_world_step(&f->world))
        ;
}

static void made(void *ctx, int16_t error)
{
    (void)ctx;
    assert_int_equal(0, error);
}

static int set_up(void **state)
{
    static const struct bs_option_table *const tables[] = {&bk_storage_options,
                                                           &bk_cluster_options};
    struct fixture *f = bs_new(struct fixture);
    sim_world_init(&f->world, 1);
    struct io_files *files = sim_disk_files(f->world.disk);
    files->mkdir(files, "data", NULL);
    f->config = bs_config_new(tables, 2);
    f->fds = bk_fd_cache_new(files, 16);
    struct bk_log_ports ports = {
        .files = files, .clock = &f->world.clock, .random = &f->world.random, .fds = f->fds};
    struct bk_metadata_spec spec = {
        .dir = "data", .ports = ports, .loop = &f->world.loop, .config = f->config, .node_id = 1};
    assert_int_equal(0, bk_metadata_open(&spec, &f->metadata, NULL));
    struct bk_partitions_spec table = {.dir = "data",
                                       .ports = ports,
                                       .loop = &f->world.loop,
                                       .metadata = f->metadata,
                                       .config = f->config};
    assert_int_equal(0, bk_partitions_open(&table, &f->table, NULL));
    struct bk_topic_spec topic = {.name = "t", .partition_count = 2, .replication_factor = 1};
    assert_int_equal(0, bk_metadata_create_topic(f->metadata, &topic, made, NULL, NULL));
    drain(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    drain(f);
    bk_partitions_close(f->table);
    drain(f);
    bk_metadata_close(f->metadata);
    bk_fd_cache_free(f->fds);
    sim_world_deinit(&f->world);
    bs_config_free(f->config);
    bs_free(f);
    return 0;
}

static struct bk_partition *partition(struct fixture *f, int32_t i)
{
    int16_t error = 0;
    struct bk_partition *p = bk_partitions_get(f->table, "t", 1, i, &error);
    assert_non_null(p);
    return p;
}

/* One record; gives the size of its batch. */
static int64_t append(struct fixture *f, int32_t i, int64_t *ret_offset)
{
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    struct kp_batch_builder builder;
    struct bs_bytes bytes;
    kp_batch_builder_init(&builder, &options);
    kp_batch_builder_append(&builder, 1, bs_bytes_text("k"), bs_bytes_text("v"), NULL, 0);
    assert_int_equal(0, kp_batch_builder_finish(&builder, &bytes));
    struct bk_append a = {.records = (uint8_t *)bytes.ptr, .len = bytes.len};
    assert_int_equal(0, bk_partition_append(partition(f, i), &a));
    kp_batch_builder_deinit(&builder);
    if (ret_offset)
        *ret_offset = a.last_offset;
    return (int64_t)bytes.len;
}

static struct bk_wait *park(struct fixture *f, enum bk_wait_kind kind, int64_t first,
                            int64_t second, int64_t min_bytes, struct told *t)
{
    struct bk_wait_item items[] = {{partition(f, 0), first}, {partition(f, 1), second}};
    struct bk_wait_spec spec = {.kind = kind,
                                .items = items,
                                .count = 2,
                                .min_bytes = min_bytes,
                                .timeout_ms = 500,
                                .done = told,
                                .ctx = t};
    enum bk_wait_end end;
    return bk_waiter_park(bk_partitions_waiter(f->table), &spec, &end);
}

static void test_acks(void **state)
{
    struct fixture *f = *state;
    struct told t = {0};
    int64_t a = 0, b = 0;
    append(f, 0, &a);
    append(f, 1, &b);
    assert_int_equal(0, bk_partition_high_watermark(partition(f, 0)));
    assert_non_null(park(f, BK_WAIT_ACKS, a, b, 0, &t));
    assert_int_equal(0, t.count); /* nothing is acknowledged before the sync has ended */
    drain(f);
    assert_int_equal(1, t.count);
    assert_int_equal(BK_WAIT_MET, t.end);
    assert_null(park(f, BK_WAIT_ACKS, a, b, 0, &t)); /* met already */
    assert_int_equal(0, bk_waiter_count(bk_partitions_waiter(f->table)));
}

static void test_bytes(void **state)
{
    struct fixture *f = *state;
    struct told t = {0};
    int64_t size = append(f, 0, NULL);
    drain(f);
    park(f, BK_WAIT_BYTES, 1, 0, size * 2, &t);
    append(f, 0, NULL);
    drain(f);
    assert_int_equal(0, t.count); /* half of it */
    append(f, 1, NULL);
    drain(f);
    assert_int_equal(1, t.count);
    assert_int_equal(BK_WAIT_MET, t.end);
}

static void test_time(void **state)
{
    struct fixture *f = *state;
    struct told t = {0}, later = {0};
    park(f, BK_WAIT_BYTES, 0, 0, 1, &t);
    sim_world_pass(&f->world, 300);
    park(f, BK_WAIT_BYTES, 0, 0, 1, &later);
    sim_world_pass(&f->world, 201);
    drain(f);
    assert_int_equal(1, t.count);
    assert_int_equal(BK_WAIT_TIMEOUT, t.end);
    assert_int_equal(0, later.count);
    sim_world_pass(&f->world, 300);
    drain(f);
    assert_int_equal(1, later.count);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    struct told a = {0}, b = {0}, c = {0};
    struct bk_wait *wait = park(f, BK_WAIT_BYTES, 0, 0, 1, &a);
    bk_wait_cancel(wait);
    /* Both are ready in the same turn, and the one that is told first cancels the other. */
    c.cancel = park(f, BK_WAIT_BYTES, 0, 0, 1, &b);
    b.cancel = park(f, BK_WAIT_BYTES, 0, 0, 1, &c);
    b.other = &c;
    c.other = &b;
    append(f, 0, NULL);
    drain(f);
    assert_int_equal(0, a.count);
    assert_int_equal(1, b.count + c.count);
}

static void test_lost(void **state)
{
    struct fixture *f = *state;
    struct told t = {0};
    struct bk_partition *p = bk_partition_ref(partition(f, 0));
    park(f, BK_WAIT_BYTES, 0, 0, 1, &t);
    const struct bk_topic *topic = bk_image_topic(bk_metadata_image(f->metadata), "t", 1);
    assert_int_equal(0, bk_metadata_delete_topic(f->metadata, topic, made, NULL, NULL));
    drain(f);
    assert_int_equal(1, t.count);
    assert_int_equal(BK_WAIT_LOST, t.end);
    assert_int_not_equal(0, bk_partition_error(p));
    struct bs_buf buf = BS_BUF_INIT;
    struct bk_read read = {.bytes_max = 100};
    assert_int_not_equal(0, bk_partition_read(p, &read, &buf));
    bk_partition_unref(p);
}

static void none(void *ctx, int16_t error)
{
    (void)ctx, (void)error;
}

/* A topic that is removed and made again while a sync of the old one is under way: the new one's
 * folder is left alone. */
static void test_made_again(void **state)
{
    struct fixture *f = *state;
    int64_t offset = -1;
    struct bk_topic_spec spec = {.name = "t", .partition_count = 2, .replication_factor = 1};
    for (int turn = 0; turn < 20; turn++) {
        append(f, 0, NULL);
        for (int i = 0; i < turn % 4; i++)
            sim_world_step(&f->world);
        const struct bk_topic *topic = bk_image_topic(bk_metadata_image(f->metadata), "t", 1);
        assert_int_equal(0, bk_metadata_delete_topic(f->metadata, topic, none, NULL, NULL));
        while (bk_image_topic(bk_metadata_image(f->metadata), "t", 1))
            assert_true(sim_world_step(&f->world));
        /* The old partition's sync may end before or after the new one is made. */
        assert_int_equal(0, bk_metadata_create_topic(f->metadata, &spec, none, NULL, NULL));
        while (!bk_image_topic(bk_metadata_image(f->metadata), "t", 1))
            assert_true(sim_world_step(&f->world));
        append(f, 0, &offset);
        assert_int_equal(0, offset);
        drain(f);
        int64_t size = 0, mtime_ms = 0;
        struct io_files *files = sim_disk_files(f->world.disk);
        assert_int_equal(
            0, files->stat(files, "data/t-0/00000000000000000000.log", &size, &mtime_ms, NULL));
        assert_true(size > 0);
        assert_int_equal(BS_ENOTFOUND, files->stat(files, "data/t-0/00000000000000000000.index",
                                                   &size, &mtime_ms, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_acks), T(test_bytes), T(test_time), T(test_cancel), T(test_lost), T(test_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
