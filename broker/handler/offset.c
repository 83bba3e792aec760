/* Offset requests: OffsetCommit, OffsetFetch, OffsetDelete, TxnOffsetCommit. */
#include "broker/handler/later.h"
#include "generated/lib/kafka/offset_commit.h"
#include "generated/lib/kafka/offset_delete.h"
#include "generated/lib/kafka/offset_fetch.h"
#include "generated/lib/kafka/txn_offset_commit.h"

/* There is such a partition. Offsets of others would stay for ever. */
static int16_t check_partition(struct bk_call *call, struct bs_bytes name, const struct kp_uuid *id,
                               int32_t partition, const struct bk_topic **ret_topic)
{
    int16_t error = 0;
    *ret_topic = bk_service_topic(call->service, name, id, &error);
    if (!error && (partition < 0 || partition >= (*ret_topic)->partition_count))
        error = KP_ERR_UNKNOWN_TOPIC_OR_PARTITION;
    return error;
}

/* --- OffsetCommit --- */

static size_t fill_commit(struct bk_call *call, struct bk_commit_offset *rows, int64_t now_ms)
{
    const struct kp_offset_commit_request *request = call->request;
    size_t n = 0;
    for (int32_t t = 0; t < request->topic_count; t++) {
        const struct kp_offset_commit_request_topic *topic = &request->topics[t];
        for (int32_t p = 0; p < topic->partition_count; p++) {
            const struct kp_offset_commit_request_partition *in = &topic->partitions[p];
            struct bk_commit_offset *row = &rows[n++];
            const struct bk_topic *found;
            *row = (struct bk_commit_offset){.partition = in->partition_index,
                                             .offset = in->committed_offset,
                                             .leader_epoch = in->committed_leader_epoch,
                                             .metadata = bk_or_empty(in->committed_metadata),
                                             .expire_ms = -1};
            row->error =
                check_partition(call, topic->name, &topic->topic_id, in->partition_index, &found);
            if (found)
                row->topic = bk_call_text(call, found->name);
            if (request->retention_time_ms >= 0 && call->version <= 4)
                row->expire_ms = now_ms + request->retention_time_ms;
        }
    }
    return n;
}

static void answer_commit(struct bk_call *call, const struct bk_commit_offset *rows, int16_t error,
                          struct kp_offset_commit_response *response)
{
    const struct kp_offset_commit_request *request = call->request;
    size_t n = 0;
    kp_offset_commit_response_init(response);
    response->topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response->topics);
    response->topic_count = request->topic_count;
    for (int32_t t = 0; t < request->topic_count; t++) {
        const struct kp_offset_commit_request_topic *in = &request->topics[t];
        struct kp_offset_commit_response_topic *out = &response->topics[t];
        out->name = bk_or_empty(in->name);
        out->topic_id = in->topic_id;
        out->partition_count = in->partition_count;
        out->partitions = bk_call_alloc(call, (size_t)in->partition_count, sizeof *out->partitions);
        for (int32_t p = 0; p < in->partition_count; p++, n++) {
            out->partitions[p].partition_index = in->partitions[p].partition_index;
            out->partitions[p].error_code = error ? error : rows[n].error;
        }
    }
}

void bk_handle_offset_commit(struct bk_call *call)
{
    const struct kp_offset_commit_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_offset_commit_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct bk_time now = bk_shards_now(shards);
    struct bk_commit commit = {.group = request->group_id,
                               .member_id = request->member_id,
                               .instance_id = request->group_instance_id,
                               .generation = request->generation_id_or_member_epoch,
                               .producer_id = -1,
                               .producer_epoch = -1};
    size_t count = 0;
    struct bk_commit_offset *rows;
    struct bk_step *step;
    int16_t error = bk_shards_check(shards, BK_SHARD_GROUPS);
    for (int32_t t = 0; t < request->topic_count; t++)
        count += (size_t)request->topics[t].partition_count;
    rows = bk_call_alloc(call, count, sizeof *rows);
    if (error) {
        answer_commit(call, rows, error, response);
        bk_call_reply(call, response);
        return;
    }
    count = fill_commit(call, rows, now.wall_ms);
    step = bk_step_begin(shards, BK_SHARD_GROUPS);
    error = bk_groups_commit(bk_shards_groups(shards), &commit, rows, count, now,
                             bk_step_effects(step));
    answer_commit(call, rows, error, response);
    bk_reply_later(call, step, response);
}

/* --- TxnOffsetCommit --- */

