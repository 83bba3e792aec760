/* Txn: the rules of transactions; see txn.h. A transaction's partitions stand in a list sorted by
 * nothing, unique. Fencing: whoever takes over an Ongoing transaction (a new InitProducerId, the
 * time-out) raises the epoch in the same step that writes PrepareAbort, so the markers carry the
 * raised epoch and the partitions refuse the old producer too.
 *
 * Record (Kafka's, version 0): int64 producer id, int16 epoch, int32 time-out, int8 state, nullable
 * array of {string topic, array of int32}, int64 updated, int64 started. Key: int16 0, string id.
 * Loop thread. */
#include "broker/coordinator/txn.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/partitioner.h"

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

/* The last epoch is kept for fencing: after it comes a new producer id. */
enum { EPOCH_LAST = INT16_MAX - 1 };
enum { PARTITIONS_MAX = 100000 };

struct txn {
    UT_hash_handle hh;
    struct bs_bytes id; /* owned */
    int64_t producer_id;
    int16_t epoch;
    int16_t last_epoch; /* before the last bump by init, for its retry; -1 none */
    int64_t last_producer_id;
    int32_t timeout_ms;
    enum bk_txn_state state;
    struct bk_topic_partition *partitions; /* owned, topics too */
    size_t partition_count, partition_cap;
    int64_t start_ms, update_ms; /* wall clock */
    int64_t deadline_ms;         /* mono; Ongoing only */
};

struct bk_txns {
    struct bk_txns_config config;
    struct txn *by_id;
    int64_t due_ms;
    int64_t expire_ms; /* mono: next look for unused ids */
};

static const char *const STATE_NAMES[] = {"Empty",        "Ongoing",        "PrepareCommit",
                                          "PrepareAbort", "CompleteCommit", "CompleteAbort"};

struct bk_txns *bk_txns_new(const struct bk_txns_config *config)
{
    struct bk_txns *txns = bs_new(struct bk_txns);
    txns->config = *config;
    txns->due_ms = INT64_MAX;
    return txns;
}

static void clear_partitions(struct txn *txn)
{
    for (size_t i = 0; i < txn->partition_count; i++)
        bs_free((void *)txn->partitions[i].topic.ptr);
    bs_free(txn->partitions);
    txn->partitions = NULL;
    txn->partition_count = txn->partition_cap = 0;
}

static void remove_txn(struct bk_txns *txns, struct txn *txn)
{
    HASH_DEL(txns->by_id, txn);
    clear_partitions(txn);
    bs_free((void *)txn->id.ptr);
    bs_free(txn);
}

void bk_txns_free(struct bk_txns *txns)
{
    struct txn *txn, *next;
    if (!txns)
        return;
    HASH_ITER (hh, txns->by_id, txn, next)
        remove_txn(txns, txn);
    bs_free(txns);
}

size_t bk_txns_count(const struct bk_txns *txns)
{
    return HASH_COUNT(txns->by_id);
}

static struct txn *find(struct bk_txns *txns, struct bs_bytes id)
{
    struct txn *txn = NULL;
    HASH_FIND(hh, txns->by_id, id.ptr, id.len, txn);
    return txn;
}

static struct txn *add(struct bk_txns *txns, struct bs_bytes id)
{
    struct txn *txn = bs_new(struct txn);
    txn->id = bs_bytes(bs_memdup(id.ptr, id.len), id.len);
    txn->producer_id = txn->last_producer_id = -1;
    txn->epoch = txn->last_epoch = -1;
    txn->start_ms = -1;
    txn->deadline_ms = INT64_MAX;
    HASH_ADD_KEYPTR(hh, txns->by_id, txn->id.ptr, txn->id.len, txn);
    return txn;
}

static bool has_partition(const struct txn *txn, struct bs_bytes topic, int32_t partition)
{
    for (size_t i = 0; i < txn->partition_count; i++)
        if (txn->partitions[i].partition == partition &&
            bs_bytes_equal(txn->partitions[i].topic, topic))
            return true;
    return false;
}

