/* Partitions: all partitions of this broker, by topic id; their folders; the timers for flush and
 * retention.
 *
 * Folder dir/TOPIC-INDEX holds a log and partition.metadata (Kafka's text: version, topic id). A
 * topic's folders are renamed to *-delete before their files go, so a crash in between leaves
 * nothing that looks like data. A folder whose topic id is another's is set aside as *-stray and
 * said in the log: its records may be wanted. Owner: the loop thread. */
#include "broker/partition/partition_state.h"

#include "lib/base/mem.h"
#include "lib/kafka/errors.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

static const struct bs_event event_stray = {
    "broker.stray_folder", BS_LOG_WARN,
    "A folder belongs to no topic of the metadata and was set aside with the ending -stray. Look "
    "into it, then remove it."};
static const struct bs_event event_retained = {"broker.retention", BS_LOG_INFO,
                                               "Old segments of a partition were removed."};
static const struct bs_event event_disk_full = {
    "broker.disk_full", BS_LOG_ERROR,
    "Produce requests are refused because the disk is full; reads go on, and writes resume when "
    "there is space. Free space, lower retention.bytes or retention.ms, or delete topics."};
static const struct bs_event event_delete = {
    "broker.delete_failed", BS_LOG_WARN,
    "The folder of a removed topic could not be renamed; its files are still there."};
static const struct bs_event event_opened = {"broker.partitions_opened", BS_LOG_INFO,
                                             "All partitions are open."};

enum { FULL_SAY_MS = 10000, RETAIN_STEP = 64 };

struct table_topic {
    struct bk_uuid id;
    struct bk_partition **list;
    int32_t count;
    UT_hash_handle hh;
};

struct bk_partitions {
    struct bk_partitions_spec spec;
    char *dir;
    struct table_topic *by_id;
    struct bk_waiter *waiter;
    struct bk_partition *queued, *waiting;
    bool posted, opening, closed;
    struct io_timer *flush_timer, *retain_timer;
    int64_t flush_at_ms; /* when flush_timer fires; INT64_MAX: not armed */
    int64_t full_said_ms;
    int64_t partition_count, syncs;
    io_call *stopped;
    void *stopped_ctx;
};

const struct bk_log_ports *bk_partitions_ports(const struct bk_partitions *table)
{
    return &table->spec.ports;
}

const struct bs_config *bk_partitions_config(const struct bk_partitions *table)
{
    return table->spec.config;
}

struct bk_waiter *bk_partitions_waiter(struct bk_partitions *table)
{
    return table->waiter;
}

/* ---- find ---------------------------------------------------------------------------------------
 */

static struct table_topic *table_find(const struct bk_partitions *table, const struct bk_uuid *id)
{
    struct table_topic *t = NULL;
    HASH_FIND(hh, table->by_id, id, sizeof *id, t);
    return t;
}

struct bk_partition *bk_partitions_find(struct bk_partitions *table, const struct bk_topic *topic,
                                        int32_t index)
{
    struct table_topic *t = table_find(table, &topic->id);
    return t && index >= 0 && index < t->count ? t->list[index] : NULL;
}

struct bk_partition *bk_partitions_get(struct bk_partitions *table, const char *topic,
                                       size_t topic_len, int32_t index, int16_t *ret_error)
{
    const struct bk_topic *t =
        bk_image_topic(bk_metadata_image(table->spec.metadata), topic, topic_len);
    struct bk_partition *p = t ? bk_partitions_find(table, t, index) : NULL;
    *ret_error = p ? p->error : KP_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    return *ret_error ? NULL : p;
}

/* ---- sync at the end of a turn; sync by time
 * ------------------------------------------------------ */

static void table_free(struct bk_partitions *table)
{
    bs_free(table->dir);
    bs_free(table);
}

static void table_sync_queued(void *ctx)
{
    struct bk_partitions *table = ctx;
    table->posted = false;
    while (table->queued) {
        struct bk_partition *p = table->queued;
        table->queued = p->next_queued;
        p->queued = false;
        if (!table->closed)
            bk_partition_sync(p);
        bk_partition_unref(p);
    }
    if (table->closed)
        table_free(table);
}

void bk_partitions_queue_sync(struct bk_partitions *table, struct bk_partition *p)
{
    if (p->queued || p->syncing)
        return; /* the end of the sync under way looks again */
    p->queued = true;
    p->next_queued = table->queued;
    table->queued = bk_partition_ref(p);
    if (!table->posted) {
        table->posted = true;
        io_loop_post(table->spec.loop, table_sync_queued, table);
    }
}

