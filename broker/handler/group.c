/* Group requests: FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and what tools ask:
 * ListGroups, DescribeGroups, DeleteGroups. The rules are the coordinator's; here is only the way
 * from a request to a step and from its outcome to a response. */
#include "broker/handler/later.h"
#include "generated/lib/kafka/delete_groups.h"
#include "generated/lib/kafka/describe_groups.h"
#include "generated/lib/kafka/find_coordinator.h"
#include "generated/lib/kafka/heartbeat.h"
#include "generated/lib/kafka/join_group.h"
#include "generated/lib/kafka/leave_group.h"
#include "generated/lib/kafka/list_groups.h"
#include "generated/lib/kafka/sync_group.h"

#include <strings.h>

/* --- FindCoordinator --- */

enum { KEY_GROUP = 0, KEY_TRANSACTION = 1 };

static void coordinator_found(void *ctx, int16_t error)
{
    struct bk_call *call = ctx;
    const struct kp_find_coordinator_request *request = call->request;
    struct kp_find_coordinator_response response;
    struct kp_find_coordinator_response_coordinator self = {
        .node_id = -1, .host = bs_bytes("", 0), .port = -1, .error_code = error};
    if (error == KP_ERR_COORDINATOR_LOAD_IN_PROGRESS)
        error = self.error_code = 0; /* it is here; requests will say that it loads */
    if (error) {
        self.error_message = bs_bytes_text(kp_error_text(error));
    } else {
        self.node_id = call->service->node_id;
        self.host = bk_service_host(call);
        self.port = bk_service_port(call);
    }
    kp_find_coordinator_response_init(&response);
    if (call->version < 4) {
        response.error_code = self.error_code;
        response.error_message = self.error_message;
        response.node_id = self.node_id;
        response.host = self.host;
        response.port = self.port;
    } else {
        response.coordinator_count = request->coordinator_key_count;
        response.coordinators = bk_call_alloc(call, (size_t)request->coordinator_key_count,
                                              sizeof *response.coordinators);
        for (int32_t i = 0; i < request->coordinator_key_count; i++) {
            response.coordinators[i] = self;
            response.coordinators[i].key = request->coordinator_keys[i];
        }
    }
    bk_call_reply(call, &response);
}

void bk_handle_find_coordinator(struct bk_call *call)
{
    const struct kp_find_coordinator_request *request = call->request;
    if (request->key_type != KEY_GROUP && request->key_type != KEY_TRANSACTION)
        coordinator_found(call, KP_ERR_INVALID_REQUEST);
    else
        bk_shards_prepare(call->service->shards,
                          request->key_type == KEY_GROUP ? BK_SHARD_GROUPS : BK_SHARD_TXNS,
                          coordinator_found, call);
}

/* --- JoinGroup --- */

void bk_joined(const struct bk_join_reply *reply)
{
    struct bk_call *call = reply->call;
    struct kp_join_group_response response;
    kp_join_group_response_init(&response);
    response.error_code = reply->error;
    response.generation_id = reply->generation;
    response.protocol_type = reply->protocol_type;
    response.protocol_name = call->version >= 7 ? reply->protocol : bk_or_empty(reply->protocol);
    response.leader = bk_or_empty(reply->leader);
    response.skip_assignment = call->version >= 9 && reply->skip_assignment;
    response.member_id = bk_or_empty(reply->member_id);
    response.member_count = (int32_t)reply->member_count;
    response.members = bk_call_alloc(call, reply->member_count, sizeof *response.members);
    for (size_t i = 0; i < reply->member_count; i++) {
        response.members[i].member_id = reply->members[i].id;
        response.members[i].group_instance_id = reply->members[i].instance_id;
        response.members[i].metadata = bk_or_empty(reply->members[i].metadata);
    }
    bk_call_reply(call, &response);
}

void bk_handle_join_group(struct bk_call *call)
{
    const struct kp_join_group_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    int16_t error = bk_shards_check(shards, BK_SHARD_GROUPS);
    struct bk_join_request join = {
        .call = call,
        .group = request->group_id,
        .member_id = request->member_id,
        .instance_id = request->group_instance_id,
        .client_id = bk_or_empty(call->client_id),
        .client_host = bs_bytes_text(call->client_host),
        .protocol_type = request->protocol_type,
        .protocol_count = (size_t)(request->protocol_count > 0 ? request->protocol_count : 0),
        .session_timeout_ms = request->session_timeout_ms,
        .rebalance_timeout_ms = request->rebalance_timeout_ms > 0 ? request->rebalance_timeout_ms
                                                                  : request->session_timeout_ms,
        .require_member_id = call->version >= 4,
        .may_skip = call->version >= 9,
    };
    struct bk_protocol *protocols = bk_call_alloc(call, join.protocol_count, sizeof *protocols);
    struct bk_step *step;
    if (error) {
        struct bk_join_reply refusal = {.call = call, .error = error, .generation = -1};
        refusal.member_id = request->member_id;
        bk_joined(&refusal);
        return;
    }
    for (size_t i = 0; i < join.protocol_count; i++) {
        protocols[i].name = request->protocols[i].name;
        protocols[i].metadata = bk_or_empty(request->protocols[i].metadata);
    }
    join.protocols = protocols;
    step = bk_step_begin(shards, BK_SHARD_GROUPS);
    bk_groups_join(bk_shards_groups(shards), &join, bk_shards_now(shards), bk_step_effects(step));
    bk_step_commit(step, NULL, NULL);
}

