/* Txns: every state, request and fencing rule of transactions, with a clock moved by hand. */
#include "broker/coordinator/txn.h"
#include "lib/kafka/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define T(s) bs_bytes_text(s)

struct world {
    struct bk_txns *txns;
    struct bk_effects fx;
    struct bk_time now;
    int64_t next_id, producer;
    int16_t epoch;
};

static int new_id(void *ctx, int64_t *ret)
{
    struct world *w = ctx;
    *ret = w->next_id++;
    return 0;
}

static struct bk_txns *make(struct world *w)
{
    struct bk_txns_config config = {.partition_count = 4,
                                    .timeout_max_ms = 900000,
                                    .id_expiration_ms = 100000000,
                                    .new_producer_id = new_id,
                                    .ctx = w};
    return bk_txns_new(&config);
}

static void begin(struct world *w)
{
    *w = (struct world){.now = {.mono_ms = 5000, .wall_ms = 1700000000000}, .next_id = 100};
    w->txns = make(w);
    bk_effects_init(&w->fx);
}

static void end(struct world *w)
{
    bk_effects_deinit(&w->fx);
    bk_txns_free(w->txns);
}

static void fresh(struct world *w)
{
    bk_effects_deinit(&w->fx);
    bk_effects_init(&w->fx);
}

static int16_t init_as(struct world *w, int64_t producer, int16_t epoch)
{
    fresh(w);
    return bk_txns_init(w->txns, T("x"), 60000, producer, epoch, w->now, &w->producer, &w->epoch,
                        &w->fx);
}

static int16_t init(struct world *w)
{
    return init_as(w, -1, -1);
}

static int16_t add(struct world *w, const char *topic, int32_t partition)
{
    struct bk_topic_partition row = {T(topic), partition};
    fresh(w);
    return bk_txns_add_partitions(w->txns, T("x"), w->producer, w->epoch, &row, 1, w->now, &w->fx);
}

static int16_t finish(struct world *w, bool commit)
{
    fresh(w);
    return bk_txns_end(w->txns, T("x"), w->producer, w->epoch, commit, w->now, &w->fx);
}

static void markers_done(struct world *w)
{
    struct bk_effects fx;
    struct bk_marker_job *job = w->fx.markers;
    assert_non_null(job);
    bk_effects_init(&fx);
    bk_txns_markers_done(w->txns, job->transactional_id, job->producer_id, job->producer_epoch,
                         w->now, &fx);
    assert_non_null(fx.records);
    bk_effects_deinit(&w->fx);
    w->fx = fx;
}

static enum bk_txn_state state(struct world *w)
{
    struct bk_txn_view view;
    struct bs_arena arena = BS_ARENA_INIT;
    assert_true(bk_txns_describe(w->txns, T("x"), &arena, &view));
    bs_arena_deinit(&arena);
    return view.state;
}

static void test_commit_and_abort(void **s)
{
    struct world w;
    (void)s;
    begin(&w);
    assert_int_equal(init(&w), 0);
    assert_int_equal(w.producer, 100);
    assert_int_equal(w.epoch, 0);
    assert_int_equal(state(&w), BK_TXN_EMPTY);
    assert_int_equal(finish(&w, true), KP_ERR_INVALID_TXN_STATE); /* nothing begun */
    assert_int_equal(finish(&w, false), KP_ERR_INVALID_TXN_STATE);
    assert_int_equal(add(&w, "t", 0), 0);
    assert_non_null(w.fx.records);
    assert_int_equal(add(&w, "t", 0), 0);
    assert_null(w.fx.records); /* there already: nothing to write */
    assert_int_equal(add(&w, "u", 1), 0);
    assert_int_equal(state(&w), BK_TXN_ONGOING);
    assert_int_equal(finish(&w, true), 0);
    assert_int_equal(state(&w), BK_TXN_PREPARE_COMMIT);
    assert_int_equal(w.fx.markers->partition_count, 2);
    assert_true(w.fx.markers->commit);
    struct bk_effects kept = w.fx;
    bk_effects_init(&w.fx);
    assert_int_equal(finish(&w, true), KP_ERR_CONCURRENT_TRANSACTIONS);
    assert_int_equal(finish(&w, false), KP_ERR_INVALID_TXN_STATE);
    assert_int_equal(add(&w, "t", 0), KP_ERR_CONCURRENT_TRANSACTIONS);
    assert_int_equal(init(&w), KP_ERR_CONCURRENT_TRANSACTIONS);
    w.producer = 100; /* init gave none */
    w.epoch = 0;
    bk_effects_deinit(&w.fx);
    w.fx = kept;
    markers_done(&w);
    assert_int_equal(state(&w), BK_TXN_COMPLETE_COMMIT);
    assert_int_equal(finish(&w, true), 0); /* a retry */
    assert_int_equal(finish(&w, false), KP_ERR_INVALID_TXN_STATE);
    assert_int_equal(add(&w, "t", 2), 0); /* the next one */
    assert_int_equal(finish(&w, false), 0);
    assert_int_equal(state(&w), BK_TXN_PREPARE_ABORT);
    assert_int_equal(w.fx.markers->partition_count, 1);
    assert_false(w.fx.markers->commit);
    markers_done(&w);
    assert_int_equal(state(&w), BK_TXN_COMPLETE_ABORT);
    assert_int_equal(finish(&w, false), 0);
    assert_int_equal(finish(&w, true), KP_ERR_INVALID_TXN_STATE);
    end(&w);
}