static void answer_txn_commit(struct bk_call *call, const struct bk_commit_offset *rows,
                              int16_t error, struct kp_txn_offset_commit_response *response)
{
    const struct kp_txn_offset_commit_request *request = call->request;
    size_t n = 0;
    kp_txn_offset_commit_response_init(response);
    response->topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response->topics);
    response->topic_count = request->topic_count;
    for (int32_t t = 0; t < request->topic_count; t++) {
        const struct kp_txn_offset_commit_request_topic *in = &request->topics[t];
        struct kp_txn_offset_commit_response_topic *out = &response->topics[t];
        out->name = in->name;
        out->partition_count = in->partition_count;
        out->partitions = bk_call_alloc(call, (size_t)in->partition_count, sizeof *out->partitions);
        for (int32_t p = 0; p < in->partition_count; p++, n++) {
            out->partitions[p].partition_index = in->partitions[p].partition_index;
            out->partitions[p].error_code = error ? error : rows[n].error;
        }
    }
}

static size_t fill_txn_commit(struct bk_call *call, struct bk_commit_offset *rows)
{
    const struct kp_txn_offset_commit_request *request = call->request;
    size_t n = 0;
    for (int32_t t = 0; t < request->topic_count; t++) {
        const struct kp_txn_offset_commit_request_topic *topic = &request->topics[t];
        for (int32_t p = 0; p < topic->partition_count; p++) {
            const struct kp_txn_offset_commit_request_partition *in = &topic->partitions[p];
            const struct bk_topic *found;
            rows[n] = (struct bk_commit_offset){.topic = topic->name,
                                                .partition = in->partition_index,
                                                .offset = in->committed_offset,
                                                .leader_epoch = in->committed_leader_epoch,
                                                .metadata = bk_or_empty(in->committed_metadata),
                                                .expire_ms = -1};
            rows[n++].error = check_partition(call, topic->name, NULL, in->partition_index, &found);
        }
    }
    return n;
}

/* The offsets topic's partition of the group must be in the open transaction, or nobody would write
 * the marker that decides about them. */
static int16_t check_txn(struct bk_call *call)
{
    const struct kp_txn_offset_commit_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    int16_t error = bk_shards_check(shards, BK_SHARD_GROUPS);
    if (!error)
        error = bk_shards_check(shards, BK_SHARD_TXNS);
    if (error)
        return error;
    if (!call->service->verify_txns)
        return 0;
    return bk_txns_verify(bk_shards_txns(shards), request->transactional_id, request->producer_id,
                          request->producer_epoch, bs_bytes_text(bk_shards_topic(BK_SHARD_GROUPS)),
                          bk_shards_partition(shards, BK_SHARD_GROUPS, request->group_id));
}

void bk_handle_txn_offset_commit(struct bk_call *call)
{
    const struct kp_txn_offset_commit_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_txn_offset_commit_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct bk_commit commit = {.group = request->group_id,
                               .member_id = request->member_id,
                               .instance_id = request->group_instance_id,
                               .generation = request->generation_id,
                               .producer_id = request->producer_id,
                               .producer_epoch = request->producer_epoch};
    size_t count = 0;
    struct bk_commit_offset *rows;
    struct bk_step *step;
    int16_t error = check_txn(call);
    for (int32_t t = 0; t < request->topic_count; t++)
        count += (size_t)request->topics[t].partition_count;
    rows = bk_call_alloc(call, count, sizeof *rows);
    if (error) {
        answer_txn_commit(call, rows, error, response);
        bk_call_reply(call, response);
        return;
    }
    count = fill_txn_commit(call, rows);
    step = bk_step_begin(shards, BK_SHARD_GROUPS);
    error = bk_groups_commit(bk_shards_groups(shards), &commit, rows, count, bk_shards_now(shards),
                             bk_step_effects(step));
    answer_txn_commit(call, rows, error, response);
    bk_reply_later(call, step, response);
}

/* --- OffsetFetch --- */

/* Rows of one topic under construction; the two wire forms have the same fields. */
struct fetched {
    struct bs_bytes topic;
    struct kp_offset_fetch_response_group_topic_partition *rows;
    size_t count, cap;
    struct fetched *next;
};

struct fetching {
    struct bk_call *call;
    struct fetched *topics, *last;
    size_t count;
};

static struct fetched *fetched_topic(struct fetching *fetching, struct bs_bytes topic)
{
    struct fetched *found = fetching->topics;
    while (found && !bs_bytes_equal(found->topic, topic))
        found = found->next;
    if (found)
        return found;
    found = bs_arena_zalloc(&fetching->call->arena, sizeof *found);
    found->topic = bk_call_keep(fetching->call, topic);
    if (fetching->last)
        fetching->last->next = found;
    else
        fetching->topics = found;
    fetching->last = found;
    fetching->count++;
    return found;
}

static void fetched_row(struct bk_call *call, const struct bk_offset_view *view,
                        struct kp_offset_fetch_response_group_topic_partition *row)
{
    row->partition_index = view->partition;
    row->committed_offset = view->offset;
    row->committed_leader_epoch = view->leader_epoch;
    row->metadata = bk_call_keep(call, view->metadata);
    row->error_code = view->error;
}