static void add_partition(struct txn *txn, struct bs_bytes topic, int32_t partition)
{
    if (txn->partition_count == txn->partition_cap) {
        txn->partition_cap = txn->partition_cap ? txn->partition_cap * 2 : 8;
        txn->partitions = bs_realloc(txn->partitions, txn->partition_cap * sizeof *txn->partitions);
    }
    txn->partitions[txn->partition_count++] = (struct bk_topic_partition){
        .topic = bs_bytes(bs_memdup(topic.ptr, topic.len), topic.len), .partition = partition};
}

/* --- records --- */

static void put_string(struct bs_buf *buf, struct bs_bytes text)
{
    bs_buf_put_u16(buf, (uint16_t)text.len);
    bs_buf_put(buf, text.ptr, text.len);
}

static void put_partitions(struct bs_buf *buf, const struct txn *txn)
{
    size_t count_at = buf->len;
    uint32_t topics = 0;
    bs_buf_put_u32(buf, 0);
    for (size_t i = 0; i < txn->partition_count; i++) {
        struct bs_bytes topic = txn->partitions[i].topic;
        uint32_t n = 0;
        size_t k = 0, n_at;
        while (k < i && !bs_bytes_equal(txn->partitions[k].topic, topic))
            k++;
        if (k < i)
            continue; /* written with the first partition of the topic */
        put_string(buf, topic);
        n_at = buf->len;
        bs_buf_put_u32(buf, 0);
        for (k = i; k < txn->partition_count; k++) {
            if (!bs_bytes_equal(txn->partitions[k].topic, topic))
                continue;
            bs_buf_put_u32(buf, (uint32_t)txn->partitions[k].partition);
            n++;
        }
        bs_store_u32(buf->data + n_at, n);
        topics++;
    }
    bs_store_u32(buf->data + count_at, topics);
}

static void write_record(struct bk_txns *txns, struct txn *txn, bool tombstone,
                         struct bk_effects *fx)
{
    struct bs_buf key = BS_BUF_INIT, value = BS_BUF_INIT;
    bs_buf_put_u16(&key, 0);
    put_string(&key, txn->id);
    bs_buf_put_u16(&value, 0);
    bs_buf_put_u64(&value, (uint64_t)txn->producer_id);
    bs_buf_put_u16(&value, (uint16_t)txn->epoch);
    bs_buf_put_u32(&value, (uint32_t)txn->timeout_ms);
    bs_buf_put_u8(&value, (uint8_t)txn->state);
    put_partitions(&value, txn);
    bs_buf_put_u64(&value, (uint64_t)txn->update_ms);
    bs_buf_put_u64(&value, (uint64_t)txn->start_ms);
    bk_effects_record(fx, kp_partition_for_id(txn->id, txns->config.partition_count),
                      bs_buf_bytes(&key), tombstone ? (struct bs_bytes){0} : bs_buf_bytes(&value));
    bs_buf_deinit(&key);
    bs_buf_deinit(&value);
}

static void enter(struct bk_txns *txns, struct txn *txn, enum bk_txn_state state,
                  struct bk_time now, struct bk_effects *fx)
{
    txn->state = state;
    txn->update_ms = now.wall_ms;
    if (state != BK_TXN_ONGOING)
        txn->deadline_ms = INT64_MAX;
    write_record(txns, txn, false, fx);
}

static void want_markers(struct txn *txn, struct bk_effects *fx)
{
    struct bk_marker_job *job = bs_arena_zalloc(&fx->arena, sizeof *job);
    struct bk_marker_job **end = &fx->markers;
    while (*end)
        end = &(*end)->next;
    job->transactional_id = bk_effects_dup(fx, txn->id);
    job->producer_id = txn->producer_id;
    job->producer_epoch = txn->epoch;
    job->commit = txn->state == BK_TXN_PREPARE_COMMIT;
    job->partitions = bs_arena_array(&fx->arena, txn->partition_count + 1, sizeof *job->partitions);
    job->partition_count = txn->partition_count;
    for (size_t i = 0; i < txn->partition_count; i++) {
        job->partitions[i].topic = bk_effects_dup(fx, txn->partitions[i].topic);
        job->partitions[i].partition = txn->partitions[i].partition;
    }
    *end = job;
}

