/* Groups: every rule of the classic protocol that clients can see, with a clock moved by hand. */
#include "broker/coordinator/group.h"
#include "lib/base/mem.h"
#include "lib/kafka/errors.h"
#include "lib/kafka/partitioner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define T(s) bs_bytes_text(s)
static const struct bs_bytes NONE = {0};

struct world {
    struct bk_groups *groups;
    struct bk_effects fx;
    struct bk_time now;
    uint64_t ids;
    int64_t delay_ms;
};

static void uuid(void *ctx, uint8_t out[16])
{
    struct world *w = ctx;
    memset(out, 0, 16);
    bs_store_u64(out + 8, ++w->ids);
}

static struct bk_groups *make(struct world *w)
{
    struct bk_groups_config config = {.partition_count = 4,
                                      .session_min_ms = 6000,
                                      .session_max_ms = 1800000,
                                      .initial_delay_ms = w->delay_ms,
                                      .offsets_retention_ms = 1000000,
                                      .group_size_max = 4,
                                      .metadata_bytes_max = 16,
                                      .uuid = uuid,
                                      .ctx = w};
    return bk_groups_new(&config);
}

static void begin(struct world *w, int64_t delay_ms)
{
    *w = (struct world){.now = {.mono_ms = 1000, .wall_ms = 1700000000000}, .delay_ms = delay_ms};
    w->groups = make(w);
    bk_effects_init(&w->fx);
}

static void end(struct world *w)
{
    bk_effects_deinit(&w->fx);
    bk_groups_free(w->groups);
}

static void fresh(struct world *w)
{
    bk_effects_deinit(&w->fx);
    bk_effects_init(&w->fx);
}

static void pass(struct world *w, int64_t ms)
{
    fresh(w);
    w->now.mono_ms += ms;
    w->now.wall_ms += ms;
    bk_groups_tick(w->groups, w->now, &w->fx);
}

struct ask {
    const char *id, *instance, *metadata;
    int version, session_ms;
};

/* Joins group "g"; `call` is any non-NULL token. */
static void join(struct world *w, struct ask ask, void *call)
{
    struct bk_protocol protocols[] = {{T("range"), T(ask.metadata ? ask.metadata : "m")}};
    struct bk_join_request request = {
        .call = call,
        .group = T("g"),
        .member_id = T(ask.id ? ask.id : ""),
        .instance_id = ask.instance ? T(ask.instance) : NONE,
        .client_id = T("c"),
        .client_host = T("h"),
        .protocol_type = T("consumer"),
        .protocols = protocols,
        .protocol_count = 1,
        .session_timeout_ms = ask.session_ms ? ask.session_ms : 10000,
        .rebalance_timeout_ms = 30000,
        .require_member_id = ask.version >= 4,
        .may_skip = ask.version >= 9,
    };
    fresh(w);
    bk_groups_join(w->groups, &request, w->now, &w->fx);
}

static struct bk_join_reply *joined(struct world *w, void *call)
{
    struct bk_join_reply *reply = w->fx.joins;
    while (reply && reply->call != call)
        reply = reply->next;
    return reply;
}

static struct bk_sync_reply *synced(struct world *w, void *call)
{
    struct bk_sync_reply *reply = w->fx.syncs;
    while (reply && reply->call != call)
        reply = reply->next;
    return reply;
}

static void sync(struct world *w, const char *id, int32_t generation,
                 const struct bk_member_assignment *assignments, size_t count, void *call)
{
    struct bk_sync_request request = {.call = call,
                                      .group = T("g"),
                                      .member_id = T(id),
                                      .generation = generation,
                                      .assignments = assignments,
                                      .assignment_count = count};
    fresh(w);
    bk_groups_sync(w->groups, &request, w->now, &w->fx);
}

static int16_t beat(struct world *w, const char *id, int32_t generation)
{
    return bk_groups_heartbeat(w->groups, T("g"), T(id), NONE, generation, w->now);
}

