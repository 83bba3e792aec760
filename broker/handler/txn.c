/* Transaction requests: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, and what tools
 * ask: DescribeTransactions, ListTransactions. */
#include "broker/handler/later.h"
#include "generated/lib/kafka/add_offsets_to_txn.h"
#include "generated/lib/kafka/add_partitions_to_txn.h"
#include "generated/lib/kafka/describe_transactions.h"
#include "generated/lib/kafka/end_txn.h"
#include "generated/lib/kafka/init_producer_id.h"
#include "generated/lib/kafka/list_transactions.h"

/* Clients of old versions do not know PRODUCER_FENCED. */
static int16_t for_version(const struct bk_call *call, int16_t error, int16_t knows_fenced)
{
    return error == KP_ERR_PRODUCER_FENCED && call->version < knows_fenced
               ? KP_ERR_INVALID_PRODUCER_EPOCH
               : error;
}

/* --- InitProducerId --- */

static void init_idempotent(struct bk_call *call, struct kp_init_producer_id_response *response)
{
    const struct kp_init_producer_id_request *request = call->request;
    int64_t id;
    /* KIP-360: an idempotent producer that lost its way gets the next epoch of its id; there is
     * nothing to fence, so a fresh id does as well and never collides. */
    (void)request;
    if (bk_metadata_producer_id(call->service->metadata, &id)) {
        response->error_code = KP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
        return;
    }
    response->producer_id = id;
    response->producer_epoch = 0;
}

void bk_handle_init_producer_id(struct bk_call *call)
{
    const struct kp_init_producer_id_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_init_producer_id_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct bk_step *step;
    kp_init_producer_id_response_init(response);
    if (!request->transactional_id.ptr)
        init_idempotent(call, response);
    else
        response->error_code = bk_shards_check(shards, BK_SHARD_TXNS);
    if (!request->transactional_id.ptr || response->error_code) {
        bk_call_reply(call, response);
        return;
    }
    step = bk_step_begin(shards, BK_SHARD_TXNS);
    response->error_code = for_version(
        call,
        bk_txns_init(bk_shards_txns(shards), request->transactional_id,
                     request->transaction_timeout_ms, request->producer_id, request->producer_epoch,
                     bk_shards_now(shards), &response->producer_id, &response->producer_epoch,
                     bk_step_effects(step)),
        4);
    bk_reply_later(call, step, response);
}

/* --- AddPartitionsToTxn --- */

/* All partitions must be there; then UNKNOWN_TOPIC_OR_PARTITION for those that are not, and
 * OPERATION_NOT_ATTEMPTED for the others. */
static bool all_known(struct bk_call *call, const struct bk_topic_partition *rows, size_t count,
                      int16_t *errors)
{
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        const struct bk_topic *topic =
            bk_service_topic(call->service, rows[i].topic, NULL, &errors[i]);
        if (topic && topic->internal)
            errors[i] = KP_ERR_INVALID_TOPIC_EXCEPTION;
        else if (topic && (rows[i].partition < 0 || rows[i].partition >= topic->partition_count))
            errors[i] = KP_ERR_UNKNOWN_TOPIC_OR_PARTITION;
        all = all && errors[i] == 0;
    }
    for (size_t i = 0; i < count && !all; i++)
        if (!errors[i])
            errors[i] = KP_ERR_OPERATION_NOT_ATTEMPTED;
    return all;
}

