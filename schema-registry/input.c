/* Input: see input.h. */
#include "schema-registry/input.h"

#include "lib/base/mem.h"
#include "schema-registry/access.h"
#include "schema-registry/scope.h"

#include <stdlib.h>
#include <string.h>

static const struct sd_value *member(const struct sd_value *json, const char *name)
{
    const struct sd_value *value = sd_value_get(json, bs_bytes_text(name));
    return value && value->type != SD_NULL ? value : NULL;
}

static bool wrong_type(struct sr_call *call, const char *name, const struct sd_value *value,
                       enum sd_type type)
{
    if (value == NULL || value->type == type)
        return false;
    sr_fail(call, 400, "Unable to process JSON: \"%s\" is %s, %s is wanted", name,
            sd_type_name((enum sd_type)value->type), sd_type_name(type));
    return true;
}

static bool small_int(struct sr_call *call, const struct sd_value *json, const char *name,
                      int absent, int *ret)
{
    const struct sd_value *value = member(json, name);
    if (wrong_type(call, name, value, SD_LONG))
        return false;
    *ret = value && value->number >= INT32_MIN && value->number <= INT32_MAX ? (int)value->number
                                                                             : absent;
    return true;
}

bool sr_input_read(struct sr_call *call, struct sr_input *ret)
{
    struct sd_value json;
    const struct sd_value *text, *type;
    struct bs_error err = {0};
    *ret = (struct sr_input){0};
    if (!sr_body(call, &json))
        return false;
    text = member(&json, "schema");
    type = member(&json, "schemaType");
    ret->content.metadata = member(&json, "metadata");
    ret->content.rule_set = member(&json, "ruleSet");
    if (wrong_type(call, "schema", text, SD_STRING) ||
        wrong_type(call, "schemaType", type, SD_STRING) ||
        wrong_type(call, "metadata", ret->content.metadata, SD_MAP) ||
        wrong_type(call, "ruleSet", ret->content.rule_set, SD_MAP) ||
        !small_int(call, &json, "version", 0, &ret->version) ||
        !small_int(call, &json, "id", -1, &ret->id))
        return false;
    if (type && type->bytes.len && !bs_bytes_is(type->bytes, "AVRO")) {
        sr_fail(call, 42201, "Invalid schema type %.*s", (int)type->bytes.len,
                (const char *)type->bytes.ptr);
        return false;
    }
    ret->content.text = text ? text->bytes : bs_bytes("", 0);
    ret->normalize = sr_flag(call, "normalize") || sr_store_normalize(call->store, call->subject);
    if (sr_refs_read(sd_value_get(&json, bs_bytes_text("references")), call->request->arena,
                     &ret->content, &err) < 0) {
        sr_fail(call, 42201, "Invalid schema: %s", err.text);
        return false;
    }
    for (size_t i = 0; i < ret->content.ref_count; i++)
        if (!sr_must_read(call, sr_name_beside(call->request->arena, call->subject,
                                               ret->content.refs[i].subject)))
            return false;
    return true;
}

/* ---- schemas ---- */

enum { REFERENCE_DEPTH_MAX = 20, REFERENCE_COUNT_MAX = 1000 };

static int content_parse(const struct sr_store *store, const char *subject,
                         const struct sr_content *content, bool strict, bool live_refs,
                         unsigned depth, unsigned *budget, struct sd_schema **ret,
                         struct bs_error *err)
{
    struct sd_reference *refs = bs_array(content->ref_count, sizeof *refs);
    struct bs_arena arena = BS_ARENA_INIT;
    size_t count = 0;
    int rc = 0;
    if (depth > REFERENCE_DEPTH_MAX)
        rc = bs_error_set(err, BS_ELIMIT, "references are nested deeper than %d",
                          REFERENCE_DEPTH_MAX);
    for (size_t i = 0; i < content->ref_count && rc == 0; i++) {
        const struct sr_ref *ref = &content->refs[i];
        const char *name = sr_name_beside(&arena, subject, ref->subject);
        const struct sr_version *version =
            sr_subject_version(sr_store_subject(store, name), ref->version, !live_refs);
        struct sd_schema *schema = NULL;
        if (version == NULL || version->entry->other_type)
            rc = bs_error_set(err, BS_ENOTFOUND,
                              "No schema reference found for subject \"%s\" and version %d",
                              ref->subject, ref->version);
        else if ((*budget)-- == 0)
            rc = bs_error_set(err, BS_ELIMIT, "more than %d references of references",
                              REFERENCE_COUNT_MAX);
        else
            rc = content_parse(store, name, &version->entry->content, false, false, depth + 1,
                               budget, &schema, err);
        if (rc == 0)
            refs[count++] = (struct sd_reference){.name = ref->name, .schema = schema};
    }
    if (rc == 0)
        rc = sd_schema_parse(content->text, strict, refs, count, ret, err);
    for (size_t i = 0; i < count; i++)
        sd_schema_unref((struct sd_schema *)refs[i].schema);
    bs_free(refs);
    bs_arena_deinit(&arena);
    return rc;
}

