/* Configs: DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, for topics, the broker and
 * groups. Topic rows come from bk_topic_options, broker rows from the option tables: those that are
 * served, not those that are only known. */
#include "broker/handler/later.h"
#include "broker/cluster/topic_config.h"
#include "generated/lib/kafka/alter_configs.h"
#include "generated/lib/kafka/describe_configs.h"
#include "generated/lib/kafka/incremental_alter_configs.h"

#include <stdio.h>

enum { SOURCE_DYNAMIC_BROKER = 2, SOURCE_STATIC_BROKER = 4, SOURCE_DEFAULT = 5 };

/* DescribeConfigs' numbers of types. */
static int8_t type_of(const struct bs_option *row)
{
    switch (row->type) {
    case BS_OPT_BOOL:
        return 1;
    case BS_OPT_INT:
    case BS_OPT_DURATION:
    case BS_OPT_SIZE:
        return 5; /* long */
    case BS_OPT_DOUBLE:
        return 6;
    case BS_OPT_LIST:
        return 7;
    case BS_OPT_PASSWORD:
        return 9;
    default:
        return 2; /* string */
    }
}

static bool asked(const struct kp_describe_configs_request_resource *in, const char *name)
{
    for (int32_t i = 0; i < in->configuration_key_count; i++)
        if (bs_bytes_is(in->configuration_keys[i], name))
            return true;
    return in->configuration_key_count < 0;
}

static void add_synonym(struct kp_describe_configs_response_config *row, const char *name,
                        struct bs_bytes value, int8_t source)
{
    struct kp_describe_configs_response_synonym *synonym = &row->synonyms[row->synonym_count++];
    synonym->name = bs_bytes_text(name);
    synonym->value = value;
    synonym->source = source;
}

static void describe_topic_row(struct bk_call *call, const struct bk_topic *topic, size_t i,
                               struct kp_describe_configs_response_config *row)
{
    const struct kp_describe_configs_request *request = call->request;
    const struct bs_option *option = &bk_topic_options.rows[i];
    const char *broker_name = bk_topic_config_synonym(option->name);
    enum bk_config_source source, broker_source;
    char scratch[32], broker_scratch[32];
    const char *value = bk_topic_config_value(topic, call->service->config, i, scratch, &source);
    const char *inherited =
        bk_topic_config_value(NULL, call->service->config, i, broker_scratch, &broker_source);
    kp_describe_configs_response_config_init(row);
    row->name = bs_bytes_text(option->name);
    if (value)
        row->value = bk_call_text(call, value);
    row->config_source = (int8_t)source;
    row->config_type = type_of(option);
    if (request->include_documentation)
        row->documentation = bs_bytes_text(option->doc);
    if (!request->include_synonyms)
        return;
    row->synonyms = bk_call_alloc(call, 3, sizeof *row->synonyms);
    if (source == BK_SOURCE_TOPIC)
        add_synonym(row, option->name, row->value, BK_SOURCE_TOPIC);
    if (broker_name && inherited)
        add_synonym(row, broker_name, bk_call_text(call, inherited), (int8_t)broker_source);
}

static void describe_topic(struct bk_call *call,
                           const struct kp_describe_configs_request_resource *in,
                           struct kp_describe_configs_response_result *out)
{
    const struct bk_topic *topic =
        bk_service_topic(call->service, in->resource_name, NULL, &out->error_code);
    if (!topic)
        return;
    out->configs = bk_call_alloc(call, bk_topic_options.count, sizeof *out->configs);
    for (size_t i = 0; i < bk_topic_options.count; i++)
        if (asked(in, bk_topic_options.rows[i].name))
            describe_topic_row(call, topic, i, &out->configs[out->config_count++]);
}