void bk_handle_add_partitions_to_txn(struct bk_call *call)
{
    const struct kp_add_partitions_to_txn_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_add_partitions_to_txn_response *response = bk_call_alloc(call, 1, sizeof *response);
    size_t count = 0, n = 0;
    struct bk_topic_partition *rows;
    struct bk_step *step = NULL;
    int16_t *errors, error = bk_shards_check(shards, BK_SHARD_TXNS);
    int32_t topic_count = request->v3_and_below_topic_count;
    for (int32_t t = 0; t < topic_count; t++)
        count += (size_t)request->v3_and_below_topics[t].partition_count;
    rows = bk_call_alloc(call, count, sizeof *rows);
    errors = bk_call_alloc(call, count, sizeof *errors);
    for (int32_t t = 0; t < topic_count; t++)
        for (int32_t p = 0; p < request->v3_and_below_topics[t].partition_count; p++)
            rows[n++] = (struct bk_topic_partition){request->v3_and_below_topics[t].name,
                                                    request->v3_and_below_topics[t].partitions[p]};
    if (error || all_known(call, rows, count, errors)) {
        if (!error) {
            step = bk_step_begin(shards, BK_SHARD_TXNS);
            error = bk_txns_add_partitions(
                bk_shards_txns(shards), request->v3_and_below_transactional_id,
                request->v3_and_below_producer_id, request->v3_and_below_producer_epoch, rows,
                count, bk_shards_now(shards), bk_step_effects(step));
        }
        for (size_t i = 0; i < count; i++)
            errors[i] = for_version(call, error, 2);
    }
    kp_add_partitions_to_txn_response_init(response);
    response->results_by_topic_v3_and_below =
        bk_call_alloc(call, (size_t)topic_count, sizeof *response->results_by_topic_v3_and_below);
    response->results_by_topic_v3_and_below_count = topic_count;
    n = 0;
    for (int32_t t = 0; t < topic_count; t++) {
        struct kp_add_partitions_to_txn_response_topic_result *out =
            &response->results_by_topic_v3_and_below[t];
        out->name = request->v3_and_below_topics[t].name;
        out->results_by_partition_count = request->v3_and_below_topics[t].partition_count;
        out->results_by_partition = bk_call_alloc(call, (size_t)out->results_by_partition_count,
                                                  sizeof *out->results_by_partition);
        for (int32_t p = 0; p < out->results_by_partition_count; p++, n++) {
            out->results_by_partition[p].partition_index = rows[n].partition;
            out->results_by_partition[p].partition_error_code = errors[n];
        }
    }
    if (step)
        bk_reply_later(call, step, response);
    else
        bk_call_reply(call, response);
}

/* --- AddOffsetsToTxn --- */

/* The groups' topic is there or was made: its partition of the group joins the transaction. */
static void offsets_ready(void *ctx, int16_t error)
{
    struct bk_call *call = ctx;
    const struct kp_add_offsets_to_txn_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_add_offsets_to_txn_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct bk_topic_partition row = {.topic = bs_bytes_text(bk_shards_topic(BK_SHARD_GROUPS))};
    struct bk_step *step;
    kp_add_offsets_to_txn_response_init(response);
    if (!error)
        error = bk_shards_check(shards, BK_SHARD_TXNS);
    if (error) {
        response->error_code = error;
        bk_call_reply(call, response);
        return;
    }
    row.partition = bk_shards_partition(shards, BK_SHARD_GROUPS, request->group_id);
    step = bk_step_begin(shards, BK_SHARD_TXNS);
    response->error_code =
        for_version(call,
                    bk_txns_add_partitions(bk_shards_txns(shards), request->transactional_id,
                                           request->producer_id, request->producer_epoch, &row, 1,
                                           bk_shards_now(shards), bk_step_effects(step)),
                    2);
    bk_reply_later(call, step, response);
}

void bk_handle_add_offsets_to_txn(struct bk_call *call)
{
    bk_shards_prepare(call->service->shards, BK_SHARD_GROUPS, offsets_ready, call);
}

/* --- EndTxn --- */

void bk_handle_end_txn(struct bk_call *call)
{
    const struct kp_end_txn_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_end_txn_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct bk_step *step;
    kp_end_txn_response_init(response);
    response->error_code = bk_shards_check(shards, BK_SHARD_TXNS);
    if (response->error_code) {
        bk_call_reply(call, response);
        return;
    }
    step = bk_step_begin(shards, BK_SHARD_TXNS);
    response->error_code =
        for_version(call,
                    bk_txns_end(bk_shards_txns(shards), request->transactional_id,
                                request->producer_id, request->producer_epoch, request->committed,
                                bk_shards_now(shards), bk_step_effects(step)),
                    2);
    bk_reply_later(call, step, response);
}

/* --- tools --- */

static void describe_partitions(struct bk_call *call, const struct bk_txn_view *view,
                                struct kp_describe_transactions_response_transaction_state *out)
{
    out->topics = bk_call_alloc(call, view->partition_count, sizeof *out->topics);
    for (size_t i = 0; i < view->partition_count; i++) {
        struct kp_describe_transactions_response_topic *topic = NULL;
        for (int32_t t = 0; t < out->topic_count; t++)
            if (bs_bytes_equal(out->topics[t].topic, view->partitions[i].topic))
                topic = &out->topics[t];
        if (!topic) {
            topic = &out->topics[out->topic_count++];
            topic->topic = bk_call_keep(call, view->partitions[i].topic);
            topic->partitions =
                bk_call_alloc(call, view->partition_count, sizeof *topic->partitions);
        }
        topic->partitions[topic->partition_count++] = view->partitions[i].partition;
    }
}