static void test_fencing(void **s)
{
    struct world w;
    struct bk_topic_partition row = {T("t"), 0};
    (void)s;
    begin(&w);
    init(&w);
    assert_int_equal(init(&w), 0);
    assert_int_equal(w.epoch, 1);
    assert_int_equal(bk_txns_add_partitions(w.txns, T("x"), 100, 0, &row, 1, w.now, &w.fx),
                     KP_ERR_PRODUCER_FENCED);
    assert_int_equal(bk_txns_end(w.txns, T("x"), 100, 0, true, w.now, &w.fx),
                     KP_ERR_PRODUCER_FENCED);
    assert_int_equal(bk_txns_end(w.txns, T("x"), 101, 1, true, w.now, &w.fx),
                     KP_ERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(bk_txns_end(w.txns, T("y"), 100, 1, true, w.now, &w.fx),
                     KP_ERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(bk_txns_end(w.txns, T(""), 100, 1, true, w.now, &w.fx),
                     KP_ERR_INVALID_REQUEST);
    /* A new instance takes an Ongoing transaction over: abort with a raised epoch first. */
    add(&w, "t", 0);
    assert_int_equal(init(&w), KP_ERR_CONCURRENT_TRANSACTIONS);
    assert_int_equal(state(&w), BK_TXN_PREPARE_ABORT);
    assert_int_equal(w.fx.markers->producer_epoch, 2);
    markers_done(&w);
    assert_int_equal(init(&w), 0);
    assert_int_equal(w.epoch, 3);
    end(&w);
}

static void test_given_epoch(void **s)
{
    struct world w;
    (void)s;
    begin(&w);
    init(&w);
    assert_int_equal(init_as(&w, 100, 0), 0);
    assert_int_equal(w.epoch, 1);
    assert_int_equal(init_as(&w, 100, 0), 0); /* the answer was lost: the same again */
    assert_int_equal(w.epoch, 1);
    assert_int_equal(init_as(&w, 100, 1), 0);
    assert_int_equal(w.epoch, 2);
    assert_int_equal(init_as(&w, 100, 0), KP_ERR_PRODUCER_FENCED);
    assert_int_equal(init_as(&w, 99, 2), KP_ERR_PRODUCER_FENCED);
    end(&w);
}

static void test_epoch_exhausted(void **s)
{
    struct world w;
    (void)s;
    begin(&w);
    init(&w);
    while (w.producer == 100 && w.epoch < 32766)
        assert_int_equal(init(&w), 0);
    assert_int_equal(init_as(&w, 100, 32766), 0);
    assert_int_equal(w.producer, 101);
    assert_int_equal(w.epoch, 0);
    assert_int_equal(init_as(&w, 100, 32766), 0); /* its retry */
    assert_int_equal(w.producer, 101);
    assert_int_equal(w.epoch, 0);
    end(&w);
}

static void test_bounds(void **s)
{
    struct world w;
    int64_t id;
    int16_t epoch;
    (void)s;
    begin(&w);
    assert_int_equal(bk_txns_init(w.txns, T("x"), 900001, -1, -1, w.now, &id, &epoch, &w.fx),
                     KP_ERR_INVALID_TRANSACTION_TIMEOUT);
    assert_int_equal(bk_txns_init(w.txns, T("x"), 0, -1, -1, w.now, &id, &epoch, &w.fx),
                     KP_ERR_INVALID_TRANSACTION_TIMEOUT);
    assert_int_equal(bk_txns_init(w.txns, T(""), 1, -1, -1, w.now, &id, &epoch, &w.fx),
                     KP_ERR_INVALID_REQUEST);
    assert_int_equal(bk_txns_count(w.txns), 0);
    end(&w);
}

static void test_timeout(void **s)
{
    struct world w;
    int64_t due;
    (void)s;
    begin(&w);
    init(&w);
    add(&w, "t", 0);
    fresh(&w);
    due = bk_txns_tick(w.txns, w.now, &w.fx);
    assert_int_equal(due, 5000 + 60000);
    w.now.mono_ms += 59999;
    bk_txns_tick(w.txns, w.now, &w.fx);
    assert_int_equal(state(&w), BK_TXN_ONGOING);
    w.now.mono_ms += 1;
    bk_txns_tick(w.txns, w.now, &w.fx);
    assert_int_equal(state(&w), BK_TXN_PREPARE_ABORT);
    assert_int_equal(w.fx.markers->producer_epoch, 1);
    markers_done(&w);
    assert_int_equal(finish(&w, true), KP_ERR_PRODUCER_FENCED); /* too late */
    end(&w);
}

static void test_verify(void **s)
{
    struct world w;
    (void)s;
    begin(&w);
    init(&w);
    assert_int_equal(bk_txns_verify(w.txns, T("x"), 100, 0, T("t"), 0), KP_ERR_INVALID_TXN_STATE);
    add(&w, "t", 0);
    assert_int_equal(bk_txns_verify(w.txns, T("x"), 100, 0, T("t"), 0), 0);
    assert_int_equal(bk_txns_verify(w.txns, T("x"), 100, 0, T("t"), 1), KP_ERR_INVALID_TXN_STATE);
    assert_int_equal(bk_txns_verify(w.txns, T("x"), 100, 1, T("t"), 0),
                     KP_ERR_INVALID_PRODUCER_EPOCH);
    assert_int_equal(bk_txns_verify(w.txns, T("x"), 7, 0, T("t"), 0),
                     KP_ERR_INVALID_PRODUCER_ID_MAPPING);
    finish(&w, true);
    assert_int_equal(bk_txns_verify(w.txns, T("x"), 100, 0, T("t"), 0), KP_ERR_INVALID_TXN_STATE);
    end(&w);
}

/* What a restart makes of the records written so far by one step. */
static void carry(struct world *w, struct bk_txns *into)
{
    for (struct bk_record *r = w->fx.records; r; r = r->next)
        assert_int_equal(bk_txns_replay(into, r->key, r->value, w->now), 0);
}

static void restart(struct world *w, struct bk_txns *again)
{
    fresh(w);
    bk_txns_replayed(again, w->now, &w->fx);
    bk_txns_free(w->txns);
    w->txns = again;
}

static void test_restart_in_prepare(void **s)
{
    struct world w;
    struct bk_txns *again;
    (void)s;
    begin(&w);
    again = make(&w);
    init(&w);
    carry(&w, again);
    add(&w, "t", 0);
    carry(&w, again);
    add(&w, "t", 5);
    carry(&w, again);
    add(&w, "u", 1);
    carry(&w, again);
    finish(&w, true);
    carry(&w, again);
    restart(&w, again);
    assert_int_equal(state(&w), BK_TXN_PREPARE_COMMIT);
    assert_non_null(w.fx.markers);
    assert_int_equal(w.fx.markers->partition_count, 3);
    assert_true(w.fx.markers->commit);
    markers_done(&w);
    assert_int_equal(state(&w), BK_TXN_COMPLETE_COMMIT);
    again = make(&w);
    carry(&w, again);
    restart(&w, again);
    assert_null(w.fx.markers);
    assert_int_equal(state(&w), BK_TXN_COMPLETE_COMMIT);
    end(&w);
}

static void test_restart_in_ongoing(void **s)
{
    struct world w;
    struct bk_txns *again;
    (void)s;
    begin(&w);
    again = make(&w);
    init(&w);
    add(&w, "t", 0);
    carry(&w, again);
    for (struct bk_record *r = w.fx.records; r; r = r->next)
        for (size_t n = 0; n < r->value.len; n++)
            assert_int_not_equal(bk_txns_replay(again, r->key, bs_bytes(r->value.ptr, n), w.now),
                                 0);
    carry(&w, again);
    w.now.wall_ms += 40000;
    w.now.mono_ms = 100; /* another boot */
    restart(&w, again);
    assert_null(w.fx.markers);
    w.now.mono_ms += 19999;
    bk_txns_tick(w.txns, w.now, &w.fx);
    assert_int_equal(state(&w), BK_TXN_ONGOING);
    w.now.mono_ms += 1; /* 60 s since it began, the time it was down included */
    bk_txns_tick(w.txns, w.now, &w.fx);
    assert_int_equal(state(&w), BK_TXN_PREPARE_ABORT);
    end(&w);
}

static void test_unused_id_goes(void **s)
{
    struct world w;
    (void)s;
    begin(&w);
    init(&w);
    add(&w, "t", 0);
    finish(&w, true);
    markers_done(&w);
    fresh(&w);
    w.now.wall_ms += 100000001;
    w.now.mono_ms += 100000001;
    bk_txns_tick(w.txns, w.now, &w.fx);
    assert_int_equal(bk_txns_count(w.txns), 0);
    assert_non_null(w.fx.records);
    assert_null(w.fx.records->value.ptr);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_and_abort),
        cmocka_unit_test(test_fencing),
        cmocka_unit_test(test_given_epoch),
        cmocka_unit_test(test_epoch_exhausted),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_restart_in_prepare),
        cmocka_unit_test(test_restart_in_ongoing),
        cmocka_unit_test(test_unused_id_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
