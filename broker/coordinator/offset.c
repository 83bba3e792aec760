/* Offset: what groups have committed, and what transactions want to commit.
 *
 * A group holds committed offsets by (topic, partition) and, per producer id, those of the open
 * transaction; the marker of the transaction moves or drops them. Loop thread; see group.h. */
#include "broker/coordinator/group_state.h"
#include "lib/kafka/errors.h"

/* --- tables --- */

static struct bk_offset *offset_new(struct bs_bytes topic, int32_t partition)
{
    struct bk_offset *offset = bs_zalloc(sizeof *offset + 4 + topic.len);
    offset->key_len = (uint32_t)(4 + topic.len);
    bs_store_u32(offset->key, (uint32_t)partition);
    memcpy(offset->key + 4, topic.ptr, topic.len);
    return offset;
}

static void offset_free(struct bk_offset *offset)
{
    bk_disown(&offset->metadata);
    bs_free(offset);
}

struct bk_offset *bk_offset_find(struct bk_offset *offsets, struct bs_bytes topic,
                                 int32_t partition)
{
    uint8_t key[4 + 256];
    struct bk_offset *offset = NULL;
    if (topic.len > sizeof key - 4) /* longer than any topic's name */
        return NULL;
    bs_store_u32(key, (uint32_t)partition);
    if (topic.len)
        memcpy(key + 4, topic.ptr, topic.len);
    HASH_FIND(hh, offsets, key, 4 + topic.len, offset);
    return offset;
}

void bk_offset_put(struct bk_offset **offsets, struct bs_bytes topic, int32_t partition, int64_t at,
                   int32_t leader_epoch, struct bs_bytes metadata, int64_t commit_ms,
                   int64_t expire_ms)
{
    struct bk_offset *offset = bk_offset_find(*offsets, topic, partition);
    if (!offset) {
        offset = offset_new(topic, partition);
        HASH_ADD_KEYPTR(hh, *offsets, offset->key, offset->key_len, offset);
    }
    offset->offset = at;
    offset->leader_epoch = leader_epoch;
    offset->commit_ms = commit_ms;
    offset->expire_ms = expire_ms;
    if (metadata.len == 0)
        bk_disown(&offset->metadata);
    else
        bk_replace(&offset->metadata, metadata);
}

void bk_offset_drop(struct bk_offset **offsets, struct bk_offset *offset)
{
    HASH_DEL(*offsets, offset);
    offset_free(offset);
}

void bk_offsets_clear(struct bk_offset **offsets)
{
    struct bk_offset *offset, *next;
    HASH_ITER (hh, *offsets, offset, next)
        bk_offset_drop(offsets, offset);
}

struct bk_pending_txn *bk_group_txn(struct bk_groups *groups, struct bk_group *group,
                                    int64_t producer_id)
{
    struct bk_pending_txn *txn = NULL;
    HASH_FIND(hh, group->txns, &producer_id, sizeof producer_id, txn);
    if (txn)
        return txn;
    txn = bs_new(struct bk_pending_txn);
    txn->producer_id = producer_id;
    HASH_ADD(hh, group->txns, producer_id, sizeof producer_id, txn);
    if (!group->in_txn_list) {
        DL_APPEND2(groups->with_txns, group, txn_prev, txn_next);
        group->in_txn_list = true;
    }
    return txn;
}

void bk_group_txn_drop(struct bk_groups *groups, struct bk_group *group, struct bk_pending_txn *txn)
{
    HASH_DEL(group->txns, txn);
    bk_offsets_clear(&txn->offsets);
    bs_free(txn);
    if (!group->txns && group->in_txn_list) {
        DL_DELETE2(groups->with_txns, group, txn_prev, txn_next);
        group->in_txn_list = false;
    }
}

/* --- commit --- */

static int16_t check_commit(struct bk_groups *groups, const struct bk_commit *commit,
                            struct bk_time now)
{
    struct bk_group *group = bk_group_find(groups, commit->group);
    struct bk_member *member;
    bool in_txn = commit->producer_id >= 0;
    int16_t error;
    if (commit->group.len == 0)
        return KP_ERR_INVALID_GROUP_ID;
    if (!group)
        return commit->generation < 0 ? 0 : KP_ERR_ILLEGAL_GENERATION;
    if (commit->generation < 0 && group->state == BK_GROUP_EMPTY)
        return 0;
    if (commit->generation < 0 && commit->member_id.len == 0 && !commit->instance_id.ptr)
        return in_txn ? 0 : KP_ERR_UNKNOWN_MEMBER_ID;
    error = bk_group_check_member(group, commit->member_id, commit->instance_id, &member);
    if (error)
        return error;
    if (commit->generation != group->generation)
        return KP_ERR_ILLEGAL_GENERATION;
    if (group->state == BK_GROUP_COMPLETING)
        return KP_ERR_REBALANCE_IN_PROGRESS;
    if (!member->fresh)
        bk_member_touch(groups, member, now); /* a commit is a sign of life */
    return 0;
}

