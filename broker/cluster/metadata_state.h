/* What the files of bk_metadata share. Not for others. */
#ifndef WEIR_BROKER_CLUSTER_METADATA_STATE_H
#define WEIR_BROKER_CLUSTER_METADATA_STATE_H

#include "broker/cluster/image_edit.h"
#include "broker/cluster/metadata.h"
#include "broker/cluster/topic_config.h"
#include "lib/base/log.h"
#include "lib/kafka/record_batch.h"

enum { BK_OBSERVERS_MAX = 8, BK_PRODUCER_BLOCK = 1000 };

/* A change on its way to the disk. */
struct bk_change {
    struct kp_batch_builder builder;
    struct bs_bytes batch; /* in builder */
    int64_t end_offset;    /* of the log behind it */
    char *topic;           /* whose change it is, NULL: none */
    bk_metadata_done *done;
    void *ctx;
    struct bk_metadata *metadata;
    struct bk_change *next;
};

struct bk_metadata {
    struct bk_metadata_spec spec;
    char *dir;
    char cluster_id[64];
    struct bk_image *image;
    struct bk_log *log;
    struct io_file *lock;
    struct bk_change *first, *last; /* in order of the log */
    bool syncing, failed;
    bool reserved;    /* dir/.reserve is there */
    int64_t sync_end; /* what the sync under way covers */
    const struct bk_metadata_observer *observers[BK_OBSERVERS_MAX];
    void *observer_ctx[BK_OBSERVERS_MAX];
    size_t observer_count;
    /* Producer ids [id_next, id_end), then [spare_next, spare_end). */
    int64_t id_next, id_end, spare_next, spare_end;
    bool id_asked;
};

struct bk_change *bk_change_new(const char *topic);
void bk_change_free(struct bk_change *change);
void bk_change_add(struct bk_change *change, const struct bk_record *record);
/* Takes the change over: appends, syncs, applies, then done. Returns a Kafka error code when it
 * could not be begun (the change is freed, done is not called). */
int bk_metadata_propose(struct bk_metadata *metadata, struct bk_change *change,
                        bk_metadata_done *done, void *ctx, struct bs_error *err);
/* done later, without a change (validate_only). */
int bk_metadata_nothing(struct bk_metadata *metadata, bk_metadata_done *done, void *ctx);
bool bk_metadata_pending(const struct bk_metadata *metadata, const char *topic);

#endif
