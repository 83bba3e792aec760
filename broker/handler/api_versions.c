/* ApiVersions: the table of what is served, told to clients.
 *
 * Produce is advertised from version 0 although 3 is the first one served: librdkafka before 2025
 * asks for version 0 before it compresses anything. Only what is served is advertised; versions of
 * a feature that is not there (transaction version 2, share groups) are not. transaction.version is
 * finalized at 1, so clients keep the transaction flow that is served. */
#include "broker/handler/service.h"
#include "generated/lib/kafka/api_versions.h"

#include <ctype.h>

/*  key                                 versions  handler                        growth */
static struct bk_api apis[] = {
    {KP_API_PRODUCE, 3, 13, bk_handle_produce, 8},
    {KP_API_FETCH, 4, 18, bk_handle_fetch, 8},
    {KP_API_LIST_OFFSETS, 1, 11, bk_handle_list_offsets, 8},
    {KP_API_METADATA, 0, 13, bk_handle_metadata, 24},
    {KP_API_OFFSET_COMMIT, 2, 10, bk_handle_offset_commit, 8},
    {KP_API_OFFSET_FETCH, 1, 10, bk_handle_offset_fetch, 8},
    {KP_API_FIND_COORDINATOR, 0, 6, bk_handle_find_coordinator, 24},
    {KP_API_JOIN_GROUP, 0, 9, bk_handle_join_group, 24},
    {KP_API_HEARTBEAT, 0, 4, bk_handle_heartbeat, 8},
    {KP_API_LEAVE_GROUP, 0, 5, bk_handle_leave_group, 24},
    {KP_API_SYNC_GROUP, 0, 5, bk_handle_sync_group, 16},
    {KP_API_DESCRIBE_GROUPS, 0, 6, bk_handle_describe_groups, 16},
    {KP_API_LIST_GROUPS, 0, 5, bk_handle_list_groups, 16},
    {KP_API_API_VERSIONS, 0, 4, bk_handle_api_versions, 8},
    {KP_API_CREATE_TOPICS, 2, 7, bk_handle_create_topics, 16},
    {KP_API_DELETE_TOPICS, 1, 6, bk_handle_delete_topics, 24},
    {KP_API_DELETE_RECORDS, 0, 2, bk_handle_delete_records, 8},
    {KP_API_INIT_PRODUCER_ID, 0, 5, bk_handle_init_producer_id, 8},
    {KP_API_OFFSET_FOR_LEADER_EPOCH, 2, 4, bk_handle_offset_for_leader_epoch, 8},
    {KP_API_ADD_PARTITIONS_TO_TXN, 0, 3, bk_handle_add_partitions_to_txn, 24},
    {KP_API_ADD_OFFSETS_TO_TXN, 0, 4, bk_handle_add_offsets_to_txn, 8},
    {KP_API_END_TXN, 0, 4, bk_handle_end_txn, 8},
    {KP_API_TXN_OFFSET_COMMIT, 0, 4, bk_handle_txn_offset_commit, 8},
    {KP_API_DESCRIBE_CONFIGS, 1, 4, bk_handle_describe_configs, 16},
    {KP_API_ALTER_CONFIGS, 0, 2, bk_handle_alter_configs, 16},
    {KP_API_DESCRIBE_LOG_DIRS, 1, 4, bk_handle_describe_log_dirs, 16},
    {KP_API_CREATE_PARTITIONS, 0, 3, bk_handle_create_partitions, 16},
    {KP_API_DELETE_GROUPS, 0, 2, bk_handle_delete_groups, 16},
    {KP_API_INCREMENTAL_ALTER_CONFIGS, 0, 1, bk_handle_incremental_alter_configs, 16},
    {KP_API_OFFSET_DELETE, 0, 0, bk_handle_offset_delete, 16},
    {KP_API_DESCRIBE_CLUSTER, 0, 2, bk_handle_describe_cluster, 8},
    {KP_API_DESCRIBE_PRODUCERS, 0, 0, bk_handle_describe_producers, 16},
    {KP_API_DESCRIBE_TRANSACTIONS, 0, 0, bk_handle_describe_transactions, 16},
    {KP_API_LIST_TRANSACTIONS, 0, 1, bk_handle_list_transactions, 16},
    {KP_API_DESCRIBE_TOPIC_PARTITIONS, 0, 0, bk_handle_describe_topic_partitions, 16},
};
enum { API_COUNT = sizeof apis / sizeof apis[0] };

void bk_apis_init(void)
{
    for (size_t i = 0; i < API_COUNT; i++)
        apis[i].wire = kp_api_find(apis[i].key);
}

const struct bk_api *bk_api_find(int16_t key)
{
    for (size_t i = 0; i < API_COUNT; i++)
        if (apis[i].key == key)
            return &apis[i];
    return NULL;
}

const struct bk_api *bk_api_next(const struct bk_api *api)
{
    size_t i = api ? (size_t)(api - apis) + 1 : 0;
    return i < API_COUNT ? &apis[i] : NULL;
}

/* KIP-511: letters, digits, '-' and '.', alphanumeric at both ends. */
static bool software_name_valid(struct bs_bytes name)
{
    if (name.len == 0 || !isalnum(name.ptr[0]) || !isalnum(name.ptr[name.len - 1]))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '.')
            return false;
    return true;
}

void bk_handle_api_versions(struct bk_call *call)
{
    const struct kp_api_versions_request *request = call->request;
    struct kp_api_versions_response_api_key keys[API_COUNT];
    struct kp_api_versions_response_supported_feature supported = {
        .name = bs_bytes_text("transaction.version"), .min_version = 0, .max_version = 1};
    struct kp_api_versions_response_finalized_feature finalized = {
        .name = bs_bytes_text("transaction.version"),
        .max_version_level = 1,
        .min_version_level = 1};
    struct kp_api_versions_response response;
    kp_api_versions_response_init(&response);
    if (call->version >= 3 && (!software_name_valid(request->client_software_name) ||
                               !software_name_valid(request->client_software_version))) {
        response.error_code = KP_ERR_INVALID_REQUEST;
        bk_call_reply(call, &response);
        return;
    }
    for (size_t i = 0; i < API_COUNT; i++)
        keys[i] = (struct kp_api_versions_response_api_key){
            .api_key = apis[i].key,
            .min_version = apis[i].key == KP_API_PRODUCE ? 0 : apis[i].min,
            .max_version = apis[i].max};
    response.api_keys = keys;
    response.api_key_count = API_COUNT;
    response.supported_features = &supported;
    /* Up to version 3 clients refuse a feature whose lowest version is 0. */
    response.supported_feature_count = call->version >= 4 ? 1 : 0;
    response.finalized_features_epoch = 0;
    response.finalized_features = &finalized;
    response.finalized_feature_count = 1;
    bk_call_reply(call, &response);
}
