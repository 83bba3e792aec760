/* Fetch: reads what is there; when that is less than the client wants, the call is parked until
 * more has come or its time is up, and everything is read again.
 *
 * Fetch sessions (KIP-227) are answered with session id 0, "no session": clients then send the full
 * list each time. The leader serves everybody the same, whatever replica id a request claims. */
#include "broker/handler/service.h"
#include "generated/lib/kafka/fetch.h"

#include <utlist.h>

struct bk_parked {
    struct bk_call *call;
    struct bk_wait *wait;
    struct bk_parked *prev, *next;
};

struct row { /* one partition of one round of reading */
    struct kp_fetch_response_partition *out;
    struct bk_partition *partition; /* NULL: refused */
    int64_t offset;
    size_t at, len; /* in call->records */
};

struct round {
    struct bk_call *call;
    struct row *rows;
    size_t row_count;
    size_t bytes_left;
    bool any_error;
    struct kp_fetch_response response;
};

static bool is_committed(const struct bk_call *call)
{
    const struct kp_fetch_request *request = call->request;
    return request->isolation_level == 1;
}

static void note_aborted(struct bk_call *call, const struct bk_read *read,
                         struct kp_fetch_response_partition *out)
{
    out->aborted_transactions =
        bk_call_alloc(call, read->aborted_count, sizeof *out->aborted_transactions);
    out->aborted_transaction_count = (int32_t)read->aborted_count;
    for (size_t i = 0; i < read->aborted_count; i++) {
        out->aborted_transactions[i].producer_id = read->aborted[i].producer_id;
        out->aborted_transactions[i].first_offset = read->aborted[i].first_offset;
    }
}

/* The client's last epoch ended before its offset: its log is not ours any more. */
static bool diverges(struct bk_partition *partition, const struct kp_fetch_request_partition *in,
                     struct kp_fetch_response_partition *out)
{
    int32_t epoch;
    int64_t end;
    if (in->last_fetched_epoch < 0)
        return false;
    bk_partition_epoch_end(partition, in->last_fetched_epoch, &epoch, &end);
    if (epoch < 0 || end < 0 || (epoch == in->last_fetched_epoch && end >= in->fetch_offset))
        return false;
    if (epoch > in->last_fetched_epoch)
        return false;
    out->diverging_epoch.epoch = epoch;
    out->diverging_epoch.end_offset = end;
    return true;
}

static void read_one(struct round *round, const struct kp_fetch_request_partition *in,
                     struct row *row)
{
    struct bk_call *call = round->call;
    struct kp_fetch_response_partition *out = row->out;
    struct bs_buf *records = &call->records;
    size_t limit = in->partition_max_bytes > 0 ? (size_t)in->partition_max_bytes : 0;
    struct bk_read read = {.offset = in->fetch_offset,
                           .isolation =
                               is_committed(call) ? BK_READ_COMMITTED : BK_READ_UNCOMMITTED};
    row->offset = in->fetch_offset;
    row->at = records->len;
    /* KIP-74: the first batch of the response comes whole, however large. */
    read.at_least_one = records->len == 0 && round->bytes_left > 0;
    read.bytes_max = limit < round->bytes_left ? limit : round->bytes_left;
    out->error_code = bk_partition_check_epoch(row->partition, in->current_leader_epoch);
    if (!out->error_code && diverges(row->partition, in, out)) {
        out->high_watermark = bk_partition_high_watermark(row->partition);
        round->any_error = true;
        return;
    }
    if (!out->error_code)
        out->error_code = bk_partition_read(row->partition, &read, records);
    if (out->error_code) {
        records->len = row->at;
        out->log_start_offset = bk_partition_log_start(row->partition);
    } else {
        out->high_watermark = read.high_watermark;
        out->last_stable_offset = read.last_stable;
        out->log_start_offset = read.log_start;
        row->len = records->len - row->at;
        round->bytes_left -= row->len < round->bytes_left ? row->len : round->bytes_left;
        if (is_committed(call))
            note_aborted(call, &read, out);
    }
    bs_free(read.aborted);
}

static void read_topic(struct round *round, const struct kp_fetch_request_topic *in,
                       struct kp_fetch_response_response *out)
{
    struct bk_call *call = round->call;
    out->topic = bk_or_empty(in->topic);
    out->topic_id = in->topic_id;
    out->partition_count = in->partition_count;
    out->partitions = bk_call_alloc(call, (size_t)in->partition_count, sizeof *out->partitions);
    for (int32_t p = 0; p < in->partition_count; p++) {
        struct row *row = &round->rows[round->row_count++];
        int16_t error = 0;
        *row = (struct row){.out = &out->partitions[p]};
        kp_fetch_response_partition_init(row->out);
        row->out->partition_index = in->partitions[p].partition;
        row->out->high_watermark = -1;
        row->out->aborted_transaction_count = -1;
        row->partition = bk_service_partition(call->service, in->topic, &in->topic_id,
                                              in->partitions[p].partition, &error);
        row->out->error_code = error;
        if (row->partition)
            read_one(round, &in->partitions[p], row);
        if (row->out->error_code) {
            round->any_error = true;
            bs_metric_add(&call->service->fetch_errors, 1);
        }
    }
}