/* --- SyncGroup --- */

void bk_synced(const struct bk_sync_reply *reply)
{
    struct bk_call *call = reply->call;
    struct kp_sync_group_response response;
    kp_sync_group_response_init(&response);
    response.error_code = reply->error;
    response.protocol_type = reply->protocol_type;
    response.protocol_name = reply->protocol;
    response.assignment = bk_or_empty(reply->assignment);
    bk_call_reply(call, &response);
}

void bk_handle_sync_group(struct bk_call *call)
{
    const struct kp_sync_group_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    int16_t error = bk_shards_check(shards, BK_SHARD_GROUPS);
    struct bk_sync_request sync = {
        .call = call,
        .group = request->group_id,
        .member_id = request->member_id,
        .instance_id = request->group_instance_id,
        .protocol_type = request->protocol_type,
        .protocol = request->protocol_name,
        .generation = request->generation_id,
        .assignment_count = (size_t)(request->assignment_count > 0 ? request->assignment_count : 0),
    };
    struct bk_member_assignment *plan = bk_call_alloc(call, sync.assignment_count, sizeof *plan);
    struct bk_step *step;
    if (error) {
        struct bk_sync_reply refusal = {.call = call, .error = error};
        bk_synced(&refusal);
        return;
    }
    for (size_t i = 0; i < sync.assignment_count; i++) {
        plan[i].member_id = request->assignments[i].member_id;
        plan[i].assignment = bk_or_empty(request->assignments[i].assignment);
    }
    sync.assignments = plan;
    step = bk_step_begin(shards, BK_SHARD_GROUPS);
    bk_groups_sync(bk_shards_groups(shards), &sync, bk_shards_now(shards), bk_step_effects(step));
    bk_step_commit(step, NULL, NULL);
}

/* --- Heartbeat, LeaveGroup --- */

void bk_handle_heartbeat(struct bk_call *call)
{
    const struct kp_heartbeat_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_heartbeat_response response;
    kp_heartbeat_response_init(&response);
    response.error_code = bk_shards_check(shards, BK_SHARD_GROUPS);
    if (!response.error_code)
        response.error_code = bk_groups_heartbeat(bk_shards_groups(shards), request->group_id,
                                                  request->member_id, request->group_instance_id,
                                                  request->generation_id, bk_shards_now(shards));
    bk_call_reply(call, &response);
}

void bk_handle_leave_group(struct bk_call *call)
{
    const struct kp_leave_group_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_leave_group_response *response = bk_call_alloc(call, 1, sizeof *response);
    bool one = call->version < 3;
    size_t count = one ? 1 : (size_t)(request->member_count > 0 ? request->member_count : 0);
    struct bk_leave_member *leavers = bk_call_alloc(call, count, sizeof *leavers);
    struct bk_step *step;
    kp_leave_group_response_init(response);
    response->error_code = bk_shards_check(shards, BK_SHARD_GROUPS);
    if (response->error_code) {
        bk_call_reply(call, response);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        leavers[i].member_id = one ? request->member_id : request->members[i].member_id;
        if (!one)
            leavers[i].instance_id = request->members[i].group_instance_id;
    }
    step = bk_step_begin(shards, BK_SHARD_GROUPS);
    response->error_code = bk_groups_leave(bk_shards_groups(shards), request->group_id, leavers,
                                           count, bk_shards_now(shards), bk_step_effects(step));
    if (one && !response->error_code)
        response->error_code = leavers[0].error;
    if (!one) {
        response->members = bk_call_alloc(call, count, sizeof *response->members);
        response->member_count = (int32_t)count;
        for (size_t i = 0; i < count; i++) {
            response->members[i].member_id = leavers[i].member_id;
            response->members[i].group_instance_id = leavers[i].instance_id;
            response->members[i].error_code = leavers[i].error;
        }
    }
    bk_reply_later(call, step, response);
}

/* --- tools --- */

struct listing {
    struct bk_call *call;
    struct kp_list_groups_response *response;
};

static bool in_list(const struct bs_bytes *list, int32_t count, const char *word)
{
    for (int32_t i = 0; i < count; i++)
        if (list[i].len == strlen(word) &&
            strncasecmp((const char *)list[i].ptr, word, list[i].len) == 0)
            return true;
    return count <= 0;
}

static void list_one(void *ctx, const struct bk_group_view *view)
{
    struct listing *listing = ctx;
    struct bk_call *call = listing->call;
    const struct kp_list_groups_request *request = call->request;
    struct kp_list_groups_response_group *row;
    if (!in_list(request->states_filter, request->states_filter_count, view->state) ||
        !in_list(request->types_filter, request->types_filter_count, "classic"))
        return;
    row = &listing->response->groups[listing->response->group_count++];
    row->group_id = bk_call_keep(call, view->id);
    row->protocol_type = bk_call_keep(call, view->protocol_type);
    row->group_state = bs_bytes_text(view->state);
    row->group_type = bs_bytes_text("classic");
}

