/* Group record: the records of __consumer_offsets, in Kafka's own formats.
 *
 *   key    int16 kind; kinds 0 and 1 (offset): string group, string topic, int32 partition;
 *          kind 2 (group): string group
 *   value  int16 version, then
 *          offset 0..3: int64 offset, int32 leader epoch (3), string metadata, int64 commit time,
 *                       int64 expire time (1)
 *          group  0..3: string protocol type, int32 generation, nullable string protocol, leader,
 *                       int64 state since (2), members: string id, nullable string instance (3),
 *                       string client id, host, int32 rebalance time-out (1), session time-out,
 *                       bytes subscription, assignment
 *
 * Written are offset version 3 (1 when the client gave an expiry) and group version 3. A string is
 * int16 length and bytes, -1 is null. Loop thread. */
#include "broker/coordinator/group_state.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

enum { KIND_OFFSET_OLD = 0, KIND_OFFSET = 1, KIND_GROUP = 2 };
enum { MEMBERS_MAX = 100000 };

static void put_string(struct bs_buf *buf, struct bs_bytes text)
{
    bs_buf_put_u16(buf, text.ptr ? (uint16_t)text.len : 0xffff);
    if (text.ptr)
        bs_buf_put(buf, text.ptr, text.len);
}

static void put_bytes(struct bs_buf *buf, struct bs_bytes bytes)
{
    bs_buf_put_u32(buf, (uint32_t)bytes.len);
    if (bytes.len)
        bs_buf_put(buf, bytes.ptr, bytes.len);
}

static int get_string(struct bs_cursor *c, struct bs_bytes *ret)
{
    uint16_t len;
    int rc = bs_get_u16(c, &len);
    *ret = (struct bs_bytes){0};
    if (rc || len == 0xffff)
        return rc;
    if (len > INT16_MAX)
        return BS_ECORRUPT;
    rc = bs_get_bytes(c, len, ret);
    if (!rc && !ret->ptr)
        *ret = bs_bytes("", 0);
    return rc;
}

static int get_sized(struct bs_cursor *c, struct bs_bytes *ret)
{
    uint32_t len;
    int rc = bs_get_u32(c, &len);
    if (rc)
        return rc;
    if (len > INT32_MAX)
        return BS_ECORRUPT;
    return bs_get_bytes(c, len, ret);
}

static int get_i32(struct bs_cursor *c, int32_t *ret)
{
    uint32_t v = 0;
    int rc = bs_get_u32(c, &v);
    *ret = (int32_t)v;
    return rc;
}

static int get_i64(struct bs_cursor *c, int64_t *ret)
{
    uint64_t v = 0;
    int rc = bs_get_u64(c, &v);
    *ret = (int64_t)v;
    return rc;
}

/* --- writing --- */

void bk_group_write(struct bk_group *group, struct bk_time now, struct bk_effects *fx)
{
    struct bs_buf key = BS_BUF_INIT, value = BS_BUF_INIT;
    const struct bk_member *member;
    bs_buf_put_u16(&key, KIND_GROUP);
    put_string(&key, group->id);
    bs_buf_put_u16(&value, 3);
    put_string(&value, group->protocol_type.ptr ? group->protocol_type : bs_bytes("", 0));
    bs_buf_put_u32(&value, (uint32_t)group->generation);
    put_string(&value, group->protocol);
    put_string(&value, group->leader);
    bs_buf_put_u64(&value, (uint64_t)now.wall_ms);
    bs_buf_put_u32(&value, (uint32_t)group->member_count);
    DL_FOREACH (group->members, member) {
        struct bs_bytes none = bs_bytes("", 0);
        put_string(&value, member->id);
        put_string(&value, member->instance_id);
        put_string(&value, member->client_id.ptr ? member->client_id : none);
        put_string(&value, member->client_host.ptr ? member->client_host : none);
        bs_buf_put_u32(&value, (uint32_t)member->rebalance_timeout_ms);
        bs_buf_put_u32(&value, (uint32_t)member->session_timeout_ms);
        put_bytes(&value, group->protocol.ptr ? bk_member_metadata(member, group->protocol) : none);
        put_bytes(&value, member->assignment);
    }
    bk_effects_record(fx, group->partition, bs_buf_bytes(&key), bs_buf_bytes(&value));
    bs_buf_deinit(&key);
    bs_buf_deinit(&value);
}

