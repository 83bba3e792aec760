/* Metadata, DescribeCluster, DescribeTopicPartitions: what there is and where. An unknown topic is
 * made on the way if the broker and the client allow it; the answer waits for that, so the client
 * need not ask again. */
#include "broker/handler/service.h"
#include "generated/lib/kafka/describe_cluster.h"
#include "generated/lib/kafka/describe_topic_partitions.h"
#include "generated/lib/kafka/metadata.h"

#include <stdlib.h>

/* --- Metadata --- */

struct metadata_call {
    struct bk_call *call;
    size_t creating; /* topics under way */
    int16_t *create_errors;
};

struct create_ctx {
    struct metadata_call *state;
    size_t index;
};

static void fill_partition(struct bk_call *call, const struct bk_topic *topic, int32_t index,
                           struct kp_metadata_response_partition *out)
{
    const struct bk_replica_set *set = &topic->partitions[index];
    struct bk_partition *partition = bk_partitions_find(call->service->partitions, topic, index);
    kp_metadata_response_partition_init(out);
    out->partition_index = index;
    out->leader_id = set->leader;
    out->leader_epoch = set->leader_epoch;
    out->replica_nodes = set->replicas;
    out->replica_node_count = (int32_t)set->replica_count;
    out->isr_nodes = set->isr;
    out->isr_node_count = (int32_t)set->isr_count;
    if (!partition || bk_partition_error(partition)) {
        out->error_code = KP_ERR_LEADER_NOT_AVAILABLE;
        out->leader_id = -1;
        out->isr_node_count = 0;
        out->offline_replicas = set->replicas;
        out->offline_replica_count = (int32_t)set->replica_count;
    }
}

static void fill_topic(struct bk_call *call, const struct bk_topic *topic,
                       struct kp_metadata_response_topic *out)
{
    const struct kp_metadata_request *request = call->request;
    out->name = bk_call_text(call, topic->name);
    out->topic_id = bk_to_kp_uuid(&topic->id);
    out->is_internal = topic->internal;
    out->partitions = bk_call_alloc(call, (size_t)topic->partition_count, sizeof *out->partitions);
    out->partition_count = topic->partition_count;
    for (int32_t i = 0; i < topic->partition_count; i++)
        fill_partition(call, topic, i, &out->partitions[i]);
    if (call->version >= 8 && request->include_topic_authorized_operations)
        out->topic_authorized_operations = BK_TOPIC_OPERATIONS;
}

static bool wants_all(const struct bk_call *call)
{
    const struct kp_metadata_request *request = call->request;
    return call->version == 0 ? request->topic_count == 0 : request->topic_count < 0;
}

static bool fill_asked(struct metadata_call *state, struct kp_metadata_response *response)
{
    struct bk_call *call = state->call;
    const struct kp_metadata_request *request = call->request;
    response->topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response->topics);
    response->topic_count = request->topic_count;
    for (int32_t i = 0; i < request->topic_count; i++) {
        const struct kp_metadata_request_topic *asked = &request->topics[i];
        struct kp_metadata_response_topic *out = &response->topics[i];
        const struct bk_topic *topic;
        int16_t error;
        kp_metadata_response_topic_init(out);
        topic = bk_service_topic(call->service, asked->name, &asked->topic_id, &error);
        if (bk_call_too_large(call))
            return false;
        if (topic) {
            fill_topic(call, topic, out);
            continue;
        }
        out->name = asked->name;
        if (!asked->name.ptr && call->version < 12)
            out->name = bs_bytes("", 0);
        out->topic_id = asked->topic_id;
        out->error_code = state->create_errors[i] ? state->create_errors[i] : error;
    }
    return true;
}

static void fill_all(struct bk_call *call, struct kp_metadata_response *response)
{
    const struct bk_image *image = bk_metadata_image(call->service->metadata);
    const struct bk_topic *topic = NULL;
    size_t count = bk_image_topic_count(image), i = 0;
    response->topics = bk_call_alloc(call, count, sizeof *response->topics);
    while (i < count && (topic = bk_image_topic_next(image, topic ? topic->name : NULL))) {
        kp_metadata_response_topic_init(&response->topics[i]);
        fill_topic(call, topic, &response->topics[i++]);
    }
    response->topic_count = (int32_t)i;
}