static char *keep(struct bs_bytes text)
{
    return bs_strndup((const char *)text.ptr, text.len);
}

static const char *state(struct world *w)
{
    static struct bk_group_view view;
    struct bs_arena arena = BS_ARENA_INIT;
    bool there = bk_groups_describe(w->groups, T("g"), &arena, &view);
    bs_arena_deinit(&arena);
    return there ? view.state : "none";
}

static void *CALL(int n)
{
    static int tokens[64];
    return &tokens[n];
}

/* One member in a Stable group; gives its id (bs_free). */
static char *settle(struct world *w, int32_t *ret_generation)
{
    struct bk_member_assignment a;
    struct bk_join_reply *reply;
    char *id;
    join(w, (struct ask){0}, CALL(1));
    if (w->delay_ms)
        pass(w, w->delay_ms);
    reply = joined(w, CALL(1));
    assert_non_null(reply);
    assert_int_equal(reply->error, 0);
    id = keep(reply->member_id);
    *ret_generation = reply->generation;
    a = (struct bk_member_assignment){T(id), T("all")};
    sync(w, id, *ret_generation, &a, 1, CALL(2));
    assert_int_equal(synced(w, CALL(2))->error, 0);
    assert_true(bs_bytes_is(synced(w, CALL(2))->assignment, "all"));
    assert_string_equal(state(w), "Stable");
    return id;
}