void bk_group_write_tombstone(struct bk_group *group, struct bk_effects *fx)
{
    struct bs_buf key = BS_BUF_INIT;
    bs_buf_put_u16(&key, KIND_GROUP);
    put_string(&key, group->id);
    bk_effects_record(fx, group->partition, bs_buf_bytes(&key), (struct bs_bytes){0});
    bs_buf_deinit(&key);
}

void bk_offset_write(struct bk_group *group, struct bs_bytes topic, int32_t partition,
                     const struct bk_offset *offset, const struct bk_commit *commit,
                     struct bk_effects *fx)
{
    struct bs_buf key = BS_BUF_INIT, value = BS_BUF_INIT;
    struct bk_record *record;
    bs_buf_put_u16(&key, KIND_OFFSET);
    put_string(&key, group->id);
    put_string(&key, topic);
    bs_buf_put_u32(&key, (uint32_t)partition);
    if (offset) {
        bool expires = offset->expire_ms >= 0;
        bs_buf_put_u16(&value, expires ? 1 : 3);
        bs_buf_put_u64(&value, (uint64_t)offset->offset);
        if (!expires)
            bs_buf_put_u32(&value, (uint32_t)offset->leader_epoch);
        put_string(&value, offset->metadata.ptr ? offset->metadata : bs_bytes("", 0));
        bs_buf_put_u64(&value, (uint64_t)offset->commit_ms);
        if (expires)
            bs_buf_put_u64(&value, (uint64_t)offset->expire_ms);
    }
    record = bk_effects_record(fx, group->partition, bs_buf_bytes(&key),
                               offset ? bs_buf_bytes(&value) : (struct bs_bytes){0});
    if (commit) {
        record->producer_id = commit->producer_id;
        record->producer_epoch = commit->producer_epoch;
    }
    bs_buf_deinit(&key);
    bs_buf_deinit(&value);
}

bool bk_groups_snapshot(struct bk_groups *groups, int32_t partition, struct bk_time now,
                        struct bk_effects *fx)
{
    struct bk_group *group;
    const struct bk_offset *offset;
    DL_FOREACH2 (groups->with_txns, group, txn_next)
        if (group->partition == partition)
            return false;
    for (group = groups->by_id; group; group = group->hh.next) {
        if (group->partition != partition)
            continue;
        /* A rebalance under way is not in any record: members of the last generation stand. */
        if (group->generation > 0 && group->state != BK_GROUP_PREPARING &&
            group->state != BK_GROUP_COMPLETING) {
            struct bk_time since = {now.mono_ms, group->state_since_ms};
            bk_group_write(group, since, fx);
        } else if (group->generation > 0) {
            return false;
        }
        for (offset = group->offsets; offset; offset = offset->hh.next)
            bk_offset_write(group, bk_offset_topic(offset), bk_offset_partition(offset), offset,
                            NULL, fx);
    }
    return true;
}

/* --- replay --- */

struct offset_value {
    int64_t offset, commit_ms, expire_ms;
    int32_t leader_epoch;
    struct bs_bytes metadata;
};

static int read_offset_value(struct bs_cursor c, struct offset_value *ret)
{
    uint16_t version;
    int rc = bs_get_u16(&c, &version);
    *ret = (struct offset_value){.expire_ms = -1, .leader_epoch = -1};
    if (rc || version > 3)
        return BS_ECORRUPT;
    if ((rc = get_i64(&c, &ret->offset)) ||
        (version == 3 && (rc = get_i32(&c, &ret->leader_epoch))) ||
        (rc = get_string(&c, &ret->metadata)) || (rc = get_i64(&c, &ret->commit_ms)) ||
        (version == 1 && (rc = get_i64(&c, &ret->expire_ms))))
        return BS_ECORRUPT;
    return 0;
}

static int replay_offset(struct bk_groups *groups, struct bs_cursor key, struct bs_bytes value,
                         int64_t producer_id, struct bk_time now)
{
    struct bs_bytes group_id, topic;
    struct bk_group *group;
    struct offset_value v;
    int32_t partition;
    if (get_string(&key, &group_id) || get_string(&key, &topic) || get_i32(&key, &partition) ||
        !group_id.ptr || !topic.ptr)
        return BS_ECORRUPT;
    if (!value.ptr) {
        group = bk_group_find(groups, group_id);
        if (group) {
            struct bk_offset *old = bk_offset_find(group->offsets, topic, partition);
            if (old)
                bk_offset_drop(&group->offsets, old);
        }
        return 0;
    }
    if (read_offset_value(bs_cursor(value), &v))
        return BS_ECORRUPT;
    group = bk_group_get(groups, group_id, now);
    struct bk_offset **into =
        producer_id >= 0 ? &bk_group_txn(groups, group, producer_id)->offsets : &group->offsets;
    bk_offset_put(into, topic, partition, v.offset, v.leader_epoch, v.metadata, v.commit_ms,
                  v.expire_ms);
    return 0;
}