void bk_handle_describe_transactions(struct bk_call *call)
{
    const struct kp_describe_transactions_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_describe_transactions_response *response = bk_call_alloc(call, 1, sizeof *response);
    int16_t error = bk_shards_check(shards, BK_SHARD_TXNS);
    kp_describe_transactions_response_init(response);
    response->transaction_states = bk_call_alloc(call, (size_t)request->transactional_id_count,
                                                 sizeof *response->transaction_states);
    response->transaction_state_count = request->transactional_id_count;
    for (int32_t i = 0; i < request->transactional_id_count; i++) {
        struct kp_describe_transactions_response_transaction_state *out =
            &response->transaction_states[i];
        struct bk_txn_view view;
        if (bk_call_too_large(call))
            return;
        kp_describe_transactions_response_transaction_state_init(out);
        out->transactional_id = request->transactional_ids[i];
        out->transaction_state = bs_bytes("", 0);
        out->error_code = error;
        if (error)
            continue;
        if (!bk_txns_describe(bk_shards_txns(shards), out->transactional_id, &call->arena, &view)) {
            out->error_code = KP_ERR_TRANSACTIONAL_ID_NOT_FOUND;
            continue;
        }
        out->transaction_state = bs_bytes_text(view.state_name);
        out->transaction_timeout_ms = view.timeout_ms;
        out->transaction_start_time_ms = view.start_ms;
        out->producer_id = view.producer_id;
        out->producer_epoch = view.epoch;
        describe_partitions(call, &view, out);
    }
    if (error)
        bk_call_reply(call, response);
    else
        bk_reply_later(call, bk_step_begin(shards, BK_SHARD_TXNS), response);
}

struct listing {
    struct bk_call *call;
    struct kp_list_transactions_response *response;
    int64_t now_ms;
};

static bool wanted(const struct listing *listing, const struct bk_txn_view *view)
{
    const struct kp_list_transactions_request *request = listing->call->request;
    bool state = request->state_filter_count <= 0,
         producer = request->producer_id_filter_count <= 0;
    for (int32_t i = 0; i < request->state_filter_count && !state; i++)
        state = bs_bytes_is(request->state_filters[i], view->state_name);
    for (int32_t i = 0; i < request->producer_id_filter_count && !producer; i++)
        producer = request->producer_id_filters[i] == view->producer_id;
    if (request->duration_filter >= 0 &&
        (view->start_ms < 0 || listing->now_ms - view->start_ms <= request->duration_filter))
        return false;
    return state && producer;
}

static void list_one(void *ctx, const struct bk_txn_view *view)
{
    struct listing *listing = ctx;
    struct kp_list_transactions_response_transaction_state *row;
    if (!wanted(listing, view))
        return;
    row = &listing->response->transaction_states[listing->response->transaction_state_count++];
    row->transactional_id = bk_call_keep(listing->call, view->id);
    row->producer_id = view->producer_id;
    row->transaction_state = bs_bytes_text(view->state_name);
}

void bk_handle_list_transactions(struct bk_call *call)
{
    struct bk_shards *shards = call->service->shards;
    struct kp_list_transactions_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct listing listing = {
        .call = call, .response = response, .now_ms = bk_shards_now(shards).wall_ms};
    kp_list_transactions_response_init(response);
    response->error_code = bk_shards_check(shards, BK_SHARD_TXNS);
    if (response->error_code) {
        if (response->error_code == KP_ERR_COORDINATOR_NOT_AVAILABLE)
            response->error_code = 0; /* never was one */
        bk_call_reply(call, response);
        return;
    }
    response->transaction_states = bk_call_alloc(call, bk_txns_count(bk_shards_txns(shards)),
                                                 sizeof *response->transaction_states);
    bk_txns_each(bk_shards_txns(shards), list_one, &listing);
    bk_reply_later(call, bk_step_begin(shards, BK_SHARD_TXNS), response);
}
