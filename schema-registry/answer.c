/* Answer: see answer.h. */
#include "schema-registry/answer.h"

#include "lib/serde/json.h"
#include "lib/serde/schema_tags.h"
#include "schema-registry/access.h"
#include "schema-registry/context.h"
#include "schema-registry/references.h"

#include <string.h>
#include <strings.h>

static bool query_is(struct sr_call *call, const char *name, const char *want)
{
    const char *value = ht_query(call->request, name);
    return value && strcasecmp(value, want) == 0;
}

static bool must_read(void *call, const char *subject)
{
    return sr_must_read(call, subject);
}

/* The content with what it refers to, to a user who may read all of it; BS_EDENIED: the response is
 * set. */
static int resolve(struct sr_call *call, const char *holder, const struct sr_content *content,
                   struct bs_buf *text, struct bs_error *err)
{
    const struct sr_user *user = call->identity.user;
    int rc = 0;
    if (user && !sr_user_may_all(user))
        rc = sr_content_behind(call->store, holder, content, must_read, call, err);
    return rc < 0 ? rc : sr_content_resolve(call->store, holder, content, text, err);
}

/* The content in the wanted form; false: the response is an error. */
static bool formed(struct sr_call *call, const char *holder, const struct sr_content *content,
                   struct sr_content *ret)
{
    struct bs_arena *arena = call->request->arena;
    struct bs_buf text = BS_BUF_INIT;
    struct bs_error err = {0};
    int rc = 0;
    *ret = *content;
    if (content->ref_count == 0)
        return true;
    if (query_is(call, "format", "resolved") &&
        (rc = resolve(call, holder, content, &text, &err)) == 0)
        ret->text = bs_bytes(bs_arena_dup(arena, text.data, text.len), text.len);
    bs_buf_deinit(&text);
    if (rc < 0) {
        if (rc != BS_EDENIED)
            sr_fail(call, 42201, "Invalid schema of type AVRO, details: %s", err.text);
        return false;
    }
    if (query_is(call, "referenceFormat", "qualified") && holder && !sr_name_is_default(holder)) {
        ret->refs = bs_arena_dup(arena, content->refs, content->ref_count * sizeof *ret->refs);
        for (size_t i = 0; i < ret->ref_count; i++)
            ret->refs[i].subject = sr_name_beside(arena, holder, content->refs[i].subject);
    }
    return true;
}

/* Does the query ask for one of these tags? */
static bool tags_asked(struct sr_call *call, const struct sd_value *tags)
{
    const char *asked;
    for (unsigned i = 0; (asked = ht_query_at(call->request, "findTags", i)); i++) {
        if (strcmp(asked, "*") == 0)
            return true;
        for (size_t k = 0; k < tags->array.count; k++)
            if (tags->array.items[k].type == SD_STRING &&
                bs_bytes_is(tags->array.items[k].bytes, asked))
                return true;
    }
    return false;
}

/* ,"schemaTags":[{"schemaEntity":{"entityPath","entityType"},"tags":[]}] */
static bool put_tags(struct sr_call *call, const char *holder, const struct sr_content *content,
                     struct bs_buf *out)
{
    struct bs_error err = {0};
    struct sd_schema *schema;
    struct sd_tagged *tagged;
    size_t count, found = 0;
    if (ht_query(call->request, "findTags") == NULL)
        return true;
    if (sr_content_parse(call->store, holder, content, false, false, &schema, &err) < 0) {
        sr_fail(call, 42201, "Invalid schema of type AVRO, details: %s", err.text);
        return false;
    }
    sd_schema_tags(schema, call->request->arena, &tagged, &count);
    sd_schema_unref(schema);
    for (size_t i = 0; i < count; i++) {
        if (!tags_asked(call, tagged[i].tags))
            continue;
        bs_buf_puts(out, found++ ? "," : ",\"schemaTags\":[");
        bs_buf_puts(out, "{\"schemaEntity\":{\"entityPath\":");
        sr_put_text(out, tagged[i].path);
        bs_buf_printf(
            out, ",\"entityType\":\"%s\"},\"tags\":", tagged[i].field ? "sr_field" : "sr_record");
        sd_json_write(tagged[i].tags, true, out, NULL);
        bs_buf_puts(out, "}");
    }
    if (found)
        bs_buf_puts(out, "]");
    return true;
}

bool sr_put_content(struct sr_call *call, const char *holder, const struct sr_content *content,
                    const char *type)
{
    struct bs_buf *out = &call->response->body;
    struct sr_content form;
    char guid[SR_GUID_TEXT];
    sr_content_guid(content, guid);
    bs_buf_puts(out, out->data[out->len - 1] == '{' ? "\"guid\":\"" : ",\"guid\":\"");
    bs_buf_puts(out, guid);
    bs_buf_puts(out, "\",\"schemaType\":");
    sr_put_text(out, type ? type : "AVRO");
    if (type) { /* kept for others, not understood here */
        sr_content_put_members(content, out);
        return true;
    }
    if (!formed(call, holder, content, &form) || !put_tags(call, holder, content, out))
        return false;
    sr_content_put_members(&form, out);
    return true;
}

bool sr_put_version(struct sr_call *call, const char *subject, const struct sr_version *version)
{
    struct bs_buf *out = &call->response->body;
    bs_buf_puts(out, "{\"subject\":");
    sr_put_text(out, subject);
    bs_buf_printf(out, ",\"version\":%d,\"id\":%d", version->number, (int)version->entry->id);
    if (!sr_put_content(call, subject, &version->entry->content, version->entry->type))
        return false;
    if (version->timestamp_ms > 0)
        bs_buf_printf(out, ",\"ts\":%lld", (long long)version->timestamp_ms);
    bs_buf_puts(out, version->deleted ? ",\"deleted\":true}" : "}");
    return true;
}

void sr_put_registered(struct sr_call *call, const char *subject, const struct sr_version *version)
{
    struct bs_buf *out = &call->response->body;
    bs_buf_printf(out, "{\"id\":%d,\"version\":%d", (int)version->entry->id, version->number);
    if (sr_put_content(call, subject, &version->entry->content, version->entry->type))
        bs_buf_puts(out, "}");
}

void sr_put_schema(struct sr_call *call, const char *holder, const struct sr_content *content)
{
    struct sr_content form;
    if (formed(call, holder, content, &form))
        bs_buf_put(&call->response->body, form.text.ptr, form.text.len);
}
