/* Input: see input.h. */
#include "schema-registry/input.h"

#include "lib/base/mem.h"
#include "schema-registry/access.h"
#include "schema-registry/compat_avro.h"
#include "schema-registry/member.h"
#include "schema-registry/merge.h"
#include "schema-registry/metadata.h"
#include "schema-registry/rule_set.h"
#include "schema-registry/scope.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool sr_input_member(struct sr_call *call, const struct sd_value *json, const char *name,
                     enum sd_type type, const struct sd_value **ret)
{
    struct sd_value *value = bs_arena_alloc(call->request->arena, sizeof *value);
    struct bs_error err = {0};
    *ret = NULL;
    if (sr_member_read(json, name, type, call->request->arena, value, &err) < 0) {
        sr_fail(call, 400, "Unable to process JSON: %s", err.text);
        return false;
    }
    if (value->type != SD_NULL)
        *ret = value;
    return true;
}

bool sr_input_number(struct sr_call *call, const struct sd_value *json, const char *name,
                     int absent, int *ret)
{
    const struct sd_value *value;
    *ret = absent;
    if (!sr_input_member(call, json, name, SD_LONG, &value))
        return false;
    if (value && (value->number < INT32_MIN || value->number > INT32_MAX)) {
        sr_fail(call, 400, "Unable to process JSON: \"%s\" is out of range", name);
        return false;
    }
    if (value)
        *ret = (int)value->number;
    return true;
}

/* ---- reading ---- */

bool sr_input_read_about(struct sr_call *call, const struct sd_value *json, const char *rules,
                         struct sr_content *ret)
{
    const struct sd_value *metadata;
    struct bs_error err = {0};
    if (!sr_input_member(call, json, "metadata", SD_MAP, &metadata) ||
        !sr_input_member(call, json, rules, SD_MAP, &ret->rule_set))
        return false;
    if (ret->rule_set)
        ret->rule_set = sr_rule_set_take(ret->rule_set, call->request->arena);
    if (metadata && sr_metadata_read(metadata, call->request->arena, &ret->metadata, &err) < 0) {
        sr_fail(call, 400, "Unable to process JSON: %s", err.text);
        return false;
    }
    if (sr_rule_set_check(ret->rule_set, &err) < 0) {
        sr_fail(call, 42210, "Invalid rule set: %s", err.text);
        return false;
    }
    return true;
}

static bool read_tag_change(struct sr_call *call, const struct sd_value *item, bool remove,
                            struct sd_retag *to)
{
    struct bs_arena *arena = call->request->arena;
    const struct sd_value *entity = sd_value_get(item, bs_bytes_text("schemaEntity"));
    const struct sd_value *list = sd_value_get(item, bs_bytes_text("tags"));
    struct sd_value path, type, *tags = bs_arena_alloc(arena, sizeof *tags);
    if (entity == NULL || list == NULL || !sr_member_take_texts(list, arena, tags) ||
        sr_member_read(entity, "entityPath", SD_STRING, arena, &path, NULL) < 0 ||
        sr_member_read(entity, "entityType", SD_STRING, arena, &type, NULL) < 0 ||
        path.type == SD_NULL || type.type == SD_NULL)
        return false;
    to->path = bs_arena_strndup(arena, (const char *)path.bytes.ptr, path.bytes.len);
    to->field = bs_bytes_is(type.bytes, "sr_field");
    *(remove ? &to->remove : &to->add) = tags;
    return to->field || bs_bytes_is(type.bytes, "sr_record");
}

bool sr_input_read_tags(struct sr_call *call, const struct sd_value *json, const char *name,
                        bool remove, struct sr_input *input)
{
    const struct sd_value *list;
    struct sd_retag *all;
    if (!sr_input_member(call, json, name, SD_ARRAY, &list))
        return false;
    if (list == NULL)
        return true;
    all = bs_arena_array(call->request->arena, input->tag_count + list->array.count, sizeof *all);
    if (input->tag_count)
        memcpy(all, input->tags, input->tag_count * sizeof *all);
    for (size_t i = 0; i < list->array.count; i++) {
        if (read_tag_change(call, &list->array.items[i], remove, &all[input->tag_count + i]))
            continue;
        sr_fail(call, 400,
                "Unable to process JSON: entry %zu of \"%s\" is not {\"schemaEntity\":"
                "{\"entityPath\":\"…\",\"entityType\":\"sr_record\" or \"sr_field\"},"
                "\"tags\":[\"…\"]}",
                i, name);
        return false;
    }
    input->tags = all;
    input->tag_count += list->array.count;
    return true;
}

