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

static void try_complete(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                         struct bk_effects *fx);
static void complete_join(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                          struct bk_effects *fx);

static int64_t rebalance_timeout_ms(const struct bk_group *group)
{
    const struct bk_member *member;
    int64_t most = 0;
    DL_FOREACH (group->members, member)
        if (member->rebalance_timeout_ms > most)
            most = member->rebalance_timeout_ms;
    return most;
}

static bool is_leader(const struct bk_group *group, const struct bk_member *member)
{
    return group->leader.ptr && bs_bytes_equal(group->leader, member->id);
}

static bool supported_by_all(const struct bk_group *group, struct bs_bytes protocol)
{
    const struct bk_member *member;
    DL_FOREACH (group->members, member) {
        size_t i = 0;
        while (i < member->protocol_count && !bs_bytes_equal(member->protocols[i].name, protocol))
            i++;
        if (i == member->protocol_count)
            return false;
    }
    return true;
}

/* Each member votes for the first of its protocols that all support; most votes win, and among
 * equals the one that an earlier member named. */
static struct bs_bytes select_protocol(const struct bk_group *group)
{
    const struct bk_member *voter, *other;
    struct bs_bytes best = {0};
    size_t best_votes = 0;
    DL_FOREACH (group->members, voter) {
        struct bs_bytes vote = {0};
        size_t votes = 0;
        for (size_t i = 0; i < voter->protocol_count && !vote.ptr; i++)
            if (supported_by_all(group, voter->protocols[i].name))
                vote = voter->protocols[i].name;
        if (!vote.ptr)
            continue;
        DL_FOREACH (group->members, other) {
            for (size_t i = 0; i < other->protocol_count; i++) {
                if (!supported_by_all(group, other->protocols[i].name))
                    continue;
                votes += bs_bytes_equal(other->protocols[i].name, vote);
                break;
            }
        }
        if (votes > best_votes) {
            best = vote;
            best_votes = votes;
        }
    }
    return best;
}

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

/* --- answers --- */

static void fill_members(const struct bk_group *group, struct bk_join_reply *reply,
                         struct bk_effects *fx)
{
    const struct bk_member *member;
    size_t i = 0;
    reply->members = bs_arena_array(&fx->arena, group->member_count, sizeof *reply->members);
    reply->member_count = group->member_count;
    DL_FOREACH (group->members, member) {
        reply->members[i].id = bk_effects_dup(fx, member->id);
        reply->members[i].instance_id = bk_effects_dup(fx, member->instance_id);
        reply->members[i].metadata =
            bk_effects_dup(fx, bk_member_metadata(member, group->protocol));
        i++;
    }
}

static struct bk_join_reply *answer_join(const struct bk_group *group, struct bs_bytes member_id,
                                         void *call, struct bk_effects *fx)
{
    struct bk_join_reply *reply = bk_effects_join(fx, call, 0);
    reply->generation = group->generation;
    reply->protocol_type = bk_effects_dup(fx, group->protocol_type);
    reply->protocol = bk_effects_dup(fx, group->protocol);
    reply->leader = bk_effects_dup(fx, group->leader.ptr ? group->leader : bs_bytes("", 0));
    reply->member_id = bk_effects_dup(fx, member_id);
    if (group->leader.ptr && bs_bytes_equal(group->leader, member_id))
        fill_members(group, reply, fx);
    return reply;
}

static void refuse_join(struct bk_effects *fx, void *call, struct bs_bytes member_id, int16_t error)
{
    struct bk_join_reply *reply = bk_effects_join(fx, call, error);
    reply->member_id = bk_effects_dup(fx, member_id.ptr ? member_id : bs_bytes("", 0));
    reply->leader = bs_bytes("", 0);
}

static void answer_sync(const struct bk_group *group, const struct bk_member *member, void *call,
                        struct bk_effects *fx)
{
    struct bk_sync_reply *reply = bk_effects_sync(fx, call, 0);
    reply->protocol_type = bk_effects_dup(fx, group->protocol_type);
    reply->protocol = bk_effects_dup(fx, group->protocol);
    reply->assignment =
        bk_effects_dup(fx, member->assignment.ptr ? member->assignment : bs_bytes("", 0));
}

static void park_join(struct bk_group *group, struct bk_member *member, void *call,
                      struct bk_effects *fx)
{
    if (member->join_call)
        refuse_join(fx, member->join_call, member->id, KP_ERR_REBALANCE_IN_PROGRESS);
    else
        group->parked_join_count++;
    member->join_call = call;
}

static void *unpark_join(struct bk_group *group, struct bk_member *member)
{
    void *call = member->join_call;
    if (call)
        group->parked_join_count--;
    member->join_call = NULL;
    return call;
}