static void describe_broker_row(struct bk_call *call, const struct bs_option *option,
                                struct kp_describe_configs_response_config *row)
{
    const struct kp_describe_configs_request *request = call->request;
    const struct bs_config *config = call->service->config;
    const char *value = bs_config_text(config, option->name);
    bool secret = option->type == BS_OPT_PASSWORD;
    kp_describe_configs_response_config_init(row);
    row->name = bs_bytes_text(option->name);
    row->is_sensitive = secret;
    if (value && !secret)
        row->value = bk_call_text(call, value);
    row->read_only = true;
    row->config_source =
        bs_config_is_set(config, option->name) ? SOURCE_STATIC_BROKER : SOURCE_DEFAULT;
    row->config_type = type_of(option);
    if (request->include_documentation)
        row->documentation = bs_bytes_text(option->doc);
    if (!request->include_synonyms)
        return;
    row->synonyms = bk_call_alloc(call, 2, sizeof *row->synonyms);
    if (row->config_source == SOURCE_STATIC_BROKER)
        add_synonym(row, option->name, row->value, SOURCE_STATIC_BROKER);
    if (option->def && !secret)
        add_synonym(row, option->name, bs_bytes_text(option->def), SOURCE_DEFAULT);
}

static void describe_broker(struct bk_call *call,
                            const struct kp_describe_configs_request_resource *in,
                            struct kp_describe_configs_response_result *out)
{
    struct bk_service *service = call->service;
    char self[16];
    size_t count = 0;
    snprintf(self, sizeof self, "%d", service->node_id);
    if (in->resource_name.len && !bs_bytes_is(in->resource_name, self)) {
        out->error_code = KP_ERR_INVALID_REQUEST;
        out->error_message = bs_bytes_text("This broker has another node.id.");
        return;
    }
    for (size_t t = 0; t < service->table_count; t++)
        count += service->tables[t]->count;
    out->configs = bk_call_alloc(call, count, sizeof *out->configs);
    for (size_t t = 0; t < service->table_count; t++) {
        for (size_t i = 0; i < service->tables[t]->count; i++) {
            const struct bs_option *option = &service->tables[t]->rows[i];
            if (!(option->flags & (BS_OPT_IGNORED | BS_OPT_REFUSED)) && asked(in, option->name))
                describe_broker_row(call, option, &out->configs[out->config_count++]);
        }
    }
}

void bk_handle_describe_configs(struct bk_call *call)
{
    const struct kp_describe_configs_request *request = call->request;
    struct kp_describe_configs_response response;
    kp_describe_configs_response_init(&response);
    response.results =
        bk_call_alloc(call, (size_t)request->resource_count, sizeof *response.results);
    response.result_count = request->resource_count;
    for (int32_t i = 0; i < request->resource_count; i++) {
        const struct kp_describe_configs_request_resource *in = &request->resources[i];
        struct kp_describe_configs_response_result *out = &response.results[i];
        kp_describe_configs_response_result_init(out);
        out->resource_type = in->resource_type;
        out->resource_name = in->resource_name;
        if (bk_call_too_large(call))
            return;
        if (in->resource_type == BK_RESOURCE_TOPIC)
            describe_topic(call, in, out);
        else if (in->resource_type == BK_RESOURCE_BROKER)
            describe_broker(call, in, out);
        else if (in->resource_type != BK_RESOURCE_GROUP)
            out->error_code = KP_ERR_INVALID_REQUEST;
        if (out->error_code && !out->error_message.ptr)
            out->error_message = bs_bytes_text(kp_error_text(out->error_code));
    }
    bk_call_reply(call, &response);
}

/* --- changes --- */

struct alter {
    struct bk_call *call;
    void *response;
    size_t left;
};

struct alter_one {
    struct alter *alter;
    int16_t *error;
};

static void alter_done_one(struct alter *alter)
{
    if (--alter->left == 0)
        bk_call_reply(alter->call, alter->response);
}

static void altered(void *ctx, int16_t error)
{
    struct alter_one *one = ctx;
    *one->error = error;
    alter_done_one(one->alter);
}

static void change(struct alter *alter, int8_t type, struct bs_bytes name,
                   const struct bk_config_change *changes, size_t count, bool replace,
                   bool validate_only, int16_t *ret_error, struct bs_bytes *ret_message)
{
    struct bk_call *call = alter->call;
    struct alter_one *one = bs_arena_zalloc(&call->arena, sizeof *one);
    struct bs_error err = {0};
    char *text = bs_arena_strndup(&call->arena, (const char *)name.ptr, name.len);
    int rc;
    if (type == BK_RESOURCE_BROKER) {
        *ret_error = KP_ERR_INVALID_REQUEST;
        *ret_message = bs_bytes_text("Broker settings are read at start only: change the "
                                     "properties file or the command line, and restart.");
        return;
    }
    one->alter = alter;
    one->error = ret_error;
    alter->left++;
    rc = bk_metadata_alter_configs(call->service->metadata, type, text, changes, count, replace,
                                   validate_only, altered, one, &err);
    if (rc == 0)
        return;
    alter->left--;
    *ret_error = rc > 0 ? (int16_t)rc : KP_ERR_UNKNOWN_SERVER_ERROR;
    *ret_message = bk_call_text(call, err.text);
}