int sr_content_parse(const struct sr_store *store, const char *subject,
                     const struct sr_content *content, bool strict, bool live_refs,
                     struct sd_schema **ret, struct bs_error *err)
{
    unsigned budget = REFERENCE_COUNT_MAX;
    return content_parse(store, subject, content, strict, live_refs, 0, &budget, ret, err);
}

/* Version -1 of a reference is stored as the number of the latest. */
static void fix_references(struct sr_call *call, struct sr_content *content)
{
    for (size_t i = 0; i < content->ref_count; i++) {
        const char *name =
            sr_name_beside(call->request->arena, call->subject, content->refs[i].subject);
        const struct sr_version *latest =
            sr_subject_version(sr_store_subject(call->store, name), -1, false);
        if (content->refs[i].version == -1 && latest)
            content->refs[i].version = latest->number;
    }
}

static int ref_compare(const void *a, const void *b)
{
    const struct sr_ref *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    if (order == 0)
        order = strcmp(x->subject, y->subject);
    return order ? order : (x->version > y->version) - (x->version < y->version);
}

/* Normalized: references sorted, each once. */
static void sort_references(struct sr_content *content)
{
    size_t kept = 0;
    if (content->ref_count == 0)
        return;
    qsort(content->refs, content->ref_count, sizeof *content->refs, ref_compare);
    for (size_t i = 0; i < content->ref_count; i++)
        if (kept == 0 || ref_compare(&content->refs[kept - 1], &content->refs[i]) != 0)
            content->refs[kept++] = content->refs[i];
    content->ref_count = kept;
}

int sr_input_parse(struct sr_call *call, struct sr_input *input, bool strict,
                   struct sd_schema **ret, struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    int rc;
    fix_references(call, &input->content);
    rc = sr_content_parse(call->store, call->subject, &input->content, strict, strict, ret, err);
    if (rc < 0)
        return rc;
    sd_schema_text(*ret, input->normalize, &text);
    input->content.text =
        bs_bytes(bs_arena_dup(call->request->arena, text.data, text.len), text.len);
    bs_buf_deinit(&text);
    if (input->normalize)
        sort_references(&input->content);
    sr_content_seal(&input->content, call->request->arena);
    return 0;
}

/* Only versions of the same group are compared, where a property names groups. */
static bool same_group(const char *group, const struct sr_content *a, const struct sr_content *b)
{
    return group == NULL ||
           bs_bytes_equal(sr_content_property(a, group), sr_content_property(b, group));
}

bool sr_compatible(struct sr_call *call, const struct sr_input *input,
                   const struct sd_schema *schema, const struct sr_version *only,
                   const char ***ret_messages, size_t *ret_count)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    enum sr_level level = sr_store_level(call->store, call->subject);
    const char *group = only ? NULL : sr_store_group(call->store, call->subject);
    struct bs_arena *arena = call->request->arena;
    size_t most = subject ? subject->count : 0, count = 0;
    struct sr_compat_old *olds = bs_arena_array(arena, most + 1, sizeof *olds);
    bool fine = true;
    *ret_messages = NULL;
    *ret_count = 0;
    if (level == SR_NONE)
        return true;
    for (size_t i = most; i-- > 0 && fine;) {
        const struct sr_version *version = &subject->versions[i];
        struct bs_error err = {0};
        struct sd_schema *old;
        if (only ? version != only : version->deleted)
            continue;
        if (!same_group(group, &input->content, &version->entry->content))
            continue;
        if (version->entry->other_type ||
            sr_content_parse(call->store, call->subject, &version->entry->content, false, false,
                             &old, &err) < 0) {
            *ret_messages = bs_arena_array(arena, 1, sizeof **ret_messages);
            (*ret_messages)[(*ret_count)++] =
                version->entry->other_type ? "Incompatible because of different schema type"
                                           : bs_arena_printf(arena, "version %d cannot be read: %s",
                                                             version->number, err.text);
            fine = false;
            continue;
        }
        olds[count++] = (struct sr_compat_old){.schema = old, .version = version->number};
        if (!sr_level_transitive(level))
            break;
    }
    if (fine)
        fine = sr_compat_check(schema, olds, count, level, SD_COMPAT_AVRO, arena, ret_messages,
                               ret_count);
    for (size_t i = 0; i < count; i++)
        sd_schema_unref((struct sd_schema *)olds[i].schema);
    if (!fine) {
        const char **all = bs_arena_array(arena, *ret_count + 1, sizeof *all);
        memcpy(all, *ret_messages, *ret_count * sizeof *all);
        all[(*ret_count)++] = bs_arena_printf(
            arena, "{validateFields: 'false', compatibility: '%s'}", sr_level_name(level));
        *ret_messages = all;
    }
    return fine;
}