/* Parked calls of a member that goes, or of one that was replaced. */
static void end_calls(struct bk_group *group, struct bk_member *member, int16_t error,
                      struct bk_effects *fx)
{
    void *join = unpark_join(group, member);
    if (join)
        refuse_join(fx, join, member->id, error);
    if (member->sync_call)
        bk_effects_sync(fx, member->sync_call, error);
    member->sync_call = NULL;
}

/* --- the rebalance --- */

static void prepare_rebalance(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                              struct bk_effects *fx)
{
    struct bk_member *member;
    int64_t timeout_ms = rebalance_timeout_ms(group);
    if (group->state == BK_GROUP_COMPLETING) {
        DL_FOREACH (group->members, member) {
            bk_disown(&member->assignment);
            if (member->sync_call) {
                bk_effects_sync(fx, member->sync_call, KP_ERR_REBALANCE_IN_PROGRESS);
                member->sync_call = NULL;
                bk_member_touch(groups, member, now);
            }
        }
    }
    group->initial = group->state == BK_GROUP_EMPTY && groups->config.initial_delay_ms > 0;
    group->grew = false;
    group->sync_deadline_ms = INT64_MAX;
    bk_group_enter(group, BK_GROUP_PREPARING, now);
    if (group->initial && timeout_ms > 0) {
        int64_t delay_ms = groups->config.initial_delay_ms;
        delay_ms = delay_ms < timeout_ms ? delay_ms : timeout_ms;
        group->initial_left_ms = timeout_ms - delay_ms;
        group->rebalance_deadline_ms = now.mono_ms + delay_ms;
    } else {
        group->initial = false;
        group->rebalance_deadline_ms = now.mono_ms + timeout_ms;
    }
    bk_groups_wake_at(groups, group->rebalance_deadline_ms);
    try_complete(groups, group, now, fx);
}

static void try_complete(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                         struct bk_effects *fx)
{
    if (group->state == BK_GROUP_PREPARING && !group->initial && !group->pending &&
        group->parked_join_count == group->member_count)
        complete_join(groups, group, now, fx);
}

/* The time of the first rebalance is up: later newcomers prolong it, within the time-out. */
static void initial_due(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                        struct bk_effects *fx)
{
    if (group->grew && group->initial_left_ms > 0) {
        int64_t delay_ms = groups->config.initial_delay_ms;
        delay_ms = delay_ms < group->initial_left_ms ? delay_ms : group->initial_left_ms;
        group->initial_left_ms -= delay_ms;
        group->grew = false;
        group->rebalance_deadline_ms = now.mono_ms + delay_ms;
        return;
    }
    complete_join(groups, group, now, fx);
}

static void become_empty(struct bk_group *group, struct bk_time now, struct bk_effects *fx)
{
    group->generation++;
    bk_disown(&group->protocol);
    bk_disown(&group->leader);
    group->rebalance_deadline_ms = group->sync_deadline_ms = INT64_MAX;
    group->initial = false;
    bk_group_enter(group, BK_GROUP_EMPTY, now);
    bk_group_write(group, now, fx);
}

/* False: nobody who joined can lead. */
static bool elect_leader(struct bk_group *group)
{
    const struct bk_member *member;
    struct bk_member *leader = group->leader.ptr ? bk_member_find(group, group->leader) : NULL;
    if (leader && leader->join_call)
        return true;
    DL_FOREACH (group->members, member) {
        if (member->join_call) {
            bk_replace(&group->leader, member->id);
            return true;
        }
    }
    return false;
}

static void complete_join(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                          struct bk_effects *fx)
{
    struct bk_member *member, *next;
    DL_FOREACH_SAFE (group->members, member, next)
        if (!member->join_call && !member->instance_id.ptr)
            bk_member_remove(group, member);
    if (!group->members) {
        become_empty(group, now, fx);
        return;
    }
    if (!elect_leader(group)) {
        /* Only static members that are away: wait for them, or for the end of their sessions. */
        group->initial = false;
        group->rebalance_deadline_ms = now.mono_ms + rebalance_timeout_ms(group);
        bk_groups_wake_at(groups, group->rebalance_deadline_ms);
        return;
    }
    group->generation++;
    group->initial = false;
    group->rebalance_deadline_ms = INT64_MAX;
    bk_replace(&group->protocol, select_protocol(group));
    bk_group_enter(group, BK_GROUP_COMPLETING, now);
    group->sync_deadline_ms = now.mono_ms + rebalance_timeout_ms(group);
    bk_groups_wake_at(groups, group->sync_deadline_ms);
    DL_FOREACH (group->members, member) {
        void *call = unpark_join(group, member);
        member->fresh = false;
        member->synced = false;
        if (call) {
            answer_join(group, member->id, call, fx);
            bk_member_touch(groups, member, now);
        }
    }
}