static void table_arm_flush(struct bk_partitions *table, int64_t due_ms)
{
    if (due_ms >= table->flush_at_ms)
        return;
    table->flush_at_ms = due_ms;
    io_timer_start(table->flush_timer, due_ms - io_clock_mono_ms(table->spec.ports.clock));
}

static void table_flush_due(void *ctx)
{
    struct bk_partitions *table = ctx;
    int64_t now_ms = io_clock_mono_ms(table->spec.ports.clock), next_ms = INT64_MAX;
    struct bk_partition **at = &table->waiting;
    table->flush_at_ms = INT64_MAX;
    while (*at) {
        struct bk_partition *p = *at;
        if (p->sync_due_ms > now_ms && !p->removing) {
            next_ms = p->sync_due_ms < next_ms ? p->sync_due_ms : next_ms;
            at = &p->next_waiting;
            continue;
        }
        *at = p->next_waiting;
        p->waiting = false;
        bk_partition_sync(p);
        bk_partition_unref(p);
    }
    if (next_ms < INT64_MAX)
        table_arm_flush(table, next_ms);
}

void bk_partitions_sync_by(struct bk_partitions *table, struct bk_partition *p, int64_t delay_ms)
{
    if (p->waiting)
        return;
    p->waiting = true;
    p->sync_due_ms = io_clock_mono_ms(table->spec.ports.clock) + delay_ms;
    p->next_waiting = table->waiting;
    table->waiting = bk_partition_ref(p);
    table_arm_flush(table, p->sync_due_ms);
}

void bk_partitions_full(struct bk_partitions *table, const char *why)
{
    int64_t now_ms = io_clock_mono_ms(table->spec.ports.clock);
    if (now_ms - table->full_said_ms < FULL_SAY_MS)
        return;
    table->full_said_ms = now_ms;
    bs_log(&event_disk_full, "%s", why);
}

/* ---- folders
 * ------------------------------------------------------------------------------------- */

static char *partition_dir(const struct bk_partitions *table, const struct bk_topic *topic,
                           int32_t index)
{
    return bs_asprintf("%s/%s-%" PRId32, table->dir, topic->name, index);
}

/* Closes a removed partition's log and frees its space; no sync is under way. */
static void partition_drop(struct bk_partitions *table, struct bk_partition *p)
{
    struct io_files *files = table->spec.ports.files;
    bk_log_close(p->log);
    p->log = NULL;
    if (p->gone)
        files->remove_later(files, p->gone);
}

/* Takes a removed partition's folder out of the way at once, also while a sync is under way: a new
 * topic of the same name may come before its end, and the folder of that name is then the new
 * one's. */
static void partition_remove(struct bk_partitions *table, struct bk_partition *p)
{
    struct io_files *files = table->spec.ports.files;
    struct bs_error err = {0};
    char id[23];
    bk_uuid_text(&p->topic->id, id);
    char *dir = partition_dir(table, p->topic, p->index);
    p->gone =
        bs_asprintf("%s/%.100s-%" PRId32 ".%s-delete", table->dir, p->topic->name, p->index, id);
    if (p->log)
        bk_log_abandon(p->log);
    if (files->rename(files, dir, p->gone, &err) != 0) {
        bs_log(&event_delete, "%s", err.text);
        bs_free(p->gone);
        p->gone = NULL;
    }
    if (!p->syncing)
        partition_drop(table, p);
    bs_free(dir);
}

/* The topic id that a folder says; false: none can be read. */
static bool folder_topic_id(struct bk_partitions *table, const char *dir, char out[23])
{
    char *path = bs_asprintf("%s/partition.metadata", dir);
    char *text = NULL;
    size_t len = 0;
    int version = -1;
    int rc = io_files_read_all(table->spec.ports.files, path, 1024, &text, &len, NULL);
    /* The end of the line counts: the file is not synced, and may be cut by a crash. */
    bool found = rc == 0 && sscanf(text, "version: %d topic_id: %22s", &version, out) == 2 &&
                 len > 0 && text[len - 1] == '\n' && strlen(out) == 22;
    bs_free(text);
    bs_free(path);
    return found;
}

