/* Routes that read subjects and versions. */
#include "schema-registry/access.h"
#include "schema-registry/answer.h"
#include "schema-registry/route.h"
#include "schema-registry/scope.h"

#include "lib/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Which versions a request asks for: live ones, with `deleted` all, with `deletedOnly` the others.
 */
static bool wanted(const struct sr_version *version, bool deleted, bool deleted_only)
{
    return deleted_only ? version->deleted : deleted || !version->deleted;
}

static bool subject_listed(const struct sr_subject *subject, bool deleted, bool deleted_only)
{
    if (deleted_only)
        return subject->count && !sr_subject_live(subject);
    return deleted ? subject->count > 0 : sr_subject_live(subject);
}

/* What lists of subjects show in one call: {"subject","latestVersion","latestId","schemaType",
 * "compatibilityLevel","mode","versions"}, level and mode as they count for it. */
static void put_details(struct sr_call *call, const struct sr_subject *subject, bool deleted,
                        bool only)
{
    struct bs_buf *out = &call->response->body;
    const struct sr_version *latest = sr_subject_version(subject, -1, deleted || only);
    bool first = true;
    bs_buf_puts(out, "{\"subject\":");
    sr_put_text(out, subject->name);
    bs_buf_printf(out, ",\"latestVersion\":%d,\"latestId\":%d,\"schemaType\":", latest->number,
                  (int)latest->entry->id);
    sr_put_text(out, latest->entry->type ? latest->entry->type : "AVRO");
    bs_buf_printf(out, ",\"compatibilityLevel\":\"%s\",\"mode\":\"%s\",\"versions\":[",
                  sr_level_name(sr_store_level(call->store, subject->name)),
                  sr_mode_name(sr_store_mode(call->store, subject->name)));
    for (size_t i = 0; i < subject->count; i++) {
        if (!wanted(&subject->versions[i], deleted, only))
            continue;
        bs_buf_printf(out, "%s%d", first ? "" : ",", subject->versions[i].number);
        first = false;
    }
    bs_buf_puts(out, "]}");
}

int sr_subjects_list(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        bool deleted = sr_flag(&call, "deleted"), only = sr_flag(&call, "deletedOnly");
        bool details = sr_flag(&call, "details");
        size_t total = sr_store_subject_count(call.store), found = 0, from, to;
        const struct sr_subject **list =
            bs_arena_array(request->arena, total, sizeof(const struct sr_subject *));
        struct sr_prefixes prefixes;
        sr_query_prefixes(&call, &prefixes);
        for (size_t i = 0; i < total; i++) {
            const struct sr_subject *subject = sr_store_subject_at(call.store, i);
            if (subject_listed(subject, deleted, only) && sr_has_prefix(&prefixes, subject->name) &&
                sr_may_read(&call, subject->name))
                list[found++] = subject;
        }
        if (!sr_page(&call, found, found, &from, &to))
            return sr_end(&call);
        bs_buf_puts(&response->body, "[");
        for (size_t i = from; i < to; i++) {
            if (i > from)
                bs_buf_puts(&response->body, ",");
            if (details)
                put_details(&call, list[i], deleted, only);
            else
                sr_put_text(&response->body, list[i]->name);
        }
        bs_buf_puts(&response->body, "]");
    }
    return sr_end(&call);
}

int sr_subject_versions(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_subject *subject = sr_store_subject(call.store, call.subject);
        bool deleted = sr_flag(&call, "deleted"), only = sr_flag(&call, "deletedOnly");
        bool negative = sr_flag(&call, "deletedAsNegative");
        size_t total = subject ? subject->count : 0, found = 0, from, to;
        const struct sr_version **list =
            bs_arena_array(request->arena, total, sizeof(const struct sr_version *));
        for (size_t i = 0; i < total; i++)
            if (wanted(&subject->versions[i], deleted || negative, only))
                list[found++] = &subject->versions[i];
        if (found == 0) {
            sr_fail(&call, 40401, "Subject '%s' not found.", call.subject);
            return sr_end(&call);
        }
        if (!sr_page(&call, found, found, &from, &to))
            return sr_end(&call);
        bs_buf_puts(&response->body, "[");
        for (size_t i = from; i < to; i++)
            bs_buf_printf(&response->body, "%s%d", i > from ? "," : "",
                          negative && list[i]->deleted ? -list[i]->number : list[i]->number);
        bs_buf_puts(&response->body, "]");
    }
    return sr_end(&call);
}

