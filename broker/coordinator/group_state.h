/* Group state: what group.c, offset.c, group_admin.c and group_record.c share. For them alone. */
#ifndef WEIR_BROKER_COORDINATOR_GROUP_STATE_H
#define WEIR_BROKER_COORDINATOR_GROUP_STATE_H

#include "broker/coordinator/group.h"
#include "lib/base/mem.h"

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>
#include <utlist.h>

enum bk_group_state { BK_GROUP_EMPTY, BK_GROUP_PREPARING, BK_GROUP_COMPLETING, BK_GROUP_STABLE };

struct bk_member {
    struct bs_bytes id, instance_id, client_id, client_host; /* owned */
    struct bk_protocol *protocols;                           /* owned, and their slices */
    size_t protocol_count;
    struct bs_bytes assignment; /* owned */
    int32_t rebalance_timeout_ms, session_timeout_ms;
    int64_t deadline_ms; /* end of its session, unless a call of it is parked */
    void *join_call, *sync_call;
    bool fresh;  /* joined for the first time, not yet answered */
    bool synced; /* sent its SyncGroup for this generation */
    struct bk_member *prev, *next;
};

/* A member id that was handed out (KIP-394) and has not joined yet. */
struct bk_pending_member {
    struct bs_bytes id;
    int64_t deadline_ms;
    struct bk_pending_member *next;
};

struct bk_offset {
    UT_hash_handle hh; /* by key: partition (4 bytes) and topic */
    int64_t offset;
    int64_t commit_ms, expire_ms;
    int32_t leader_epoch;
    struct bs_bytes metadata; /* owned */
    uint32_t key_len;
    uint8_t key[];
};

struct bk_pending_txn {
    UT_hash_handle hh;
    int64_t producer_id;
    struct bk_offset *offsets;
};

struct bk_group {
    UT_hash_handle hh;
    struct bs_bytes id; /* owned */
    int32_t partition;
    enum bk_group_state state;
    int64_t state_since_ms;           /* wall clock */
    struct bs_bytes protocol_type;    /* owned; NULL: only offsets */
    struct bs_bytes protocol, leader; /* owned; NULL: none */
    int32_t generation;
    struct bk_member *members; /* in order of arrival */
    size_t member_count, parked_join_count;
    struct bk_pending_member *pending;
    int64_t rebalance_deadline_ms; /* Preparing */
    bool initial, grew;            /* first rebalance of an empty group; a member came meanwhile */
    int64_t initial_left_ms;
    int64_t sync_deadline_ms; /* Completing and Stable: unsynced members go then */
    struct bk_offset *offsets;
    struct bk_pending_txn *txns;
    bool in_txn_list;
    struct bk_group *txn_prev, *txn_next;
};

struct bk_groups {
    struct bk_groups_config config;
    struct bk_group *by_id;
    struct bk_group *with_txns;
    int64_t due_ms; /* nothing is due before */
};

struct bs_bytes bk_own(struct bs_bytes bytes); /* owned copy; NULL stays NULL */
void bk_disown(struct bs_bytes *bytes);
void bk_replace(struct bs_bytes *owned, struct bs_bytes by);

struct bk_group *bk_group_find(struct bk_groups *groups, struct bs_bytes id);
struct bk_group *bk_group_get(struct bk_groups *groups, struct bs_bytes id, struct bk_time now);
void bk_group_remove(struct bk_groups *groups, struct bk_group *group); /* frees it */
void bk_group_enter(struct bk_group *group, enum bk_group_state state, struct bk_time now);
struct bk_member *bk_member_find(struct bk_group *group, struct bs_bytes id);
struct bk_member *bk_member_static(struct bk_group *group, struct bs_bytes instance_id);
struct bk_member *bk_member_add(struct bk_group *group, struct bs_bytes id,
                                struct bs_bytes instance_id);
void bk_member_remove(struct bk_group *group, struct bk_member *member);
void bk_member_set_protocols(struct bk_member *member, const struct bk_protocol *protocols,
                             size_t count);
struct bs_bytes bk_member_metadata(const struct bk_member *member, struct bs_bytes protocol);
/* Session of a member goes on from now. */
void bk_member_touch(struct bk_groups *groups, struct bk_member *member, struct bk_time now);
void bk_groups_wake_at(struct bk_groups *groups, int64_t mono_ms);
bool bk_group_subscribes(const struct bk_group *group, struct bs_bytes topic);
/* 0 or the error with which a member's request is refused. */
int16_t bk_group_check_member(struct bk_group *group, struct bs_bytes member_id,
                              struct bs_bytes instance_id, struct bk_member **ret_member);

/* A round of rebalancing (rebalance.c). */
bool bk_group_is_leader(const struct bk_group *group, const struct bk_member *member);
bool bk_group_all_support(const struct bk_group *group, struct bs_bytes protocol);
void bk_group_answer_sync(const struct bk_group *group, const struct bk_member *member, void *call,
                          struct bk_effects *fx);
void bk_refuse_join(struct bk_effects *fx, void *call, struct bs_bytes member_id, int16_t error);
void bk_group_park_join(struct bk_group *group, struct bk_member *member, void *call,
                        struct bk_effects *fx);
void bk_group_end_calls(struct bk_group *group, struct bk_member *member, int16_t error,
                        struct bk_effects *fx);
void bk_group_prepare(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                      struct bk_effects *fx);
void bk_group_try_complete(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                           struct bk_effects *fx);
void bk_group_rebalance_due(struct bk_groups *groups, struct bk_group *group, struct bk_time now,
                            struct bk_effects *fx);
void bk_group_drop_member(struct bk_groups *groups, struct bk_group *group,
                          struct bk_member *member, struct bk_time now, struct bk_effects *fx);
struct bs_bytes bk_group_select_protocol(const struct bk_group *group);
struct bk_join_reply *bk_group_answer_join(const struct bk_group *group, struct bs_bytes member_id,
                                           void *call, struct bk_effects *fx);
void *bk_group_unpark_join(struct bk_group *group, struct bk_member *member);

void bk_offsets_clear(struct bk_offset **offsets);
void bk_offset_put(struct bk_offset **offsets, struct bs_bytes topic, int32_t partition,
                   int64_t offset, int32_t leader_epoch, struct bs_bytes metadata,
                   int64_t commit_ms, int64_t expire_ms);
struct bk_offset *bk_offset_find(struct bk_offset *offsets, struct bs_bytes topic,
                                 int32_t partition);
void bk_offset_drop(struct bk_offset **offsets, struct bk_offset *offset);
struct bk_pending_txn *bk_group_txn(struct bk_groups *groups, struct bk_group *group,
                                    int64_t producer_id);
void bk_group_txn_drop(struct bk_groups *groups, struct bk_group *group,
                       struct bk_pending_txn *txn);

static inline struct bs_bytes bk_offset_topic(const struct bk_offset *offset)
{
    return bs_bytes(offset->key + 4, offset->key_len - 4);
}
static inline int32_t bk_offset_partition(const struct bk_offset *offset)
{
    return (int32_t)bs_load_u32(offset->key);
}

/* Records (group_record.c). */
void bk_group_write(struct bk_group *group, struct bk_time now, struct bk_effects *fx);
void bk_group_write_tombstone(struct bk_group *group, struct bk_effects *fx);
void bk_offset_write(struct bk_group *group, struct bs_bytes topic, int32_t partition,
                     const struct bk_offset *offset /* NULL: tombstone */,
                     const struct bk_commit *commit /* or NULL */, struct bk_effects *fx);

#endif
