/* Group: the rules of the classic group protocol: join, sync, heartbeat, leave, and time.
 *
 *   Empty → Preparing → Completing → Stable, and back to Preparing on any change of members.
 *
 * Preparing waits until every known member has a join parked (or the largest rebalance time-out
 * has passed; an Empty group waits group.initial.rebalance.delay.ms instead, prolonged by each
 * newcomer); Completing waits for the leader's sync. A generation's record is written on the
 * leader's sync, and when a group becomes Empty. Loop thread; see group.h. */
#include "broker/coordinator/group_state.h"
#include "lib/kafka/errors.h"

#include <stdio.h>

/* A first join may be parked for long behind other members' rebalance time-outs (Kafka's value). */
enum { FRESH_MEMBER_WAIT_MS = 300000 };
enum { PENDING_MAX = 1000 };

static bool same_protocols(const struct bk_member *member, const struct bk_protocol *protocols,
                           size_t count)
{
    if (member->protocol_count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!bs_bytes_equal(member->protocols[i].name, protocols[i].name) ||
            !bs_bytes_equal(member->protocols[i].metadata, protocols[i].metadata))
            return false;
    return true;
}

/* --- join --- */

static void update_member(struct bk_group *group, struct bk_member *member,
                          const struct bk_join_request *request, struct bk_effects *fx)
{
    bk_member_set_protocols(member, request->protocols, request->protocol_count);
    member->rebalance_timeout_ms = request->rebalance_timeout_ms;
    member->session_timeout_ms = request->session_timeout_ms;
    bk_replace(&member->client_id, request->client_id);
    bk_replace(&member->client_host, request->client_host);
    bk_group_park_join(group, member, request->call, fx);
}

static void rejoin(struct bk_groups *groups, struct bk_group *group, struct bk_member *member,
                   const struct bk_join_request *request, struct bk_time now, struct bk_effects *fx)
{
    update_member(group, member, request, fx);
    if (group->state == BK_GROUP_PREPARING)
        bk_group_try_complete(groups, group, now, fx);
    else
        bk_group_prepare(groups, group, now, fx);
}

static void add_member(struct bk_groups *groups, struct bk_group *group, struct bs_bytes id,
                       const struct bk_join_request *request, struct bk_time now,
                       struct bk_effects *fx)
{
    struct bk_member *member = bk_member_add(group, id, request->instance_id);
    member->fresh = true;
    member->deadline_ms = now.mono_ms + FRESH_MEMBER_WAIT_MS;
    bk_groups_wake_at(groups, member->deadline_ms);
    if (!group->protocol_type.ptr || group->member_count == 1)
        bk_replace(&group->protocol_type, request->protocol_type);
    if (group->state == BK_GROUP_PREPARING && group->initial)
        group->grew = true;
    rejoin(groups, group, member, request, now, fx);
}

/* Members that count against group.max.size: those that have joined this round while one is
 * prepared, else all. */
static bool accepts(const struct bk_groups *groups, const struct bk_group *group,
                    const struct bk_member *member)
{
    size_t most = (size_t)groups->config.group_size_max;
    if (group->state == BK_GROUP_PREPARING)
        return (member && member->join_call) || group->parked_join_count < most;
    return member || group->member_count < most;
}

static bool compatible(const struct bk_group *group, const struct bk_join_request *request)
{
    if (group->member_count == 0)
        return request->protocol_type.len > 0 && request->protocol_count > 0;
    if (!bs_bytes_equal(group->protocol_type, request->protocol_type))
        return false;
    for (size_t i = 0; i < request->protocol_count; i++)
        if (bk_group_all_support(group, request->protocols[i].name))
            return true;
    return false;
}

