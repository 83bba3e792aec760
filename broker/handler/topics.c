/* Topic changes: CreateTopics, DeleteTopics, CreatePartitions. Each topic is one change of the
 * metadata; the answer leaves when all of them are on disk, or refused. */
#include "broker/handler/later.h"
#include "broker/cluster/topic_config.h"
#include "generated/lib/kafka/create_partitions.h"
#include "generated/lib/kafka/create_topics.h"
#include "generated/lib/kafka/delete_topics.h"

/* Changes under way of one call. */
struct changes {
    struct bk_call *call;
    void *response;
    size_t left;
    void (*finish)(struct changes *changes);
};

struct change {
    struct changes *changes;
    int16_t *error; /* of its row */
};

static struct changes *changes_new(struct bk_call *call, void *response,
                                   void (*finish)(struct changes *changes))
{
    struct changes *changes = bs_arena_zalloc(&call->arena, sizeof *changes);
    changes->call = call;
    changes->response = response;
    changes->left = 1; /* until the caller is through with its loop */
    changes->finish = finish;
    return changes;
}

static void changes_done_one(struct changes *changes)
{
    if (--changes->left)
        return;
    if (changes->finish)
        changes->finish(changes);
    bk_call_reply(changes->call, changes->response);
}

static void changed(void *ctx, int16_t error)
{
    struct change *change = ctx;
    *change->error = error;
    changes_done_one(change->changes);
}

static struct change *change_new(struct changes *changes, int16_t *error)
{
    struct change *change = bs_arena_zalloc(&changes->call->arena, sizeof *change);
    change->changes = changes;
    change->error = error;
    changes->left++;
    return change;
}

/* What the change function returned: under way, or refused with a sentence. */
static void change_result(struct change *change, int rc, const struct bs_error *err,
                          struct bs_bytes *message)
{
    if (rc == 0)
        return;
    change->changes->left--;
    *change->error = rc > 0 ? (int16_t)rc : KP_ERR_UNKNOWN_SERVER_ERROR;
    *message = bk_call_text(change->changes->call, err->text);
}

static char *name_of(struct bk_call *call, struct bs_bytes name)
{
    return bs_arena_strndup(&call->arena, (const char *)name.ptr, name.len);
}

/* --- CreateTopics --- */

static void describe_created(struct changes *changes)
{
    struct bk_call *call = changes->call;
    struct bk_service *service = call->service;
    struct kp_create_topics_response *response = changes->response;
    const struct kp_create_topics_request *request = call->request;
    for (int32_t i = 0; i < response->topic_count; i++) {
        struct kp_create_topics_response_topic *out = &response->topics[i];
        const struct bk_topic *topic;
        int16_t error;
        out->config_count = -1;
        if (out->error_code) {
            if (!out->error_message.ptr)
                out->error_message = bs_bytes_text(kp_error_text(out->error_code));
            continue;
        }
        topic = bk_service_topic(service, out->name, NULL, &error);
        if (!topic || request->validate_only)
            continue;
        out->topic_id = bk_to_kp_uuid(&topic->id);
        out->num_partitions = topic->partition_count;
        out->replication_factor =
            topic->partition_count ? (int16_t)topic->partitions[0].replica_count : 1;
        out->configs = bk_call_alloc(call, bk_topic_options.count, sizeof *out->configs);
        out->config_count = (int32_t)bk_topic_options.count;
        for (size_t c = 0; c < bk_topic_options.count; c++) {
            char scratch[32];
            enum bk_config_source source;
            const char *value = bk_topic_config_value(topic, service->config, c, scratch, &source);
            out->configs[c].name = bs_bytes_text(bk_topic_options.rows[c].name);
            if (value)
                out->configs[c].value = bk_call_text(call, value);
            out->configs[c].config_source = (int8_t)source;
        }
    }
}

static bool named_twice(const struct kp_create_topics_request *request, int32_t i)
{
    for (int32_t k = 0; k < request->topic_count; k++)
        if (k != i && bs_bytes_equal(request->topics[k].name, request->topics[i].name))
            return true;
    return false;
}

