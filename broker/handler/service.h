/* Service: what handlers work on. One per broker, made by broker.c. Owner: the loop thread. */
#ifndef WEIR_BROKER_HANDLER_SERVICE_H
#define WEIR_BROKER_HANDLER_SERVICE_H

#include "broker/coordinator/shard.h"
#include "broker/handler/api.h"
#include "broker/partition/waiter.h"
#include "lib/base/mem.h"
#include "lib/base/metric.h"
#include "lib/kafka/errors.h"

struct bk_parked; /* a fetch that waits (fetch.c) */

struct bk_service {
    struct bk_metadata *metadata;
    struct bk_partitions *partitions;
    struct bk_shards *shards;
    const struct bs_config *config;
    const struct bs_option_table *const *tables; /* of the config, for DescribeConfigs */
    size_t table_count;
    int32_t node_id;
    const char *advertised_host; /* NULL: where the client reached us */
    uint16_t advertised_port;
    const char *rack; /* or NULL */
    const char *data_dir;
    int64_t fetch_bytes_max;
    const int64_t *memory_used; /* requests and responses of all connections */
    int64_t memory_max;         /* queued.max.request.bytes */
    bool auto_create, delete_topics, verify_txns;
    bool stopping;              /* fetches are no longer parked */
    struct bk_parked *fetches;  /* parked */
    struct bs_metric *requests; /* by API key (dispatch.c) */
    struct bs_metric request_failures;
    struct bs_metric produce_bytes, produce_errors, fetch_bytes, fetch_errors;
};

void bk_service_init_metrics(struct bk_service *service);
void bk_service_deinit_metrics(struct bk_service *service);
/* Orderly stop: parked fetches are answered with what is there. */
void bk_service_stop(struct bk_service *service);

/* --- what more than one handler needs --- */

/* Where clients find this broker. */
struct bs_bytes bk_service_host(const struct bk_call *call);
int32_t bk_service_port(const struct bk_call *call);
/* A topic by its name, or by its id where the name is empty. Sets *ret_error to
 * UNKNOWN_TOPIC_OR_PARTITION or UNKNOWN_TOPIC_ID when NULL comes back. */
const struct bk_topic *bk_service_topic(struct bk_service *service, struct bs_bytes name,
                                        const struct kp_uuid *id, int16_t *ret_error);
struct bk_partition *bk_service_partition(struct bk_service *service, struct bs_bytes topic_name,
                                          const struct kp_uuid *topic_id, int32_t index,
                                          int16_t *ret_error);
static inline struct kp_uuid bk_to_kp_uuid(const struct bk_uuid *id)
{
    struct kp_uuid out;
    memcpy(out.bytes, id->bytes, sizeof out.bytes);
    return out;
}
static inline void *bk_call_alloc(struct bk_call *call, size_t count, size_t size)
{
    return bs_arena_array(&call->arena, count ? count : 1, size);
}
static inline struct bs_bytes bk_call_text(struct bk_call *call, const char *text)
{
    size_t len = strlen(text);
    return bs_bytes(bs_arena_strndup(&call->arena, text, len), len);
}
/* "" for a null. */
static inline struct bs_bytes bk_or_empty(struct bs_bytes text)
{
    return text.ptr ? text : bs_bytes("", 0);
}

/* A response may not grow without end out of a small request that names the same thing again and
 * again: true when it has, and the call was ended; the handler returns. */
bool bk_call_too_large(struct bk_call *call);

/* Bit sets of authorized operations, all allowed: there is no authorizer. */
enum { BK_TOPIC_OPERATIONS = 3576, BK_CLUSTER_OPERATIONS = 8096, BK_GROUP_OPERATIONS = 328 };

/* --- the handlers --- */

void bk_handle_api_versions(struct bk_call *call);
void bk_handle_metadata(struct bk_call *call);
void bk_handle_describe_cluster(struct bk_call *call);
void bk_handle_describe_topic_partitions(struct bk_call *call);
void bk_handle_produce(struct bk_call *call);
void bk_handle_fetch(struct bk_call *call);
void bk_handle_list_offsets(struct bk_call *call);
void bk_handle_offset_for_leader_epoch(struct bk_call *call);
void bk_handle_delete_records(struct bk_call *call);
void bk_handle_describe_log_dirs(struct bk_call *call);
void bk_handle_describe_producers(struct bk_call *call);
void bk_handle_create_topics(struct bk_call *call);
void bk_handle_delete_topics(struct bk_call *call);
void bk_handle_create_partitions(struct bk_call *call);
void bk_handle_describe_configs(struct bk_call *call);
void bk_handle_alter_configs(struct bk_call *call);
void bk_handle_incremental_alter_configs(struct bk_call *call);
void bk_handle_find_coordinator(struct bk_call *call);
void bk_handle_join_group(struct bk_call *call);
void bk_handle_sync_group(struct bk_call *call);
void bk_handle_heartbeat(struct bk_call *call);
void bk_handle_leave_group(struct bk_call *call);
void bk_handle_list_groups(struct bk_call *call);
void bk_handle_describe_groups(struct bk_call *call);
void bk_handle_delete_groups(struct bk_call *call);
void bk_handle_offset_commit(struct bk_call *call);
void bk_handle_offset_fetch(struct bk_call *call);
void bk_handle_offset_delete(struct bk_call *call);
void bk_handle_init_producer_id(struct bk_call *call);
void bk_handle_add_partitions_to_txn(struct bk_call *call);
void bk_handle_add_offsets_to_txn(struct bk_call *call);
void bk_handle_txn_offset_commit(struct bk_call *call);
void bk_handle_end_txn(struct bk_call *call);
void bk_handle_describe_transactions(struct bk_call *call);
void bk_handle_list_transactions(struct bk_call *call);
/* The shards' answers to parked joins and syncs. */
void bk_joined(const struct bk_join_reply *reply);
void bk_synced(const struct bk_sync_reply *reply);

#endif
