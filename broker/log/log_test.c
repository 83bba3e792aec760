#include "broker/log/log.h"

#include "lib/base/mem.h"
#include "lib/kafka/compress.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/record_batch.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    struct io_files *files;
    struct bk_fd_cache *fds;
    struct io_clock clock;
    struct bk_log_config config;
    struct bk_log *log;
    struct bk_recovery recovery;
};

static int64_t test_now_ms = 1700000000000;

static int64_t fixed_wall(struct io_clock *clock)
{
    (void)clock;
    return test_now_ms;
}

static int64_t fixed_mono(struct io_clock *clock)
{
    (void)clock;
    return 0;
}

static void reopen(struct fixture *f)
{
    struct bs_error err = {0};
    struct bk_log_ports ports = {
        .files = f->files, .clock = &f->clock, .random = io_random_real(), .fds = f->fds};
    bk_log_close(f->log);
    f->log = NULL;
    if (bk_log_open(f->dir, &f->config, &ports, &f->log, &f->recovery, &err) != 0)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct fixture *f = bs_new(struct fixture);
    strcpy(f->dir, "/tmp/log_test.XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    f->files = io_files_uv_new(NULL);
    f->fds = bk_fd_cache_new(f->files, 4);
    f->clock = (struct io_clock){.wall_ms = fixed_wall, .mono_us = fixed_mono};
    f->config = bk_log_config_default();
    f->config.segment_bytes = 2000;
    f->config.index_interval_bytes = 300;
    test_now_ms = 1700000000000;
    reopen(f);
    *state = f;
    return 0;
}

static int drop_entry(void *ctx, const char *name)
{
    char *path = bs_asprintf("%s/%s", ((struct fixture *)ctx)->dir, name);
    unlink(path);
    bs_free(path);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    bk_log_close(f->log);
    bk_fd_cache_free(f->fds);
    f->files->list(f->files, f->dir, drop_entry, f, NULL);
    rmdir(f->dir);
    io_files_uv_free(f->files);
    bs_free(f);
    return 0;
}

struct send {
    int64_t pid;
    int16_t epoch;
    int32_t sequence;
    int count;
    bool transactional, no_key;
    enum kp_codec codec;
    int64_t timestamp_ms; /* of the first; each is one more */
    int16_t want;
};

static struct bk_append send(struct fixture *f, struct send s)
{
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    struct kp_batch_builder builder;
    struct bs_bytes bytes;
    struct bs_error err = {0};
    bool plain = s.pid == 0;
    options.producer_id = plain ? -1 : s.pid;
    options.producer_epoch = plain ? -1 : s.epoch;
    options.base_sequence = plain ? -1 : s.sequence;
    options.transactional = s.transactional;
    options.codec = s.codec;
    options.compress = kp_compress;
    kp_batch_builder_init(&builder, &options);
    for (int i = 0; i < (s.count ? s.count : 1); i++)
        kp_batch_builder_append(
            &builder, (s.timestamp_ms ? s.timestamp_ms : test_now_ms) + (s.timestamp_ms ? i : 0),
            s.no_key ? bs_bytes(NULL, 0) : bs_bytes_text("key"),
            bs_bytes_text("a value of some forty bytes, more or less"), NULL, 0);
    assert_int_equal(0, kp_batch_builder_finish(&builder, &bytes));
    struct bk_append a = {.records = (uint8_t *)bytes.ptr, .len = bytes.len, .leader_epoch = 5};
    if (bk_log_append(f->log, &a, &err) != 0)
        fail_msg("%s", err.text);
    kp_batch_builder_deinit(&builder);
    if (a.error != s.want)
        fail_msg("error %d (%s), want %d", a.error, a.error_text, s.want);
    return a;
}

/* Reads all, batch by batch limit, and gives the number of records. */
static int64_t read_all(struct fixture *f, size_t bytes_max)
{
    struct bs_buf buf = BS_BUF_INIT;
    struct bs_error err = {0};
    int64_t offset = bk_log_start(f->log), count = 0;
    while (offset < bk_log_end(f->log)) {
        bs_buf_reset(&buf);
        if (bk_log_read(f->log, offset, INT64_MAX, bytes_max, true, &buf, &err) != 0)
            fail_msg("%s", err.text);
        assert_true(buf.len > 0);
        for (size_t at = 0; at < buf.len;) {
            struct kp_batch batch;
            assert_int_equal(0, kp_batch_check(bs_bytes(buf.data + at, buf.len - at), &batch));
            assert_true(kp_batch_last_offset(&batch) >= offset);
            count += kp_batch_last_offset(&batch) + 1 - offset;
            offset = kp_batch_last_offset(&batch) + 1;
            at += batch.size;
        }
    }
    bs_buf_deinit(&buf);
    return count;
}

static void test_append_read(void **state)
{
    struct fixture *f = *state;
    int64_t next = 0;
    for (int i = 0; i < 60; i++) {
        struct bk_append a = send(f, (struct send){.count = 1 + i % 3});
        assert_int_equal(next, a.base_offset);
        next = a.last_offset + 1;
    }
    assert_int_equal(120, next);
    assert_int_equal(120, read_all(f, 1));
    assert_int_equal(120, read_all(f, 700));
    assert_int_equal(120, read_all(f, 1 << 20));
    struct bs_buf buf = BS_BUF_INIT;
    assert_int_equal(BS_ERANGE, bk_log_read(f->log, 121, 121, 100, true, &buf, NULL));
    assert_int_equal(0, bk_log_read(f->log, 120, 120, 100, true, &buf, NULL));
    assert_int_equal(0, bk_log_read(f->log, 5, 6, 10, false, &buf, NULL));
    assert_int_equal(0, buf.len); /* smaller than a batch, and not at least one */
    bs_buf_deinit(&buf);
    /* Opened again without an orderly stop, then after one. */
    reopen(f);
    assert_true(f->recovery.scanned_bytes > 0);
    assert_int_equal(0, f->recovery.truncated_bytes);
    assert_int_equal(120, read_all(f, 700));
    assert_int_equal(0, bk_log_seal(f->log, NULL));
    reopen(f);
    assert_true(f->recovery.clean);
    assert_int_equal(120, bk_log_end(f->log));
    assert_int_equal(120, read_all(f, 1));
    send(f, (struct send){.count = 1});
    reopen(f);
    assert_int_equal(121, read_all(f, 1 << 20));
    int32_t epoch = 0;
    int64_t end = 0;
    bk_log_epoch_end(f->log, 5, &epoch, &end);
    assert_int_equal(5, epoch);
    assert_int_equal(121, end);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    f->config.message_bytes_max = 300;
    f->config.compact = true;
    bk_log_set_config(f->log, &f->config);
    send(f, (struct send){.count = 20, .want = KP_ERR_MESSAGE_TOO_LARGE});
    send(f, (struct send){.no_key = true, .want = KP_ERR_INVALID_RECORD});
    send(f, (struct send){.timestamp_ms = test_now_ms + 3600001, .want = KP_ERR_INVALID_TIMESTAMP});
    uint8_t junk[100] = {0};
    struct bk_append a = {.records = junk, .len = sizeof junk};
    assert_int_equal(0, bk_log_append(f->log, &a, NULL));
    assert_int_not_equal(0, a.error);
    assert_int_equal(0, bk_log_end(f->log));
}

static void test_torn_tail(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++)
        send(f, (struct send){.count = 1});
    char *path = bs_asprintf("%s/%020d.log", f->dir, 0);
    struct stat st;
    assert_int_equal(0, stat(path, &st));
    assert_int_equal(0, truncate(path, st.st_size - 7));
    reopen(f);
    assert_int_equal(9, bk_log_end(f->log));
    assert_true(f->recovery.truncated_bytes > 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(1, pwrite(fd, "X", 1, 61 + 20)); /* in the first batch */
    close(fd);
    reopen(f);
    assert_int_equal(0, bk_log_end(f->log));
    bs_free(path);
}

static int count_cuts(void *ctx, const char *name)
{
    *(int *)ctx += strstr(name, ".cut-") != NULL;
    return 0;
}

/* A bit that flips in an acknowledged batch: not given out, and the restart keeps what it cuts. */
static void test_damage(void **state)
{
    struct fixture *f = *state;
    struct bs_buf buf = BS_BUF_INIT;
    int cuts = 0;
    for (int i = 0; i < 10; i++)
        send(f, (struct send){.count = 1});
    assert_int_equal(0, bk_log_read(f->log, 0, 10, 1, true, &buf, NULL));
    size_t size = buf.len;
    char *path = bs_asprintf("%s/%020d.log", f->dir, 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(1, pwrite(fd, "X", 1, (off_t)(size * 4 + 90)));
    close(fd);
    bs_buf_reset(&buf);
    assert_int_equal(0, bk_log_read(f->log, 0, 10, 1 << 20, true, &buf, NULL));
    assert_int_equal(size * 4, buf.len);
    assert_int_equal(BS_ECORRUPT, bk_log_read(f->log, 4, 10, 1 << 20, true, &buf, NULL));
    reopen(f);
    assert_int_equal(4, bk_log_end(f->log));
    f->files->list(f->files, f->dir, count_cuts, &cuts, NULL);
    assert_int_equal(1, cuts);
    bs_buf_deinit(&buf);
    bs_free(path);
}

static void test_idempotence(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 7; i++)
        send(f, (struct send){.pid = 9, .epoch = 1, .sequence = i * 2, .count = 2});
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 2; i < 7; i++) {
            struct bk_append a =
                send(f, (struct send){.pid = 9, .epoch = 1, .sequence = i * 2, .count = 2});
            assert_true(a.duplicate);
            assert_int_equal(i * 2, a.base_offset);
        }
        int16_t late = KP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
        send(f, (struct send){.pid = 9, .epoch = 1, .sequence = 2, .count = 2, .want = late});
        send(f, (struct send){.pid = 9, .epoch = 1, .sequence = 15, .want = late});
        send(f, (struct send){
                    .pid = 9, .epoch = 0, .sequence = 14, .want = KP_ERR_INVALID_PRODUCER_EPOCH});
        send(f, (struct send){.pid = 9, .epoch = 2, .sequence = 3, .want = late});
        if (pass == 0) /* the same after a restart in order: five batches are in the snapshot */
            assert_int_equal(0, bk_log_seal(f->log, NULL));
        reopen(f);
    }
    send(f, (struct send){.pid = 9, .epoch = 2, .sequence = 0});
    send(f, (struct send){.pid = 10, .epoch = 0, .sequence = INT32_MAX - 1, .count = 2});
    send(f, (struct send){.pid = 10, .epoch = 0, .sequence = 0});
    assert_int_equal(18, bk_log_end(f->log));
}