static struct bs_bytes make_member_id(const struct bk_groups *groups,
                                      const struct bk_join_request *request, struct bk_effects *fx)
{
    struct bs_bytes prefix = request->instance_id.ptr ? request->instance_id : request->client_id;
    uint8_t u[16];
    char *text;
    groups->config.uuid(groups->config.ctx, u);
    text = bs_arena_printf(&fx->arena,
                           "%.*s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x"
                           "%02x",
                           (int)prefix.len, prefix.len ? (const char *)prefix.ptr : "", u[0], u[1],
                           u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
                           u[13], u[14], u[15]);
    return bs_bytes_text(text);
}

/* A static member came back under a new member id: the old one is fenced; a Stable group goes on
 * with the same assignment if the protocol stays the same. */
static void replace_static(struct bk_groups *groups, struct bk_group *group,
                           struct bk_member *member, struct bs_bytes new_id,
                           const struct bk_join_request *request, struct bk_time now,
                           struct bk_effects *fx)
{
    bool was_leader = bk_group_is_leader(group, member);
    struct bs_bytes old_leader =
        bk_effects_dup(fx, group->leader.ptr ? group->leader : bs_bytes("", 0));
    bk_group_end_calls(group, member, KP_ERR_FENCED_INSTANCE_ID, fx);
    if (was_leader)
        bk_replace(&group->leader, new_id);
    bk_replace(&member->id, new_id);
    update_member(group, member, request, fx);
    if (group->state == BK_GROUP_PREPARING) {
        bk_group_try_complete(groups, group, now, fx);
        return;
    }
    if (group->state != BK_GROUP_STABLE ||
        !bs_bytes_equal(bk_group_select_protocol(group), group->protocol)) {
        bk_group_prepare(groups, group, now, fx);
        return;
    }
    struct bk_join_reply *reply =
        bk_group_answer_join(group, member->id, bk_group_unpark_join(group, member), fx);
    if (request->may_skip) {
        reply->skip_assignment = was_leader;
    } else if (was_leader) {
        /* The client must not think it leads: it would compute an assignment nobody waits for. */
        reply->leader = old_leader;
        reply->member_count = 0;
    }
    bk_member_touch(groups, member, now);
    bk_group_write(group, now, fx);
}

/* Ids handed out and not used yet cost memory until their session time-out. */
static size_t pending_count(const struct bk_group *group)
{
    const struct bk_pending_member *pending;
    size_t count = 0;
    LL_FOREACH (group->pending, pending)
        count++;
    return count;
}

static void join_unknown(struct bk_groups *groups, struct bk_group *group,
                         const struct bk_join_request *request, struct bk_time now,
                         struct bk_effects *fx)
{
    struct bs_bytes id = make_member_id(groups, request, fx);
    struct bk_member *known =
        request->instance_id.ptr ? bk_member_static(group, request->instance_id) : NULL;
    if (known) {
        replace_static(groups, group, known, id, request, now, fx);
    } else if (request->require_member_id && !request->instance_id.ptr &&
               pending_count(group) >= PENDING_MAX) {
        bk_refuse_join(fx, request->call, bs_bytes("", 0), KP_ERR_GROUP_MAX_SIZE_REACHED);
    } else if (request->require_member_id && !request->instance_id.ptr) {
        struct bk_pending_member *pending = bs_new(struct bk_pending_member);
        pending->id = bk_own(id);
        pending->deadline_ms = now.mono_ms + request->session_timeout_ms;
        LL_PREPEND(group->pending, pending);
        bk_groups_wake_at(groups, pending->deadline_ms);
        bk_refuse_join(fx, request->call, id, KP_ERR_MEMBER_ID_REQUIRED);
    } else {
        add_member(groups, group, id, request, now, fx);
    }
}

static bool take_pending(struct bk_group *group, struct bs_bytes id)
{
    struct bk_pending_member *pending;
    LL_FOREACH (group->pending, pending) {
        if (!bs_bytes_equal(pending->id, id))
            continue;
        LL_DELETE(group->pending, pending);
        bk_disown(&pending->id);
        bs_free(pending);
        return true;
    }
    return false;
}