static int replay_member(struct bk_group *group, struct bs_cursor *c, uint16_t version)
{
    struct bs_bytes id, instance = {0}, client_id, host, subscription, assignment;
    int32_t rebalance_ms = 0, session_ms;
    struct bk_member *member;
    if (get_string(c, &id) || (version >= 3 && get_string(c, &instance)) ||
        get_string(c, &client_id) || get_string(c, &host) ||
        (version >= 1 && get_i32(c, &rebalance_ms)) || get_i32(c, &session_ms) ||
        get_sized(c, &subscription) || get_sized(c, &assignment) || !id.ptr)
        return BS_ECORRUPT;
    member = bk_member_add(group, id, instance);
    member->client_id = bk_own(client_id);
    member->client_host = bk_own(host);
    member->session_timeout_ms = session_ms;
    member->rebalance_timeout_ms = version >= 1 ? rebalance_ms : session_ms;
    member->assignment = bk_own(assignment);
    member->synced = true;
    if (group->protocol.ptr) {
        struct bk_protocol protocol = {.name = group->protocol, .metadata = subscription};
        bk_member_set_protocols(member, &protocol, 1);
    }
    return 0;
}

static void forget_members(struct bk_group *group)
{
    struct bk_member *member, *next;
    DL_FOREACH_SAFE (group->members, member, next)
        bk_member_remove(group, member);
    bk_disown(&group->leader);
    bk_disown(&group->protocol);
    group->generation = 0;
    group->state = BK_GROUP_EMPTY;
}

static int replay_group(struct bk_groups *groups, struct bs_cursor key, struct bs_bytes value,
                        struct bk_time now)
{
    struct bs_cursor c = bs_cursor(value);
    struct bs_bytes id, type, protocol, leader;
    struct bk_group *group;
    uint16_t version;
    uint32_t count;
    int32_t generation;
    int64_t since_ms = -1;
    if (get_string(&key, &id) || !id.ptr)
        return BS_ECORRUPT;
    if (!value.ptr) {
        group = bk_group_find(groups, id);
        if (group && !group->offsets && !group->txns) {
            bk_group_remove(groups, group);
        } else if (group) {
            forget_members(group);
            bk_disown(&group->protocol_type);
        }
        return 0;
    }
    if (bs_get_u16(&c, &version) || version > 3 || get_string(&c, &type) ||
        get_i32(&c, &generation) || get_string(&c, &protocol) || get_string(&c, &leader) ||
        (version >= 2 && get_i64(&c, &since_ms)) || bs_get_u32(&c, &count) || count > MEMBERS_MAX)
        return BS_ECORRUPT;
    group = bk_group_get(groups, id, now);
    forget_members(group);
    bk_replace(&group->protocol_type, type);
    bk_replace(&group->protocol, protocol);
    group->generation = generation;
    for (uint32_t i = 0; i < count; i++) {
        if (replay_member(group, &c, version)) {
            forget_members(group);
            return BS_ECORRUPT;
        }
    }
    group->state = count ? BK_GROUP_STABLE : BK_GROUP_EMPTY;
    group->state_since_ms = since_ms >= 0 ? since_ms : now.wall_ms;
    if (count && leader.ptr)
        bk_replace(&group->leader, leader);
    return 0;
}

int bk_groups_replay(struct bk_groups *groups, int32_t partition, struct bs_bytes key,
                     struct bs_bytes value, int64_t producer_id, struct bk_time now)
{
    struct bs_cursor c = bs_cursor(key);
    uint16_t kind;
    (void)partition;
    if (bs_get_u16(&c, &kind))
        return BS_ECORRUPT;
    if (kind == KIND_OFFSET || kind == KIND_OFFSET_OLD)
        return replay_offset(groups, c, value, producer_id, now);
    if (kind == KIND_GROUP)
        return replay_group(groups, c, value, now);
    return 0;
}

void bk_groups_replayed(struct bk_groups *groups, struct bk_time now)
{
    struct bk_group *group, *next;
    struct bk_member *member;
    HASH_ITER (hh, groups->by_id, group, next) {
        DL_FOREACH (group->members, member)
            bk_member_touch(groups, member, now);
        if (!group->members && !group->offsets && !group->txns && group->generation == 0)
            bk_group_remove(groups, group);
    }
}