void bk_handle_list_groups(struct bk_call *call)
{
    struct bk_shards *shards = call->service->shards;
    struct kp_list_groups_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct listing listing = {.call = call, .response = response};
    kp_list_groups_response_init(response);
    response->error_code = bk_shards_check(shards, BK_SHARD_GROUPS);
    if (response->error_code) {
        /* No group was ever made: that is an empty list, not an error. */
        if (response->error_code == KP_ERR_COORDINATOR_NOT_AVAILABLE)
            response->error_code = 0;
        bk_call_reply(call, response);
        return;
    }
    response->groups =
        bk_call_alloc(call, bk_groups_count(bk_shards_groups(shards)), sizeof *response->groups);
    bk_groups_each(bk_shards_groups(shards), list_one, &listing);
    bk_reply_later(call, bk_step_begin(shards, BK_SHARD_GROUPS), response);
}

static void describe_one(struct bk_call *call, struct bs_bytes id,
                         struct kp_describe_groups_response_group *out)
{
    const struct kp_describe_groups_request *request = call->request;
    struct bk_group_view view;
    kp_describe_groups_response_group_init(out);
    out->group_id = id;
    out->group_state = bs_bytes_text("Dead");
    out->protocol_type = out->protocol_data = bs_bytes("", 0);
    if (call->version >= 3 && request->include_authorized_operations)
        out->authorized_operations = BK_GROUP_OPERATIONS;
    if (!bk_groups_describe(bk_shards_groups(call->service->shards), id, &call->arena, &view)) {
        if (call->version >= 6) {
            out->error_code = KP_ERR_GROUP_ID_NOT_FOUND;
            out->error_message = bs_bytes_text(kp_error_text(KP_ERR_GROUP_ID_NOT_FOUND));
        }
        return;
    }
    out->group_state = bs_bytes_text(view.state);
    out->protocol_type = bk_call_keep(call, view.protocol_type);
    out->protocol_data = bk_call_keep(call, view.protocol);
    out->members = bk_call_alloc(call, view.member_count, sizeof *out->members);
    out->member_count = (int32_t)view.member_count;
    for (size_t i = 0; i < view.member_count; i++) {
        struct kp_describe_groups_response_member *row = &out->members[i];
        row->member_id = bk_call_keep(call, view.members[i].id);
        row->group_instance_id = bk_call_keep(call, view.members[i].instance_id);
        row->client_id = bk_call_keep(call, view.members[i].client_id);
        row->client_host = bk_call_keep(call, view.members[i].client_host);
        row->member_metadata = bk_call_keep(call, view.members[i].metadata);
        row->member_assignment = bk_call_keep(call, view.members[i].assignment);
    }
}

void bk_handle_describe_groups(struct bk_call *call)
{
    const struct kp_describe_groups_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_describe_groups_response *response = bk_call_alloc(call, 1, sizeof *response);
    int16_t error = bk_shards_check(shards, BK_SHARD_GROUPS);
    kp_describe_groups_response_init(response);
    response->groups = bk_call_alloc(call, (size_t)request->group_count, sizeof *response->groups);
    response->group_count = request->group_count;
    for (int32_t i = 0; i < request->group_count; i++) {
        if (bk_call_too_large(call))
            return;
        if (!error) {
            describe_one(call, request->groups[i], &response->groups[i]);
            continue;
        }
        kp_describe_groups_response_group_init(&response->groups[i]);
        response->groups[i].group_id = request->groups[i];
        response->groups[i].error_code = error;
        response->groups[i].group_state = bs_bytes_text("Dead");
    }
    if (error)
        bk_call_reply(call, response);
    else
        bk_reply_later(call, bk_step_begin(shards, BK_SHARD_GROUPS), response);
}

void bk_handle_delete_groups(struct bk_call *call)
{
    const struct kp_delete_groups_request *request = call->request;
    struct bk_shards *shards = call->service->shards;
    struct kp_delete_groups_response *response = bk_call_alloc(call, 1, sizeof *response);
    int16_t error = bk_shards_check(shards, BK_SHARD_GROUPS);
    struct bk_step *step = error ? NULL : bk_step_begin(shards, BK_SHARD_GROUPS);
    kp_delete_groups_response_init(response);
    response->results =
        bk_call_alloc(call, (size_t)request->groups_name_count, sizeof *response->results);
    response->result_count = request->groups_name_count;
    for (int32_t i = 0; i < request->groups_name_count; i++) {
        response->results[i].group_id = request->groups_names[i];
        response->results[i].error_code =
            error ? error
                  : bk_groups_delete(bk_shards_groups(shards), request->groups_names[i],
                                     bk_step_effects(step));
    }
    if (error)
        bk_call_reply(call, response);
    else
        bk_reply_later(call, step, response);
}