static void join_known(struct bk_groups *groups, struct bk_group *group, struct bk_member *member,
                       const struct bk_join_request *request, struct bk_time now,
                       struct bk_effects *fx)
{
    bool same = same_protocols(member, request->protocols, request->protocol_count);
    bool answer_now =
        (group->state == BK_GROUP_COMPLETING && same) ||
        (group->state == BK_GROUP_STABLE && same && !bk_group_is_leader(group, member));
    if (group->state == BK_GROUP_EMPTY) {
        bk_refuse_join(fx, request->call, request->member_id, KP_ERR_UNKNOWN_MEMBER_ID);
    } else if (answer_now) {
        /* The answer to its join was lost, or it asks again out of caution: nothing changes. */
        bk_group_answer_join(group, member->id, request->call, fx);
        bk_member_touch(groups, member, now);
    } else {
        rejoin(groups, group, member, request, now, fx);
    }
}

int16_t bk_group_check_member(struct bk_group *group, struct bs_bytes member_id,
                              struct bs_bytes instance_id, struct bk_member **ret_member)
{
    *ret_member = NULL;
    if (instance_id.ptr) {
        struct bk_member *member = bk_member_static(group, instance_id);
        if (!member)
            return KP_ERR_UNKNOWN_MEMBER_ID;
        if (!bs_bytes_equal(member->id, member_id))
            return KP_ERR_FENCED_INSTANCE_ID;
        *ret_member = member;
        return 0;
    }
    *ret_member = bk_member_find(group, member_id);
    return *ret_member ? 0 : KP_ERR_UNKNOWN_MEMBER_ID;
}

void bk_groups_join(struct bk_groups *groups, const struct bk_join_request *request,
                    struct bk_time now, struct bk_effects *fx)
{
    struct bk_group *group = bk_group_find(groups, request->group);
    struct bk_member *member = NULL;
    int16_t error = 0;
    bool unknown = request->member_id.len == 0, was_pending = false;
    if (request->group.len == 0)
        error = KP_ERR_INVALID_GROUP_ID;
    else if (request->session_timeout_ms < groups->config.session_min_ms ||
             request->session_timeout_ms > groups->config.session_max_ms)
        error = KP_ERR_INVALID_SESSION_TIMEOUT;
    else if (!group && !unknown)
        error = KP_ERR_UNKNOWN_MEMBER_ID;
    if (!error && !group)
        group = bk_group_get(groups, request->group, now);
    if (!error && !unknown) {
        was_pending = !request->instance_id.ptr && take_pending(group, request->member_id);
        if (!was_pending)
            error = bk_group_check_member(group, request->member_id, request->instance_id, &member);
    }
    if (!error && !accepts(groups, group, member))
        error = KP_ERR_GROUP_MAX_SIZE_REACHED;
    if (!error && !compatible(group, request))
        error = KP_ERR_INCONSISTENT_GROUP_PROTOCOL;
    if (error) {
        bk_refuse_join(fx, request->call, request->member_id, error);
        if (group && was_pending)
            bk_group_try_complete(groups, group, now, fx);
    } else if (unknown) {
        join_unknown(groups, group, request, now, fx);
    } else if (was_pending) {
        add_member(groups, group, request->member_id, request, now, fx);
    } else {
        join_known(groups, group, member, request, now, fx);
    }
    /* A group that only a refused request has named leaves nothing behind. */
    if (group && !group->members && !group->pending && group->generation == 0 && !group->offsets &&
        !group->txns)
        bk_group_remove(groups, group);
}

/* --- sync, heartbeat, leave --- */

