/* Routes of compatibility levels and further settings: global ones, of a context, of a subject.
 * A setting is one record whose value is the whole of it: a change is read, merged and written by
 * the one writer. */
#include "schema-registry/metadata.h"
#include "schema-registry/route.h"
#include "schema-registry/rule_set.h"
#include "schema-registry/scope.h"

#include "lib/base/log.h"
#include "lib/serde/json.h"

#include <string.h>
#include <strings.h>

/* Members of a config in the order of the records; the level is "compatibility" in requests. */
static const struct {
    const char *name;
    enum sd_type type;
} members[] = {
    {"alias", SD_STRING},
    {"normalize", SD_BOOL},
    {"validateFields", SD_BOOL},
    {"validateRules", SD_BOOL},
    {"compatibilityLevel", SD_STRING},
    {"compatibilityPolicy", SD_STRING},
    {"compatibilityGroup", SD_STRING},
    {"defaultMetadata", SD_MAP},
    {"overrideMetadata", SD_MAP},
    {"defaultRuleSet", SD_MAP},
    {"overrideRuleSet", SD_MAP},
    {"aliasForDeks", SD_STRING},
    {"validateNewSchemas", SD_BOOL},
};

/* Kept and told, for clients that act on them; nothing here does. */
static const char *const inert[] = {"validateRules", "aliasForDeks"};

static const struct bs_event without_effect = {
    "registry.setting-without-effect", BS_LOG_WARN,
    "A setting of PUT /config is stored and told, but this registry does not act on it."};

enum { MEMBERS = sizeof members / sizeof *members, ALIAS_MAX = 4096 };

static const char *request_name(size_t i)
{
    return strcmp(members[i].name, "compatibilityLevel") == 0 ? "compatibility" : members[i].name;
}

/* {"compatibilityLevel":…} as GET gives it, or {"compatibility":…} as PUT does. */
static void put_config(struct bs_buf *out, const struct sd_value *json, bool as_request)
{
    bool first = true;
    bs_buf_puts(out, "{");
    for (size_t i = 0; json && i < MEMBERS; i++) {
        const struct sd_value *value = sd_value_get(json, bs_bytes_text(members[i].name));
        if (value == NULL || value->type == SD_NULL)
            continue;
        bs_buf_printf(out, "%s\"%s\":", first ? "" : ",",
                      as_request ? request_name(i) : members[i].name);
        sd_json_write(value, true, out, NULL);
        first = false;
    }
    bs_buf_puts(out, "}");
}

static bool valid_level(struct sr_call *call, struct sd_value *value)
{
    char text[64] = "";
    enum sr_level level;
    const char *name;
    if (value->bytes.len < sizeof text)
        memcpy(text, value->bytes.ptr, value->bytes.len);
    level = sr_level_parse(text);
    if (level == SR_LEVEL_UNSET) {
        sr_fail(call, 42203,
                "Invalid compatibility level. Valid values are none, backward, forward, full, "
                "backward_transitive, forward_transitive, and full_transitive");
        return false;
    }
    name = sr_level_name(level);
    value->bytes = bs_bytes_text(name);
    return true;
}

/* STRICT and LENIENT part only types of schemas that are not served; LOGICAL has logical types and
 * decimals compared too. */
static bool valid_policy(struct sr_call *call, struct sd_value *value)
{
    static const char *const names[] = {"STRICT", "LENIENT", "LOGICAL"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (value->bytes.len != strlen(names[i]) ||
            strncasecmp((const char *)value->bytes.ptr, names[i], value->bytes.len) != 0)
            continue;
        value->bytes = bs_bytes_text(names[i]);
        return true;
    }
    sr_fail(call, 42203,
            "Invalid compatibility policy. Valid values are STRICT, LENIENT, and LOGICAL");
    return false;
}

static bool valid_metadata(struct sr_call *call, const char *name, struct sd_value *value)
{
    const struct sd_value *metadata;
    struct bs_error err = {0};
    if (sr_metadata_read(value, call->request->arena, &metadata, &err) < 0) {
        sr_fail(call, 400, "Unable to process JSON: %s: %s", name, err.text);
        return false;
    }
    *value = *metadata;
    return true;
}

static bool valid_rules(struct sr_call *call, const char *name, struct sd_value *value)
{
    const struct sd_value *rules = sr_rule_set_take(value, call->request->arena);
    struct bs_error err = {0};
    if (sr_rule_set_check(rules, &err) < 0) {
        sr_fail(call, 42210, "Invalid rule set: %s: %s", name, err.text);
        return false;
    }
    *value = *sr_rule_set_complete(rules, call->request->arena);
    return true;
}

/* What paths will mean instead must be a name that paths can have; "" is no alias. */
static bool valid_alias(struct sr_call *call, const struct sd_value *value)
{
    struct bs_arena *arena = call->request->arena;
    const char *text = bs_arena_strndup(arena, (const char *)value->bytes.ptr, value->bytes.len);
    const char *name = sr_name_beside(arena, call->subject ? call->subject : "", text);
    if (strlen(text) == value->bytes.len && value->bytes.len <= ALIAS_MAX &&
        (*text == '\0' || sr_name_valid(call, name, false)))
        return true;
    sr_fail(call, 42208, "The specified subject '%.*s' is not a valid.", 200, text);
    return false;
}