/* Takes the transaction away from its producer and aborts it. */
static void fence_and_abort(struct bk_txns *txns, struct txn *txn, struct bk_time now,
                            struct bk_effects *fx)
{
    txn->epoch++; /* at most INT16_MAX: see EPOCH_LAST */
    txn->last_epoch = -1;
    enter(txns, txn, BK_TXN_PREPARE_ABORT, now, fx);
    want_markers(txn, fx);
}

/* --- init --- */

static int16_t give_new_producer_id(struct bk_txns *txns, struct txn *txn)
{
    int64_t producer_id;
    if (txns->config.new_producer_id(txns->config.ctx, &producer_id))
        return KP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
    txn->last_producer_id = txn->producer_id;
    txn->producer_id = producer_id;
    txn->epoch = 0;
    txn->last_epoch = -1;
    return 0;
}

/* Epoch for the next life of the producer, when the transaction is at rest. */
static int16_t bump(struct bk_txns *txns, struct txn *txn, int16_t given_epoch)
{
    if (txn->epoch < 0)
        return give_new_producer_id(txns, txn);
    if (txn->epoch >= EPOCH_LAST && (given_epoch < 0 || given_epoch == txn->epoch))
        return give_new_producer_id(txns, txn);
    if (given_epoch < 0) {
        txn->last_epoch = -1;
        txn->epoch++;
    } else if (given_epoch == txn->epoch) {
        txn->last_epoch = txn->epoch;
        txn->epoch++;
    } else if (given_epoch != txn->last_epoch) {
        return KP_ERR_PRODUCER_FENCED;
    } /* else: its retry of a bump that already happened */
    return 0;
}

int16_t bk_txns_init(struct bk_txns *txns, struct bs_bytes id, int32_t timeout_ms,
                     int64_t given_producer_id, int16_t given_epoch, struct bk_time now,
                     int64_t *ret_producer_id, int16_t *ret_epoch, struct bk_effects *fx)
{
    struct txn *txn = find(txns, id);
    bool fresh = txn == NULL;
    int16_t error = 0;
    *ret_producer_id = -1;
    *ret_epoch = -1;
    if (id.len == 0)
        return KP_ERR_INVALID_REQUEST;
    if (timeout_ms <= 0 || timeout_ms > txns->config.timeout_max_ms)
        return KP_ERR_INVALID_TRANSACTION_TIMEOUT;
    if (fresh)
        txn = add(txns, id);
    if (given_producer_id >= 0 && txn->epoch >= 0 && given_producer_id != txn->producer_id &&
        given_producer_id != txn->last_producer_id)
        return KP_ERR_PRODUCER_FENCED;
    switch (txn->state) {
    case BK_TXN_PREPARE_COMMIT:
    case BK_TXN_PREPARE_ABORT:
        return KP_ERR_CONCURRENT_TRANSACTIONS;
    case BK_TXN_ONGOING:
        if (given_epoch >= 0 && given_epoch != txn->epoch)
            return KP_ERR_PRODUCER_FENCED;
        fence_and_abort(txns, txn, now, fx);
        return KP_ERR_CONCURRENT_TRANSACTIONS;
    default:
        break;
    }
    /* A retry after the id was exchanged: it asks with the old id, and gets the new one. */
    if (!(given_producer_id >= 0 && given_producer_id == txn->last_producer_id &&
          given_producer_id != txn->producer_id))
        error = bump(txns, txn, given_epoch);
    if (error) {
        if (fresh)
            remove_txn(txns, txn);
        return error;
    }
    txn->timeout_ms = timeout_ms;
    txn->start_ms = -1;
    clear_partitions(txn);
    enter(txns, txn, BK_TXN_EMPTY, now, fx);
    *ret_producer_id = txn->producer_id;
    *ret_epoch = txn->epoch;
    return 0;
}