static int16_t check_sync(const struct bk_groups *groups, struct bk_group *group,
                          const struct bk_sync_request *request, struct bk_member **ret_member)
{
    int16_t error;
    (void)groups;
    if (request->group.len == 0)
        return KP_ERR_INVALID_GROUP_ID;
    if (!group)
        return KP_ERR_UNKNOWN_MEMBER_ID;
    error = bk_group_check_member(group, request->member_id, request->instance_id, ret_member);
    if (error)
        return error;
    if (request->generation != group->generation)
        return KP_ERR_ILLEGAL_GENERATION;
    if ((request->protocol_type.ptr && group->protocol_type.ptr &&
         !bs_bytes_equal(request->protocol_type, group->protocol_type)) ||
        (request->protocol.ptr && group->protocol.ptr &&
         !bs_bytes_equal(request->protocol, group->protocol)))
        return KP_ERR_INCONSISTENT_GROUP_PROTOCOL;
    if (group->state == BK_GROUP_EMPTY)
        return KP_ERR_UNKNOWN_MEMBER_ID;
    if (group->state == BK_GROUP_PREPARING)
        return KP_ERR_REBALANCE_IN_PROGRESS;
    return 0;
}

static void take_assignments(struct bk_group *group, const struct bk_sync_request *request)
{
    struct bk_member *member;
    DL_FOREACH (group->members, member)
        bk_replace(&member->assignment, bs_bytes("", 0));
    for (size_t i = 0; i < request->assignment_count; i++) {
        member = bk_member_find(group, request->assignments[i].member_id);
        if (member)
            bk_replace(&member->assignment, request->assignments[i].assignment);
    }
}

void bk_groups_sync(struct bk_groups *groups, const struct bk_sync_request *request,
                    struct bk_time now, struct bk_effects *fx)
{
    struct bk_group *group = bk_group_find(groups, request->group);
    struct bk_member *member = NULL;
    int16_t error = check_sync(groups, group, request, &member);
    if (error) {
        bk_effects_sync(fx, request->call, error);
        return;
    }
    member->synced = true;
    if (group->state == BK_GROUP_STABLE) {
        bk_group_answer_sync(group, member, request->call, fx);
        bk_member_touch(groups, member, now);
        return;
    }
    if (member->sync_call)
        bk_effects_sync(fx, member->sync_call, KP_ERR_REBALANCE_IN_PROGRESS);
    member->sync_call = request->call;
    if (!bk_group_is_leader(group, member))
        return;
    take_assignments(group, request);
    bk_group_enter(group, BK_GROUP_STABLE, now);
    bk_group_write(group, now, fx);
    DL_FOREACH (group->members, member) {
        if (!member->sync_call)
            continue;
        bk_group_answer_sync(group, member, member->sync_call, fx);
        member->sync_call = NULL;
        bk_member_touch(groups, member, now);
    }
}

int16_t bk_groups_heartbeat(struct bk_groups *groups, struct bs_bytes group_id,
                            struct bs_bytes member_id, struct bs_bytes instance_id,
                            int32_t generation, struct bk_time now)
{
    struct bk_group *group = bk_group_find(groups, group_id);
    struct bk_member *member;
    int16_t error;
    if (group_id.len == 0)
        return KP_ERR_INVALID_GROUP_ID;
    if (!group)
        return KP_ERR_UNKNOWN_MEMBER_ID;
    error = bk_group_check_member(group, member_id, instance_id, &member);
    if (error)
        return error;
    if (generation != group->generation)
        return KP_ERR_ILLEGAL_GENERATION;
    if (!member->fresh)
        bk_member_touch(groups, member, now);
    return group->state == BK_GROUP_PREPARING ? KP_ERR_REBALANCE_IN_PROGRESS : 0;
}

static int16_t leave_one(struct bk_groups *groups, struct bk_group *group,
                         const struct bk_leave_member *leaver, struct bk_time now,
                         struct bk_effects *fx)
{
    struct bk_member *member = NULL;
    int16_t error;
    if (leaver->instance_id.ptr && leaver->member_id.len == 0) {
        /* An administrator names only the instance. */
        member = bk_member_static(group, leaver->instance_id);
        error = member ? 0 : KP_ERR_UNKNOWN_MEMBER_ID;
    } else {
        if (!leaver->instance_id.ptr && take_pending(group, leaver->member_id)) {
            bk_group_try_complete(groups, group, now, fx);
            return 0;
        }
        error = bk_group_check_member(group, leaver->member_id, leaver->instance_id, &member);
    }
    if (!error)
        bk_group_drop_member(groups, group, member, now, fx);
    return error;
}

