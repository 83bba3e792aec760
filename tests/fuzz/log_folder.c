/* A log's folder with files of any content: opening, reading and appending end in success or in an
 * error, never in a crash, and what is read are whole batches with right CRCs. The input is cut
 * into pieces, each of which overwrites a part of one of the files of a sound log. */
#include "broker/log/log.h"
#include "lib/base/mem.h"
#include "lib/kafka/record_batch.h"
#include "tests/sim/disk.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t still(struct io_clock *clock)
{
    (void)clock;
    return 1700000000000;
}

static void fill(struct io_random *random, void *out, size_t len)
{
    (void)random;
    memset(out, 7, len);
}

struct fixture {
    struct sim_rng rng;
    struct sim_disk *disk;
    struct io_clock clock;
    struct io_random random;
    struct bk_fd_cache *fds;
    struct bk_log_ports ports;
    struct bk_log_config config;
    struct bk_log *log;
};

static void append(struct fixture *f, int64_t pid, int32_t sequence, bool transactional)
{
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    struct kp_batch_builder builder;
    struct bs_bytes bytes;
    options.producer_id = pid;
    options.producer_epoch = pid < 0 ? -1 : 0;
    options.base_sequence = sequence;
    options.transactional = transactional;
    kp_batch_builder_init(&builder, &options);
    kp_batch_builder_append(&builder, 1700000000000, bs_bytes_text("k"), bs_bytes_text("value"),
                            NULL, 0);
    if (kp_batch_builder_finish(&builder, &bytes) == 0) {
        struct bk_append a = {.records = (uint8_t *)bytes.ptr, .len = bytes.len};
        bk_log_append(f->log, &a, NULL);
    }
    kp_batch_builder_deinit(&builder);
}

static void read_all(struct fixture *f)
{
    struct bs_buf buf = BS_BUF_INIT;
    struct bk_offset_time time;
    int64_t offset = bk_log_start(f->log), end = bk_log_end(f->log);
    for (int i = 0; i < 1000 && offset < end; i++) {
        bs_buf_reset(&buf);
        if (bk_log_read(f->log, offset, end, 300, true, &buf, NULL) != 0 || buf.len == 0)
            break;
        for (size_t at = 0; at < buf.len;) {
            struct kp_batch batch;
            if (kp_batch_peek(buf.data + at, buf.len - at, &batch) != 0 ||
                batch.size > buf.len - at ||
                kp_crc32c(buf.data + at + KP_BATCH_CRC_FROM, batch.size - KP_BATCH_CRC_FROM) !=
                    batch.crc)
                abort();
            at += batch.size;
            offset = kp_batch_last_offset(&batch) + 1;
        }
    }
    struct bk_aborted *aborted = NULL;
    size_t count = 0;
    bk_log_aborted(f->log, 0, end, &aborted, &count, NULL);
    bs_free(aborted);
    bk_log_offset_for_time(f->log, 1700000000000, end, &time, NULL);
    bs_buf_deinit(&buf);
}

static bool reopen(struct fixture *f)
{
    bk_log_close(f->log);
    f->log = NULL;
    return bk_log_open("log", &f->config, &f->ports, &f->log, NULL, NULL) == 0;
}

/* Three segments, the first two full, an aborted and an open transaction. */
static void sound_log(struct fixture *f)
{
    struct io_files *files = f->ports.files;
    struct bk_append a;
    files->mkdir(files, "log", NULL);
    if (!reopen(f))
        abort();
    for (int i = 0; i < 12; i++) {
        append(f, -1, -1, false);
        append(f, 5, i, true);
        if (i == 3)
            bk_log_append_marker(f->log, &(struct bk_marker){.producer_id = 5}, &a, NULL);
    }
    bk_log_seal(f->log, NULL);
}

static int damage_entry(void *ctx, const char *name)
{
    char ***next = ctx;
    *(*next)++ = bs_asprintf("log/%s", name);
    return 0;
}

/* Piece: which file, position (two bytes), length, then the bytes; length 0 cuts the file there. */
static void damage(struct fixture *f, const uint8_t *data, size_t size)
{
    struct io_files *files = f->ports.files;
    char *names[64], **end = names;
    files->list(files, "log", damage_entry, &end, NULL);
    size_t count = (size_t)(end - names);
    while (size >= 4) {
        struct io_file *file = NULL;
        int64_t at = data[1] << 8 | data[2];
        size_t len = data[3] < size - 4 ? data[3] : size - 4;
        struct iovec vec = {.iov_base = (void *)(data + 4), .iov_len = len};
        if (files->open(files, names[data[0] % count], IO_OPEN_WRITE, &file, NULL) == 0) {
            int64_t bytes = 0;
            files->size(files, file, &bytes, NULL);
            if (len == 0)
                files->truncate(files, file, bytes ? at % bytes : 0, NULL);
            else
                files->write_at(files, file, &vec, 1, bytes ? at % bytes : 0, NULL);
            files->close(files, file);
        }
        data += 4 + len;
        size -= 4 + len;
    }
    while (end > names)
        bs_free(*--end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fixture f = {.clock = {.wall_ms = still, .mono_us = still}, .random = {.fill = fill}};
    f.disk = sim_disk_new(&f.rng);
    f.fds = bk_fd_cache_new(sim_disk_files(f.disk), 8);
    f.ports = (struct bk_log_ports){
        .files = sim_disk_files(f.disk), .clock = &f.clock, .random = &f.random, .fds = f.fds};
    f.config = bk_log_config_default();
    f.config.segment_bytes = 800;
    f.config.index_interval_bytes = 100;
    sound_log(&f);
    bk_log_close(f.log);
    f.log = NULL;
    damage(&f, data, size);
    if (reopen(&f)) {
        read_all(&f);
        append(&f, -1, -1, false);
        append(&f, 5, 12, true);
        if (reopen(&f)) /* reads what the first start took on trust: it may find the damage now */
            read_all(&f);
    }
    bk_log_close(f.log);
    bk_fd_cache_free(f.fds);
    sim_disk_free(f.disk);
    return 0;
}