static void test_first_member(void **s)
{
    struct world w;
    int32_t generation;
    char *id;
    (void)s;
    begin(&w, 0);
    id = settle(&w, &generation);
    assert_int_equal(generation, 1);
    assert_int_equal(beat(&w, id, 1), 0);
    assert_int_equal(beat(&w, id, 2), KP_ERR_ILLEGAL_GENERATION);
    assert_int_equal(beat(&w, "x", 1), KP_ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(bk_groups_heartbeat(w.groups, T("no"), T("x"), NONE, 1, w.now),
                     KP_ERR_UNKNOWN_MEMBER_ID);
    bs_free(id);
    end(&w);
}

static void test_refused_joins(void **s)
{
    struct world w;
    struct bk_join_request bad = {.call = CALL(5), .group = T(""), .session_timeout_ms = 10000};
    (void)s;
    begin(&w, 0);
    join(&w, (struct ask){.session_ms = 5999}, CALL(1));
    assert_int_equal(joined(&w, CALL(1))->error, KP_ERR_INVALID_SESSION_TIMEOUT);
    join(&w, (struct ask){.session_ms = 1800001}, CALL(1));
    assert_int_equal(joined(&w, CALL(1))->error, KP_ERR_INVALID_SESSION_TIMEOUT);
    join(&w, (struct ask){.id = "never-seen"}, CALL(1));
    assert_int_equal(joined(&w, CALL(1))->error, KP_ERR_UNKNOWN_MEMBER_ID);
    bk_groups_join(w.groups, &bad, w.now, &w.fx);
    assert_int_equal(joined(&w, CALL(5))->error, KP_ERR_INVALID_GROUP_ID);
    bad.group = T("g");
    bk_groups_join(w.groups, &bad, w.now, &w.fx);
    assert_int_equal(w.fx.joins->next->next->error, KP_ERR_INCONSISTENT_GROUP_PROTOCOL);
    assert_int_equal(bk_groups_count(w.groups), 0); /* nothing is left behind */
    end(&w);
}

static void test_member_id_required(void **s)
{
    struct world w;
    char *id;
    (void)s;
    begin(&w, 0);
    join(&w, (struct ask){.version = 4}, CALL(1));
    assert_int_equal(joined(&w, CALL(1))->error, KP_ERR_MEMBER_ID_REQUIRED);
    id = keep(joined(&w, CALL(1))->member_id);
    assert_true(strlen(id) > 30);
    join(&w, (struct ask){.version = 4, .id = id}, CALL(2));
    assert_int_equal(joined(&w, CALL(2))->error, 0);
    bs_free(id);
    /* An id that is not used goes with the session time-out. */
    join(&w, (struct ask){.version = 4}, CALL(3));
    id = keep(joined(&w, CALL(3))->member_id);
    pass(&w, 10001);
    join(&w, (struct ask){.version = 4, .id = id}, CALL(4));
    assert_int_equal(joined(&w, CALL(4))->error, KP_ERR_UNKNOWN_MEMBER_ID);
    bs_free(id);
    end(&w);
}

static void test_initial_delay(void **s)
{
    struct world w;
    (void)s;
    begin(&w, 3000);
    join(&w, (struct ask){0}, CALL(1));
    assert_null(w.fx.joins);
    pass(&w, 2000);
    join(&w, (struct ask){0}, CALL(2)); /* prolongs */
    pass(&w, 1000);
    assert_null(w.fx.joins);
    pass(&w, 2999);
    assert_null(w.fx.joins);
    pass(&w, 1);
    assert_non_null(joined(&w, CALL(1)));
    assert_non_null(joined(&w, CALL(2)));
    assert_int_equal(joined(&w, CALL(1))->member_count, 2); /* the first one leads */
    assert_int_equal(joined(&w, CALL(2))->member_count, 0);
    assert_string_equal(state(&w), "CompletingRebalance");
    end(&w);
}

static void test_second_member(void **s)
{
    struct world w;
    int32_t generation;
    char *a, *b;
    struct bk_member_assignment plan[2];
    (void)s;
    begin(&w, 0);
    a = settle(&w, &generation);
    join(&w, (struct ask){.metadata = "b"}, CALL(3));
    assert_null(w.fx.joins); /* waits for the first */
    assert_int_equal(beat(&w, a, generation), KP_ERR_REBALANCE_IN_PROGRESS);
    sync(&w, a, generation, NULL, 0, CALL(4));
    assert_int_equal(synced(&w, CALL(4))->error, KP_ERR_REBALANCE_IN_PROGRESS);
    join(&w, (struct ask){.id = a}, CALL(5));
    assert_int_equal(joined(&w, CALL(5))->generation, generation + 1);
    assert_int_equal(joined(&w, CALL(5))->member_count, 2);
    b = keep(joined(&w, CALL(3))->member_id);
    /* The follower's sync waits for the leader's; heartbeats are accepted meanwhile. */
    sync(&w, b, generation + 1, NULL, 0, CALL(6));
    assert_null(w.fx.syncs);
    assert_int_equal(beat(&w, a, generation + 1), 0);
    plan[0] = (struct bk_member_assignment){T(a), T("one")};
    plan[1] = (struct bk_member_assignment){T(b), T("two")};
    sync(&w, a, generation + 1, plan, 2, CALL(7));
    assert_true(bs_bytes_is(synced(&w, CALL(6))->assignment, "two"));
    assert_true(bs_bytes_is(synced(&w, CALL(7))->assignment, "one"));
    assert_non_null(w.fx.records);
    /* A follower that asks again with the same protocols changes nothing; the leader does. */
    join(&w, (struct ask){.id = b, .metadata = "b"}, CALL(8));
    assert_int_equal(joined(&w, CALL(8))->generation, generation + 1);
    assert_string_equal(state(&w), "Stable");
    join(&w, (struct ask){.id = a}, CALL(9));
    assert_string_equal(state(&w), "PreparingRebalance");
    bs_free(a);
    bs_free(b);
    end(&w);
}

static void test_late_member_is_dropped(void **s)
{
    struct world w;
    int32_t generation;
    char *a;
    (void)s;
    begin(&w, 0);
    a = settle(&w, &generation);
    join(&w, (struct ask){0}, CALL(3));
    for (int i = 0; i < 4; i++) { /* alive, but never rejoins */
        pass(&w, 7000);
        assert_int_equal(beat(&w, a, generation), KP_ERR_REBALANCE_IN_PROGRESS);
    }
    pass(&w, 2000);
    assert_int_equal(joined(&w, CALL(3))->error, 0);
    assert_int_equal(joined(&w, CALL(3))->member_count, 1);
    assert_int_equal(beat(&w, a, generation), KP_ERR_UNKNOWN_MEMBER_ID);
    bs_free(a);
    end(&w);
}

static void test_session_timeout_empties(void **s)
{
    struct world w;
    int32_t generation;
    char *a;
    (void)s;
    begin(&w, 0);
    a = settle(&w, &generation);
    pass(&w, 9999);
    assert_string_equal(state(&w), "Stable");
    pass(&w, 1);
    assert_string_equal(state(&w), "Empty");
    assert_non_null(w.fx.records); /* the empty generation is written */
    assert_int_equal(beat(&w, a, generation), KP_ERR_UNKNOWN_MEMBER_ID);
    bs_free(a);
    end(&w);
}

static void test_unsynced_member_goes(void **s)
{
    struct world w;
    (void)s;
    begin(&w, 0);
    join(&w, (struct ask){.session_ms = 60000}, CALL(1));
    assert_string_equal(state(&w), "CompletingRebalance");
    pass(&w, 30000); /* heartbeats or not: no sync within the rebalance time-out */
    assert_string_equal(state(&w), "Empty");
    end(&w);
}

static void test_leave(void **s)
{
    struct world w;
    int32_t generation;
    struct bk_leave_member leaver[2] = {{.member_id = T("nobody")}};
    char *a;
    (void)s;
    begin(&w, 0);
    a = settle(&w, &generation);
    leaver[1].member_id = T(a);
    assert_int_equal(bk_groups_leave(w.groups, T("g"), leaver, 2, w.now, &w.fx), 0);
    assert_int_equal(leaver[0].error, KP_ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(leaver[1].error, 0);
    assert_string_equal(state(&w), "Empty");
    bs_free(a);
    end(&w);
}

static void test_leave_while_preparing(void **s)
{
    struct world w;
    int32_t generation;
    struct bk_leave_member leaver = {0};
    char *a;
    (void)s;
    begin(&w, 0);
    a = settle(&w, &generation);
    join(&w, (struct ask){0}, CALL(3));
    fresh(&w);
    leaver.member_id = T(a);
    bk_groups_leave(w.groups, T("g"), &leaver, 1, w.now, &w.fx);
    assert_int_equal(joined(&w, CALL(3))->error, 0); /* nobody is waited for any more */
    bs_free(a);
    end(&w);
}

static void test_static_member(void **s)
{
    struct world w;
    char *old, *new;
    struct bk_member_assignment a;
    struct bk_leave_member leaver = {.member_id = T(""), .instance_id = T("i")};
    (void)s;
    begin(&w, 0);
    join(&w, (struct ask){.instance = "i", .version = 5}, CALL(1));
    assert_int_equal(joined(&w, CALL(1))->error, 0); /* no MEMBER_ID_REQUIRED */
    old = keep(joined(&w, CALL(1))->member_id);
    a = (struct bk_member_assignment){T(old), T("all")};
    sync(&w, old, 1, &a, 1, CALL(2));
    /* Back under the same instance id: same generation, no rebalance, the old id is fenced. */
    pass(&w, 5000);
    join(&w, (struct ask){.instance = "i", .version = 5}, CALL(3));
    assert_int_equal(joined(&w, CALL(3))->error, 0);
    assert_int_equal(joined(&w, CALL(3))->generation, 1);
    assert_int_equal(joined(&w, CALL(3))->member_count, 0);
    assert_true(bs_bytes_is(joined(&w, CALL(3))->leader, old)); /* it must not compute */
    assert_non_null(w.fx.records);
    new = keep(joined(&w, CALL(3))->member_id);
    assert_string_not_equal(old, new);
    assert_string_equal(state(&w), "Stable");
    sync(&w, new, 1, NULL, 0, CALL(4));
    assert_true(bs_bytes_is(synced(&w, CALL(4))->assignment, "all"));
    assert_int_equal(bk_groups_heartbeat(w.groups, T("g"), T(old), T("i"), 1, w.now),
                     KP_ERR_FENCED_INSTANCE_ID);
    assert_int_equal(bk_groups_heartbeat(w.groups, T("g"), T(new), T("i"), 1, w.now), 0);
    assert_int_equal(bk_groups_heartbeat(w.groups, T("g"), T(new), T("j"), 1, w.now),
                     KP_ERR_UNKNOWN_MEMBER_ID);
    /* Version 9: the leader is told to skip the assignment, and sees the members. */
    join(&w, (struct ask){.instance = "i", .version = 9}, CALL(5));
    assert_true(joined(&w, CALL(5))->skip_assignment);
    assert_int_equal(joined(&w, CALL(5))->member_count, 1);
    /* An administrator removes it by its instance id. */
    bk_groups_leave(w.groups, T("g"), &leaver, 1, w.now, &w.fx);
    assert_int_equal(leaver.error, 0);
    assert_string_equal(state(&w), "Empty");
    bs_free(old);
    bs_free(new);
    end(&w);
}

static void test_group_max_size(void **s)
{
    struct world w;
    (void)s;
    begin(&w, 3000);
    for (int i = 0; i < 4; i++)
        join(&w, (struct ask){0}, CALL(i));
    join(&w, (struct ask){0}, CALL(9));
    assert_int_equal(joined(&w, CALL(9))->error, KP_ERR_GROUP_MAX_SIZE_REACHED);
    end(&w);
}

static int16_t commit(struct world *w, const char *member, int32_t generation, int64_t producer,
                      int64_t offset, const char *metadata)
{
    struct bk_commit c = {.group = T("g"),
                          .member_id = T(member),
                          .generation = generation,
                          .producer_id = producer,
                          .producer_epoch = 0};
    struct bk_commit_offset row = {.topic = T("t"),
                                   .partition = 3,
                                   .offset = offset,
                                   .leader_epoch = 7,
                                   .metadata = T(metadata),
                                   .expire_ms = -1};
    int16_t error;
    fresh(w);
    error = bk_groups_commit(w->groups, &c, &row, 1, w->now, &w->fx);
    return error ? error : row.error;
}

static struct bk_offset_view fetch(struct world *w, bool stable)
{
    struct bk_offset_view view = {.topic = T("t"), .partition = 3};
    bk_groups_offset(w->groups, T("g"), stable, &view);
    return view;
}

static void test_commit_rules(void **s)
{
    struct world w;
    int32_t generation;
    char *a;
    (void)s;
    begin(&w, 0);
    assert_int_equal(fetch(&w, false).offset, -1);
    assert_int_equal(commit(&w, "m", 5, -1, 1, ""), KP_ERR_ILLEGAL_GENERATION);
    assert_int_equal(commit(&w, "", -1, -1, 10, "note"), 0); /* without a group */
    assert_int_equal(fetch(&w, true).offset, 10);
    assert_int_equal(fetch(&w, true).leader_epoch, 7);
    assert_true(bs_bytes_is(fetch(&w, true).metadata, "note"));
    assert_int_equal(commit(&w, "", -1, -1, 10, "longer than sixteen"),
                     KP_ERR_OFFSET_METADATA_TOO_LARGE);
    a = settle(&w, &generation);
    assert_int_equal(commit(&w, "", -1, -1, 11, ""), KP_ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(commit(&w, a, generation + 1, -1, 11, ""), KP_ERR_ILLEGAL_GENERATION);
    assert_int_equal(commit(&w, "x", generation, -1, 11, ""), KP_ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(commit(&w, a, generation, -1, 11, ""), 0);
    join(&w, (struct ask){0}, CALL(3)); /* Preparing: the old generation may still commit */
    assert_int_equal(commit(&w, a, generation, -1, 12, ""), 0);
    join(&w, (struct ask){.id = a}, CALL(4)); /* Completing */
    assert_int_equal(commit(&w, a, generation + 1, -1, 13, ""), KP_ERR_REBALANCE_IN_PROGRESS);
    assert_int_equal(fetch(&w, true).offset, 12);
    bs_free(a);
    end(&w);
}

static void test_txn_offsets(void **s)
{
    struct world w;
    int32_t p = kp_partition_for_id(T("g"), 4);
    (void)s;
    begin(&w, 0);
    commit(&w, "", -1, -1, 1, "");
    assert_int_equal(commit(&w, "", -1, 77, 2, ""), 0);
    assert_int_equal(w.fx.records->producer_id, 77);
    assert_int_equal(fetch(&w, false).offset, 1);
    assert_int_equal(fetch(&w, true).error, KP_ERR_UNSTABLE_OFFSET_COMMIT);
    bk_groups_marker(w.groups, (p + 1) % 4, 77, true); /* another partition's */
    assert_int_equal(fetch(&w, true).error, KP_ERR_UNSTABLE_OFFSET_COMMIT);
    bk_groups_marker(w.groups, p, 77, false);
    assert_int_equal(fetch(&w, true).offset, 1);
    commit(&w, "", -1, 78, 3, "");
    bk_groups_marker(w.groups, p, 78, true);
    assert_int_equal(fetch(&w, true).offset, 3);
    end(&w);
}

static void replay_all(struct world *w, struct bk_groups *into)
{
    for (struct bk_record *r = w->fx.records; r; r = r->next)
        assert_int_equal(
            bk_groups_replay(into, r->partition, r->key, r->value, r->producer_id, w->now), 0);
}

static void test_replay(void **s)
{
    struct world w;
    struct bk_groups *again;
    struct bk_member_assignment a;
    struct bk_offset_view view = {.topic = T("t"), .partition = 3};
    struct bk_group_view group;
    struct bs_arena arena = BS_ARENA_INIT;
    char *id;
    (void)s;
    begin(&w, 0);
    again = make(&w);
    commit(&w, "", -1, -1, 42, "x");
    replay_all(&w, again);
    commit(&w, "", -1, 9, 43, "y");
    replay_all(&w, again);
    join(&w, (struct ask){.instance = "i", .metadata = "meta"}, CALL(1));
    id = keep(joined(&w, CALL(1))->member_id);
    a = (struct bk_member_assignment){T(id), T("all")};
    sync(&w, id, 1, &a, 1, CALL(2));
    replay_all(&w, again);
    bk_groups_replayed(again, w.now);
    assert_true(bk_groups_describe(again, T("g"), &arena, &group));
    assert_string_equal(group.state, "Stable");
    assert_int_equal(group.member_count, 1);
    assert_true(bs_bytes_is(group.members[0].assignment, "all"));
    assert_true(bs_bytes_is(group.members[0].metadata, "meta"));
    assert_true(bs_bytes_is(group.members[0].instance_id, "i"));
    assert_int_equal(bk_groups_heartbeat(again, T("g"), T(id), T("i"), 1, w.now), 0);
    bk_groups_offset(again, T("g"), false, &view);
    assert_int_equal(view.offset, 42);
    bk_groups_marker(again, group.id.len ? kp_partition_for_id(T("g"), 4) : 0, 9, true);
    bk_groups_offset(again, T("g"), true, &view);
    assert_int_equal(view.offset, 43);
    assert_true(bs_bytes_is(view.metadata, "y"));
    /* Cut anywhere, a record is an error and nothing worse. */
    for (struct bk_record *r = w.fx.records; r; r = r->next)
        for (size_t n = 0; n < r->value.len; n++)
            assert_int_not_equal(
                bk_groups_replay(again, r->partition, r->key, bs_bytes(r->value.ptr, n), -1, w.now),
                0);
    bs_free(id);
    bs_arena_deinit(&arena);
    bk_groups_free(again);
    end(&w);
}

static void test_expiry_and_deletion(void **s)
{
    struct world w;
    int32_t generation;
    struct bk_leave_member leaver = {0};
    struct bk_topic_partition row = {T("t"), 3};
    int16_t error;
    char *a;
    (void)s;
    begin(&w, 0);
    a = settle(&w, &generation);
    commit(&w, a, generation, -1, 5, "");
    assert_int_equal(bk_groups_delete(w.groups, T("g"), &w.fx), KP_ERR_NON_EMPTY_GROUP);
    assert_int_equal(bk_groups_delete(w.groups, T("h"), &w.fx), KP_ERR_GROUP_ID_NOT_FOUND);
    assert_int_equal(bk_groups_offset_delete(w.groups, T("g"), &row, &error, 1, &w.fx), 0);
    assert_int_equal(error, KP_ERR_GROUP_SUBSCRIBED_TO_TOPIC); /* "m" is not readable: careful */
    leaver.member_id = T(a);
    bk_groups_leave(w.groups, T("g"), &leaver, 1, w.now, &w.fx);
    w.now.wall_ms += 999999;
    fresh(&w);
    bk_groups_expire_offsets(w.groups, w.now, &w.fx);
    assert_int_equal(fetch(&w, false).offset, 5);
    w.now.wall_ms += 2;
    bk_groups_expire_offsets(w.groups, w.now, &w.fx);
    assert_int_equal(fetch(&w, false).offset, -1);
    assert_non_null(w.fx.records);
    assert_null(w.fx.records->value.ptr);       /* the offset's tombstone */
    assert_null(w.fx.records->next->value.ptr); /* and the group's */
    assert_int_equal(bk_groups_count(w.groups), 0);
    commit(&w, "", -1, -1, 6, "");
    assert_int_equal(bk_groups_delete(w.groups, T("g"), &w.fx), 0);
    assert_int_equal(bk_groups_count(w.groups), 0);
    commit(&w, "", -1, -1, 6, "");
    bk_groups_topic_deleted(w.groups, T("t"), &w.fx);
    assert_int_equal(bk_groups_count(w.groups), 0);
    bs_free(a);
    end(&w);
}

static void test_java_hash(void **s)
{
    (void)s;
    /* "hello".hashCode() == 99162322, "\u00e9" == 233, U+1F600 as two UTF-16 units. */
    assert_int_equal(kp_partition_for_id(T("hello"), 1000), 322);
    assert_int_equal(kp_partition_for_id(T("\xc3\xa9"), 1000), 233);
    assert_int_equal(kp_partition_for_id(T("\xf0\x9f\x98\x80"), 50), (0xd83d * 31 + 0xde00) % 50);
    assert_int_equal(kp_partition_for_id(T("polygenelubricants"), 50), 0); /* INT_MIN */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_member),
        cmocka_unit_test(test_refused_joins),
        cmocka_unit_test(test_member_id_required),
        cmocka_unit_test(test_initial_delay),
        cmocka_unit_test(test_second_member),
        cmocka_unit_test(test_late_member_is_dropped),
        cmocka_unit_test(test_session_timeout_empties),
        cmocka_unit_test(test_unsynced_member_goes),
        cmocka_unit_test(test_leave),
        cmocka_unit_test(test_leave_while_preparing),
        cmocka_unit_test(test_static_member),
        cmocka_unit_test(test_group_max_size),
        cmocka_unit_test(test_commit_rules),
        cmocka_unit_test(test_txn_offsets),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_expiry_and_deletion),
        cmocka_unit_test(test_java_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
