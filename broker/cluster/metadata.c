/* Metadata: opens and replays the metadata log, and takes changes to it: append, sync, apply, tell.
 *
 * The log is a bk_log in `__cluster_metadata-0`; a batch is one change, all or nothing. A change is
 * applied to the image only when it is on disk; changes that come while a sync is under way share
 * the next. meta.properties (Kafka's text) holds cluster.id and node.id. After a failed sync no
 * more changes are taken: what is on disk is unknown until a restart reads it. Owner: the loop
 * thread. */
#include "broker/cluster/metadata_state.h"

#include "lib/base/mem.h"
#include "lib/kafka/errors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RESERVE_BYTES = 64 << 10 };

static const struct bs_event event_failed = {
    "broker.metadata_failed", BS_LOG_ERROR,
    "The metadata log could not be written; topics and configs cannot be changed until the broker "
    "is restarted. Check the disk."};
static const struct bs_event event_skipped = {
    "broker.metadata_unknown", BS_LOG_WARN,
    "A record of a type this version does not know was passed over."};

/* ---- meta.properties ----------------------------------------------------------------------------
 */

static int meta_make(struct bk_metadata *metadata, const char *path, struct bs_error *err)
{
    struct bk_uuid cluster, directory;
    char directory_id[23];
    io_random_uuid(metadata->spec.ports.random, cluster.bytes);
    io_random_uuid(metadata->spec.ports.random, directory.bytes);
    char id[23];
    bk_uuid_text(&cluster, id);
    bk_uuid_text(&directory, directory_id);
    snprintf(metadata->cluster_id, sizeof metadata->cluster_id, "%s", id);
    char *text = bs_asprintf("version=1\ncluster.id=%s\nnode.id=%" PRId32 "\ndirectory.id=%s\n", id,
                             metadata->spec.node_id, directory_id);
    int rc = io_files_write_all(metadata->spec.ports.files, metadata->dir, path, text, strlen(text),
                                err);
    bs_free(text);
    return rc;
}

static int meta_open(struct bk_metadata *metadata, struct bs_error *err)
{
    char *path = bs_asprintf("%s/meta.properties", metadata->dir);
    char *text = NULL;
    size_t len = 0;
    bool has_node = false;
    int32_t node = -1;
    int rc = io_files_read_all(metadata->spec.ports.files, path, 65536, &text, &len, err);
    if (rc == BS_ENOTFOUND) {
        rc = meta_make(metadata, path, err);
        goto done;
    }
    if (rc)
        goto done;
    char *save = NULL;
    for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        sscanf(line, "cluster.id=%63s", metadata->cluster_id);
        has_node |= sscanf(line, "node.id=%" SCNd32, &node) == 1;
    }
    if (!metadata->cluster_id[0] || !has_node)
        rc = bs_error_set(err, BS_ECORRUPT, "%s: cluster.id or node.id is missing", path);
    else if (node != metadata->spec.node_id)
        rc = bs_error_set(err, BS_ECONFLICT,
                          "%s: this folder belongs to node.id %" PRId32
                          ", the broker is started with %" PRId32 "; set node.id or another folder",
                          path, node, metadata->spec.node_id);
done:
    bs_free(text);
    bs_free(path);
    return rc;
}

/* ---- apply
 * --------------------------------------------------------------------------------------- */

static void metadata_tell(void *ctx, const struct bk_topic *before, const struct bk_topic *after)
{
    struct bk_metadata *metadata = ctx;
    for (size_t i = 0; i < metadata->observer_count; i++)
        metadata->observers[i]->topic_changed(metadata->observer_ctx[i], before, after);
}

static int metadata_apply(struct bk_metadata *metadata, const uint8_t *bytes,
                          const struct kp_batch *batch, struct bs_error *err)
{
    struct kp_record_reader reader;
    struct kp_record record;
    int rc;
    if (kp_batch_is_control(batch))
        return 0;
    kp_record_reader_init(&reader, batch, kp_batch_payload(bytes, batch));
    while ((rc = kp_record_reader_next(&reader, &record)) == 0) {
        struct bk_record change;
        rc = bk_record_decode(record.value, &change);
        if (rc == 1)
            bs_log(&event_skipped, "record of type %d at offset %" PRId64, (int)change.type,
                   record.offset);
        else if (!rc)
            rc = bk_image_apply(metadata->image, &change, err);
        else
            bs_error_set(err, rc, "cannot be decoded");
        if (rc < 0)
            return bs_error_wrap(err, "metadata record at offset %" PRId64, record.offset);
    }
    bk_image_commit(metadata->image, metadata_tell, metadata);
    return rc == 1 ? 0
                   : bs_error_set(err, rc, "metadata batch at offset %" PRId64 " is malformed",
                                  batch->base_offset);
}

