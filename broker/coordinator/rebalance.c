/* Rebalance: a round of the classic group protocol, from the first change to the answers of all
 * parked joins; see group.c for what begins one. Loop thread. */
#include "broker/coordinator/group_state.h"
#include "lib/kafka/errors.h"

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

bool bk_group_is_leader(const struct bk_group *group, const struct bk_member *member)
{
    return group->leader.ptr && bs_bytes_equal(group->leader, member->id);
}

bool bk_group_all_support(const struct bk_group *group, struct bs_bytes protocol)
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
struct bs_bytes bk_group_select_protocol(const struct bk_group *group)
{
    const struct bk_member *voter, *other;
    struct bs_bytes best = {0};
    size_t best_votes = 0;
    DL_FOREACH (group->members, voter) {
        struct bs_bytes vote = {0};
        size_t votes = 0;
        for (size_t i = 0; i < voter->protocol_count && !vote.ptr; i++)
            if (bk_group_all_support(group, voter->protocols[i].name))
                vote = voter->protocols[i].name;
        if (!vote.ptr)
            continue;
        DL_FOREACH (group->members, other) {
            for (size_t i = 0; i < other->protocol_count; i++) {
                if (!bk_group_all_support(group, other->protocols[i].name))
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

struct bk_join_reply *bk_group_answer_join(const struct bk_group *group, struct bs_bytes member_id,
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

void bk_refuse_join(struct bk_effects *fx, void *call, struct bs_bytes member_id, int16_t error)
{
    struct bk_join_reply *reply = bk_effects_join(fx, call, error);
    reply->member_id = bk_effects_dup(fx, member_id.ptr ? member_id : bs_bytes("", 0));
    reply->leader = bs_bytes("", 0);
}

void bk_group_answer_sync(const struct bk_group *group, const struct bk_member *member, void *call,
                          struct bk_effects *fx)
{
    struct bk_sync_reply *reply = bk_effects_sync(fx, call, 0);
    reply->protocol_type = bk_effects_dup(fx, group->protocol_type);
    reply->protocol = bk_effects_dup(fx, group->protocol);
    reply->assignment =
        bk_effects_dup(fx, member->assignment.ptr ? member->assignment : bs_bytes("", 0));
}

void bk_group_park_join(struct bk_group *group, struct bk_member *member, void *call,
                        struct bk_effects *fx)
{
    if (member->join_call)
        bk_refuse_join(fx, member->join_call, member->id, KP_ERR_REBALANCE_IN_PROGRESS);
    else
        group->parked_join_count++;
    member->join_call = call;
}

void *bk_group_unpark_join(struct bk_group *group, struct bk_member *member)
{
    void *call = member->join_call;
    if (call)
        group->parked_join_count--;
    member->join_call = NULL;
    return call;
}

/* Parked calls of a member that goes, or of one that was replaced. */
void bk_group_end_calls(struct bk_group *group, struct bk_member *member, int16_t error,
                        struct bk_effects *fx)
{
    void *join = bk_group_unpark_join(group, member);
    if (join)
        bk_refuse_join(fx, join, member->id, error);
    if (member->sync_call)
        bk_effects_sync(fx, member->sync_call, error);
    member->sync_call = NULL;
}

/* --- the rebalance --- */

void bk_group_prepare(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
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
    bk_group_try_complete(groups, group, now, fx);
}

void bk_group_try_complete(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                           struct bk_effects *fx)
{
    if (group->state == BK_GROUP_PREPARING && !group->initial && !group->pending &&
        group->parked_join_count == group->member_count)
        complete_join(groups, group, now, fx);
}

/* The time of the first rebalance is up: later newcomers prolong it, within the time-out. */
void bk_group_rebalance_due(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                            struct bk_effects *fx)
{
    if (group->initial && group->grew && group->initial_left_ms > 0) {
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
    bk_replace(&group->protocol, bk_group_select_protocol(group));
    bk_group_enter(group, BK_GROUP_COMPLETING, now);
    group->sync_deadline_ms = now.mono_ms + rebalance_timeout_ms(group);
    bk_groups_wake_at(groups, group->sync_deadline_ms);
    DL_FOREACH (group->members, member) {
        void *call = bk_group_unpark_join(group, member);
        member->fresh = false;
        member->synced = false;
        if (call) {
            bk_group_answer_join(group, member->id, call, fx);
            bk_member_touch(groups, member, now);
        }
    }
}

/* A member goes; the group does what follows from it. */
void bk_group_drop_member(struct bk_groups *groups, struct bk_group *group,
                          struct bk_member *member, struct bk_time now, struct bk_effects *fx)
{
    bk_group_end_calls(group, member, KP_ERR_UNKNOWN_MEMBER_ID, fx);
    bk_member_remove(group, member);
    if (group->state == BK_GROUP_STABLE || group->state == BK_GROUP_COMPLETING)
        bk_group_prepare(groups, group, now, fx);
    else
        bk_group_try_complete(groups, group, now, fx);
}