/* Makes the partition's folder, or sets one aside that is another topic's. */
static int folder_prepare(struct bk_partitions *table, const struct bk_topic *topic,
                          const char *dir, struct bs_error *err)
{
    struct io_files *files = table->spec.ports.files;
    char want[23], have[23];
    bk_uuid_text(&topic->id, want);
    if (folder_topic_id(table, dir, have)) {
        if (strcmp(want, have) == 0)
            return 0;
        char *aside = bs_asprintf("%s.%s-stray", dir, have);
        int rc = files->rename(files, dir, aside, err);
        bs_log(&event_stray, "%s has topic id %s, the topic has %s", aside, have, want);
        bs_free(aside);
        if (rc)
            return rc;
    }
    int rc = files->mkdir(files, dir, err);
    if (rc)
        return rc;
    char *path = bs_asprintf("%s/partition.metadata", dir);
    char *text = bs_asprintf("version: 0\ntopic_id: %s\n", want);
    struct io_file *file = NULL;
    rc = files->open(files, path, IO_OPEN_WRITE | IO_OPEN_CREATE | IO_OPEN_TRUNCATE, &file, err);
    struct iovec vec = {.iov_base = text, .iov_len = strlen(text)};
    if (!rc) /* not synced: one that is lost is written again */
        rc = files->write_at(files, file, &vec, 1, 0, err);
    if (file)
        files->close(files, file);
    bs_free(text);
    bs_free(path);
    return rc;
}

static int leftover_entry(void *ctx, const char *name)
{
    struct bk_partitions *table = ctx;
    const char *dash = strrchr(name, '-');
    if (dash && strcmp(dash, "-delete") == 0) {
        char *dir = bs_asprintf("%s/%s", table->dir, name);
        table->spec.ports.files->remove_later(table->spec.ports.files, dir);
        bs_free(dir);
    }
    return 0;
}

/* ---- topics come and go
 * ----------------------------------------------------------------------------- */

static void table_add(struct bk_partitions *table, const struct bk_topic *topic)
{
    struct io_files *files = table->spec.ports.files;
    struct table_topic *t = table_find(table, &topic->id);
    if (!t) {
        t = bs_new(struct table_topic);
        t->id = topic->id;
        HASH_ADD(hh, table->by_id, id, sizeof t->id, t);
    }
    if (topic->partition_count <= t->count)
        return;
    t->list = bs_realloc(t->list, (size_t)topic->partition_count * sizeof *t->list);
    for (int32_t i = t->count; i < topic->partition_count; i++) {
        struct bs_error err = {0};
        struct bk_partition *p = bk_partition_new(table, topic, i);
        char *dir = partition_dir(table, topic, i);
        if (folder_prepare(table, topic, dir, &err) == 0)
            bk_partition_start(p, dir);
        else
            bk_partition_offline(p, err.text);
        bs_free(dir);
        t->list[i] = p;
        table->partition_count++;
    }
    t->count = topic->partition_count;
    if (!table->opening) {
        struct bs_error err = {0};
        if (files->sync_dir(files, table->dir, &err) != 0)
            for (int32_t i = 0; i < t->count; i++)
                bk_partition_offline(t->list[i], err.text);
    }
}

static void table_remove(struct bk_partitions *table, const struct bk_topic *topic)
{
    struct table_topic *t = table_find(table, &topic->id);
    if (!t)
        return;
    HASH_DEL(table->by_id, t);
    for (int32_t i = 0; i < t->count; i++) {
        struct bk_partition *p = t->list[i];
        p->error = KP_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        p->removing = true;
        bk_waiter_moved(p);
        partition_remove(table, p);
        bk_partition_unref(p);
        table->partition_count--;
    }
    bs_free(t->list);
    bs_free(t);
}

static void table_topic_changed(void *ctx, const struct bk_topic *before,
                                const struct bk_topic *after)
{
    struct bk_partitions *table = ctx;
    if (!after) {
        table_remove(table, before);
        return;
    }
    struct table_topic *t = table_find(table, &after->id);
    for (int32_t i = 0; t && i < t->count; i++)
        bk_partition_update(t->list[i], after);
    table_add(table, after);
}

static const struct bk_metadata_observer table_observer = {.topic_changed = table_topic_changed};

/* ---- retention
 * --------------------------------------------------------------------------------------- */