static int metadata_replay(struct bk_metadata *metadata, struct bs_error *err)
{
    struct bs_buf buf = BS_BUF_INIT;
    int64_t offset = bk_log_start(metadata->log), end = bk_log_end(metadata->log);
    int rc = 0;
    while (offset < end && !rc) {
        bs_buf_reset(&buf);
        rc = bk_log_read(metadata->log, offset, end, 1 << 20, true, &buf, err);
        if (!rc && buf.len == 0)
            break;
        for (size_t at = 0; at < buf.len && !rc;) {
            struct kp_batch batch;
            rc = kp_batch_peek(buf.data + at, buf.len - at, &batch);
            if (!rc)
                rc = metadata_apply(metadata, buf.data + at, &batch, err);
            at += batch.size;
            offset = kp_batch_last_offset(&batch) + 1;
        }
    }
    bs_buf_deinit(&buf);
    return rc;
}

/* ---- changes
 * -------------------------------------------------------------------------------------- */

struct bk_change *bk_change_new(const char *topic)
{
    struct bk_change *change = bs_new(struct bk_change);
    struct kp_batch_options options = KP_BATCH_OPTIONS_INIT;
    kp_batch_builder_init(&change->builder, &options);
    change->topic = bs_strdup(topic);
    return change;
}

void bk_change_free(struct bk_change *change)
{
    if (!change)
        return;
    kp_batch_builder_deinit(&change->builder);
    bs_free(change->topic);
    bs_free(change);
}

void bk_change_add(struct bk_change *change, const struct bk_record *record)
{
    struct bs_buf buf = BS_BUF_INIT;
    bk_record_encode(record, &buf);
    kp_batch_builder_append(&change->builder, 0, bs_bytes(NULL, 0), bs_buf_bytes(&buf), NULL, 0);
    bs_buf_deinit(&buf);
}

bool bk_metadata_pending(const struct bk_metadata *metadata, const char *topic)
{
    for (const struct bk_change *c = metadata->first; c; c = c->next)
        if (c->topic && strcmp(c->topic, topic) == 0)
            return true;
    return false;
}

/* Some space is kept in dir/.reserve, so that on a full disk the changes that free space (a topic
 * removed, its retention lowered) and a start can still be written. */
static void reserve_make(struct bk_metadata *metadata)
{
    struct io_files *files = metadata->spec.ports.files;
    static const uint8_t zeros[RESERVE_BYTES];
    int64_t size = 0, mtime_ms = 0, space = 0;
    char *path = bs_asprintf("%s/.reserve", metadata->dir);
    if (files->stat(files, path, &size, &mtime_ms, NULL) != 0 || size != RESERVE_BYTES)
        metadata->reserved =
            files->free_space(files, metadata->dir, &space, NULL) == 0 &&
            space > 4 * RESERVE_BYTES &&
            io_files_write_all(files, metadata->dir, path, zeros, RESERVE_BYTES, NULL) == 0;
    else
        metadata->reserved = true;
    bs_free(path);
}

static bool reserve_spend(struct bk_metadata *metadata)
{
    struct io_files *files = metadata->spec.ports.files;
    char *path = bs_asprintf("%s/.reserve", metadata->dir);
    bool freed = metadata->reserved && files->unlink(files, path, NULL) == 0;
    metadata->reserved = false;
    bs_free(path);
    return freed;
}

static void metadata_sync(struct bk_metadata *metadata);

static void metadata_synced(void *ctx, int result)
{
    struct bk_metadata *metadata = ctx;
    metadata->syncing = false;
    if (result) {
        metadata->failed = true;
        bs_log(&event_failed, "sync of %s: %s", bk_log_dir(metadata->log), bs_strerror(result));
    }
    while (metadata->first &&
           (metadata->failed || metadata->first->end_offset <= metadata->sync_end)) {
        struct bk_change *change = metadata->first;
        struct bs_error err = {0};
        struct kp_batch batch;
        int16_t error = metadata->failed ? KP_ERR_KAFKA_STORAGE_ERROR : 0;
        if (!error && (kp_batch_peek(change->batch.ptr, change->batch.len, &batch) ||
                       metadata_apply(metadata, change->batch.ptr, &batch, &err))) {
            error = KP_ERR_UNKNOWN_SERVER_ERROR;
            bs_log(&event_failed, "%s", err.text);
        }
        metadata->first = change->next;
        if (!metadata->first)
            metadata->last = NULL;
        if (change->done)
            change->done(change->ctx, error);
        bk_change_free(change);
    }
    if (!metadata->reserved && !metadata->failed)
        reserve_make(metadata);
    if (metadata->first && !metadata->syncing)
        metadata_sync(metadata);
}