static void metadata_reply(struct metadata_call *state)
{
    struct bk_call *call = state->call;
    const struct kp_metadata_request *request = call->request;
    struct bk_service *service = call->service;
    struct kp_metadata_response response;
    struct kp_metadata_response_broker broker = {
        .node_id = service->node_id, .host = bk_service_host(call), .port = bk_service_port(call)};
    kp_metadata_response_init(&response);
    if (service->rack)
        broker.rack = bs_bytes_text(service->rack);
    response.brokers = &broker;
    response.broker_count = 1;
    response.cluster_id = bs_bytes_text(bk_metadata_cluster_id(service->metadata));
    response.controller_id = service->node_id;
    if (call->version >= 8 && call->version <= 10 && request->include_cluster_authorized_operations)
        response.cluster_authorized_operations = BK_CLUSTER_OPERATIONS;
    if (wants_all(call))
        fill_all(call, &response);
    else if (!fill_asked(state, &response))
        return;
    bk_call_reply(call, &response);
}

static void topic_created(void *ctx, int16_t error)
{
    struct create_ctx *create = ctx;
    struct metadata_call *state = create->state;
    if (error && error != KP_ERR_TOPIC_ALREADY_EXISTS)
        state->create_errors[create->index] = error;
    if (--state->creating == 0)
        metadata_reply(state);
}

/* Two names alike in one request, or one under way already, are refused as existing: no error. */
static void create_topic(struct metadata_call *state, size_t index, struct bs_bytes name)
{
    struct bk_call *call = state->call;
    struct create_ctx *create = bs_arena_zalloc(&call->arena, sizeof *create);
    struct bk_topic_spec spec = {.partition_count = -1, .replication_factor = -1};
    int rc;
    if (!bk_topic_name_valid((const char *)name.ptr, name.len)) {
        state->create_errors[index] = KP_ERR_INVALID_TOPIC_EXCEPTION;
        return;
    }
    /* These two are made by FindCoordinator, with their own settings. */
    if (bs_bytes_is(name, bk_shards_topic(BK_SHARD_GROUPS)) ||
        bs_bytes_is(name, bk_shards_topic(BK_SHARD_TXNS)))
        return;
    create->state = state;
    create->index = index;
    spec.name = bs_arena_strndup(&call->arena, (const char *)name.ptr, name.len);
    state->creating++;
    rc = bk_metadata_create_topic(call->service->metadata, &spec, topic_created, create, NULL);
    if (rc) {
        state->creating--;
        if (rc > 0 && rc != KP_ERR_TOPIC_ALREADY_EXISTS)
            state->create_errors[index] = (int16_t)rc;
    }
}

void bk_handle_metadata(struct bk_call *call)
{
    const struct kp_metadata_request *request = call->request;
    struct metadata_call *state = bs_arena_zalloc(&call->arena, sizeof *state);
    bool may_create =
        call->service->auto_create && (call->version < 4 || request->allow_auto_topic_creation);
    int32_t count = request->topic_count > 0 ? request->topic_count : 0;
    state->call = call;
    state->create_errors = bk_call_alloc(call, (size_t)count, sizeof *state->create_errors);
    state->creating = 1; /* until the loop is through */
    for (int32_t i = 0; i < count && may_create; i++) {
        int16_t error;
        if (request->topics[i].name.len &&
            !bk_service_topic(call->service, request->topics[i].name, NULL, &error))
            create_topic(state, (size_t)i, request->topics[i].name);
    }
    if (--state->creating == 0)
        metadata_reply(state);
}

/* --- DescribeCluster --- */

void bk_handle_describe_cluster(struct bk_call *call)
{
    const struct kp_describe_cluster_request *request = call->request;
    struct bk_service *service = call->service;
    struct kp_describe_cluster_response response;
    struct kp_describe_cluster_response_broker broker;
    kp_describe_cluster_response_init(&response);
    kp_describe_cluster_response_broker_init(&broker);
    if (request->endpoint_type != 1) {
        response.error_code = request->endpoint_type == 2 ? KP_ERR_MISMATCHED_ENDPOINT_TYPE
                                                          : KP_ERR_UNSUPPORTED_ENDPOINT_TYPE;
        bk_call_reply(call, &response);
        return;
    }
    broker.broker_id = service->node_id;
    broker.host = bk_service_host(call);
    broker.port = bk_service_port(call);
    if (service->rack)
        broker.rack = bs_bytes_text(service->rack);
    response.cluster_id = bs_bytes_text(bk_metadata_cluster_id(service->metadata));
    response.controller_id = service->node_id;
    response.brokers = &broker;
    response.broker_count = 1;
    if (request->include_cluster_authorized_operations)
        response.cluster_authorized_operations = BK_CLUSTER_OPERATIONS;
    bk_call_reply(call, &response);
}

/* --- DescribeTopicPartitions --- */