static bool there(const struct sr_subject *subject, bool deleted)
{
    return deleted ? subject && subject->count : sr_subject_live(subject);
}

/* A name of the default context may mean a subject of another one: the i-th context's, if the user
 * may see it. */
static const struct sr_subject *subject_elsewhere(const struct sr_call *call, size_t i)
{
    const struct sr_subject *subject =
        sr_store_subject_in(call->store, sr_store_space_at(call->store, i), call->subject);
    return subject && sr_may_read(call, subject->name) ? subject : NULL;
}

static size_t contexts_to_try(const struct sr_call *call)
{
    return sr_name_is_default(call->subject) ? sr_store_space_count(call->store) : 1;
}

/* The version that the path names, and its subject; NULL: the response is set. */
static const struct sr_version *named_version(struct sr_call *call, bool deleted,
                                              const struct sr_subject **ret)
{
    const struct sr_version *version;
    int number;
    *ret = sr_store_subject(call->store, call->subject);
    if (!sr_version_param(call, call->request->params[1], &number))
        return NULL;
    version = sr_subject_version(*ret, number, deleted);
    for (size_t i = 1; version == NULL && i < contexts_to_try(call); i++) {
        const struct sr_subject *other = subject_elsewhere(call, i);
        version = sr_subject_version(other, number, deleted);
        if (version)
            *ret = other;
    }
    if (version)
        return version;
    if (there(*ret, deleted))
        sr_fail(call, 40402, "Version %d not found.", number);
    else
        sr_fail(call, 40401, "Subject '%s' not found.", call->subject);
    return NULL;
}

int sr_version_get(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_subject *subject;
        const struct sr_version *version =
            named_version(&call, sr_flag(&call, "deleted"), &subject);
        if (version)
            sr_put_version(&call, subject->name, version);
    }
    return sr_end(&call);
}

int sr_version_schema(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_subject *subject;
        const struct sr_version *version =
            named_version(&call, sr_flag(&call, "deleted"), &subject);
        if (version)
            sr_put_schema(&call, subject->name, &version->entry->content);
    }
    return sr_end(&call);
}

static int id_compare(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Ids of schemas that may be read are moved to the front; how many. */
static size_t readable(const struct sr_call *call, const char *name, int32_t *ids, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (sr_may_read_id(call, name, ids[i]))
            ids[kept++] = ids[i];
    return kept;
}

int sr_version_referrers(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        bool deleted = sr_flag(&call, "deleted");
        const struct sr_subject *subject;
        const struct sr_version *version = named_version(&call, true, &subject);
        int32_t *ids = NULL;
        size_t count, from, to;
        if (version == NULL)
            return sr_end(&call);
        count = sr_store_referrers(call.store, subject->name, version->number, deleted, &ids);
        count = readable(&call, subject->name, ids, count);
        if (count)
            qsort(ids, count, sizeof *ids, id_compare);
        if (!sr_page(&call, count, count, &from, &to)) {
            bs_free(ids);
            return sr_end(&call);
        }
        bs_buf_puts(&response->body, "[");
        for (size_t i = from; i < to; i++)
            bs_buf_printf(&response->body, "%s%d", i > from ? "," : "", (int)ids[i]);
        bs_buf_puts(&response->body, "]");
        bs_free(ids);
    }
    return sr_end(&call);
}

enum looked { NOT_THERE, BAD_SCHEMA, NO_MATCH, FOUND };

