/* Group state: groups, members and their tables, without any rule of the protocol (group.c has
 * those). Invariant: parked_join_count is the number of members with a parked join; leader is the
 * id of a member, or NULL. Loop thread. */
#include "broker/coordinator/group_state.h"
#include "lib/kafka/partitioner.h"

struct bs_bytes bk_own(struct bs_bytes bytes)
{
    if (!bytes.ptr)
        return bytes;
    return bs_bytes(bs_memdup(bytes.ptr, bytes.len), bytes.len);
}

void bk_disown(struct bs_bytes *bytes)
{
    bs_free((void *)bytes->ptr);
    *bytes = (struct bs_bytes){0};
}

void bk_replace(struct bs_bytes *owned, struct bs_bytes by)
{
    struct bs_bytes copy = bk_own(by);
    bk_disown(owned);
    *owned = copy;
}

struct bk_groups *bk_groups_new(const struct bk_groups_config *config)
{
    struct bk_groups *groups = bs_new(struct bk_groups);
    groups->config = *config;
    groups->due_ms = INT64_MAX;
    return groups;
}

void bk_groups_free(struct bk_groups *groups)
{
    struct bk_group *group, *next;
    if (!groups)
        return;
    HASH_ITER (hh, groups->by_id, group, next)
        bk_group_remove(groups, group);
    bs_free(groups);
}

void bk_groups_drain(struct bk_groups *groups, void (*each)(void *ctx, void *call, bool is_join),
                     void *ctx)
{
    struct bk_group *group, *next;
    HASH_ITER (hh, groups->by_id, group, next) {
        struct bk_member *member;
        DL_FOREACH (group->members, member) {
            void *join = member->join_call, *sync = member->sync_call;
            member->join_call = member->sync_call = NULL;
            if (join)
                each(ctx, join, true);
            if (sync)
                each(ctx, sync, false);
        }
        group->parked_join_count = 0;
    }
}

void bk_groups_wake_at(struct bk_groups *groups, int64_t mono_ms)
{
    if (mono_ms < groups->due_ms)
        groups->due_ms = mono_ms;
}

int64_t bk_groups_due_ms(const struct bk_groups *groups)
{
    return groups->due_ms;
}

size_t bk_groups_count(const struct bk_groups *groups)
{
    return HASH_COUNT(groups->by_id);
}

struct bk_group *bk_group_find(struct bk_groups *groups, struct bs_bytes id)
{
    struct bk_group *group = NULL;
    HASH_FIND(hh, groups->by_id, id.ptr, id.len, group);
    return group;
}

struct bk_group *bk_group_get(struct bk_groups *groups, struct bs_bytes id, struct bk_time now)
{
    struct bk_group *group = bk_group_find(groups, id);
    if (group)
        return group;
    group = bs_new(struct bk_group);
    group->id = bk_own(id);
    group->partition = kp_partition_for_id(id, groups->config.partition_count);
    group->state = BK_GROUP_EMPTY;
    group->state_since_ms = now.wall_ms;
    group->rebalance_deadline_ms = group->sync_deadline_ms = INT64_MAX;
    HASH_ADD_KEYPTR(hh, groups->by_id, group->id.ptr, group->id.len, group);
    return group;
}

void bk_group_enter(struct bk_group *group, enum bk_group_state state, struct bk_time now)
{
    group->state = state;
    group->state_since_ms = now.wall_ms;
}

void bk_group_remove(struct bk_groups *groups, struct bk_group *group)
{
    struct bk_member *member, *next_member;
    struct bk_pending_member *pending, *next_pending;
    struct bk_pending_txn *txn, *next_txn;
    DL_FOREACH_SAFE (group->members, member, next_member)
        bk_member_remove(group, member);
    LL_FOREACH_SAFE (group->pending, pending, next_pending) {
        bk_disown(&pending->id);
        bs_free(pending);
    }
    HASH_ITER (hh, group->txns, txn, next_txn)
        bk_group_txn_drop(groups, group, txn);
    bk_offsets_clear(&group->offsets);
    HASH_DEL(groups->by_id, group);
    bk_disown(&group->id);
    bk_disown(&group->protocol_type);
    bk_disown(&group->protocol);
    bk_disown(&group->leader);
    bs_free(group);
}