static void metadata_sync(struct bk_metadata *metadata)
{
    metadata->syncing = true;
    metadata->sync_end = bk_log_end(metadata->log);
    bk_log_sync_start(metadata->log, metadata_synced, metadata);
}

static int metadata_append(struct bk_metadata *metadata, struct bk_change *change,
                           struct bs_error *err)
{
    struct bs_error why = {0};
    int rc = kp_batch_builder_finish(&change->builder, &change->batch);
    if (rc)
        return bs_error_set(err, KP_ERR_UNKNOWN_SERVER_ERROR, "metadata change: %s",
                            bs_strerror(rc));
    struct bk_append append = {
        .records = (uint8_t *)change->batch.ptr,
        .len = change->batch.len,
        .origin = BK_ORIGIN_COORDINATOR,
        .leader_epoch = 0,
    };
    rc = bk_log_append(metadata->log, &append, &why);
    if (rc == BS_ENOSPC && reserve_spend(metadata))
        rc = bk_log_append(metadata->log, &append, &why);
    if (rc && rc != BS_ENOSPC)
        metadata->failed = true;
    if (rc || append.error) {
        bs_log(&event_failed, "append: %s", rc ? why.text : append.error_text);
        return bs_error_set(err, KP_ERR_KAFKA_STORAGE_ERROR, "the metadata log: %s",
                            rc ? why.text : append.error_text);
    }
    change->end_offset = append.last_offset + 1;
    return 0;
}

int bk_metadata_propose(struct bk_metadata *metadata, struct bk_change *change,
                        bk_metadata_done *done, void *ctx, struct bs_error *err)
{
    int error = metadata->failed ? bs_error_set(err, KP_ERR_KAFKA_STORAGE_ERROR,
                                                "the metadata log has failed; see the broker's log")
                                 : metadata_append(metadata, change, err);
    if (error) {
        bk_change_free(change);
        return error;
    }
    change->done = done;
    change->ctx = ctx;
    change->metadata = metadata;
    *(metadata->last ? &metadata->last->next : &metadata->first) = change;
    metadata->last = change;
    if (!metadata->syncing)
        metadata_sync(metadata);
    return 0;
}

static void metadata_nothing_done(void *ctx)
{
    struct bk_change *change = ctx;
    if (change->done)
        change->done(change->ctx, 0);
    bk_change_free(change);
}

int bk_metadata_nothing(struct bk_metadata *metadata, bk_metadata_done *done, void *ctx)
{
    struct bk_change *change = bk_change_new(NULL);
    change->done = done;
    change->ctx = ctx;
    io_loop_post(metadata->spec.loop, metadata_nothing_done, change);
    return 0;
}

/* ---- open
 * ------------------------------------------------------------------------------------------ */

/* A change made before anybody is served: on disk and in the image when it returns. */
static int metadata_change_now(struct bk_metadata *metadata, struct bk_change *change,
                               struct bs_error *err)
{
    struct kp_batch batch;
    int rc = metadata_append(metadata, change, err) ? BS_EIO : 0;
    if (!rc)
        rc = bk_log_sync(metadata->log, err);
    if (!rc)
        rc = kp_batch_peek(change->batch.ptr, change->batch.len, &batch);
    if (!rc)
        rc = metadata_apply(metadata, change->batch.ptr, &batch, err);
    bk_change_free(change);
    return rc;
}

static void metadata_add_ids(struct bk_metadata *metadata, struct bk_change *change,
                             int64_t next_producer_id)
{
    bk_change_add(change, &(struct bk_record){.type = BK_RECORD_PRODUCER_IDS,
                                              .broker_id = metadata->spec.node_id,
                                              .next_producer_id = next_producer_id});
}

/* Every start is a new leader epoch for every partition, so that clients notice a log that came
 * back shorter; and takes a fresh block of producer ids. */
static int metadata_start_epoch(struct bk_metadata *metadata, struct bs_error *err)
{
    struct bk_change *change = bk_change_new(NULL);
    for (const struct bk_topic *t = bk_image_topic_next(metadata->image, NULL); t;
         t = bk_image_topic_next(metadata->image, t->name))
        for (int32_t i = 0; i < t->partition_count; i++)
            bk_change_add(change, &(struct bk_record){.type = BK_RECORD_PARTITION_CHANGE,
                                                      .topic_id = t->id,
                                                      .partition = i,
                                                      .leader = metadata->spec.node_id});
    metadata->id_next = bk_image_next_producer_id(metadata->image);
    metadata->id_end = metadata->id_next + BK_PRODUCER_BLOCK;
    metadata_add_ids(metadata, change, metadata->id_end);
    return metadata_change_now(metadata, change, err);
}