static char *text_of(struct bk_call *call, struct bs_bytes text)
{
    return text.ptr ? bs_arena_strndup(&call->arena, (const char *)text.ptr, text.len) : NULL;
}

void bk_handle_alter_configs(struct bk_call *call)
{
    const struct kp_alter_configs_request *request = call->request;
    struct kp_alter_configs_response *response = bk_call_alloc(call, 1, sizeof *response);
    struct alter *alter = bs_arena_zalloc(&call->arena, sizeof *alter);
    *alter = (struct alter){.call = call, .response = response, .left = 1};
    kp_alter_configs_response_init(response);
    response->responses =
        bk_call_alloc(call, (size_t)request->resource_count, sizeof *response->responses);
    response->response_count = request->resource_count;
    for (int32_t i = 0; i < request->resource_count; i++) {
        const struct kp_alter_configs_request_resource *in = &request->resources[i];
        struct kp_alter_configs_response_response *out = &response->responses[i];
        struct bk_config_change *changes =
            bk_call_alloc(call, (size_t)in->config_count, sizeof *changes);
        size_t count = 0;
        kp_alter_configs_response_response_init(out);
        out->resource_type = in->resource_type;
        out->resource_name = in->resource_name;
        for (int32_t c = 0; c < in->config_count; c++) {
            if (!in->configs[c].value.ptr)
                continue; /* a null is "as the default", which replacing does anyway */
            changes[count].name = text_of(call, in->configs[c].name);
            changes[count].value = text_of(call, in->configs[c].value);
            changes[count++].op = BK_CONFIG_SET;
        }
        change(alter, in->resource_type, in->resource_name, changes, count, true,
               request->validate_only, &out->error_code, &out->error_message);
    }
    alter_done_one(alter);
}

void bk_handle_incremental_alter_configs(struct bk_call *call)
{
    const struct kp_incremental_alter_configs_request *request = call->request;
    struct kp_incremental_alter_configs_response *response =
        bk_call_alloc(call, 1, sizeof *response);
    struct alter *alter = bs_arena_zalloc(&call->arena, sizeof *alter);
    *alter = (struct alter){.call = call, .response = response, .left = 1};
    kp_incremental_alter_configs_response_init(response);
    response->responses =
        bk_call_alloc(call, (size_t)request->resource_count, sizeof *response->responses);
    response->response_count = request->resource_count;
    for (int32_t i = 0; i < request->resource_count; i++) {
        const struct kp_incremental_alter_configs_request_resource *in = &request->resources[i];
        struct kp_incremental_alter_configs_response_response *out = &response->responses[i];
        struct bk_config_change *changes =
            bk_call_alloc(call, (size_t)in->config_count, sizeof *changes);
        bool good = true;
        kp_incremental_alter_configs_response_response_init(out);
        out->resource_type = in->resource_type;
        out->resource_name = in->resource_name;
        for (int32_t c = 0; c < in->config_count; c++) {
            int8_t op = in->configs[c].config_operation;
            changes[c].name = text_of(call, in->configs[c].name);
            changes[c].value = text_of(call, in->configs[c].value);
            changes[c].op = (enum bk_config_op)op;
            good = good && op >= BK_CONFIG_SET && op <= BK_CONFIG_SUBTRACT &&
                   (changes[c].value || op == BK_CONFIG_DELETE);
        }
        if (good) {
            change(alter, in->resource_type, in->resource_name, changes, (size_t)in->config_count,
                   false, request->validate_only, &out->error_code, &out->error_message);
        } else {
            out->error_code = KP_ERR_INVALID_REQUEST;
            out->error_message = bs_bytes_text("An operation is not known or lacks a value.");
        }
    }
    alter_done_one(alter);
}
