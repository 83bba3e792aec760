/* Produce: every partition's batch is handed to its log in the order of the request; the answer
 * waits, with acks=all and acks=1, until all of it is below the high watermarks: on one node they
 * ask for the same, and what that takes (a sync or not) is the flush policy's to say.
 *
 * A batch of a transaction is taken only for a partition that the transaction coordinator has in
 * the open transaction (KIP-890): a late one would begin a transaction that nobody ends. */
#include "broker/handler/service.h"
#include "generated/lib/kafka/produce.h"
#include "lib/kafka/record_batch.h"

struct produce {
    struct bk_call *call;
    struct kp_produce_response response;
    struct bk_wait *wait;
    struct bk_wait_item *items; /* appended; their partitions are referenced */
    struct kp_produce_response_partition_response **rows; /* of the items */
    size_t item_count;
    int16_t refused; /* the whole request */
    bool failed;
};

static void produce_end(struct produce *produce, enum bk_outcome outcome)
{
    for (size_t i = 0; i < produce->item_count; i++)
        bk_partition_unref(produce->items[i].partition);
    produce->item_count = 0;
    if (outcome == BK_REPLY)
        bk_call_reply(produce->call, &produce->response);
    else
        bk_call_end(produce->call, outcome);
}

static void produce_cancel(struct bk_call *call)
{
    struct produce *produce = call->state;
    bk_wait_cancel(produce->wait);
    for (size_t i = 0; i < produce->item_count; i++)
        bk_partition_unref(produce->items[i].partition);
}

static int16_t check_txn(struct bk_call *call, const struct bk_topic *topic, int32_t index,
                         struct bs_bytes records)
{
    const struct kp_produce_request *request = call->request;
    struct bk_service *service = call->service;
    struct kp_batch batch;
    int16_t error;
    if (kp_batch_peek(records.ptr, records.len, &batch) || !kp_batch_is_transactional(&batch))
        return 0; /* what is wrong with it, the log says */
    if (!request->transactional_id.ptr)
        return KP_ERR_INVALID_TXN_STATE;
    if (!service->verify_txns)
        return 0;
    error = bk_shards_check(service->shards, BK_SHARD_TXNS);
    if (error)
        return KP_ERR_NOT_ENOUGH_REPLICAS; /* loading: producers try this one again */
    error =
        bk_txns_verify(bk_shards_txns(service->shards), request->transactional_id,
                       batch.producer_id, batch.producer_epoch, bs_bytes_text(topic->name), index);
    if (error == KP_ERR_INVALID_TXN_STATE && call->version >= 11)
        return KP_ERR_TRANSACTION_ABORTABLE;
    return error;
}

static void append_one(struct produce *produce, const struct bk_topic *topic, int16_t topic_error,
                       const struct kp_produce_request_partition_data *data,
                       struct kp_produce_response_partition_response *row)
{
    struct bk_call *call = produce->call;
    struct bk_service *service = call->service;
    struct bk_append append = {.origin = BK_ORIGIN_CLIENT};
    struct bk_partition *partition = NULL;
    int16_t error = produce->refused ? produce->refused : topic_error;
    kp_produce_response_partition_response_init(row);
    row->index = data->index;
    row->base_offset = -1;
    if (!error)
        partition = bk_partitions_get(service->partitions, topic->name, strlen(topic->name),
                                      data->index, &error);
    if (!error)
        error = check_txn(call, topic, data->index, data->records);
    if (!error) {
        /* The frame is ours: base offset and leader epoch are stamped in place. */
        append.records = (uint8_t *)data->records.ptr;
        append.len = data->records.len;
        error = append.records ? bk_partition_append(partition, &append) : KP_ERR_INVALID_RECORD;
    }
    row->error_code = error;
    if (error) {
        if (append.error_text[0])
            row->error_message = bk_call_text(call, append.error_text);
        produce->failed = true;
        bs_metric_add(&service->produce_errors, 1);
        return;
    }
    bs_metric_add(&service->produce_bytes, (int64_t)append.len);
    row->base_offset = append.base_offset;
    row->log_append_time_ms = append.append_time_ms;
    row->log_start_offset = bk_partition_log_start(partition);
    produce->items[produce->item_count] = (struct bk_wait_item){
        .partition = bk_partition_ref(partition), .offset = append.last_offset};
    produce->rows[produce->item_count++] = row;
}