int16_t bk_groups_commit(struct bk_groups *groups, const struct bk_commit *commit,
                         struct bk_commit_offset *offsets, size_t count, struct bk_time now,
                         struct bk_effects *fx)
{
    int16_t error = check_commit(groups, commit, now);
    struct bk_group *group;
    bool in_txn = commit->producer_id >= 0, any = false;
    for (size_t i = 0; i < count && !error; i++) {
        if (!offsets[i].error &&
            (int64_t)offsets[i].metadata.len > groups->config.metadata_bytes_max)
            offsets[i].error = KP_ERR_OFFSET_METADATA_TOO_LARGE;
        if (!offsets[i].error && (offsets[i].topic.len == 0 || offsets[i].topic.len > 249))
            offsets[i].error = KP_ERR_INVALID_TOPIC_EXCEPTION;
        any = any || !offsets[i].error;
    }
    if (error || !any)
        return error;
    group = bk_group_get(groups, commit->group, now);
    for (size_t i = 0; i < count; i++) {
        const struct bk_commit_offset *row = &offsets[i];
        struct bk_offset **into;
        if (row->error)
            continue;
        into =
            in_txn ? &bk_group_txn(groups, group, commit->producer_id)->offsets : &group->offsets;
        bk_offset_put(into, row->topic, row->partition, row->offset, row->leader_epoch,
                      row->metadata, now.wall_ms, row->expire_ms);
        bk_offset_write(group, row->topic, row->partition,
                        bk_offset_find(*into, row->topic, row->partition), commit, fx);
    }
    return 0;
}

void bk_groups_marker(struct bk_groups *groups, int32_t partition, int64_t producer_id, bool commit)
{
    struct bk_group *group, *next_group;
    DL_FOREACH_SAFE2 (groups->with_txns, group, next_group, txn_next) {
        struct bk_pending_txn *txn = NULL;
        struct bk_offset *offset, *next;
        if (group->partition != partition)
            continue;
        HASH_FIND(hh, group->txns, &producer_id, sizeof producer_id, txn);
        if (!txn)
            continue;
        if (commit) {
            HASH_ITER (hh, txn->offsets, offset, next)
                bk_offset_put(&group->offsets, bk_offset_topic(offset), bk_offset_partition(offset),
                              offset->offset, offset->leader_epoch, offset->metadata,
                              offset->commit_ms, offset->expire_ms);
        }
        bk_group_txn_drop(groups, group, txn);
    }
}

/* --- fetch --- */

static bool unstable(const struct bk_group *group, struct bs_bytes topic, int32_t partition)
{
    const struct bk_pending_txn *txn;
    for (txn = group->txns; txn; txn = txn->hh.next)
        if (bk_offset_find(txn->offsets, topic, partition))
            return true;
    return false;
}

static void view_offset(const struct bk_group *group, const struct bk_offset *offset,
                        bool require_stable, struct bk_offset_view *inout)
{
    inout->offset = -1;
    inout->leader_epoch = -1;
    inout->metadata = bs_bytes("", 0);
    inout->error = 0;
    if (group && require_stable && unstable(group, inout->topic, inout->partition)) {
        inout->error = KP_ERR_UNSTABLE_OFFSET_COMMIT;
    } else if (offset) {
        inout->offset = offset->offset;
        inout->leader_epoch = offset->leader_epoch;
        if (offset->metadata.ptr)
            inout->metadata = offset->metadata;
    }
}

void bk_groups_offset(struct bk_groups *groups, struct bs_bytes group_id, bool require_stable,
                      struct bk_offset_view *inout)
{
    struct bk_group *group = bk_group_find(groups, group_id);
    struct bk_offset *offset =
        group ? bk_offset_find(group->offsets, inout->topic, inout->partition) : NULL;
    view_offset(group, offset, require_stable, inout);
}

