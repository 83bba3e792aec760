/* Groups: the classic consumer groups and the offsets of all groups, as one pure state machine.
 *
 * Requests, the clock and replayed records go in; error codes, replies to parked joins and syncs,
 * and records for __consumer_offsets come out (effects.h). State changes at once; a reply may leave
 * only when the records made so far are durable, which is shard.c's business. If they cannot be
 * made durable the whole object is thrown away and replayed from the log.
 *
 * Owner: the loop thread. No clock, no I/O. Strings are slices; what must stay is copied. */
#ifndef WEIR_BROKER_COORDINATOR_GROUP_H
#define WEIR_BROKER_COORDINATOR_GROUP_H

#include "broker/coordinator/effects.h"

struct bk_groups;

struct bk_groups_config {
    int32_t partition_count; /* of __consumer_offsets */
    int64_t session_min_ms, session_max_ms;
    int64_t initial_delay_ms;
    int64_t offsets_retention_ms;
    int32_t group_size_max;
    int32_t metadata_bytes_max; /* of one committed offset */
    void (*uuid)(void *ctx, uint8_t out[16]);
    void *ctx;
};

struct bk_groups *bk_groups_new(const struct bk_groups_config *config);
/* Accepts NULL. Calls still parked are forgotten: the caller has ended them. */
void bk_groups_free(struct bk_groups *groups);
/* All parked calls, told to `each` and forgotten (stop, or before a replay). */
void bk_groups_drain(struct bk_groups *groups, void (*each)(void *ctx, void *call, bool is_join),
                     void *ctx);

/* --- membership --- */

struct bk_protocol {
    struct bs_bytes name, metadata;
};

struct bk_join_request {
    void *call; /* given back in the reply */
    struct bs_bytes group, member_id, instance_id /* ptr NULL: none */, client_id, client_host;
    struct bs_bytes protocol_type;
    const struct bk_protocol *protocols;
    size_t protocol_count;
    int32_t session_timeout_ms, rebalance_timeout_ms;
    bool require_member_id; /* KIP-394: version 4 and up, without an instance id */
    bool may_skip;          /* version 9 and up: SkipAssignment */
};

struct bk_member_assignment {
    struct bs_bytes member_id, assignment;
};

struct bk_sync_request {
    void *call;
    struct bs_bytes group, member_id, instance_id;
    struct bs_bytes protocol_type, protocol; /* ptr NULL: not said */
    int32_t generation;
    const struct bk_member_assignment *assignments;
    size_t assignment_count;
};

struct bk_leave_member {
    struct bs_bytes member_id, instance_id;
    int16_t error; /* out */
};

void bk_groups_join(struct bk_groups *groups, const struct bk_join_request *request,
                    struct bk_time now, struct bk_effects *fx);
void bk_groups_sync(struct bk_groups *groups, const struct bk_sync_request *request,
                    struct bk_time now, struct bk_effects *fx);
int16_t bk_groups_heartbeat(struct bk_groups *groups, struct bs_bytes group,
                            struct bs_bytes member_id, struct bs_bytes instance_id,
                            int32_t generation, struct bk_time now);
int16_t bk_groups_leave(struct bk_groups *groups, struct bs_bytes group,
                        struct bk_leave_member *members, size_t count, struct bk_time now,
                        struct bk_effects *fx);
/* Runs what is due; gives the mono_ms at which it wants to run again (INT64_MAX: never). */
int64_t bk_groups_tick(struct bk_groups *groups, struct bk_time now, struct bk_effects *fx);
int64_t bk_groups_due_ms(const struct bk_groups *groups);

/* --- offsets (offset.c) --- */

struct bk_commit {
    struct bs_bytes group, member_id, instance_id;
    int32_t generation;  /* -1: a consumer without a group */
    int64_t producer_id; /* of the transaction, or -1 */
    int16_t producer_epoch;
};

struct bk_commit_offset {
    struct bs_bytes topic;
    int32_t partition;
    int64_t offset;
    int32_t leader_epoch;
    struct bs_bytes metadata;
    int64_t expire_ms; /* wall clock, or -1 */
    int16_t error;     /* in: not 0 passes the row over; out */
};

struct bk_offset_view {
    struct bs_bytes topic; /* valid until the next step */
    int32_t partition;
    int64_t offset; /* -1: none */
    int32_t leader_epoch;
    struct bs_bytes metadata;
    int16_t error; /* UNSTABLE_OFFSET_COMMIT or 0 */
};

/* The check alone, or check and commit; the result is for all rows. */
int16_t bk_groups_commit(struct bk_groups *groups, const struct bk_commit *commit,
                         struct bk_commit_offset *offsets, size_t count, struct bk_time now,
                         struct bk_effects *fx);
void bk_groups_offset(struct bk_groups *groups, struct bs_bytes group, bool require_stable,
                      struct bk_offset_view *inout);
/* All offsets of a group, one by one. */
void bk_groups_each_offset(struct bk_groups *groups, struct bs_bytes group, bool require_stable,
                           void (*each)(void *ctx, const struct bk_offset_view *view), void *ctx);
int16_t bk_groups_offset_delete(struct bk_groups *groups, struct bs_bytes group,
                                struct bk_topic_partition *rows, int16_t *errors, size_t count,
                                struct bk_effects *fx);
/* A marker was written to __consumer_offsets-`partition`: pending offsets become real or go. */
void bk_groups_marker(struct bk_groups *groups, int32_t partition, int64_t producer_id,
                      bool commit);
void bk_groups_topic_deleted(struct bk_groups *groups, struct bs_bytes topic,
                             struct bk_effects *fx);
void bk_groups_expire_offsets(struct bk_groups *groups, struct bk_time now, struct bk_effects *fx);

/* --- admin (group_admin.c) --- */

struct bk_member_view {
    struct bs_bytes id, instance_id, client_id, client_host, metadata, assignment;
};

struct bk_group_view {
    struct bs_bytes id, protocol_type, protocol;
    const char *state; /* "Stable", as Kafka's tools print it */
    struct bk_member_view *members;
    size_t member_count;
};

void bk_groups_each(struct bk_groups *groups,
                    void (*each)(void *ctx, const struct bk_group_view *view), void *ctx);
/* Members are put in the arena. False: no such group. */
bool bk_groups_describe(struct bk_groups *groups, struct bs_bytes group, struct bs_arena *arena,
                        struct bk_group_view *ret);
int16_t bk_groups_delete(struct bk_groups *groups, struct bs_bytes group, struct bk_effects *fx);
size_t bk_groups_count(const struct bk_groups *groups);

/* --- replay (group_record.c) --- */

/* One record of __consumer_offsets-`partition`; producer_id -1 outside of a transaction. Members
 * get a whole session from `now`. BS_ECORRUPT for what cannot be read (the record is passed over);
 * an unknown kind of record is no error. */
int bk_groups_replay(struct bk_groups *groups, int32_t partition, struct bs_bytes key,
                     struct bs_bytes value, int64_t producer_id, struct bk_time now);
/* The records that a replay of this partition needs to come to the state now, so that what is older
 * can be deleted. False: not now, a transaction has offsets pending there. */
bool bk_groups_snapshot(struct bk_groups *groups, int32_t partition, struct bk_time now,
                        struct bk_effects *fx);
/* Behind the last replayed record: timers start. */
void bk_groups_replayed(struct bk_groups *groups, struct bk_time now);

#endif
