/* Group admin: what tools ask about groups: list, describe, delete. Loop thread; see group.h. */
#include "broker/coordinator/group_state.h"
#include "lib/kafka/errors.h"

static const char *const STATE_NAMES[] = {
    [BK_GROUP_EMPTY] = "Empty",
    [BK_GROUP_PREPARING] = "PreparingRebalance",
    [BK_GROUP_COMPLETING] = "CompletingRebalance",
    [BK_GROUP_STABLE] = "Stable",
};

static struct bk_group_view view_group(const struct bk_group *group)
{
    struct bs_bytes none = bs_bytes("", 0);
    return (struct bk_group_view){
        .id = group->id,
        .protocol_type = group->protocol_type.ptr ? group->protocol_type : none,
        .protocol = group->protocol.ptr ? group->protocol : none,
        .state = STATE_NAMES[group->state],
    };
}

void bk_groups_each(struct bk_groups *groups,
                    void (*each)(void *ctx, const struct bk_group_view *view), void *ctx)
{
    const struct bk_group *group;
    for (group = groups->by_id; group; group = group->hh.next) {
        struct bk_group_view view = view_group(group);
        each(ctx, &view);
    }
}

bool bk_groups_describe(struct bk_groups *groups, struct bs_bytes group_id, struct bs_arena *arena,
                        struct bk_group_view *ret)
{
    struct bk_group *group = bk_group_find(groups, group_id);
    const struct bk_member *member;
    size_t i = 0;
    if (!group)
        return false;
    *ret = view_group(group);
    ret->members = bs_arena_array(arena, group->member_count + 1, sizeof *ret->members);
    ret->member_count = group->member_count;
    DL_FOREACH (group->members, member) {
        struct bk_member_view *view = &ret->members[i++];
        struct bs_bytes none = bs_bytes("", 0);
        bool settled = group->state == BK_GROUP_STABLE && group->protocol.ptr;
        view->id = member->id;
        view->instance_id = member->instance_id;
        view->client_id = member->client_id.ptr ? member->client_id : none;
        view->client_host = member->client_host.ptr ? member->client_host : none;
        view->metadata = settled ? bk_member_metadata(member, group->protocol) : none;
        view->assignment = settled && member->assignment.ptr ? member->assignment : none;
    }
    return true;
}

int16_t bk_groups_delete(struct bk_groups *groups, struct bs_bytes group_id, struct bk_effects *fx)
{
    struct bk_group *group = bk_group_find(groups, group_id);
    struct bk_offset *offset, *next;
    if (group_id.len == 0)
        return KP_ERR_INVALID_GROUP_ID;
    if (!group)
        return KP_ERR_GROUP_ID_NOT_FOUND;
    if (group->state != BK_GROUP_EMPTY)
        return KP_ERR_NON_EMPTY_GROUP;
    HASH_ITER (hh, group->offsets, offset, next) {
        bk_offset_write(group, bk_offset_topic(offset), bk_offset_partition(offset), NULL, NULL,
                        fx);
        bk_offset_drop(&group->offsets, offset);
    }
    bk_group_write_tombstone(group, fx);
    bk_group_remove(groups, group);
    return 0;
}