/* --- partitions and the end --- */

static int16_t check_producer(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id,
                              int16_t epoch, struct txn **ret)
{
    struct txn *txn = find(txns, id);
    *ret = txn;
    if (id.len == 0)
        return KP_ERR_INVALID_REQUEST;
    if (!txn || txn->producer_id != producer_id)
        return KP_ERR_INVALID_PRODUCER_ID_MAPPING;
    return txn->epoch == epoch ? 0 : KP_ERR_PRODUCER_FENCED;
}

int16_t bk_txns_add_partitions(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id,
                               int16_t epoch, const struct bk_topic_partition *partitions,
                               size_t count, struct bk_time now, struct bk_effects *fx)
{
    struct txn *txn;
    bool any = false;
    int16_t error = check_producer(txns, id, producer_id, epoch, &txn);
    if (error)
        return error;
    if (txn->state == BK_TXN_PREPARE_COMMIT || txn->state == BK_TXN_PREPARE_ABORT)
        return KP_ERR_CONCURRENT_TRANSACTIONS;
    if (txn->state != BK_TXN_ONGOING) {
        clear_partitions(txn);
        txn->start_ms = now.wall_ms;
        txn->deadline_ms = now.mono_ms + txn->timeout_ms;
        if (txn->deadline_ms < txns->due_ms)
            txns->due_ms = txn->deadline_ms;
        any = true;
    }
    for (size_t i = 0; i < count; i++) {
        if (has_partition(txn, partitions[i].topic, partitions[i].partition))
            continue;
        add_partition(txn, partitions[i].topic, partitions[i].partition);
        any = true;
    }
    if (any)
        enter(txns, txn, BK_TXN_ONGOING, now, fx);
    return 0;
}

int16_t bk_txns_end(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id, int16_t epoch,
                    bool commit, struct bk_time now, struct bk_effects *fx)
{
    struct txn *txn;
    int16_t error = check_producer(txns, id, producer_id, epoch, &txn);
    if (error)
        return error;
    switch (txn->state) {
    case BK_TXN_ONGOING:
        enter(txns, txn, commit ? BK_TXN_PREPARE_COMMIT : BK_TXN_PREPARE_ABORT, now, fx);
        want_markers(txn, fx);
        return 0;
    case BK_TXN_PREPARE_COMMIT:
        return commit ? KP_ERR_CONCURRENT_TRANSACTIONS : KP_ERR_INVALID_TXN_STATE;
    case BK_TXN_PREPARE_ABORT:
        return commit ? KP_ERR_INVALID_TXN_STATE : KP_ERR_CONCURRENT_TRANSACTIONS;
    case BK_TXN_COMPLETE_COMMIT: /* a retry of the end that was */
        return commit ? 0 : KP_ERR_INVALID_TXN_STATE;
    case BK_TXN_COMPLETE_ABORT:
        return commit ? KP_ERR_INVALID_TXN_STATE : 0;
    case BK_TXN_EMPTY:
        break;
    }
    return KP_ERR_INVALID_TXN_STATE;
}

void bk_txns_markers_done(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id,
                          int16_t epoch, struct bk_time now, struct bk_effects *fx)
{
    struct txn *txn = find(txns, id);
    enum bk_txn_state next;
    if (!txn || txn->producer_id != producer_id || txn->epoch != epoch ||
        (txn->state != BK_TXN_PREPARE_COMMIT && txn->state != BK_TXN_PREPARE_ABORT))
        return;
    next = txn->state == BK_TXN_PREPARE_COMMIT ? BK_TXN_COMPLETE_COMMIT : BK_TXN_COMPLETE_ABORT;
    clear_partitions(txn);
    enter(txns, txn, next, now, fx);
}