static void end_txn(struct fixture *f, int64_t pid, int16_t epoch, bool commit, int16_t want)
{
    struct bk_append a;
    struct bk_marker marker = {.producer_id = pid, .producer_epoch = epoch, .commit = commit};
    assert_int_equal(0, bk_log_append_marker(f->log, &marker, &a, NULL));
    assert_int_equal(want, a.error);
}

static void test_transactions(void **state)
{
    struct fixture *f = *state;
    struct bk_aborted *aborted = NULL;
    size_t count = 0;
    send(f, (struct send){.count = 3});                      /* 0-2 */
    send(f, (struct send){.pid = 1, .transactional = true}); /* 3 */
    send(f, (struct send){.pid = 2, .transactional = true}); /* 4 */
    assert_int_equal(3, bk_log_stable(f->log, 5));
    assert_int_equal(3, bk_log_open_txn(f->log, 1, 0));
    end_txn(f, 1, 0, false, 0);                    /* 5 */
    assert_int_equal(3, bk_log_stable(f->log, 5)); /* its end is not visible yet */
    assert_int_equal(4, bk_log_stable(f->log, 6));
    end_txn(f, 2, -1, true, KP_ERR_INVALID_PRODUCER_EPOCH);
    for (int i = 0; i < 40; i++)
        send(f, (struct send){.count = 1}); /* 6-45, several segments */
    assert_int_equal(0, bk_log_sync(f->log, NULL));
    for (int pass = 0; pass < 3; pass++) {
        assert_int_equal(4, bk_log_stable(f->log, 46));
        assert_int_equal(0, bk_log_aborted(f->log, 0, 46, &aborted, &count, NULL));
        assert_int_equal(1, count);
        assert_int_equal(1, aborted[0].producer_id);
        assert_int_equal(3, aborted[0].first_offset);
        bs_free(aborted);
        assert_int_equal(0, bk_log_aborted(f->log, 6, 46, &aborted, &count, NULL));
        assert_int_equal(0, count);
        bs_free(aborted);
        if (pass == 1)
            assert_int_equal(0, bk_log_seal(f->log, NULL));
        reopen(f);
    }
    end_txn(f, 2, 0, true, 0);
    assert_int_equal(47, bk_log_stable(f->log, 47));
}