struct bk_member *bk_member_find(struct bk_group *group, struct bs_bytes id)
{
    struct bk_member *member;
    DL_FOREACH (group->members, member)
        if (bs_bytes_equal(member->id, id))
            return member;
    return NULL;
}

struct bk_member *bk_member_static(struct bk_group *group, struct bs_bytes instance_id)
{
    struct bk_member *member;
    DL_FOREACH (group->members, member)
        if (member->instance_id.ptr && bs_bytes_equal(member->instance_id, instance_id))
            return member;
    return NULL;
}

struct bk_member *bk_member_add(struct bk_group *group, struct bs_bytes id,
                                struct bs_bytes instance_id)
{
    struct bk_member *member = bs_new(struct bk_member);
    member->id = bk_own(id);
    member->instance_id = bk_own(instance_id);
    member->deadline_ms = INT64_MAX;
    DL_APPEND(group->members, member);
    group->member_count++;
    if (!group->leader.ptr)
        group->leader = bk_own(id);
    return member;
}

void bk_member_remove(struct bk_group *group, struct bk_member *member)
{
    bool was_leader = group->leader.ptr && bs_bytes_equal(group->leader, member->id);
    DL_DELETE(group->members, member);
    group->member_count--;
    if (member->join_call)
        group->parked_join_count--;
    if (was_leader)
        bk_replace(&group->leader, group->members ? group->members->id : (struct bs_bytes){0});
    bk_disown(&member->id);
    bk_disown(&member->instance_id);
    bk_disown(&member->client_id);
    bk_disown(&member->client_host);
    bk_disown(&member->assignment);
    bk_member_set_protocols(member, NULL, 0);
    bs_free(member);
}

void bk_member_set_protocols(struct bk_member *member, const struct bk_protocol *protocols,
                             size_t count)
{
    struct bk_protocol *copy = count ? bs_array(count, sizeof *copy) : NULL;
    for (size_t i = 0; i < count; i++) {
        copy[i].name = bk_own(protocols[i].name);
        copy[i].metadata = bk_own(protocols[i].metadata);
    }
    for (size_t i = 0; i < member->protocol_count; i++) {
        bk_disown(&member->protocols[i].name);
        bk_disown(&member->protocols[i].metadata);
    }
    bs_free(member->protocols);
    member->protocols = copy;
    member->protocol_count = count;
}

struct bs_bytes bk_member_metadata(const struct bk_member *member, struct bs_bytes protocol)
{
    for (size_t i = 0; i < member->protocol_count; i++)
        if (bs_bytes_equal(member->protocols[i].name, protocol))
            return member->protocols[i].metadata;
    return bs_bytes("", 0);
}

void bk_member_touch(struct bk_groups *groups, struct bk_member *member, struct bk_time now)
{
    member->deadline_ms = now.mono_ms + member->session_timeout_ms;
    bk_groups_wake_at(groups, member->deadline_ms);
}

/* ConsumerProtocolSubscription begins in every version: int16 version, topics. */
static bool subscription_has(struct bs_bytes metadata, struct bs_bytes topic)
{
    struct bs_cursor c = bs_cursor(metadata);
    uint16_t version, len;
    uint32_t count;
    struct bs_bytes name;
    if (bs_get_u16(&c, &version) || bs_get_u32(&c, &count))
        return true; /* not readable: be careful with its offsets */
    for (uint32_t i = 0; i < count; i++) {
        if (bs_get_u16(&c, &len) || bs_get_bytes(&c, len, &name))
            return true;
        if (bs_bytes_equal(name, topic))
            return true;
    }
    return false;
}

bool bk_group_subscribes(const struct bk_group *group, struct bs_bytes topic)
{
    struct bk_member *member;
    if (group->state == BK_GROUP_EMPTY)
        return false;
    if (!group->protocol_type.ptr || !bs_bytes_is(group->protocol_type, "consumer"))
        return true;
    DL_FOREACH (group->members, member) {
        if (!group->protocol.ptr) {
            for (size_t i = 0; i < member->protocol_count; i++)
                if (subscription_has(member->protocols[i].metadata, topic))
                    return true;
        } else if (subscription_has(bk_member_metadata(member, group->protocol), topic)) {
            return true;
        }
    }
    return false;
}