static bool fill_assignments(struct bk_call *call, const struct kp_create_topics_request_topic *in,
                             struct bk_topic_spec *spec)
{
    struct bk_assignment *rows = bk_call_alloc(call, (size_t)in->assignment_count, sizeof *rows);
    for (int32_t i = 0; i < in->assignment_count; i++) {
        if (in->assignments[i].broker_id_count < 1)
            return false;
        rows[i].partition = in->assignments[i].partition_index;
        rows[i].brokers = in->assignments[i].broker_ids;
        rows[i].broker_count = (size_t)in->assignments[i].broker_id_count;
    }
    spec->assignments = rows;
    spec->assignment_count = (size_t)in->assignment_count;
    return true;
}

static bool fill_settings(struct bk_call *call, const struct kp_create_topics_request_topic *in,
                          struct bk_topic_spec *spec)
{
    struct bk_setting *rows = bk_call_alloc(call, (size_t)in->config_count, sizeof *rows);
    for (int32_t i = 0; i < in->config_count; i++) {
        if (!in->configs[i].value.ptr)
            return false;
        rows[i].name = name_of(call, in->configs[i].name);
        rows[i].value = name_of(call, in->configs[i].value);
    }
    spec->settings = rows;
    spec->setting_count = (size_t)in->config_count;
    return true;
}

static void create_one(struct changes *changes, int32_t i)
{
    struct bk_call *call = changes->call;
    const struct kp_create_topics_request *request = call->request;
    const struct kp_create_topics_request_topic *in = &request->topics[i];
    struct kp_create_topics_response *response = changes->response;
    struct kp_create_topics_response_topic *out = &response->topics[i];
    struct bk_topic_spec spec = {.name = name_of(call, in->name),
                                 .partition_count = in->num_partitions,
                                 .replication_factor = in->replication_factor,
                                 .validate_only = request->validate_only};
    struct bs_error err = {0};
    struct change *change;
    kp_create_topics_response_topic_init(out);
    out->name = in->name;
    if (strlen(spec.name) != in->name.len || !bk_topic_name_valid(spec.name, in->name.len)) {
        out->error_code = KP_ERR_INVALID_TOPIC_EXCEPTION;
        out->error_message =
            bs_bytes_text("A topic's name is 1 to 249 of a-z A-Z 0-9 . _ - and neither . nor ..");
    } else if (named_twice(request, i)) {
        out->error_code = KP_ERR_INVALID_REQUEST;
        out->error_message = bs_bytes_text("The request names this topic twice.");
    } else if (in->assignment_count > 0 &&
               (in->num_partitions != -1 || in->replication_factor != -1)) {
        out->error_code = KP_ERR_INVALID_REQUEST;
        out->error_message = bs_bytes_text(
            "With an assignment, partition count and replication factor must both be -1.");
    } else if (!fill_assignments(call, in, &spec)) {
        out->error_code = KP_ERR_INVALID_REPLICA_ASSIGNMENT;
    } else if (!fill_settings(call, in, &spec)) {
        out->error_code = KP_ERR_INVALID_CONFIG;
        out->error_message = bs_bytes_text("A setting needs a value.");
    } else {
        change = change_new(changes, &out->error_code);
        change_result(
            change, bk_metadata_create_topic(call->service->metadata, &spec, changed, change, &err),
            &err, &out->error_message);
    }
}

void bk_handle_create_topics(struct bk_call *call)
{
    const struct kp_create_topics_request *request = call->request;
    struct kp_create_topics_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct changes *changes = changes_new(call, response, describe_created);
    kp_create_topics_response_init(response);
    response->topics = bk_call_alloc(call, (size_t)request->topic_count, sizeof *response->topics);
    response->topic_count = request->topic_count;
    for (int32_t i = 0; i < request->topic_count; i++)
        create_one(changes, i);
    changes_done_one(changes);
}

/* --- DeleteTopics --- */