void bk_groups_each_offset(struct bk_groups *groups, struct bs_bytes group_id, bool require_stable,
                           void (*each)(void *ctx, const struct bk_offset_view *view), void *ctx)
{
    struct bk_group *group = bk_group_find(groups, group_id);
    const struct bk_offset *offset;
    for (offset = group ? group->offsets : NULL; offset; offset = offset->hh.next) {
        struct bk_offset_view view = {.topic = bk_offset_topic(offset),
                                      .partition = bk_offset_partition(offset)};
        view_offset(group, offset, require_stable, &view);
        each(ctx, &view);
    }
}

/* --- deletion --- */

int16_t bk_groups_offset_delete(struct bk_groups *groups, struct bs_bytes group_id,
                                struct bk_topic_partition *rows, int16_t *errors, size_t count,
                                struct bk_effects *fx)
{
    struct bk_group *group = bk_group_find(groups, group_id);
    if (group_id.len == 0)
        return KP_ERR_INVALID_GROUP_ID;
    if (!group)
        return KP_ERR_GROUP_ID_NOT_FOUND;
    if (group->state != BK_GROUP_EMPTY &&
        !(group->protocol_type.ptr && bs_bytes_is(group->protocol_type, "consumer")))
        return KP_ERR_NON_EMPTY_GROUP;
    for (size_t i = 0; i < count; i++) {
        struct bk_offset *offset;
        errors[i] = 0;
        if (bk_group_subscribes(group, rows[i].topic)) {
            errors[i] = KP_ERR_GROUP_SUBSCRIBED_TO_TOPIC;
            continue;
        }
        offset = bk_offset_find(group->offsets, rows[i].topic, rows[i].partition);
        if (!offset)
            continue;
        bk_offset_drop(&group->offsets, offset);
        bk_offset_write(group, rows[i].topic, rows[i].partition, NULL, NULL, fx);
    }
    return 0;
}

static void drop_offset(struct bk_group *group, struct bk_offset *offset, struct bk_effects *fx)
{
    bk_offset_write(group, bk_offset_topic(offset), bk_offset_partition(offset), NULL, NULL, fx);
    bk_offset_drop(&group->offsets, offset);
}

/* A group without members and offsets is over; one that only ever had offsets needs no tombstone.
 */
static void drop_group_if_bare(struct bk_groups *groups, struct bk_group *group,
                               struct bk_effects *fx)
{
    if (group->state != BK_GROUP_EMPTY || group->offsets || group->txns || group->pending)
        return;
    if (group->generation > 0)
        bk_group_write_tombstone(group, fx);
    bk_group_remove(groups, group);
}

void bk_groups_topic_deleted(struct bk_groups *groups, struct bs_bytes topic, struct bk_effects *fx)
{
    struct bk_group *group, *next_group;
    struct bk_offset *offset, *next;
    HASH_ITER (hh, groups->by_id, group, next_group) {
        bool any = false;
        HASH_ITER (hh, group->offsets, offset, next) {
            if (!bs_bytes_equal(bk_offset_topic(offset), topic))
                continue;
            drop_offset(group, offset, fx);
            any = true;
        }
        if (any)
            drop_group_if_bare(groups, group, fx);
    }
}

/* When an offset goes: at its own expiry if the client gave one; in an Empty group, retention after
 * the group became Empty and after the commit; in a group that never had members, after the commit;
 * in a live group, after the commit if nobody subscribes to the topic any more. */
static bool offset_over(const struct bk_groups *groups, const struct bk_group *group,
                        const struct bk_offset *offset, struct bk_time now)
{
    int64_t since_ms = offset->commit_ms;
    if (offset->expire_ms >= 0)
        return offset->expire_ms <= now.wall_ms;
    if (group->state == BK_GROUP_EMPTY) {
        if (group->protocol_type.ptr && group->state_since_ms > since_ms)
            since_ms = group->state_since_ms;
    } else if (group->state != BK_GROUP_STABLE ||
               bk_group_subscribes(group, bk_offset_topic(offset))) {
        return false;
    }
    return since_ms + groups->config.offsets_retention_ms <= now.wall_ms;
}

void bk_groups_expire_offsets(struct bk_groups *groups, struct bk_time now, struct bk_effects *fx)
{
    struct bk_group *group, *next_group;
    struct bk_offset *offset, *next;
    HASH_ITER (hh, groups->by_id, group, next_group) {
        bool had = group->offsets != NULL;
        HASH_ITER (hh, group->offsets, offset, next) {
            if (!offset_over(groups, group, offset, now) ||
                unstable(group, bk_offset_topic(offset), bk_offset_partition(offset)))
                continue;
            drop_offset(group, offset, fx);
        }
        if (had || group->state_since_ms + groups->config.offsets_retention_ms <= now.wall_ms)
            drop_group_if_bare(groups, group, fx);
    }
}