/* A member goes; the group does what follows from it. */
static void remove_member(struct bk_groups *groups, struct bk_group *group,
                          struct bk_member *member, struct bk_time now, struct bk_effects *fx)
{
    end_calls(group, member, KP_ERR_UNKNOWN_MEMBER_ID, fx);
    bk_member_remove(group, member);
    if (group->state == BK_GROUP_STABLE || group->state == BK_GROUP_COMPLETING)
        prepare_rebalance(groups, group, now, fx);
    else
        try_complete(groups, group, now, fx);
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
    park_join(group, member, request->call, fx);
}

static void rejoin(struct bk_groups *groups, struct bk_group *group, struct bk_member *member,
                   const struct bk_join_request *request, struct bk_time now, struct bk_effects *fx)
{
    update_member(group, member, request, fx);
    if (group->state == BK_GROUP_PREPARING)
        try_complete(groups, group, now, fx);
    else
        prepare_rebalance(groups, group, now, fx);
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
        if (supported_by_all(group, request->protocols[i].name))
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
    bool was_leader = is_leader(group, member);
    struct bs_bytes old_leader =
        bk_effects_dup(fx, group->leader.ptr ? group->leader : bs_bytes("", 0));
    end_calls(group, member, KP_ERR_FENCED_INSTANCE_ID, fx);
    if (was_leader)
        bk_replace(&group->leader, new_id);
    bk_replace(&member->id, new_id);
    update_member(group, member, request, fx);
    if (group->state == BK_GROUP_PREPARING) {
        try_complete(groups, group, now, fx);
        return;
    }
    if (group->state != BK_GROUP_STABLE ||
        !bs_bytes_equal(select_protocol(group), group->protocol)) {
        prepare_rebalance(groups, group, now, fx);
        return;
    }
    struct bk_join_reply *reply = answer_join(group, member->id, unpark_join(group, member), fx);
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
        refuse_join(fx, request->call, bs_bytes("", 0), KP_ERR_GROUP_MAX_SIZE_REACHED);
    } else if (request->require_member_id && !request->instance_id.ptr) {
        struct bk_pending_member *pending = bs_new(struct bk_pending_member);
        pending->id = bk_own(id);
        pending->deadline_ms = now.mono_ms + request->session_timeout_ms;
        LL_PREPEND(group->pending, pending);
        bk_groups_wake_at(groups, pending->deadline_ms);
        refuse_join(fx, request->call, id, KP_ERR_MEMBER_ID_REQUIRED);
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
    bool answer_now = (group->state == BK_GROUP_COMPLETING && same) ||
                      (group->state == BK_GROUP_STABLE && same && !is_leader(group, member));
    if (group->state == BK_GROUP_EMPTY) {
        refuse_join(fx, request->call, request->member_id, KP_ERR_UNKNOWN_MEMBER_ID);
    } else if (answer_now) {
        /* The answer to its join was lost, or it asks again out of caution: nothing changes. */
        answer_join(group, member->id, request->call, fx);
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
        refuse_join(fx, request->call, request->member_id, error);
        if (group && was_pending)
            try_complete(groups, group, now, fx);
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
        answer_sync(group, member, request->call, fx);
        bk_member_touch(groups, member, now);
        return;
    }
    if (member->sync_call)
        bk_effects_sync(fx, member->sync_call, KP_ERR_REBALANCE_IN_PROGRESS);
    member->sync_call = request->call;
    if (!is_leader(group, member))
        return;
    take_assignments(group, request);
    bk_group_enter(group, BK_GROUP_STABLE, now);
    bk_group_write(group, now, fx);
    DL_FOREACH (group->members, member) {
        if (!member->sync_call)
            continue;
        answer_sync(group, member, member->sync_call, fx);
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
            try_complete(groups, group, now, fx);
            return 0;
        }
        error = bk_group_check_member(group, leaver->member_id, leaver->instance_id, &member);
    }
    if (!error)
        remove_member(groups, group, member, now, fx);
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
        try_complete(groups, group, now, fx);
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
            remove_member(groups, group, member, now, fx);
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
            if (group->initial)
                initial_due(groups, group, now, fx);
            else
                complete_join(groups, group, now, fx);
        }
        expire_members(groups, group, now, fx);
        note_deadlines(groups, group);
        if (group->state == BK_GROUP_EMPTY && group->generation == 0 && !group->pending &&
            !group->offsets && !group->txns)
            bk_group_remove(groups, group);
    }
    return groups->due_ms;
}