int16_t bk_txns_verify(struct bk_txns *txns, struct bs_bytes id, int64_t producer_id, int16_t epoch,
                       struct bs_bytes topic, int32_t partition)
{
    struct txn *txn;
    int16_t error = check_producer(txns, id, producer_id, epoch, &txn);
    if (error == KP_ERR_PRODUCER_FENCED)
        return KP_ERR_INVALID_PRODUCER_EPOCH;
    if (error)
        return error;
    if (txn->state != BK_TXN_ONGOING || !has_partition(txn, topic, partition))
        return KP_ERR_INVALID_TXN_STATE;
    return 0;
}

/* --- time --- */

static void expire_ids(struct bk_txns *txns, struct bk_time now, struct bk_effects *fx)
{
    struct txn *txn, *next;
    HASH_ITER (hh, txns->by_id, txn, next) {
        bool at_rest = txn->state == BK_TXN_EMPTY || txn->state >= BK_TXN_COMPLETE_COMMIT;
        if (!at_rest || txn->update_ms + txns->config.id_expiration_ms > now.wall_ms)
            continue;
        write_record(txns, txn, true, fx);
        remove_txn(txns, txn);
    }
}

int64_t bk_txns_tick(struct bk_txns *txns, struct bk_time now, struct bk_effects *fx)
{
    struct txn *txn;
    enum { EXPIRE_EVERY_MS = 3600000 };
    if (now.mono_ms < txns->due_ms)
        return txns->due_ms;
    txns->due_ms = INT64_MAX;
    for (txn = txns->by_id; txn; txn = txn->hh.next) {
        if (txn->state == BK_TXN_ONGOING && txn->deadline_ms <= now.mono_ms)
            fence_and_abort(txns, txn, now, fx);
        if (txn->deadline_ms < txns->due_ms)
            txns->due_ms = txn->deadline_ms;
    }
    if (now.mono_ms >= txns->expire_ms) {
        expire_ids(txns, now, fx);
        txns->expire_ms = now.mono_ms + EXPIRE_EVERY_MS;
    }
    if (txns->by_id && txns->expire_ms < txns->due_ms)
        txns->due_ms = txns->expire_ms;
    return txns->due_ms;
}

int64_t bk_txns_due_ms(const struct bk_txns *txns)
{
    return txns->due_ms;
}

/* --- admin --- */

static struct bk_txn_view view_of(const struct txn *txn)
{
    return (struct bk_txn_view){.id = txn->id,
                                .state = txn->state,
                                .state_name = STATE_NAMES[txn->state],
                                .producer_id = txn->producer_id,
                                .epoch = txn->epoch,
                                .timeout_ms = txn->timeout_ms,
                                .start_ms = txn->start_ms};
}

bool bk_txns_describe(struct bk_txns *txns, struct bs_bytes id, struct bs_arena *arena,
                      struct bk_txn_view *ret)
{
    struct txn *txn = find(txns, id);
    if (!txn)
        return false;
    *ret = view_of(txn);
    ret->partitions = bs_arena_array(arena, txn->partition_count + 1, sizeof *ret->partitions);
    if (txn->partition_count)
        memcpy(ret->partitions, txn->partitions, txn->partition_count * sizeof *ret->partitions);
    ret->partition_count = txn->partition_count;
    return true;
}

void bk_txns_each(struct bk_txns *txns, void (*each)(void *ctx, const struct bk_txn_view *view),
                  void *ctx)
{
    struct txn *txn;
    for (txn = txns->by_id; txn; txn = txn->hh.next) {
        struct bk_txn_view view = view_of(txn);
        each(ctx, &view);
    }
}

/* --- replay --- */

static int get_text(struct bs_cursor *c, struct bs_bytes *ret)
{
    uint16_t len;
    if (bs_get_u16(c, &len) || len > INT16_MAX || bs_get_bytes(c, len, ret))
        return BS_ECORRUPT;
    return 0;
}