int16_t bk_groups_leave(struct bk_groups *groups, struct bs_bytes group_id,
                        struct bk_leave_member *members, size_t count, struct bk_time now,
                        struct bk_effects *fx)
{
    struct bk_group *group = bk_group_find(groups, group_id);
    if (group_id.len == 0)
        return KP_ERR_INVALID_GROUP_ID;
    for (size_t i = 0; i < count; i++)
        members[i].error =
            group ? leave_one(groups, group, &members[i], now, fx) : KP_ERR_UNKNOWN_MEMBER_ID;
    return 0;
}

/* --- time --- */

static void expire_pending(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                           struct bk_effects *fx)
{
    struct bk_pending_member *pending, *next;
    bool any = false;
    LL_FOREACH_SAFE (group->pending, pending, next) {
        if (pending->deadline_ms > now.mono_ms) {
            bk_groups_wake_at(groups, pending->deadline_ms);
            continue;
        }
        LL_DELETE(group->pending, pending);
        bk_disown(&pending->id);
        bs_free(pending);
        any = true;
    }
    if (any)
        bk_group_try_complete(groups, group, now, fx);
}

/* A member whose join or sync is parked cannot send heartbeats, so its session stands still;
 * a first join is parked for FRESH_MEMBER_WAIT_MS at most. */
static bool session_over(const struct bk_member *member, struct bk_time now)
{
    bool parked = member->sync_call || (member->join_call && !member->fresh);
    return !parked && member->deadline_ms <= now.mono_ms;
}

static void expire_members(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                           struct bk_effects *fx)
{
    struct bk_member *member;
    bool unsynced_go = group->sync_deadline_ms <= now.mono_ms;
    if (unsynced_go)
        group->sync_deadline_ms = INT64_MAX;
    for (bool again = true; again;) {
        again = false;
        DL_FOREACH (group->members, member) {
            if (!session_over(member, now) && !(unsynced_go && !member->synced))
                continue;
            /* What follows from it may remove others: begin again. */
            bk_group_drop_member(groups, group, member, now, fx);
            again = true;
            unsynced_go = unsynced_go && group->state != BK_GROUP_PREPARING;
            break;
        }
    }
}

static void note_deadlines(struct bk_groups *groups, const struct bk_group *group)
{
    const struct bk_member *member;
    if (group->state == BK_GROUP_PREPARING)
        bk_groups_wake_at(groups, group->rebalance_deadline_ms);
    bk_groups_wake_at(groups, group->sync_deadline_ms);
    DL_FOREACH (group->members, member)
        if (!member->sync_call && (!member->join_call || member->fresh))
            bk_groups_wake_at(groups, member->deadline_ms);
}

int64_t bk_groups_tick(struct bk_groups *groups, struct bk_time now, struct bk_effects *fx)
{
    struct bk_group *group, *next;
    if (now.mono_ms < groups->due_ms)
        return groups->due_ms;
    groups->due_ms = INT64_MAX;
    HASH_ITER (hh, groups->by_id, group, next) {
        expire_pending(groups, group, now, fx);
        if (group->state == BK_GROUP_PREPARING && group->rebalance_deadline_ms <= now.mono_ms) {
            bk_group_rebalance_due(groups, group, now, fx);
        }
        expire_members(groups, group, now, fx);
        note_deadlines(groups, group);
        if (group->state == BK_GROUP_EMPTY && group->generation == 0 && !group->pending &&
            !group->offsets && !group->txns)
            bk_group_remove(groups, group);
    }
    return groups->due_ms;
}