static void fetch_each(void *ctx, const struct bk_offset_view *view)
{
    struct fetching *fetching = ctx;
    struct fetched *topic = fetched_topic(fetching, view->topic);
    if (topic->count == topic->cap) {
        size_t cap = topic->cap ? topic->cap * 2 : 8;
        void *rows = bk_call_alloc(fetching->call, cap, sizeof *topic->rows);
        if (topic->count)
            memcpy(rows, topic->rows, topic->count * sizeof *topic->rows);
        topic->rows = rows;
        topic->cap = cap;
    }
    fetched_row(fetching->call, view, &topic->rows[topic->count++]);
}

static void fetch_all(struct bk_call *call, struct bs_bytes group,
                      struct kp_offset_fetch_response_group *out)
{
    const struct kp_offset_fetch_request *request = call->request;
    struct fetching fetching = {.call = call};
    size_t i = 0;
    bk_groups_each_offset(bk_shards_groups(call->service->shards), group, request->require_stable,
                          fetch_each, &fetching);
    out->topics = bk_call_alloc(call, fetching.count, sizeof *out->topics);
    out->topic_count = (int32_t)fetching.count;
    for (struct fetched *topic = fetching.topics; topic; topic = topic->next, i++) {
        int16_t error;
        const struct bk_topic *found = bk_service_topic(call->service, topic->topic, NULL, &error);
        out->topics[i].name = topic->topic;
        if (found)
            out->topics[i].topic_id = bk_to_kp_uuid(&found->id);
        out->topics[i].partitions = topic->rows;
        out->topics[i].partition_count = (int32_t)topic->count;
    }
}

static void fetch_topic(struct bk_call *call, struct bs_bytes group,
                        const struct kp_offset_fetch_request_group_topic *in,
                        struct kp_offset_fetch_response_group_topic *out)
{
    const struct kp_offset_fetch_request *request = call->request;
    int16_t error = 0;
    struct bs_bytes name = in->name;
    out->name = bk_or_empty(in->name);
    out->topic_id = in->topic_id;
    out->partitions =
        bk_call_alloc(call, (size_t)in->partition_index_count, sizeof *out->partitions);
    out->partition_count = in->partition_index_count;
    if (call->version >= 10) {
        const struct bk_topic *topic =
            bk_service_topic(call->service, in->name, &in->topic_id, &error);
        if (topic)
            name = bs_bytes_text(topic->name);
    }
    for (int32_t p = 0; p < in->partition_index_count; p++) {
        struct bk_offset_view view = {.topic = bk_or_empty(name),
                                      .partition = in->partition_indexes[p],
                                      .offset = -1,
                                      .leader_epoch = -1,
                                      .metadata = bs_bytes("", 0),
                                      .error = error};
        if (!error)
            bk_groups_offset(bk_shards_groups(call->service->shards), group,
                             request->require_stable, &view);
        fetched_row(call, &view, &out->partitions[p]);
    }
}

static void fetch_group(struct bk_call *call, const struct kp_offset_fetch_request_group *in,
                        struct kp_offset_fetch_response_group *out)
{
    kp_offset_fetch_response_group_init(out);
    out->group_id = in->group_id;
    out->error_code = bk_shards_check(call->service->shards, BK_SHARD_GROUPS);
    if (out->error_code)
        return;
    if (in->topic_count < 0) {
        fetch_all(call, in->group_id, out);
        return;
    }
    out->topics = bk_call_alloc(call, (size_t)in->topic_count, sizeof *out->topics);
    out->topic_count = in->topic_count;
    for (int32_t t = 0; t < in->topic_count; t++)
        fetch_topic(call, in->group_id, &in->topics[t], &out->topics[t]);
}

/* Versions up to 7: one group, other structs. */
static void fetch_old(struct bk_call *call, struct kp_offset_fetch_response *response)
{
    const struct kp_offset_fetch_request *request = call->request;
    struct kp_offset_fetch_request_group group = {.group_id = request->group_id,
                                                  .topic_count = request->topic_count};
    struct kp_offset_fetch_response_group out;
    group.topics = bk_call_alloc(
        call, (size_t)(request->topic_count > 0 ? request->topic_count : 0), sizeof *group.topics);
    for (int32_t t = 0; t < request->topic_count; t++) {
        group.topics[t].name = request->topics[t].name;
        group.topics[t].partition_indexes = request->topics[t].partition_indexes;
        group.topics[t].partition_index_count = request->topics[t].partition_index_count;
    }
    fetch_group(call, &group, &out);
    response->error_code = out.error_code;
    response->topics = bk_call_alloc(call, (size_t)out.topic_count, sizeof *response->topics);
    response->topic_count = out.topic_count;
    for (int32_t t = 0; t < out.topic_count; t++) {
        struct kp_offset_fetch_response_topic *topic = &response->topics[t];
        topic->name = out.topics[t].name;
        topic->partition_count = out.topics[t].partition_count;
        topic->partitions =
            bk_call_alloc(call, (size_t)topic->partition_count, sizeof *topic->partitions);
        for (int32_t p = 0; p < topic->partition_count; p++) {
            struct kp_offset_fetch_response_group_topic_partition *row =
                &out.topics[t].partitions[p];
            topic->partitions[p] = (struct kp_offset_fetch_response_partition){
                .partition_index = row->partition_index,
                .committed_offset = row->committed_offset,
                .committed_leader_epoch = row->committed_leader_epoch,
                .metadata = row->metadata,
                .error_code = row->error_code};
        }
    }
}