static void test_time(void **state)
{
    struct fixture *f = *state;
    struct bk_offset_time found;
    for (int i = 0; i < 50; i++)
        send(f, (struct send){.count = 2,
                              .timestamp_ms = 1000 + i * 10,
                              .codec = i % 2 ? KP_CODEC_LZ4 : KP_CODEC_NONE});
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t t = 990; t < 1500; t++) {
            int64_t want = -1;
            for (int i = 99; i >= 0; i--)
                if (1000 + i / 2 * 10 + i % 2 >= t)
                    want = i;
            assert_int_equal(0, bk_log_offset_for_time(f->log, t, 100, &found, NULL));
            assert_int_equal(want, found.offset);
        }
        assert_int_equal(0, bk_log_offset_for_max_time(f->log, 100, &found, NULL));
        assert_int_equal(99, found.offset);
        assert_int_equal(1491, found.timestamp_ms);
        assert_int_equal(0, bk_log_seal(f->log, NULL));
        reopen(f);
    }
    assert_int_equal(0, bk_log_offset_for_time(f->log, 1000, 0, &found, NULL));
    assert_int_equal(-1, found.offset);
}

static void test_append_time(void **state)
{
    struct fixture *f = *state;
    f->config.log_append_time = true;
    bk_log_set_config(f->log, &f->config);
    struct bk_append a = send(f, (struct send){.timestamp_ms = 5});
    assert_int_equal(test_now_ms, a.append_time_ms);
    struct bk_offset_time found;
    assert_int_equal(0, bk_log_offset_for_max_time(f->log, 1, &found, NULL));
    assert_int_equal(test_now_ms, found.timestamp_ms);
    assert_int_equal(1, read_all(f, 1000));
}