static bool is_blank(struct bs_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] > ' ')
            return false;
    return true;
}

/* The mistake that is made most: the schema itself where its text belongs. */
static bool is_unquoted(struct sr_call *call, const struct sd_value *json)
{
    const struct sd_value *schema = sd_value_get(json, bs_bytes_text("schema"));
    if (schema == NULL || (schema->type != SD_MAP && schema->type != SD_ARRAY))
        return false;
    sr_fail(call, 400,
            "Unable to process JSON: \"schema\" is %s, but the schema goes in as a JSON string, "
            "with its quotes escaped: {\"schema\": \"{\\\"type\\\": \\\"string\\\"}\"}",
            sr_member_type(schema));
    return true;
}

static bool read_text(struct sr_call *call, const struct sd_value *json, struct sr_input *ret)
{
    const struct sd_value *text, *type;
    struct bs_error err = {0};
    if (is_unquoted(call, json) || !sr_input_member(call, json, "schema", SD_STRING, &text) ||
        !sr_input_member(call, json, "schemaType", SD_STRING, &type))
        return false;
    if (type && type->bytes.len && !bs_bytes_is(type->bytes, "AVRO")) {
        sr_fail(call, 42201, "Invalid schema type %.*s", (int)type->bytes.len,
                (const char *)type->bytes.ptr);
        return false;
    }
    ret->content.text = text ? text->bytes : bs_bytes("", 0);
    ret->empty = is_blank(ret->content.text);
    if (sr_refs_read(sd_value_get(json, bs_bytes_text("references")), call->request->arena,
                     &ret->content, &err) < 0) {
        sr_fail(call, 42201, "Invalid schema: %s", err.text);
        return false;
    }
    for (size_t i = 0; i < ret->content.ref_count; i++) /* its answers show what it refers to */
        if (!sr_must_read(call, sr_name_beside(call->request->arena, call->subject,
                                               ret->content.refs[i].subject)))
            return false;
    return true;
}

bool sr_input_read(struct sr_call *call, struct sr_input *ret)
{
    struct sd_value json;
    const struct sd_value *keep;
    *ret = (struct sr_input){0};
    if (!sr_body(call, &json))
        return false;
    if (!read_text(call, &json, ret) ||
        !sr_input_read_about(call, &json, "ruleSet", &ret->content) ||
        !sr_input_member(call, &json, "propagateSchemaTags", SD_BOOL, &keep) ||
        !sr_input_number(call, &json, "version", 0, &ret->version) ||
        !sr_input_number(call, &json, "id", -1, &ret->id) ||
        !sr_input_read_tags(call, &json, "schemaTagsToAdd", false, ret) ||
        !sr_input_read_tags(call, &json, "schemaTagsToRemove", true, ret))
        return false;
    ret->keep_tags = keep && keep->boolean;
    if (ret->tag_count && ret->version == 0)
        ret->version = -1; /* as Confluent's: its number is recorded */
    ret->normalize = sr_flag(call, "normalize") || sr_store_normalize(call->store, call->subject);
    return true;
}

/* ---- completing ---- */

static bool flag_setting(struct sr_call *call, const char *name, bool absent)
{
    const struct sd_value *value = sr_store_setting(call->store, call->subject, name);
    return value && value->type == SD_BOOL ? value->boolean : absent;
}

static bool preset_metadata(struct sr_call *call, const char *name, const struct sd_value **ret)
{
    const struct sd_value *value = sr_store_setting(call->store, call->subject, name);
    struct bs_error err = {0};
    *ret = NULL;
    if (value == NULL || sr_metadata_read(value, call->request->arena, ret, &err) == 0)
        return true;
    sr_fail(call, 50001, "The setting %s cannot be used: %s; PUT /config replaces it", name,
            err.text);
    return false;
}

static bool presets_of(struct sr_call *call, struct sr_presets *ret)
{
    ret->default_rules = sr_store_setting(call->store, call->subject, "defaultRuleSet");
    ret->override_rules = sr_store_setting(call->store, call->subject, "overrideRuleSet");
    return preset_metadata(call, "defaultMetadata", &ret->default_metadata) &&
           preset_metadata(call, "overrideMetadata", &ret->override_metadata);
}

bool sr_input_has_presets(struct sr_call *call)
{
    static const char *const names[] = {"defaultMetadata", "overrideMetadata", "defaultRuleSet",
                                        "overrideRuleSet"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sr_store_setting(call->store, call->subject, names[i]))
            return true;
    return false;
}