static void delete_one(struct changes *changes, struct bs_bytes name, const struct kp_uuid *id,
                       struct kp_delete_topics_response_response *out)
{
    struct bk_call *call = changes->call;
    struct bk_service *service = call->service;
    struct bs_error err = {0};
    struct change *change;
    const struct bk_topic *topic;
    kp_delete_topics_response_response_init(out);
    out->name = name;
    out->topic_id = *id;
    if (name.ptr && !kp_uuid_is_zero(*id)) {
        out->error_code = KP_ERR_INVALID_REQUEST;
        out->error_message = bs_bytes_text("A topic to delete is given by its name or its id.");
        return;
    }
    topic = bk_service_topic(service, name, id, &out->error_code);
    if (!topic)
        return;
    out->name = bk_call_text(call, topic->name);
    out->topic_id = bk_to_kp_uuid(&topic->id);
    if (!service->delete_topics) {
        out->error_code = KP_ERR_TOPIC_DELETION_DISABLED;
        return;
    }
    if (topic->internal) {
        /* Kafka lets an administrator do it; groups and transactions would lose their state. */
        out->error_code = KP_ERR_INVALID_TOPIC_EXCEPTION;
        out->error_message = bs_bytes_text("A coordinator's topic cannot be deleted.");
        return;
    }
    change = change_new(changes, &out->error_code);
    change_result(change, bk_metadata_delete_topic(service->metadata, topic, changed, change, &err),
                  &err, &out->error_message);
}

void bk_handle_delete_topics(struct bk_call *call)
{
    const struct kp_delete_topics_request *request = call->request;
    struct kp_delete_topics_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct changes *changes = changes_new(call, response, NULL);
    static const struct kp_uuid NO_ID;
    bool by_name = call->version < 6;
    int32_t count = by_name ? request->topic_name_count : request->topic_count;
    kp_delete_topics_response_init(response);
    response->responses = bk_call_alloc(call, (size_t)count, sizeof *response->responses);
    response->response_count = count;
    for (int32_t i = 0; i < count; i++) {
        if (by_name)
            delete_one(changes, request->topic_names[i], &NO_ID, &response->responses[i]);
        else
            delete_one(changes, request->topics[i].name, &request->topics[i].topic_id,
                       &response->responses[i]);
        if (by_name && !response->responses[i].name.ptr)
            response->responses[i].name = bs_bytes("", 0);
    }
    changes_done_one(changes);
}

/* --- CreatePartitions --- */

static void grow_one(struct changes *changes, const struct kp_create_partitions_request_topic *in,
                     struct kp_create_partitions_response_result *out)
{
    struct bk_call *call = changes->call;
    const struct kp_create_partitions_request *request = call->request;
    struct bs_error err = {0};
    struct bk_assignment *rows = NULL;
    size_t row_count = in->assignment_count > 0 ? (size_t)in->assignment_count : 0;
    struct change *change;
    const struct bk_topic *topic;
    kp_create_partitions_response_result_init(out);
    out->name = in->name;
    topic = bk_service_topic(call->service, in->name, NULL, &out->error_code);
    if (topic && topic->internal)
        out->error_code = KP_ERR_INVALID_TOPIC_EXCEPTION; /* their hash is by partition count */
    if (out->error_code)
        return;
    rows = bk_call_alloc(call, row_count, sizeof *rows);
    for (size_t i = 0; i < row_count; i++) {
        rows[i].partition = topic->partition_count + (int32_t)i;
        rows[i].brokers = in->assignments[i].broker_ids;
        rows[i].broker_count =
            (size_t)(in->assignments[i].broker_id_count > 0 ? in->assignments[i].broker_id_count
                                                            : 0);
    }
    change = change_new(changes, &out->error_code);
    change_result(change,
                  bk_metadata_create_partitions(call->service->metadata, topic, in->count, rows,
                                                row_count, request->validate_only, changed, change,
                                                &err),
                  &err, &out->error_message);
}

void bk_handle_create_partitions(struct bk_call *call)
{
    const struct kp_create_partitions_request *request = call->request;
    struct kp_create_partitions_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct changes *changes = changes_new(call, response, NULL);
    kp_create_partitions_response_init(response);
    response->results =
        bk_call_alloc(call, (size_t)request->topic_count, sizeof *response->results);
    response->result_count = request->topic_count;
    for (int32_t i = 0; i < request->topic_count; i++)
        grow_one(changes, &request->topics[i], &response->results[i]);
    changes_done_one(changes);
}
