/* ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeProducers, DescribeLogDirs: questions
 * about single logs, and where they begin. */
#include "broker/handler/service.h"
#include "generated/lib/kafka/delete_records.h"
#include "generated/lib/kafka/describe_log_dirs.h"
#include "generated/lib/kafka/describe_producers.h"
#include "generated/lib/kafka/list_offsets.h"
#include "generated/lib/kafka/offset_for_leader_epoch.h"

static void list_one(struct bk_call *call, struct bs_bytes topic,
                     const struct kp_list_offsets_request_partition *in,
                     struct kp_list_offsets_response_partition *out)
{
    const struct kp_list_offsets_request *request = call->request;
    struct bk_offset_time found = {-1, -1, -1};
    struct bk_partition *partition;
    kp_list_offsets_response_partition_init(out);
    out->partition_index = in->partition_index;
    partition =
        bk_service_partition(call->service, topic, NULL, in->partition_index, &out->error_code);
    if (!partition)
        return;
    out->error_code = bk_partition_check_epoch(partition, in->current_leader_epoch);
    if (out->error_code)
        return;
    if (in->timestamp == -5 || in->timestamp == -6)
        return; /* nothing is tiered: no such offset */
    if (in->timestamp < BK_TIME_EARLIEST_LOCAL) {
        out->error_code = KP_ERR_UNSUPPORTED_VERSION;
        return;
    }
    out->error_code = bk_partition_list_offset(
        partition, in->timestamp,
        request->isolation_level == 1 ? BK_READ_COMMITTED : BK_READ_UNCOMMITTED, &found);
    if (out->error_code)
        return;
    out->offset = found.offset;
    out->timestamp = found.timestamp_ms;
    if (call->version >= 4)
        out->leader_epoch = found.leader_epoch;
}

void bk_handle_list_offsets(struct bk_call *call)
{
    const struct kp_list_offsets_request *request = call->request;
    struct kp_list_offsets_response response;
    kp_list_offsets_response_init(&response);
    response.topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response.topics);
    response.topic_count = request->topic_count;
    for (int32_t t = 0; t < request->topic_count; t++) {
        const struct kp_list_offsets_request_topic *in = &request->topics[t];
        struct kp_list_offsets_response_topic *out = &response.topics[t];
        out->name = in->name;
        out->partition_count = in->partition_count;
        out->partitions = bk_call_alloc(call, (size_t)in->partition_count, sizeof *out->partitions);
        for (int32_t p = 0; p < in->partition_count; p++)
            list_one(call, in->name, &in->partitions[p], &out->partitions[p]);
    }
    bk_call_reply(call, &response);
}

void bk_handle_offset_for_leader_epoch(struct bk_call *call)
{
    const struct kp_offset_for_leader_epoch_request *request = call->request;
    struct kp_offset_for_leader_epoch_response response;
    kp_offset_for_leader_epoch_response_init(&response);
    response.topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response.topics);
    response.topic_count = request->topic_count;
    for (int32_t t = 0; t < request->topic_count; t++) {
        const struct kp_offset_for_leader_epoch_request_topic *in = &request->topics[t];
        struct kp_offset_for_leader_epoch_response_topic *out = &response.topics[t];
        out->topic = in->topic;
        out->partition_count = in->partition_count;
        out->partitions = bk_call_alloc(call, (size_t)in->partition_count, sizeof *out->partitions);
        for (int32_t p = 0; p < in->partition_count; p++) {
            struct kp_offset_for_leader_epoch_response_partition *row = &out->partitions[p];
            struct bk_partition *partition;
            kp_offset_for_leader_epoch_response_partition_init(row);
            row->partition = in->partitions[p].partition;
            partition = bk_service_partition(call->service, in->topic, NULL, row->partition,
                                             &row->error_code);
            if (partition)
                row->error_code =
                    bk_partition_check_epoch(partition, in->partitions[p].current_leader_epoch);
            if (partition && !row->error_code)
                bk_partition_epoch_end(partition, in->partitions[p].leader_epoch,
                                       &row->leader_epoch, &row->end_offset);
        }
    }
    bk_call_reply(call, &response);
}

void bk_handle_delete_records(struct bk_call *call)
{
    const struct kp_delete_records_request *request = call->request;
    struct kp_delete_records_response response;
    kp_delete_records_response_init(&response);
    response.topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response.topics);
    response.topic_count = request->topic_count;
    for (int32_t t = 0; t < request->topic_count; t++) {
        const struct kp_delete_records_request_topic *in = &request->topics[t];
        struct kp_delete_records_response_topic *out = &response.topics[t];
        out->name = in->name;
        out->partition_count = in->partition_count;
        out->partitions = bk_call_alloc(call, (size_t)in->partition_count, sizeof *out->partitions);
        for (int32_t p = 0; p < in->partition_count; p++) {
            struct kp_delete_records_response_partition *row = &out->partitions[p];
            struct bk_partition *partition;
            kp_delete_records_response_partition_init(row);
            row->partition_index = in->partitions[p].partition_index;
            row->low_watermark = -1;
            partition = bk_service_partition(call->service, in->name, NULL, row->partition_index,
                                             &row->error_code);
            if (partition && bk_partition_topic(partition)->internal)
                row->error_code = KP_ERR_INVALID_TOPIC_EXCEPTION;
            else if (partition)
                row->error_code = bk_partition_delete_records(partition, in->partitions[p].offset,
                                                              &row->low_watermark);
        }
    }
    bk_call_reply(call, &response);
}