/* Tags of the version before are added where the new schema has the place still. */
static bool take_tags(struct sr_call *call, struct sr_input *input, const struct sr_version *latest)
{
    struct bs_arena *arena = call->request->arena;
    struct bs_error err = {0};
    struct sd_tagged *tagged;
    struct sd_schema *schema;
    if (latest->entry->other_type)
        return true;
    if (sr_content_parse(call->store, call->subject, &latest->entry->content, false, false, &schema,
                         &err) < 0) {
        sr_fail(call, 42201, "Invalid schema of type AVRO, details: version %d: %s", latest->number,
                err.text);
        return false;
    }
    sd_schema_tags(schema, arena, &tagged, &input->kept_tag_count);
    sd_schema_unref(schema);
    input->kept_tags = bs_arena_array(arena, input->kept_tag_count, sizeof *input->kept_tags);
    for (size_t i = 0; i < input->kept_tag_count; i++)
        input->kept_tags[i] = (struct sd_retag){
            .path = tagged[i].path, .field = tagged[i].field, .add = tagged[i].tags};
    return true;
}

bool sr_input_complete(struct sr_call *call, struct sr_input *input)
{
    const struct sr_version *latest =
        sr_subject_version(sr_store_subject(call->store, call->subject), -1, false);
    struct bs_arena *arena = call->request->arena;
    struct sr_content previous;
    struct sr_presets presets;
    if (input->empty && (latest == NULL || latest->entry->other_type)) {
        sr_fail(call, 42201, "Empty schema");
        return false;
    }
    if (!presets_of(call, &presets))
        return false;
    if (latest) /* a copy: what is merged outlives the lock */
        sr_content_copy(&previous, &latest->entry->content, arena);
    if (input->empty) {
        input->content.text = previous.text;
        input->content.refs = previous.refs;
        input->content.ref_count = previous.ref_count;
    }
    if (latest && input->keep_tags && !take_tags(call, input, latest))
        return false;
    sr_merge(&input->content, latest ? &previous : NULL, &presets, arena);
    return true;
}

/* ---- parsing ---- */

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

static bool ref_after(const struct sr_ref *a, const struct sr_ref *b)
{
    int order = strcmp(a->subject, b->subject);
    return order > 0 || (order == 0 && a->version > b->version);
}

static bool ref_equal(const struct sr_ref *a, const struct sr_ref *b)
{
    return a->version == b->version && strcmp(a->subject, b->subject) == 0 &&
           strcmp(a->name, b->name) == 0;
}

/* Normalized: references by subject and version, each once. The order of the rest stays, as in
 * Confluent's registry: the digest covers it. */
static void sort_references(struct sr_content *content)
{
    struct sr_ref *refs = content->refs;
    size_t kept = 0;
    for (size_t i = 0; i < content->ref_count; i++) { /* at most 1,000, see record.c */
        struct sr_ref ref = refs[i];
        bool known = false;
        size_t at = kept;
        for (size_t k = 0; k < kept && !known; k++)
            known = ref_equal(&refs[k], &ref);
        if (known)
            continue;
        for (; at > 0 && ref_after(&refs[at - 1], &ref); at--)
            refs[at] = refs[at - 1];
        refs[at] = ref;
        kept++;
    }
    content->ref_count = kept;
}

/* The schema with changed tags, parsed again. */
static int change_tags(struct sr_call *call, struct sr_input *input, const struct sd_retag *changes,
                       size_t count, bool lenient, bool as_new, struct sd_schema **schema,
                       struct bs_error *err)
{
    bool strict = as_new && flag_setting(call, "validateNewSchemas", true);
    struct bs_buf text = BS_BUF_INIT;
    struct sd_schema *changed = NULL;
    int rc = sd_schema_retag(*schema, changes, count, lenient, &text, err);
    if (rc == 0) {
        input->content.text =
            bs_bytes(bs_arena_dup(call->request->arena, text.data, text.len), text.len);
        rc = sr_content_parse(call->store, call->subject, &input->content, strict, as_new, &changed,
                              err);
    }
    bs_buf_deinit(&text);
    sd_schema_unref(*schema);
    *schema = changed;
    return rc;
}

int sr_input_schema(struct sr_call *call, struct sr_input *input, bool as_new,
                    struct sd_schema **ret, struct bs_error *err)
{
    bool strict = as_new && flag_setting(call, "validateNewSchemas", true);
    struct sd_schema *schema = NULL;
    struct sr_sources sources;
    int rc;
    *ret = NULL;
    fix_references(call, &input->content);
    rc = sr_sources_take(call->store, call->subject, &input->content, as_new, &sources, err);
    if (rc == 0) {
        sr_compute_begin(call, 0);
        rc = sr_sources_parse(&sources, strict, &schema, err);
        sr_compute_end(call);
    }
    sr_sources_free(&sources);
    if (rc == 0 && input->tag_count)
        rc = change_tags(call, input, input->tags, input->tag_count, false, as_new, &schema, err);
    if (rc == 0 && input->kept_tag_count)
        rc = change_tags(call, input, input->kept_tags, input->kept_tag_count, true, as_new,
                         &schema, err);
    if (rc == 0)
        *ret = schema;
    return rc;
}