/* Version 1 has no place for an error of the whole: each partition says it. */
static void spread_error(struct bk_call *call, struct kp_offset_fetch_response *response)
{
    const struct kp_offset_fetch_request *request = call->request;
    if (call->version >= 2 || !response->error_code || request->topic_count < 0)
        return;
    response->topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response->topics);
    response->topic_count = request->topic_count;
    for (int32_t t = 0; t < request->topic_count; t++) {
        struct kp_offset_fetch_response_topic *topic = &response->topics[t];
        topic->name = request->topics[t].name;
        topic->partition_count = request->topics[t].partition_index_count;
        topic->partitions =
            bk_call_alloc(call, (size_t)topic->partition_count, sizeof *topic->partitions);
        for (int32_t p = 0; p < topic->partition_count; p++)
            topic->partitions[p] = (struct kp_offset_fetch_response_partition){
                .partition_index = request->topics[t].partition_indexes[p],
                .committed_offset = -1,
                .committed_leader_epoch = -1,
                .metadata = bs_bytes("", 0),
                .error_code = response->error_code};
    }
    response->error_code = 0;
}

void bk_handle_offset_fetch(struct bk_call *call)
{
    const struct kp_offset_fetch_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_offset_fetch_response *response = bk_call_alloc(call, 1, sizeof *response);
    kp_offset_fetch_response_init(response);
    if (call->version < 8) {
        fetch_old(call, response);
        spread_error(call, response);
    } else {
        response->groups =
            bk_call_alloc(call, (size_t)request->group_count, sizeof *response->groups);
        response->group_count = request->group_count;
        for (int32_t i = 0; i < request->group_count; i++) {
            if (bk_call_too_large(call))
                return;
            fetch_group(call, &request->groups[i], &response->groups[i]);
        }
    }
    if (bk_shards_check(shards, BK_SHARD_GROUPS))
        bk_call_reply(call, response);
    else
        bk_reply_later(call, bk_step_begin(shards, BK_SHARD_GROUPS), response);
}

/* --- OffsetDelete --- */

void bk_handle_offset_delete(struct bk_call *call)
{
    const struct kp_offset_delete_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_offset_delete_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct bk_topic_partition *rows;
    int16_t *errors;
    size_t count = 0, n = 0;
    struct bk_step *step;
    kp_offset_delete_response_init(response);
    response->error_code = bk_shards_check(shards, BK_SHARD_GROUPS);
    if (response->error_code) {
        bk_call_reply(call, response);
        return;
    }
    for (int32_t t = 0; t < request->topic_count; t++)
        count += (size_t)request->topics[t].partition_count;
    rows = bk_call_alloc(call, count, sizeof *rows);
    errors = bk_call_alloc(call, count, sizeof *errors);
    for (int32_t t = 0; t < request->topic_count; t++)
        for (int32_t p = 0; p < request->topics[t].partition_count; p++)
            rows[n++] = (struct bk_topic_partition){
                request->topics[t].name, request->topics[t].partitions[p].partition_index};
    step = bk_step_begin(shards, BK_SHARD_GROUPS);
    response->error_code = bk_groups_offset_delete(bk_shards_groups(shards), request->group_id,
                                                   rows, errors, count, bk_step_effects(step));
    if (!response->error_code) {
        response->topics =
            bk_call_alloc(call, (size_t)request->topic_count, sizeof *response->topics);
        response->topic_count = request->topic_count;
        n = 0;
        for (int32_t t = 0; t < request->topic_count; t++) {
            struct kp_offset_delete_response_topic *out = &response->topics[t];
            out->name = request->topics[t].name;
            out->partition_count = request->topics[t].partition_count;
            out->partitions =
                bk_call_alloc(call, (size_t)out->partition_count, sizeof *out->partitions);
            for (int32_t p = 0; p < out->partition_count; p++, n++) {
                out->partitions[p].partition_index = rows[n].partition;
                out->partitions[p].error_code = errors[n];
            }
        }
    }
    bk_reply_later(call, step, response);
}