/* --- DescribeProducers --- */

struct producers {
    struct kp_describe_producers_response_active_producer *rows;
    size_t count, cap;
};

static void add_producer(void *ctx, const struct bk_producer_info *info)
{
    struct producers *list = ctx;
    struct kp_describe_producers_response_active_producer *row;
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 16;
        list->rows = bs_realloc(list->rows, list->cap * sizeof *list->rows);
    }
    row = &list->rows[list->count++];
    kp_describe_producers_response_active_producer_init(row);
    row->producer_id = info->producer_id;
    row->producer_epoch = info->producer_epoch;
    row->last_sequence = info->last_sequence;
    row->last_timestamp = info->last_timestamp_ms;
    row->coordinator_epoch = info->coordinator_epoch;
    row->current_txn_start_offset = info->txn_first_offset;
}

void bk_handle_describe_producers(struct bk_call *call)
{
    const struct kp_describe_producers_request *request = call->request;
    struct kp_describe_producers_response response;
    kp_describe_producers_response_init(&response);
    response.topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response.topics);
    response.topic_count = request->topic_count;
    for (int32_t t = 0; t < request->topic_count; t++) {
        const struct kp_describe_producers_request_topic *in = &request->topics[t];
        struct kp_describe_producers_response_topic *out = &response.topics[t];
        out->name = in->name;
        out->partition_count = in->partition_index_count;
        out->partitions =
            bk_call_alloc(call, (size_t)in->partition_index_count, sizeof *out->partitions);
        for (int32_t p = 0; p < in->partition_index_count; p++) {
            struct kp_describe_producers_response_partition *row = &out->partitions[p];
            struct producers list = {0};
            struct bk_partition *partition;
            if (bk_call_too_large(call))
                return;
            kp_describe_producers_response_partition_init(row);
            row->partition_index = in->partition_indexes[p];
            partition = bk_service_partition(call->service, in->name, NULL, row->partition_index,
                                             &row->error_code);
            if (!partition)
                continue;
            bk_partition_producers(partition, add_producer, &list);
            if (list.count)
                row->active_producers =
                    bs_arena_dup(&call->arena, list.rows, list.count * sizeof *list.rows);
            row->active_producer_count = (int32_t)list.count;
            bs_free(list.rows);
        }
    }
    bk_call_reply(call, &response);
}

/* --- DescribeLogDirs --- */

static bool wants_partition(const struct kp_describe_log_dirs_request *request, const char *name,
                            int32_t index)
{
    if (request->topic_count < 0)
        return true;
    for (int32_t t = 0; t < request->topic_count; t++) {
        if (!bs_bytes_is(request->topics[t].topic, name))
            continue;
        for (int32_t p = 0; p < request->topics[t].partition_count; p++)
            if (request->topics[t].partitions[p] == index)
                return true;
    }
    return false;
}

void bk_handle_describe_log_dirs(struct bk_call *call)
{
    const struct kp_describe_log_dirs_request *request = call->request;
    struct bk_service *service = call->service;
    const struct bk_image *image = bk_metadata_image(service->metadata);
    const struct bk_topic *topic = NULL;
    struct kp_describe_log_dirs_response response;
    struct kp_describe_log_dirs_response_result dir;
    size_t most = bk_image_topic_count(image);
    kp_describe_log_dirs_response_init(&response);
    kp_describe_log_dirs_response_result_init(&dir);
    dir.log_dir = bs_bytes_text(service->data_dir);
    dir.topics = bk_call_alloc(call, most, sizeof *dir.topics);
    while (dir.topic_count < (int32_t)most &&
           (topic = bk_image_topic_next(image, topic ? topic->name : NULL))) {
        struct kp_describe_log_dirs_response_topic *out = &dir.topics[dir.topic_count];
        out->name = bk_call_text(call, topic->name);
        out->partitions =
            bk_call_alloc(call, (size_t)topic->partition_count, sizeof *out->partitions);
        for (int32_t i = 0; i < topic->partition_count; i++) {
            struct bk_partition *partition = bk_partitions_find(service->partitions, topic, i);
            struct kp_describe_log_dirs_response_partition *row;
            if (!partition || !wants_partition(request, topic->name, i))
                continue;
            row = &out->partitions[out->partition_count++];
            kp_describe_log_dirs_response_partition_init(row);
            row->partition_index = i;
            row->partition_size = bk_partition_bytes(partition);
        }
        dir.topic_count += out->partition_count > 0;
    }
    response.results = &dir;
    response.result_count = 1;
    bk_call_reply(call, &response);
}