/* As a schema of that subject, in whose context references are taken. */
static int parse_in(struct sr_call *call, const char *name, struct sr_input *input,
                    struct bs_error *err)
{
    const char *asked = call->subject;
    struct sd_schema *schema = NULL;
    struct sr_content *content = &input->content;
    int rc;
    if (content->ref_count) /* parsing may change them */
        content->refs = bs_arena_dup(call->request->arena, content->refs,
                                     content->ref_count * sizeof *content->refs);
    call->subject = name;
    rc = sr_input_parse(call, input, false, &schema, err);
    call->subject = asked;
    if (rc == 0)
        sd_schema_unref(schema);
    return rc;
}

/* Looks for the schema in one subject. */
static enum looked look_in(struct sr_call *call, const struct sr_subject *subject,
                           struct sr_input input, bool deleted, struct bs_error *err)
{
    const struct sr_version *version;
    const char *name;
    if (!there(subject, deleted))
        return NOT_THERE;
    name = bs_arena_strndup(call->request->arena, subject->name, strlen(subject->name));
    if (parse_in(call, name, &input, err) < 0)
        return BAD_SCHEMA;
    version = sr_content_find(call->store, name, &input.content, deleted);
    if (version)
        sr_put_version(call, name, version);
    return version ? FOUND : NO_MATCH;
}

/* What the default context says counts where no other has the schema either. */
static void look_up(struct sr_call *call, const struct sr_input *input)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    bool deleted = sr_flag(call, "deleted");
    struct bs_error err = {0};
    enum looked looked = look_in(call, subject, *input, deleted, &err);
    for (size_t i = 1; looked != FOUND && i < contexts_to_try(call); i++) {
        struct bs_error ignored = {0};
        enum looked other = look_in(call, subject_elsewhere(call, i), *input, deleted, &ignored);
        if (looked == NOT_THERE)
            err = ignored;
        if (looked == NOT_THERE || other == FOUND)
            looked = other;
    }
    if (looked == NOT_THERE) {
        struct sr_input copy = *input; /* what is wrong with the schema comes first */
        if (parse_in(call, call->subject, &copy, &err) < 0)
            looked = BAD_SCHEMA;
    }
    if (looked == NOT_THERE)
        sr_fail(call, 40401, "Subject '%s' not found.", call->subject);
    else if (looked == BAD_SCHEMA)
        sr_fail(call, 42201, "Invalid schema of type AVRO, details: %s", err.text);
    else if (looked == NO_MATCH)
        sr_fail(call, 40403, "Schema not found");
}

int sr_subject_lookup(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        struct sr_input input;
        if (sr_must_compute(&call, request->body.len) || !sr_input_read(&call, &input))
            return sr_end(&call);
        if (input.empty)
            sr_fail(&call, 42201, "Empty schema");
        else
            look_up(&call, &input);
    }
    return sr_end(&call);
}

/* The i-th key goes with the i-th value; all pairs must be there. */
static bool has_pairs(const struct ht_request *request, const struct sr_content *content)
{
    const char *key, *value;
    for (unsigned i = 0;
         (key = ht_query_at(request, "key", i)) && (value = ht_query_at(request, "value", i)); i++)
        if (!bs_bytes_is(sr_content_property(content, key), value))
            return false;
    return true;
}

/* GET …/metadata?key=a&value=b&key=c&value=d */
int sr_subject_metadata(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_subject *subject = sr_store_subject(call.store, call.subject);
        bool deleted = sr_flag(&call, "deleted");
        if (!there(subject, deleted)) {
            sr_fail(&call, 40401, "Subject '%s' not found.", call.subject);
            return sr_end(&call);
        }
        for (size_t i = subject->count; i-- > 0;) {
            const struct sr_version *version = &subject->versions[i];
            if ((version->deleted && !deleted) || !has_pairs(request, &version->entry->content))
                continue;
            sr_put_version(&call, call.subject, version);
            return sr_end(&call);
        }
        sr_fail(&call, 40403, "Schema not found");
    }
    return sr_end(&call);
}
