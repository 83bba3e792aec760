/* Image: what the metadata log says, as tables: topics by name and id, partitions, configs.
 *
 * Only bk_metadata changes it, on the loop thread. A topic is immutable: a change puts a new
 * struct bk_topic in its place; who keeps one across callbacks takes a reference. */
#ifndef WEIR_BROKER_CLUSTER_IMAGE_H
#define WEIR_BROKER_CLUSTER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk_uuid {
    uint8_t bytes[16];
};
bool bk_uuid_is_zero(const struct bk_uuid *id);
bool bk_uuid_equal(const struct bk_uuid *a, const struct bk_uuid *b);
/* Kafka's text form, base64url without padding: 22 characters and NUL. */
void bk_uuid_text(const struct bk_uuid *id, char out[23]);

struct bk_setting {
    char *name, *value;
};

struct bk_replica_set { /* of one partition */
    int32_t leader, leader_epoch, partition_epoch;
    int32_t *replicas, *isr;
    size_t replica_count, isr_count;
};

struct bk_topic {
    char *name;
    struct bk_uuid id;
    bool internal; /* __consumer_offsets, __transaction_state */
    struct bk_replica_set *partitions;
    int32_t partition_count;
    struct bk_setting *settings; /* overrides, by name */
    size_t setting_count;
    int refs; /* loop thread only */
};
struct bk_topic *bk_topic_ref(const struct bk_topic *topic);
void bk_topic_unref(struct bk_topic *topic); /* accepts NULL */
/* The override's value, or NULL. */
const char *bk_topic_setting(const struct bk_topic *topic, const char *name);

struct bk_image;
const struct bk_topic *bk_image_topic(const struct bk_image *image, const char *name, size_t len);
const struct bk_topic *bk_image_topic_by_id(const struct bk_image *image, const struct bk_uuid *id);
size_t bk_image_topic_count(const struct bk_image *image);
int64_t bk_image_partition_count(const struct bk_image *image);
/* Topics ordered by name: the first for NULL, else the one behind `name`; NULL at the end. `name`
 * need not exist any more. */
const struct bk_topic *bk_image_topic_next(const struct bk_image *image, const char *name);
/* Settings of resources that are not topics ("broker" id "1" or "", "group", "client-metrics"). */
const struct bk_setting *bk_image_settings(const struct bk_image *image, int8_t resource_type,
                                           const char *name, size_t *ret_count);

/* Kafka's rules: 1..249 of a-zA-Z0-9._-, not "." or "..". */
bool bk_topic_name_valid(const char *name, size_t len);

#endif