static int read_partitions(struct bs_cursor *c, struct txn *txn)
{
    uint32_t topics, n, partition;
    struct bs_bytes topic;
    if (bs_get_u32(c, &topics))
        return BS_ECORRUPT;
    if (topics == UINT32_MAX)
        return 0;
    for (uint32_t i = 0; i < topics; i++) {
        if (get_text(c, &topic) || bs_get_u32(c, &n) || n > PARTITIONS_MAX)
            return BS_ECORRUPT;
        for (uint32_t k = 0; k < n; k++) {
            if (bs_get_u32(c, &partition))
                return BS_ECORRUPT;
            add_partition(txn, topic, (int32_t)partition);
        }
    }
    return 0;
}

static int read_value(struct bs_cursor c, struct txn *txn)
{
    uint16_t version, epoch;
    uint32_t timeout_ms;
    uint64_t producer_id, update_ms, start_ms;
    uint8_t state;
    if (bs_get_u16(&c, &version) || version != 0 || bs_get_u64(&c, &producer_id) ||
        bs_get_u16(&c, &epoch) || bs_get_u32(&c, &timeout_ms) || bs_get_u8(&c, &state) ||
        state > BK_TXN_COMPLETE_ABORT)
        return BS_ECORRUPT;
    clear_partitions(txn);
    if (read_partitions(&c, txn) || bs_get_u64(&c, &update_ms) || bs_get_u64(&c, &start_ms))
        return BS_ECORRUPT;
    txn->producer_id = (int64_t)producer_id;
    txn->epoch = (int16_t)epoch;
    txn->last_epoch = -1;
    txn->timeout_ms = (int32_t)timeout_ms;
    txn->state = (enum bk_txn_state)state;
    txn->update_ms = (int64_t)update_ms;
    txn->start_ms = (int64_t)start_ms;
    return 0;
}

int bk_txns_replay(struct bk_txns *txns, struct bs_bytes key, struct bs_bytes value,
                   struct bk_time now)
{
    struct bs_cursor c = bs_cursor(key);
    struct bs_bytes id;
    struct txn *txn;
    uint16_t kind;
    (void)now;
    if (bs_get_u16(&c, &kind))
        return BS_ECORRUPT;
    if (kind != 0)
        return 0;
    if (get_text(&c, &id) || id.len == 0)
        return BS_ECORRUPT;
    txn = find(txns, id);
    if (!value.ptr) {
        if (txn)
            remove_txn(txns, txn);
        return 0;
    }
    if (!txn)
        txn = add(txns, id);
    if (read_value(bs_cursor(value), txn)) {
        remove_txn(txns, txn);
        return BS_ECORRUPT;
    }
    return 0;
}

void bk_txns_snapshot(struct bk_txns *txns, int32_t partition, struct bk_effects *fx)
{
    struct txn *txn;
    for (txn = txns->by_id; txn; txn = txn->hh.next)
        if (kp_partition_for_id(txn->id, txns->config.partition_count) == partition)
            write_record(txns, txn, false, fx);
}

void bk_txns_replayed(struct bk_txns *txns, struct bk_time now, struct bk_effects *fx)
{
    struct txn *txn;
    for (txn = txns->by_id; txn; txn = txn->hh.next) {
        if (txn->state == BK_TXN_PREPARE_COMMIT || txn->state == BK_TXN_PREPARE_ABORT)
            want_markers(txn, fx);
        if (txn->state != BK_TXN_ONGOING)
            continue;
        /* The time before the restart counts; a clock that went back does not prolong it. */
        int64_t gone_ms = now.wall_ms - txn->start_ms;
        gone_ms = gone_ms < 0 ? 0 : gone_ms > txn->timeout_ms ? txn->timeout_ms : gone_ms;
        txn->deadline_ms = now.mono_ms + txn->timeout_ms - gone_ms;
    }
    txns->due_ms = now.mono_ms;
}
