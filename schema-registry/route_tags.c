/* Route that makes a new version of an old one: with other tags in the schema, other metadata,
 * other rules.
 *
 *   {"newVersion","tagsToAdd":[T],"tagsToRemove":[T],"metadata","ruleSet" or
 *    "rulesToMerge","rulesToRemove":[name]}
 *   T = {"schemaEntity":{"entityPath":"x.Order.email","entityType":"sr_field"},"tags":["PII"]} */
#include "schema-registry/member.h"
#include "schema-registry/metadata.h"
#include "schema-registry/route.h"
#include "schema-registry/rule_set.h"
#include "schema-registry/scope.h"

/* The rules of the version before the new one, with those of the request merged in and others left
 * out; false: the response is set. */
static bool change_rules(struct sr_call *call, const struct sd_value *json, int new_version,
                         struct sr_content *content)
{
    struct bs_arena *arena = call->request->arena;
    const struct sd_value *remove, *merged, *rules;
    struct sd_value *names = bs_arena_alloc(arena, sizeof *names);
    const struct sr_version *before =
        sr_subject_version(sr_store_subject(call->store, call->subject),
                           new_version > 1 ? new_version - 1 : -1, false);
    struct sr_content merge = {0};
    if (!sr_input_member(call, json, "rulesToMerge", SD_MAP, &merged) ||
        !sr_input_member(call, json, "rulesToRemove", SD_ARRAY, &remove))
        return false;
    if (merged == NULL && remove == NULL)
        return true;
    if (content->rule_set) {
        sr_fail(call, 42210,
                "ruleSet should be omitted if specifying rulesToMerge or rulesToRemove");
        return false;
    }
    if (remove && !sr_member_take_texts(remove, arena, names)) {
        sr_fail(call, 400, "Unable to process JSON: \"rulesToRemove\" is not a list of names");
        return false;
    }
    if (!sr_input_read_about(call, json, "rulesToMerge", &merge))
        return false;
    rules = before ? before->entry->content.rule_set : NULL;
    rules = sr_rule_set_merge(rules, merge.rule_set, arena);
    if (remove)
        rules = sr_rule_set_without(rules, names, arena);
    if (rules)
        content->rule_set = sd_value_copy(arena, rules);
    return true;
}

/* The request as one to register the changed version; false: the response is set. */
static bool read_change(struct sr_call *call, const struct sr_version *version,
                        struct sr_input *ret)
{
    struct bs_arena *arena = call->request->arena;
    struct sr_content about = {0};
    struct sd_value json;
    int number;
    *ret = (struct sr_input){.version = -1, .id = -1};
    if (!sr_body(call, &json))
        return false;
    if (!sr_input_number(call, &json, "newVersion", 0, &number))
        return false;
    if (number < 0) {
        sr_fail(call, 400, "Unable to process JSON: \"newVersion\" is not a version's number");
        return false;
    }
    if (number)
        ret->version = number;
    sr_content_copy(&ret->content, &version->entry->content, arena);
    if (!sr_input_read_about(call, &json, "ruleSet", &about) ||
        !change_rules(call, &json, ret->version, &about) ||
        !sr_input_read_tags(call, &json, "tagsToAdd", false, ret) ||
        !sr_input_read_tags(call, &json, "tagsToRemove", true, ret))
        return false;
    ret->content.metadata =
        about.metadata ? about.metadata
                       : sr_metadata_with(ret->content.metadata, SR_METADATA_VERSION, NULL, arena);
    ret->content.rule_set = about.rule_set;
    return true;
}

int sr_version_tags(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_subject *subject = sr_store_subject(call.store, call.subject);
        const struct sr_version *version;
        struct sr_input input;
        int number;
        if (!sr_version_param(&call, request->params[1], &number))
            return sr_end(&call);
        version = sr_subject_version(subject, number, false);
        if (!sr_subject_live(subject))
            sr_fail(&call, 40401, "Subject '%s' not found.", call.subject);
        else if (version == NULL)
            sr_fail(&call, 40402, "Version %d not found.", number);
        else if (version->entry->other_type)
            sr_fail(&call, 42201, "Invalid schema type %s", version->entry->type);
        else if (sr_mode_import(sr_store_mode(call.store, call.subject)))
            sr_fail_mode(&call, "is not in read-write mode");
        else if (read_change(&call, version, &input))
            sr_register(&call, &input);
    }
    return sr_end(&call);
}
