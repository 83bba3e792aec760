/* Metadata: every change of the cluster is a batch of records appended to `__cluster_metadata-0`,
 * synced, then applied to the image. Start-up is the same replay. One node is the quorum of one.
 *
 * Owner: the loop thread. The change functions check at once; what they find wrong is their return
 * value, a Kafka error code (> 0, and a sentence), and `done` is not called then. 0: done is called
 * when the change is on disk and in the image (error 0), or could not be (a Kafka error). */
#ifndef WEIR_BROKER_CLUSTER_METADATA_H
#define WEIR_BROKER_CLUSTER_METADATA_H

#include "broker/cluster/image.h"
#include "broker/log/log.h"
#include "lib/io/loop.h"

struct bk_metadata;

typedef void bk_metadata_done(void *ctx, int16_t error);

/* Told on the loop thread, in the order of the records, before a change's `done`; also for every
 * topic found at open (as created), when observe is called. */
struct bk_metadata_observer {
    void (*topic_changed)(void *ctx, const struct bk_topic *before /* or NULL */,
                          const struct bk_topic *after /* or NULL: removed */);
};

struct bk_metadata_spec {
    const char *dir; /* the data folder; the log is dir/__cluster_metadata-0 */
    struct bk_log_ports ports;
    struct io_loop *loop;
    const struct bs_config *config; /* has bk_storage_options and bk_cluster_options; outlives it */
    int32_t node_id;
};

/* Takes the lock of the folder (.lock), so that no second broker uses it. cluster.id comes from
 * dir/meta.properties, made at the first start; a node id other than the one there is refused.
 * Bumps the leader epoch of every partition. */
int bk_metadata_open(const struct bk_metadata_spec *spec, struct bk_metadata **ret,
                     struct bs_error *err);
void bk_metadata_close(struct bk_metadata *metadata); /* nothing under way; accepts NULL */
int bk_metadata_seal(struct bk_metadata *metadata, struct bs_error *err); /* orderly stop */
void bk_metadata_observe(struct bk_metadata *metadata, const struct bk_metadata_observer *observer,
                         void *ctx); /* up to 8; the struct outlives it */

const struct bk_image *bk_metadata_image(const struct bk_metadata *metadata);
const char *bk_metadata_cluster_id(const struct bk_metadata *metadata);
int32_t bk_metadata_node_id(const struct bk_metadata *metadata);
const struct bs_config *bk_metadata_config(const struct bk_metadata *metadata);
bool bk_metadata_failed(const struct bk_metadata *metadata); /* the disk failed: no more changes */

/* ---- topics --------------------------------------------------------------------------------- */

struct bk_topic_spec {
    const char *name;
    int32_t partition_count;    /* -1: num.partitions */
    int16_t replication_factor; /* -1: default; more than there are brokers: refused, but internal
                                   topics take what there is */
    /* Manual assignment instead of the two above: assignment_count partitions, each with its
     * replicas; the first replica leads. */
    const struct bk_assignment {
        int32_t partition;
        const int32_t *brokers;
        size_t broker_count;
    } * assignments;
    size_t assignment_count;
    const struct bk_setting *settings;
    size_t setting_count;
    bool validate_only; /* done is called, nothing is written */
    bool internal;      /* made by the broker itself */
};
int bk_metadata_create_topic(struct bk_metadata *metadata, const struct bk_topic_spec *spec,
                             bk_metadata_done *done, void *ctx, struct bs_error *err);
int bk_metadata_delete_topic(struct bk_metadata *metadata, const struct bk_topic *topic,
                             bk_metadata_done *done, void *ctx, struct bs_error *err);
int bk_metadata_create_partitions(struct bk_metadata *metadata, const struct bk_topic *topic,
                                  int32_t count, const struct bk_assignment *assignments,
                                  size_t assignment_count, bool validate_only,
                                  bk_metadata_done *done, void *ctx, struct bs_error *err);

/* ---- configs --------------------------------------------------------------------------------- */

enum bk_config_op { BK_CONFIG_SET, BK_CONFIG_DELETE, BK_CONFIG_APPEND, BK_CONFIG_SUBTRACT };
struct bk_config_change {
    const char *name, *value; /* value NULL only for DELETE */
    enum bk_config_op op;     /* IncrementalAlterConfigs' numbers */
};
enum bk_resource { BK_RESOURCE_TOPIC = 2, BK_RESOURCE_BROKER = 4, BK_RESOURCE_GROUP = 32 };
/* `replace`: the changes are the whole new set (AlterConfigs). */
int bk_metadata_alter_configs(struct bk_metadata *metadata, int8_t resource_type, const char *name,
                              const struct bk_config_change *changes, size_t count, bool replace,
                              bool validate_only, bk_metadata_done *done, void *ctx,
                              struct bs_error *err);

/* ---- producer ids ------------------------------------------------------------------------------
 */

/* A producer id never given before, also not before a crash. BS_EBUSY: the next block is on its
 * way to the disk (answer COORDINATOR_LOAD_IN_PROGRESS). */
int bk_metadata_producer_id(struct bk_metadata *metadata, int64_t *ret);

#endif
