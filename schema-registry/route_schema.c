/* Routes that read schemas by id or GUID, and versions of many subjects. */
#include "schema-registry/access.h"
#include "schema-registry/route.h"

#include <string.h>
#include <strings.h>

enum { LIST_MAX = 1000 };

/* The entry of the id in the path; NULL: the response is set. */
static const struct sr_entry *named_entry(struct sr_call *call)
{
    const struct sr_entry *entry;
    int32_t id;
    if (!sr_id_param(call, call->request->params[0], &id))
        return NULL;
    entry = sr_store_id(call->store, NULL, id);
    if (entry == NULL)
        sr_fail(call, 40403, "Schema %d not found", (int)id);
    return entry && sr_must_read_entry(call, entry) ? entry : NULL;
}

static const struct sr_version *version_with_id(const struct sr_subject *subject, int32_t id)
{
    for (size_t i = subject ? subject->count : 0; i-- > 0;)
        if (subject->versions[i].entry->id == id)
            return &subject->versions[i];
    return NULL;
}

static void put_entry(struct sr_call *call, const struct sr_entry *entry)
{
    const char *subject = ht_query(call->request, "subject");
    struct bs_buf *out = &call->response->body;
    const struct sr_version *version =
        subject && *subject ? version_with_id(sr_store_subject(call->store, subject), entry->id)
                            : NULL;
    char guid[SR_GUID_TEXT];
    sr_content_guid(&entry->content, guid);
    bs_buf_puts(out, "{");
    if (version) {
        bs_buf_puts(out, "\"subject\":");
        sr_put_text(out, subject);
        bs_buf_printf(out, ",\"version\":%d,", version->number);
    }
    bs_buf_printf(out, "\"guid\":\"%s\",\"schemaType\":\"AVRO\"", guid);
    sr_content_put_members(&entry->content, out);
    if (sr_flag(call, "fetchMaxId"))
        bs_buf_printf(out, ",\"maxId\":%d", (int)sr_store_max_id(call->store, subject));
    bs_buf_puts(out, "}");
}

int sr_schema_by_id(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        const struct sr_entry *entry = named_entry(&call);
        if (entry)
            put_entry(&call, entry);
    }
    return sr_end(&call);
}

int sr_schema_text(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        const struct sr_entry *entry = named_entry(&call);
        if (entry)
            bs_buf_put(&response->body, entry->content.text.ptr, entry->content.text.len);
    }
    return sr_end(&call);
}

/* Versions that use the id: as subject names or as pairs. */
static int list_users(void *ctx, struct ht_request *request, struct ht_response *response,
                      bool versions)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        const char *filter = ht_query(request, "subject");
        bool deleted = sr_flag(&call, "deleted");
        const struct sr_entry *entry = named_entry(&call);
        size_t found = 0, from, to, most = entry ? entry->uses : 0;
        sr_page(&call, most, most, &from, &to);
        if (entry == NULL)
            return sr_end(&call);
        bs_buf_puts(&response->body, "[");
        for (size_t i = 0; i < sr_store_subject_count(call.store); i++) {
            const struct sr_subject *subject = sr_store_subject_at(call.store, i);
            if ((filter && *filter && strcmp(filter, subject->name) != 0) ||
                !sr_may_read(&call, subject->name))
                continue;
            for (size_t k = 0; k < subject->count; k++) {
                const struct sr_version *version = &subject->versions[k];
                if (version->entry != entry || (version->deleted && !deleted))
                    continue;
                if (found >= from && found < to) {
                    bs_buf_puts(&response->body, found > from ? "," : "");
                    bs_buf_puts(&response->body, versions ? "{\"subject\":" : "");
                    sr_put_text(&response->body, subject->name);
                    if (versions)
                        bs_buf_printf(&response->body, ",\"version\":%d}", version->number);
                }
                found++;
                if (!versions)
                    break;
            }
        }
        bs_buf_puts(&response->body, "]");
    }
    return sr_end(&call);
}

int sr_schema_subjects(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return list_users(ctx, request, response, false);
}

int sr_schema_versions(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return list_users(ctx, request, response, true);
}

int sr_schema_types(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response))
        bs_buf_puts(&response->body, "[\"AVRO\"]");
    return sr_end(&call);
}

static const struct sr_entry *entry_of_guid(struct sr_call *call)
{
    struct sr_content content = {0};
    const char *at = call->request->params[0];
    for (size_t i = 0; i < SR_DIGEST_SIZE * 2; i++, at++) {
        static const char digits[] = "0123456789abcdef";
        const char *digit;
        if (*at == '-')
            at++;
        digit = *at ? strchr(digits, *at | 32) : NULL;
        if (digit == NULL)
            return NULL;
        content.digest[i / 2] = (uint8_t)(content.digest[i / 2] << 4 | (digit - digits));
    }
    return *at ? NULL : sr_store_digest(call->store, NULL, &content);
}

int sr_schema_by_guid(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        const struct sr_entry *entry = entry_of_guid(&call);
        if (entry && sr_must_read_entry(&call, entry))
            put_entry(&call, entry);
        else if (entry == NULL)
            sr_fail(&call, 40403, "Schema %s not found", request->params[0]);
    }
    return sr_end(&call);
}

int sr_guid_ids(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        const struct sr_entry *entry = entry_of_guid(&call);
        if (entry && sr_may_read_entry(&call, entry))
            bs_buf_printf(&response->body, "[{\"context\":\".\",\"id\":%d}]", (int)entry->id);
        else
            bs_buf_puts(&response->body, "[]");
    }
    return sr_end(&call);
}

int sr_schemas_list(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        const char *prefix = ht_query(request, "subjectPrefix");
        bool deleted = sr_flag(&call, "deleted"), latest = sr_flag(&call, "latestOnly");
        size_t from, to, found = 0;
        sr_page(&call, SIZE_MAX / 2, LIST_MAX, &from, &to);
        if (prefix && (strncmp(prefix, ":*:", 3) == 0 || strncmp(prefix, ":.:", 3) == 0))
            prefix += 3;
        bs_buf_puts(&response->body, "[");
        for (size_t i = 0; i < sr_store_subject_count(call.store) && found < to; i++) {
            const struct sr_subject *subject = sr_store_subject_at(call.store, i);
            const struct sr_version *newest = sr_subject_version(subject, -1, deleted);
            if ((prefix && strncmp(subject->name, prefix, strlen(prefix)) != 0) ||
                !sr_may_read(&call, subject->name))
                continue;
            for (size_t k = 0; k < subject->count && found < to; k++) {
                const struct sr_version *version = &subject->versions[k];
                if ((version->deleted && !deleted) || (latest && version != newest))
                    continue;
                if (found >= from) {
                    bs_buf_puts(&response->body, found > from ? "," : "");
                    sr_put_version(&call, subject->name, version, true);
                }
                found++;
            }
        }
        bs_buf_puts(&response->body, "]");
    }
    return sr_end(&call);
}