int sr_input_parse(struct sr_call *call, struct sr_input *input, bool as_new,
                   struct sd_schema **ret, struct bs_error *err)
{
    struct bs_buf text = BS_BUF_INIT;
    int rc = sr_input_schema(call, input, as_new, ret, err);
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

/* ---- comparing ---- */

struct messages {
    struct bs_arena *arena;
    const char **items;
    size_t count, cap;
};

static void add_message(struct messages *m, const char *text)
{
    if (m->count == m->cap) {
        const char **all;
        m->cap = m->cap ? m->cap * 2 : 16;
        all = bs_arena_array(m->arena, m->cap, sizeof *all);
        if (m->count)
            memcpy(all, m->items, m->count * sizeof *all);
        m->items = all;
    }
    m->items[m->count++] = text;
}

/* Only versions of the same group are compared, where a property names groups. */
static bool same_group(const char *group, const struct sr_content *a, const struct sr_content *b)
{
    return group == NULL ||
           bs_bytes_equal(sr_content_property(a, group), sr_content_property(b, group));
}

enum { RESERVED_MAX = 1000 };

/* The next of the names in "a, b"; false: no more. */
static bool next_reserved(struct bs_bytes *list, struct bs_bytes *ret)
{
    while (list->len) {
        const uint8_t *end = memchr(list->ptr, ',', list->len);
        size_t len = end ? (size_t)(end - list->ptr) : list->len;
        *ret = bs_bytes(list->ptr, len);
        *list = bs_bytes(list->ptr + len + (end != NULL), list->len - len - (end != NULL));
        while (ret->len && ret->ptr[0] <= ' ')
            *ret = bs_bytes(ret->ptr + 1, ret->len - 1);
        while (ret->len && ret->ptr[ret->len - 1] <= ' ')
            ret->len--;
        if (ret->len)
            return true;
    }
    return false;
}

static size_t count_reserved(struct bs_bytes list)
{
    struct bs_bytes one;
    size_t count = 0;
    while (count <= RESERVED_MAX && next_reserved(&list, &one))
        count++;
    return count;
}

static bool is_reserved(struct bs_bytes list, struct bs_bytes name)
{
    struct bs_bytes one;
    while (next_reserved(&list, &one))
        if (bs_bytes_equal(one, name))
            return true;
    return false;
}

/* Names that metadata reserves for fields to come: they stay reserved, and no field has one. */
static void check_reserved(struct messages *m, const struct sr_content *content,
                           const struct sd_schema *schema, const struct sr_version *before)
{
    const struct sd_node *root = sd_schema_root(schema);
    struct bs_bytes now = sr_content_property(content, SR_METADATA_RESERVED), name;
    struct bs_bytes old = before
                              ? sr_content_property(&before->entry->content, SR_METADATA_RESERVED)
                              : bs_bytes(NULL, 0);
    struct bs_bytes list = old;
    if (count_reserved(now) > RESERVED_MAX || count_reserved(old) > RESERVED_MAX) {
        add_message(m, bs_arena_printf(m->arena, "More than %d reserved fields.", RESERVED_MAX));
        return;
    }
    while (next_reserved(&list, &name))
        if (!is_reserved(now, name))
            add_message(m, bs_arena_printf(m->arena,
                                           "The new schema has reserved field %.*s removed from "
                                           "its metadata which is present in the old schema's "
                                           "metadata.",
                                           (int)name.len, (const char *)name.ptr));
    list = now;
    while (next_reserved(&list, &name))
        if (sd_node_field(root, name) >= 0)
            add_message(m, bs_arena_printf(m->arena,
                                           "The new schema has field that conflicts with the "
                                           "reserved field %.*s.",
                                           (int)name.len, (const char *)name.ptr));
}

static enum sd_compat_rules rules_of(struct sr_call *call)
{
    const struct sd_value *policy =
        sr_store_setting(call->store, call->subject, "compatibilityPolicy");
    return policy && policy->type == SD_STRING && bs_bytes_is(policy->bytes, "LOGICAL")
               ? SD_COMPAT_LOGICAL
               : SD_COMPAT_AVRO;
}

enum {
    COMPARE_STEPS_MAX = 10000000, /* of one request, all versions and both directions */
    BYTES_A_STEP = 8,             /* reading a version's text counts, too */
};

/* The next older version to compare with: live, or `only`; NULL: none. */
static const struct sr_version *next_older(const struct sr_subject *subject, int number, int only)
{
    size_t low = 0, high = subject ? subject->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (subject->versions[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i-- > 0;) {
        const struct sr_version *version = &subject->versions[i];
        if (only ? version->number == only : !version->deleted)
            return version;
    }
    return NULL;
}

size_t sr_compatible_bytes(struct sr_call *call, const struct sr_version *only, size_t enough)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    enum sr_level level = sr_store_level(call->store, call->subject);
    const struct sr_version *version = level == SR_NONE ? NULL : only;
    size_t bytes = 0;
    if (only == NULL && level != SR_NONE)
        version = next_older(subject, INT32_MAX, 0);
    while (version && bytes <= enough) {
        bytes += version->entry->content.text.len;
        version =
            only || !sr_level_transitive(level) ? NULL : next_older(subject, version->number, 0);
    }
    return bytes;
}

struct comparison {
    enum sr_level level;
    enum sd_compat_rules rules;
    size_t bytes; /* of the new schema's text */
    size_t steps; /* left */
};

/* One version at a time is parsed: a long history takes no more memory than a short one. */
static bool check_version(struct sr_call *call, const struct sd_schema *schema,
                          const struct sr_version *version, struct comparison *c,
                          struct messages *m)
{
    struct sr_compat_old old = {.version = version->number};
    size_t bytes = version->entry->content.text.len, count = 0;
    struct bs_error err = {0};
    struct sr_sources sources;
    struct sd_schema *parsed = NULL;
    const char **items;
    bool fine = false;
    int rc;
    if (version->entry->other_type) {
        add_message(m, "Incompatible because of different schema type");
        return false;
    }
    if (c->steps <= bytes / BYTES_A_STEP) {
        add_message(m, bs_arena_printf(m->arena,
                                       "version %d and those before it cannot be compared: they "
                                       "are too many and too large for one request",
                                       version->number));
        return false;
    }
    c->steps -= bytes / BYTES_A_STEP;
    rc = sr_sources_take(call->store, call->subject, &version->entry->content, false, &sources,
                         &err);
    sr_compute_begin(call, c->bytes + bytes);
    if (rc == 0)
        rc = sr_sources_parse(&sources, false, &parsed, &err);
    old.schema = parsed;
    if (rc == 0)
        fine = sr_compat_check(schema, &old, 1, c->level, c->rules, &c->steps, m->arena, &items,
                               &count);
    sr_compute_end(call);
    if (rc < 0)
        add_message(
            m, bs_arena_printf(m->arena, "version %d cannot be read: %s", old.version, err.text));
    for (size_t i = 0; i < count; i++)
        add_message(m, items[i]);
    sd_schema_unref(parsed);
    sr_sources_free(&sources);
    return fine;
}

bool sr_compatible(struct sr_call *call, const struct sr_input *input,
                   const struct sd_schema *schema, const struct sr_version *only,
                   const char ***ret_messages, size_t *ret_count)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    const char *group = sr_store_group(call->store, call->subject);
    bool reserved = flag_setting(call, "validateFields", false), fine = true;
    struct messages m = {.arena = call->request->arena};
    struct comparison c = {.level = sr_store_level(call->store, call->subject),
                           .rules = rules_of(call),
                           .bytes = input->content.text.len,
                           .steps = COMPARE_STEPS_MAX};
    const struct sr_version *version = only;
    int number = INT32_MAX, only_number = only ? only->number : 0;
    if (group)
        group = bs_arena_strndup(m.arena, group, strlen(group));
    if (reserved)
        check_reserved(&m, &input->content, schema,
                       only ? only : sr_subject_version(subject, -1, false));
    while (fine && c.level != SR_NONE) {
        subject = sr_store_subject(call->store, call->subject); /* may have changed */
        if (only == NULL || number < INT32_MAX)
            version = next_older(subject, number, only_number);
        if (version == NULL)
            break;
        number = version->number;
        if (!same_group(group, &input->content, &version->entry->content))
            continue;
        fine = check_version(call, schema, version, &c, &m);
        if (!sr_level_transitive(c.level))
            break;
    }
    fine = fine && m.count == 0;
    if (!fine)
        add_message(&m, bs_arena_printf(m.arena, "{validateFields: '%s', compatibility: '%s'}",
                                        reserved ? "true" : "false", sr_level_name(c.level)));
    *ret_messages = m.items;
    *ret_count = m.count;
    return fine;
}