/* Clients may not write to the coordinators' topics. */
static int16_t check_topic(const struct bk_topic *topic, int16_t error)
{
    return topic && topic->internal ? KP_ERR_INVALID_TOPIC_EXCEPTION : error;
}

static void append_all(struct produce *produce)
{
    struct bk_call *call = produce->call;
    const struct kp_produce_request *request = call->request;
    struct kp_produce_response *response = &produce->response;
    size_t count = 0;
    for (int32_t t = 0; t < request->topic_data_count; t++)
        count += (size_t)request->topic_data[t].partition_data_count;
    produce->items = bk_call_alloc(call, count, sizeof *produce->items);
    produce->rows = bk_call_alloc(call, count, sizeof *produce->rows);
    response->responses =
        bk_call_alloc(call, (size_t)request->topic_data_count, sizeof *response->responses);
    response->response_count = request->topic_data_count;
    for (int32_t t = 0; t < request->topic_data_count; t++) {
        const struct kp_produce_request_topic_data *in = &request->topic_data[t];
        struct kp_produce_response_response *out = &response->responses[t];
        int16_t error = 0;
        const struct bk_topic *topic =
            bk_service_topic(call->service, in->name, &in->topic_id, &error);
        error = check_topic(topic, error);
        out->name = bk_or_empty(in->name);
        out->topic_id = in->topic_id;
        out->partition_response_count = in->partition_data_count;
        out->partition_responses =
            bk_call_alloc(call, (size_t)in->partition_data_count, sizeof *out->partition_responses);
        for (int32_t p = 0; p < in->partition_data_count; p++)
            append_one(produce, topic, error, &in->partition_data[p], &out->partition_responses[p]);
    }
}

static void acked(void *ctx, enum bk_wait_end end);

/* Rows that are settled get their result; waits again for what is left. */
static void wait_acks(struct produce *produce, bool timed_out)
{
    struct bk_call *call = produce->call;
    const struct kp_produce_request *request = call->request;
    struct bk_wait_spec spec = {.kind = BK_WAIT_ACKS,
                                .timeout_ms = request->timeout_ms < 0 ? 0 : request->timeout_ms,
                                .done = acked,
                                .ctx = produce};
    size_t kept = 0;
    for (size_t i = 0; i < produce->item_count; i++) {
        struct bk_wait_item item = produce->items[i];
        struct kp_produce_response_partition_response *row = produce->rows[i];
        int16_t error = bk_partition_error(item.partition);
        if (!error && bk_partition_high_watermark(item.partition) <= item.offset) {
            if (!timed_out) {
                produce->items[kept] = item;
                produce->rows[kept++] = row;
                continue;
            }
            error = KP_ERR_REQUEST_TIMED_OUT;
        }
        if (error) {
            row->error_code = error;
            row->base_offset = -1;
        }
        bk_partition_unref(item.partition);
    }
    produce->item_count = kept;
    spec.items = produce->items;
    spec.count = kept;
    if (kept) {
        enum bk_wait_end end = BK_WAIT_MET;
        produce->wait =
            bk_waiter_park(bk_partitions_waiter(call->service->partitions), &spec, &end);
        if (produce->wait) {
            call->state = produce;
            call->cancel = produce_cancel;
            return;
        }
        if (end != BK_WAIT_MET) {
            wait_acks(produce, true);
            return;
        }
    }
    produce_end(produce, BK_REPLY);
}

static void acked(void *ctx, enum bk_wait_end end)
{
    struct produce *produce = ctx;
    produce->wait = NULL;
    produce->call->cancel = NULL;
    wait_acks(produce, end == BK_WAIT_TIMEOUT);
}

void bk_handle_produce(struct bk_call *call)
{
    const struct kp_produce_request *request = call->request;
    struct produce *produce = bs_arena_zalloc(&call->arena, sizeof *produce);
    produce->call = call;
    kp_produce_response_init(&produce->response);
    if (request->acks < -1 || request->acks > 1)
        produce->refused = KP_ERR_INVALID_REQUIRED_ACKS;
    append_all(produce);
    if (request->acks == 0)
        produce_end(produce, produce->failed ? BK_HANG_UP : BK_NO_REPLY);
    else
        wait_acks(produce, false);
}