static void test_retention(void **state)
{
    struct fixture *f = *state;
    int64_t freed = 0;
    for (int i = 0; i < 60; i++)
        send(f, (struct send){.count = 1});
    assert_int_equal(0, bk_log_sync(f->log, NULL));
    int64_t bytes = bk_log_bytes(f->log);
    assert_int_equal(0, bk_log_retain(f->log, 60, &freed, NULL));
    assert_int_equal(0, freed);
    f->config.retention_bytes = 3000;
    bk_log_set_config(f->log, &f->config);
    assert_int_equal(0, bk_log_retain(f->log, 60, &freed, NULL));
    assert_true(freed > 0 && bk_log_bytes(f->log) == bytes - freed);
    assert_true(bk_log_bytes(f->log) >= 3000 && bk_log_bytes(f->log) < 5200);
    assert_int_equal(60 - bk_log_start(f->log), read_all(f, 100));
    int64_t start = bk_log_start(f->log);
    reopen(f);
    assert_int_equal(start, bk_log_start(f->log));
    /* DeleteRecords, kept over a restart. */
    assert_int_equal(BS_ERANGE, bk_log_delete_before(f->log, 61, 60, NULL));
    assert_int_equal(0, bk_log_delete_before(f->log, 55, 60, NULL));
    reopen(f);
    assert_int_equal(55, bk_log_start(f->log));
    assert_int_equal(5, read_all(f, 100));
    /* A compacted topic keeps what is old, one with delete loses it all. */
    test_now_ms += 604800001;
    f->config.remove = false;
    f->config.compact = true;
    bk_log_set_config(f->log, &f->config);
    assert_int_equal(0, bk_log_retain(f->log, 60, &freed, NULL));
    assert_int_equal(5, read_all(f, 100));
    f->config.remove = true;
    bk_log_set_config(f->log, &f->config);
    assert_int_equal(0, bk_log_retain(f->log, 60, &freed, NULL));
    assert_int_equal(60, bk_log_start(f->log));
    assert_int_equal(60, bk_log_end(f->log));
    reopen(f);
    assert_int_equal(60, bk_log_start(f->log));
    assert_int_equal(60, send(f, (struct send){.count = 1}).base_offset);
}

static void test_bad_index(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++)
        send(f, (struct send){.count = 1});
    assert_int_equal(0, bk_log_seal(f->log, NULL));
    char *path = bs_asprintf("%s/%020d.index", f->dir, 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(16, pwrite(fd, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, 0));
    close(fd);
    bs_free(path);
    reopen(f);
    assert_int_equal(40, read_all(f, 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_append_read),  T(test_refused), T(test_torn_tail),   T(test_idempotence),
        T(test_transactions), T(test_time),    T(test_append_time), T(test_retention),
        T(test_bad_index),    T(test_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