static void fill_described(struct bk_call *call, const struct bk_topic *topic, int32_t from,
                           int32_t count, struct kp_describe_topic_partitions_response_topic *out)
{
    out->name = bk_call_text(call, topic->name);
    out->topic_id = bk_to_kp_uuid(&topic->id);
    out->is_internal = topic->internal;
    out->topic_authorized_operations = BK_TOPIC_OPERATIONS;
    out->partitions = bk_call_alloc(call, (size_t)count, sizeof *out->partitions);
    out->partition_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct kp_describe_topic_partitions_response_partition *row = &out->partitions[i];
        struct kp_metadata_response_partition plain;
        fill_partition(call, topic, from + i, &plain);
        kp_describe_topic_partitions_response_partition_init(row);
        row->error_code = plain.error_code;
        row->partition_index = plain.partition_index;
        row->leader_id = plain.leader_id;
        row->leader_epoch = plain.leader_epoch;
        row->replica_nodes = plain.replica_nodes;
        row->replica_node_count = plain.replica_node_count;
        row->isr_nodes = plain.isr_nodes;
        row->isr_node_count = plain.isr_node_count;
        row->offline_replicas = plain.offline_replicas;
        row->offline_replica_count = plain.offline_replica_count;
        /* Null is legal, but Kafka's own clients do not expect it. */
        row->eligible_leader_replica_count = 0;
        row->last_known_elr_count = 0;
    }
}

static int compare_names(const void *a, const void *b)
{
    return bs_bytes_compare(*(const struct bs_bytes *)a, *(const struct bs_bytes *)b);
}

/* The names asked for, or all, in order. */
static struct bs_bytes *described_names(struct bk_call *call, size_t *ret_count)
{
    const struct kp_describe_topic_partitions_request *request = call->request;
    const struct bk_image *image = bk_metadata_image(call->service->metadata);
    const struct bk_topic *topic = NULL;
    size_t count =
        request->topic_count > 0 ? (size_t)request->topic_count : bk_image_topic_count(image);
    struct bs_bytes *names = bk_call_alloc(call, count, sizeof *names);
    size_t n = 0;
    if (request->topic_count > 0) {
        for (; n < count; n++)
            names[n] = request->topics[n].name;
        qsort(names, n, sizeof *names, compare_names);
    } else {
        while (n < count && (topic = bk_image_topic_next(image, topic ? topic->name : NULL)))
            names[n++] = bk_call_text(call, topic->name);
    }
    *ret_count = n;
    return names;
}

void bk_handle_describe_topic_partitions(struct bk_call *call)
{
    enum { LIMIT = 2000 };
    const struct kp_describe_topic_partitions_request *request = call->request;
    struct kp_describe_topic_partitions_response response;
    size_t count;
    struct bs_bytes *names = described_names(call, &count);
    int32_t left = request->response_partition_limit;
    left = left < 1 || left > LIMIT ? LIMIT : left;
    kp_describe_topic_partitions_response_init(&response);
    response.topics = bk_call_alloc(call, count, sizeof *response.topics);
    for (size_t i = 0; i < count; i++) {
        struct kp_describe_topic_partitions_response_topic *out =
            &response.topics[response.topic_count];
        const struct bk_topic *topic;
        int32_t from = 0, n;
        int16_t error;
        if (request->cursor) {
            int order = bs_bytes_compare(names[i], request->cursor->topic_name);
            if (order < 0)
                continue;
            from = order == 0 ? request->cursor->partition_index : 0;
        }
        kp_describe_topic_partitions_response_topic_init(out);
        topic = bk_service_topic(call->service, names[i], NULL, &error);
        if (!topic || from < 0 || from > topic->partition_count)
            from = 0;
        if (left == 0) {
            response.next_cursor = bk_call_alloc(call, 1, sizeof *response.next_cursor);
            response.next_cursor->topic_name = names[i];
            response.next_cursor->partition_index = from;
            break;
        }
        response.topic_count++;
        if (!topic) {
            out->name = names[i];
            out->error_code = bk_topic_name_valid((const char *)names[i].ptr, names[i].len)
                                  ? error
                                  : KP_ERR_INVALID_TOPIC_EXCEPTION;
            continue;
        }
        n = topic->partition_count - from;
        n = n > left ? left : n;
        fill_described(call, topic, from, n, out);
        left -= n;
        if (from + n < topic->partition_count) {
            response.next_cursor = bk_call_alloc(call, 1, sizeof *response.next_cursor);
            response.next_cursor->topic_name = names[i];
            response.next_cursor->partition_index = from + n;
            break;
        }
    }
    bk_call_reply(call, &response);
}