/* A fetch takes at most half of what is left of the budget: many that are answered at once, to
 * clients that read slowly, get less and less instead of all memory. */
static int64_t memory_share(const struct bk_service *service)
{
    enum { LEAST = 65536 };
    int64_t left = (service->memory_max - *service->memory_used) / 2;
    return left < LEAST ? LEAST : left;
}

static void read_round(struct round *round)
{
    struct bk_call *call = round->call;
    const struct kp_fetch_request *request = call->request;
    int64_t most = request->max_bytes;
    size_t count = 0;
    if (most > call->service->fetch_bytes_max)
        most = call->service->fetch_bytes_max;
    if (most > memory_share(call->service))
        most = memory_share(call->service);
    round->bytes_left = most > 0 ? (size_t)most : 1;
    call->records.len = 0;
    for (int32_t t = 0; t < request->topic_count; t++)
        count += (size_t)request->topics[t].partition_count;
    round->rows = bk_call_alloc(call, count, sizeof *round->rows);
    kp_fetch_response_init(&round->response);
    round->response.responses =
        bk_call_alloc(call, (size_t)request->topic_count, sizeof *round->response.responses);
    round->response.response_count = request->topic_count;
    for (int32_t t = 0; t < request->topic_count; t++)
        read_topic(round, &request->topics[t], &round->response.responses[t]);
}

static void answer(struct round *round)
{
    struct bk_call *call = round->call;
    /* Reading is over, so the records no longer move. */
    for (size_t i = 0; i < round->row_count; i++) {
        struct row *row = &round->rows[i];
        row->out->records =
            row->len ? bs_bytes(call->records.data + row->at, row->len) : bs_bytes("", 0);
    }
    bs_metric_add(&call->service->fetch_bytes, (int64_t)call->records.len);
    bk_call_reply(call, &round->response);
}

/* --- parking --- */

static void unpark(struct bk_parked *parked)
{
    DL_DELETE(parked->call->service->fetches, parked);
    parked->call->cancel = NULL;
}

static void fetch_cancel(struct bk_call *call)
{
    struct bk_parked *parked = call->state;
    bk_wait_cancel(parked->wait);
    DL_DELETE(call->service->fetches, parked);
}

static void read_and_answer(struct bk_call *call)
{
    struct round round = {.call = call};
    read_round(&round);
    answer(&round);
}

static void woken(void *ctx, enum bk_wait_end end)
{
    struct bk_parked *parked = ctx;
    (void)end; /* whatever it was, what is there now is the answer */
    unpark(parked);
    read_and_answer(parked->call);
}

static void park(struct round *round)
{
    struct bk_call *call = round->call;
    const struct kp_fetch_request *request = call->request;
    struct bk_parked *parked = bs_arena_zalloc(&call->arena, sizeof *parked);
    struct bk_wait_item *items = bk_call_alloc(call, round->row_count, sizeof *items);
    struct bk_wait_spec spec = {.kind = BK_WAIT_BYTES,
                                .items = items,
                                .min_bytes = request->min_bytes - (int64_t)call->records.len,
                                .isolation =
                                    is_committed(call) ? BK_READ_COMMITTED : BK_READ_UNCOMMITTED,
                                .timeout_ms = request->max_wait_ms,
                                .done = woken,
                                .ctx = parked};
    enum bk_wait_end end = BK_WAIT_MET;
    for (size_t i = 0; i < round->row_count; i++)
        if (round->rows[i].partition)
            items[spec.count++] = (struct bk_wait_item){.partition = round->rows[i].partition,
                                                        .offset = round->rows[i].offset};
    bs_buf_deinit(&call->records); /* a parked fetch holds no records */
    parked->call = call;
    parked->wait = bk_waiter_park(bk_partitions_waiter(call->service->partitions), &spec, &end);
    if (!parked->wait) {
        read_and_answer(call);
        return;
    }
    DL_APPEND(call->service->fetches, parked);
    call->state = parked;
    call->cancel = fetch_cancel;
}

void bk_service_stop(struct bk_service *service)
{
    service->stopping = true;
    while (service->fetches) {
        struct bk_parked *parked = service->fetches;
        bk_wait_cancel(parked->wait);
        unpark(parked);
        read_and_answer(parked->call);
    }
}

void bk_handle_fetch(struct bk_call *call)
{
    const struct kp_fetch_request *request = call->request;
    struct round round = {.call = call};
    if (request->session_id != 0 && request->session_epoch > 0) {
        kp_fetch_response_init(&round.response);
        round.response.error_code = KP_ERR_FETCH_SESSION_ID_NOT_FOUND;
        bk_call_reply(call, &round.response);
        return;
    }
    read_round(&round);
    if (round.any_error || call->service->stopping || request->max_wait_ms <= 0 ||
        (int64_t)call->records.len >= request->min_bytes)
        answer(&round);
    else
        park(&round);
}