int bk_metadata_open(const struct bk_metadata_spec *spec, struct bk_metadata **ret,
                     struct bs_error *err)
{
    struct bk_metadata *metadata = bs_new(struct bk_metadata);
    struct bk_log_config config = bk_log_config_default();
    config.remove = false; /* the whole history is the state */
    config.segment_bytes = 64 << 20;
    metadata->spec = *spec;
    metadata->dir = bs_strdup(spec->dir);
    metadata->image = bk_image_new();
    char *dir = bs_asprintf("%s/__cluster_metadata-0", spec->dir);
    char *lock = bs_asprintf("%s/.lock", spec->dir);
    int rc = spec->ports.files->mkdir(spec->ports.files, spec->dir, err);
    if (!rc)
        rc = spec->ports.files->lock(spec->ports.files, lock, &metadata->lock, err);
    if (!rc)
        rc = meta_open(metadata, err);
    if (!rc)
        rc = bk_log_open(dir, &config, &spec->ports, &metadata->log, NULL, err);
    if (!rc) /* the log's folder may be new */
        rc = spec->ports.files->sync_dir(spec->ports.files, spec->dir, err);
    if (!rc)
        rc = metadata_replay(metadata, err);
    if (!rc)
        reserve_make(metadata);
    if (!rc)
        rc = metadata_start_epoch(metadata, err);
    bs_free(dir);
    bs_free(lock);
    if (rc) {
        bk_metadata_close(metadata);
        return rc;
    }
    *ret = metadata;
    return 0;
}

int bk_metadata_seal(struct bk_metadata *metadata, struct bs_error *err)
{
    return metadata->failed ? 0 : bk_log_seal(metadata->log, err);
}

void bk_metadata_close(struct bk_metadata *metadata)
{
    if (!metadata)
        return;
    while (metadata->first) {
        struct bk_change *change = metadata->first;
        metadata->first = change->next;
        bk_change_free(change);
    }
    bk_log_close(metadata->log);
    bk_image_free(metadata->image);
    if (metadata->lock)
        metadata->spec.ports.files->close(metadata->spec.ports.files, metadata->lock);
    bs_free(metadata->dir);
    bs_free(metadata);
}

void bk_metadata_observe(struct bk_metadata *metadata, const struct bk_metadata_observer *observer,
                         void *ctx)
{
    if (metadata->observer_count == BK_OBSERVERS_MAX)
        abort(); /* a bug: observers are few and fixed */
    metadata->observers[metadata->observer_count] = observer;
    metadata->observer_ctx[metadata->observer_count++] = ctx;
    for (const struct bk_topic *t = bk_image_topic_next(metadata->image, NULL); t;
         t = bk_image_topic_next(metadata->image, t->name))
        observer->topic_changed(ctx, NULL, t);
}

const struct bk_image *bk_metadata_image(const struct bk_metadata *metadata)
{
    return metadata->image;
}

const char *bk_metadata_cluster_id(const struct bk_metadata *metadata)
{
    return metadata->cluster_id;
}

int32_t bk_metadata_node_id(const struct bk_metadata *metadata)
{
    return metadata->spec.node_id;
}

const struct bs_config *bk_metadata_config(const struct bk_metadata *metadata)
{
    return metadata->spec.config;
}

bool bk_metadata_failed(const struct bk_metadata *metadata)
{
    return metadata->failed;
}

/* ---- producer ids
 * ------------------------------------------------------------------------------------ */

static void metadata_ids_done(void *ctx, int16_t error)
{
    struct bk_metadata *metadata = ctx;
    metadata->id_asked = false;
    if (error)
        return; /* asked again when one is needed */
    metadata->spare_end = bk_image_next_producer_id(metadata->image);
    metadata->spare_next = metadata->spare_end - BK_PRODUCER_BLOCK;
}

static void metadata_ask_ids(struct bk_metadata *metadata)
{
    if (metadata->id_asked || metadata->spare_next < metadata->spare_end)
        return;
    struct bk_change *change = bk_change_new(NULL);
    metadata_add_ids(metadata, change,
                     bk_image_next_producer_id(metadata->image) + BK_PRODUCER_BLOCK);
    metadata->id_asked =
        bk_metadata_propose(metadata, change, metadata_ids_done, metadata, NULL) == 0;
}

int bk_metadata_producer_id(struct bk_metadata *metadata, int64_t *ret)
{
    if (metadata->id_next == metadata->id_end) {
        metadata->id_next = metadata->spare_next;
        metadata->id_end = metadata->spare_end;
        metadata->spare_next = metadata->spare_end = 0;
    }
    if (metadata->id_end - metadata->id_next < BK_PRODUCER_BLOCK / 2)
        metadata_ask_ids(metadata);
    if (metadata->id_next == metadata->id_end)
        return metadata->failed ? BS_EIO : BS_EBUSY;
    *ret = metadata->id_next++;
    return 0;
}