static void table_retain(void *ctx)
{
    struct bk_partitions *table = ctx;
    struct table_topic *t, *next;
    HASH_ITER (hh, table->by_id, t, next) {
        for (int32_t i = 0; i < t->count; i++) {
            struct bk_partition *p = t->list[i];
            struct bs_error err = {0};
            int64_t freed = 0;
            if (p->error || p->syncing)
                continue; /* next time */
            int rc = bk_log_retain(p->log, p->high_watermark, &freed, &err);
            if (rc == BS_ENOSPC)
                bk_partitions_full(table, err.text);
            else if (rc)
                bk_partition_offline(p, err.text);
            if (freed > 0)
                bs_log(&event_retained, "%s-%" PRId32 ": %" PRId64 " bytes, log start %" PRId64,
                       p->topic->name, p->index, freed, bk_log_start(p->log));
        }
    }
    io_timer_start(table->retain_timer,
                   bs_config_int(table->spec.config, "log.retention.check.interval.ms"));
}

/* ---- open, stop
 * ----------------------------------------------------------------------------------------- */

int bk_partitions_open(const struct bk_partitions_spec *spec, struct bk_partitions **ret,
                       struct bs_error *err)
{
    struct bk_partitions *table = bs_new(struct bk_partitions);
    table->spec = *spec;
    table->dir = bs_strdup(spec->dir);
    table->flush_at_ms = INT64_MAX;
    table->full_said_ms = INT64_MIN / 2;
    table->waiter = bk_waiter_new(spec->loop, spec->ports.clock);
    table->flush_timer = io_timer_new(spec->loop, table_flush_due, table);
    table->retain_timer = io_timer_new(spec->loop, table_retain, table);
    int rc = spec->ports.files->list(spec->ports.files, table->dir, leftover_entry, table, err);
    if (rc) {
        bk_partitions_close(table);
        return rc;
    }
    int64_t began_us = io_clock_mono_us(spec->ports.clock);
    table->opening = true;
    bk_metadata_observe(spec->metadata, &table_observer, table);
    table->opening = false;
    rc = spec->ports.files->sync_dir(spec->ports.files, table->dir, err);
    if (rc) {
        bk_partitions_close(table);
        return rc;
    }
    bs_log(&event_opened, "%" PRId64 " partitions in %" PRId64 " ms", table->partition_count,
           (io_clock_mono_us(spec->ports.clock) - began_us) / 1000);
    io_timer_start(table->retain_timer,
                   bs_config_int(spec->config, "log.retention.check.interval.ms"));
    *ret = table;
    return 0;
}

static void table_seal(void *ctx)
{
    struct bk_partitions *table = ctx;
    struct table_topic *t, *next;
    HASH_ITER (hh, table->by_id, t, next) {
        for (int32_t i = 0; i < t->count; i++) {
            struct bs_error err = {0};
            if (t->list[i]->error == 0 && bk_log_seal(t->list[i]->log, &err) != 0)
                bk_partition_offline(t->list[i], err.text);
        }
    }
    if (table->stopped) {
        io_call *stopped = table->stopped;
        table->stopped = NULL;
        stopped(table->stopped_ctx);
    }
}

static bool table_syncing(const struct bk_partitions *table)
{
    const struct table_topic *t, *next;
    HASH_ITER (hh, table->by_id, t, next) {
        for (int32_t i = 0; i < t->count; i++)
            if (t->list[i]->syncing)
                return true;
    }
    return false;
}

void bk_partitions_synced(struct bk_partitions *table, struct bk_partition *p)
{
    if (p->removing && !p->syncing && p->log)
        partition_drop(table, p);
    if (table->stopped && !table_syncing(table))
        table_seal(table);
}

void bk_partitions_stop(struct bk_partitions *table, io_call *done, void *ctx)
{
    io_timer_stop(table->flush_timer);
    io_timer_stop(table->retain_timer);
    table->stopped = done;
    table->stopped_ctx = ctx;
    if (!table_syncing(table))
        io_loop_post(table->spec.loop, table_seal, table);
}

void bk_partitions_close(struct bk_partitions *table)
{
    if (!table)
        return;
    bk_waiter_free(table->waiter);
    io_timer_free(table->flush_timer);
    io_timer_free(table->retain_timer);
    while (table->waiting) {
        struct bk_partition *p = table->waiting;
        table->waiting = p->next_waiting;
        bk_partition_unref(p);
    }
    struct table_topic *t, *next;
    HASH_ITER (hh, table->by_id, t, next) {
        HASH_DEL(table->by_id, t);
        for (int32_t i = 0; i < t->count; i++)
            bk_partition_unref(t->list[i]);
        bs_free(t->list);
        bs_free(t);
    }
    table->closed = true;
    if (!table->posted)
        table_free(table); /* else the post that is under way does */
}
