/* Routes that read subjects and versions. */
#include "schema-registry/access.h"
#include "schema-registry/route.h"

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

/* Subjects of the default context; ":*:" is every context. */
static const char *prefix_of(struct sr_call *call)
{
    const char *prefix = ht_query(call->request, "subjectPrefix");
    if (prefix == NULL)
        return "";
    return strncmp(prefix, ":*:", 3) == 0 || strncmp(prefix, ":.:", 3) == 0 ? prefix + 3 : prefix;
}

int sr_subjects_list(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        bool deleted = sr_flag(&call, "deleted"), only = sr_flag(&call, "deletedOnly");
        size_t total = sr_store_subject_count(call.store), found = 0, from, to;
        const struct sr_subject **list =
            bs_arena_array(request->arena, total, sizeof(const struct sr_subject *));
        const char *prefix = prefix_of(&call);
        for (size_t i = 0; i < total; i++) {
            const struct sr_subject *subject = sr_store_subject_at(call.store, i);
            if (subject_listed(subject, deleted, only) &&
                strncmp(subject->name, prefix, strlen(prefix)) == 0 &&
                sr_may_read(&call, subject->name))
                list[found++] = subject;
        }
        sr_page(&call, found, found, &from, &to);
        bs_buf_puts(&response->body, "[");
        for (size_t i = from; i < to; i++) {
            if (i > from)
                bs_buf_puts(&response->body, ",");
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
        sr_page(&call, found, found, &from, &to);
        bs_buf_puts(&response->body, "[");
        for (size_t i = from; i < to; i++)
            bs_buf_printf(&response->body, "%s%d", i > from ? "," : "",
                          negative && list[i]->deleted ? -list[i]->number : list[i]->number);
        bs_buf_puts(&response->body, "]");
    }
    return sr_end(&call);
}

/* The version that the path names; NULL: the response is set. */
static const struct sr_version *named_version(struct sr_call *call, bool deleted)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    const struct sr_version *version;
    int number;
    if (!sr_version_param(call, call->request->params[1], &number))
        return NULL;
    if (!(deleted ? subject && subject->count : sr_subject_live(subject))) {
        sr_fail(call, 40401, "Subject '%s' not found.", call->subject);
        return NULL;
    }
    version = sr_subject_version(subject, number, deleted);
    if (version == NULL)
        sr_fail(call, 40402, "Version %d not found.", number);
    return version;
}

int sr_version_get(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_version *version = named_version(&call, sr_flag(&call, "deleted"));
        if (version)
            sr_put_version(&call, call.subject, version, true);
    }
    return sr_end(&call);
}

int sr_version_schema(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_version *version = named_version(&call, sr_flag(&call, "deleted"));
        if (version)
            bs_buf_put(&response->body, version->entry->content.text.ptr,
                       version->entry->content.text.len);
    }
    return sr_end(&call);
}

static int id_compare(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

int sr_version_referrers(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        bool deleted = sr_flag(&call, "deleted");
        const struct sr_version *version = named_version(&call, deleted);
        int32_t *ids = NULL;
        size_t count, from, to;
        if (version == NULL)
            return sr_end(&call);
        count = sr_store_referrers(call.store, call.subject, version->number, deleted, &ids);
        if (count)
            qsort(ids, count, sizeof *ids, id_compare);
        sr_page(&call, count, count, &from, &to);
        bs_buf_puts(&response->body, "[");
        for (size_t i = from; i < to; i++)
            bs_buf_printf(&response->body, "%s%d", i > from ? "," : "", (int)ids[i]);
        bs_buf_puts(&response->body, "]");
        bs_free(ids);
    }
    return sr_end(&call);
}

int sr_subject_lookup(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_subject *subject;
        const struct sr_version *version;
        struct sd_schema *schema = NULL;
        bool deleted = sr_flag(&call, "deleted");
        struct bs_error err = {0};
        struct sr_input input;
        if (!sr_input_read(&call, &input))
            return sr_end(&call);
        subject = sr_store_subject(call.store, call.subject);
        if (!(deleted ? subject && subject->count : sr_subject_live(subject))) {
            sr_fail(&call, 40401, "Subject '%s' not found.", call.subject);
        } else if (sr_input_parse(&call, &input, false, &schema, &err) < 0) {
            sr_fail(&call, 42201, "Invalid schema of type AVRO, details: %s", err.text);
        } else {
            version = sr_subject_find(subject, &input.content, deleted);
            if (version)
                sr_put_version(&call, call.subject, version, true);
            else
                sr_fail(&call, 40403, "Schema not found");
        }
        sd_schema_unref(schema);
    }
    return sr_end(&call);
}

/* The i-th key goes with the i-th value; all must be there. */
static bool has_pairs(const struct ht_request *request, const struct sr_content *content)
{
    const char *key;
    for (unsigned i = 0; (key = ht_query_at(request, "key", i)); i++) {
        const char *value = ht_query_at(request, "value", i);
        if (value == NULL || !bs_bytes_is(sr_content_property(content, key), value))
            return false;
    }
    return true;
}

/* GET …/metadata?key=a&value=b&key=c&value=d */
int sr_subject_metadata(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        const struct sr_subject *subject = sr_store_subject(call.store, call.subject);
        bool deleted = sr_flag(&call, "deleted");
        if (!(deleted ? subject && subject->count : sr_subject_live(subject))) {
            sr_fail(&call, 40401, "Subject '%s' not found.", call.subject);
            return sr_end(&call);
        }
        for (size_t i = subject->count; i-- > 0;) {
            const struct sr_version *version = &subject->versions[i];
            if ((version->deleted && !deleted) || !has_pairs(request, &version->entry->content))
                continue;
            sr_put_version(&call, call.subject, version, true);
            return sr_end(&call);
        }
        sr_fail(&call, 40403, "Schema not found");
    }
    return sr_end(&call);
}