/* Checks a member and puts it into the form that is stored; false: the response is set. */
static bool valid_member(struct sr_call *call, const char *name, struct sd_value *value)
{
    if (strcmp(name, "compatibilityLevel") == 0)
        return valid_level(call, value);
    if (strcmp(name, "compatibilityPolicy") == 0)
        return valid_policy(call, value);
    if (strcmp(name, "alias") == 0)
        return valid_alias(call, value);
    if (strstr(name, "Metadata"))
        return valid_metadata(call, name, value);
    if (strstr(name, "RuleSet"))
        return valid_rules(call, name, value);
    return true;
}

/* The old config with the members of the request over it; false: the response is set. */
static bool merge_config(struct sr_call *call, const struct sd_value *old,
                         const struct sd_value *body, struct sd_value *ret)
{
    struct bs_arena *arena = call->request->arena;
    *ret = (struct sd_value){.type = SD_MAP};
    ret->map.fields = bs_arena_array(arena, MEMBERS + 1, sizeof *ret->map.fields);
    if (call->subject) {
        ret->map.fields[ret->map.count].name = bs_bytes_text("subject");
        ret->map.fields[ret->map.count++].value =
            (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(call->subject)};
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        bool asked = sd_value_get(body, bs_bytes_text(request_name(i))) != NULL;
        struct sd_field *to = &ret->map.fields[ret->map.count];
        const struct sd_value *value = NULL;
        if (!asked && old == NULL)
            continue;
        if (!sr_input_member(call, asked ? body : old, asked ? request_name(i) : members[i].name,
                             members[i].type, &value))
            return false;
        if (value == NULL)
            continue;
        to->name = bs_bytes_text(members[i].name);
        to->value = *sd_value_copy(arena, value);
        if (!valid_member(call, members[i].name, &to->value))
            return false;
        ret->map.count++;
    }
    return true;
}

/* Every member that some record in scope has, and the level in any case. */
static struct sd_value effective_config(struct sr_call *call)
{
    struct sd_value all = {.type = SD_MAP};
    all.map.fields = bs_arena_array(call->request->arena, MEMBERS, sizeof *all.map.fields);
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct sd_value *value =
            sr_store_setting(call->store, call->subject, members[i].name);
        struct sd_field *to = &all.map.fields[all.map.count];
        to->name = bs_bytes_text(members[i].name);
        if (strcmp(members[i].name, "compatibilityLevel") == 0)
            to->value = (struct sd_value){
                .type = SD_STRING,
                .bytes = bs_bytes_text(sr_level_name(sr_store_level(call->store, call->subject)))};
        else if (value)
            to->value = *value;
        else
            continue;
        all.map.count++;
    }
    return all;
}

static void config_get(struct sr_call *call)
{
    const struct sr_config *config = sr_store_config(call->store, call->subject);
    struct sd_value all;
    if (!sr_is_top(call) && !sr_flag(call, "defaultToGlobal")) {
        if (config)
            put_config(&call->response->body, config->json, false);
        else
            sr_fail(call, 40408,
                    "Subject '%s' does not have subject-level compatibility configured",
                    call->subject);
        return;
    }
    all = effective_config(call);
    put_config(&call->response->body, &all, false);
}

static void config_put(struct sr_call *call)
{
    const struct sr_config *old;
    struct sr_record record = {.kind = SR_RECORD_CONFIG, .subject = call->subject};
    struct sd_value body;
    if (!sr_body(call, &body) || !sr_become_writer(call) || sr_refuse_readonly(call))
        return;
    old = sr_store_config(call->store, call->subject);
    if (!merge_config(call, old ? old->json : NULL, &body, &record.value))
        return;
    if (!sr_append(call, &record, 1))
        return;
    put_config(&call->response->body, &record.value, true);
    for (size_t i = 0; i < sizeof inert / sizeof *inert; i++)
        if (sd_value_get(&body, bs_bytes_text(inert[i])))
            bs_log(&without_effect, "%s of %s", inert[i],
                   call->subject ? call->subject : "the global config");
}

static void config_delete(struct sr_call *call)
{
    struct sr_record record = {
        .kind = SR_RECORD_CONFIG, .subject = call->subject, .tombstone = true};
    const struct sr_config *old;
    struct bs_buf text = BS_BUF_INIT;
    if (!sr_become_writer(call) || sr_refuse_readonly(call))
        return;
    old = sr_store_config(call->store, call->subject);
    if (old == NULL && !sr_is_top(call)) {
        sr_fail(call, 40401, "Subject '%s' not found.", call->subject);
        return;
    }
    if (old)
        put_config(&text, old->json, false);
    else
        bs_buf_printf(&text, "{\"compatibilityLevel\":\"%s\"}",
                      sr_level_name(sr_store_level(call->store, call->subject)));
    if (sr_append(call, &record, 1))
        bs_buf_put(&call->response->body, text.data, text.len);
    bs_buf_deinit(&text);
}

int sr_config_get(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return sr_in_scope(ctx, request, response, config_get);
}

int sr_config_put(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return sr_in_scope(ctx, request, response, config_put);
}

int sr_config_delete(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return sr_in_scope(ctx, request, response, config_delete);
}
