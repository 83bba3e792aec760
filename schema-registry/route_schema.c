/* Routes that read schemas by id or GUID, and versions of many subjects. */
#include "schema-registry/access.h"
#include "schema-registry/answer.h"
#include "schema-registry/route.h"
#include "schema-registry/rule_set.h"

#include <string.h>
#include <strings.h>

enum { LIST_MAX = 1000 };

static const struct sr_version *version_with_id(const struct sr_subject *subject, int32_t id)
{
    for (size_t i = subject ? subject->count : 0; i-- > 0;)
        if (subject->versions[i].entry->id == id)
            return &subject->versions[i];
    return NULL;
}

/* What an id in a path means, which a `subject` in the query helps to say. */
struct named {
    const struct sr_entry *entry;
    const struct sr_space *space;
    const struct sr_subject *subject; /* NULL: none was given, or it does not use the id */
    const struct sr_version *version;
};

/* What may not be read is not there: no answer tells that an id is in use, nor by whom. */
static bool take_subject(const struct sr_call *call, struct named *named,
                         const struct sr_subject *subject, int32_t id)
{
    const struct sr_version *version = version_with_id(subject, id);
    if (version == NULL || !sr_may_read(call, subject->name))
        return false;
    *named = (struct named){
        .entry = version->entry, .space = subject->space, .subject = subject, .version = version};
    return true;
}

static bool take_entry(const struct sr_call *call, struct named *named,
                       const struct sr_space *space, const struct sr_entry *entry)
{
    if (entry == NULL || !sr_may_read_entry(call, entry))
        return false;
    *named = (struct named){.entry = entry, .space = space};
    return true;
}

/* The subject's use of the id; where it names no context, that of its namesakes in the others; any
 * use in its context; any use in the others. */
static bool find_id(const struct sr_call *call, const char *subject, int32_t id, struct named *ret)
{
    const struct sr_store *store = call->store;
    bool anywhere = subject && sr_name_is_default(subject);
    bool bare = subject && *sr_name_split(subject).bare;
    const struct sr_space *space = sr_store_space(store, subject);
    if (bare && take_subject(call, ret, sr_store_subject(store, subject), id))
        return true;
    for (size_t i = 1; anywhere && bare && i < sr_store_space_count(store); i++)
        if (take_subject(call, ret,
                         sr_store_subject_in(store, sr_store_space_at(store, i), subject), id))
            return true;
    for (size_t i = 0; !take_entry(call, ret, space, sr_space_id(space, id));
         space = sr_store_space_at(store, i))
        if (!anywhere || ++i == sr_store_space_count(store))
            return false;
    if (subject) /* some subject, as one was asked for */
        take_subject(call, ret, sr_store_subject(store, ret->entry->holder), id);
    return true;
}

/* The entry of the id in the path; false: the response is set. */
static bool named_entry(struct sr_call *call, struct named *ret)
{
    int32_t id;
    if (!sr_id_param(call, call->request->params[0], &id))
        return false;
    if (find_id(call, sr_query_subject(call), id, ret))
        return true;
    sr_fail_unreadable(call, bs_arena_printf(call->request->arena, "%d", (int)id));
    return false;
}

/* Where references of the schema without a context are. */
static const char *holder_of(struct sr_call *call, const struct named *named)
{
    return named->subject
               ? named->subject->name
               : sr_name_join(call->request->arena, bs_bytes_text(named->space->context), "");
}

static void put_entry(struct sr_call *call, const struct named *named)
{
    struct bs_buf *out = &call->response->body;
    const struct sr_version *version = named->version;
    bs_buf_puts(out, "{");
    if (version) {
        bs_buf_puts(out, "\"subject\":");
        sr_put_text(out, named->subject->name);
        bs_buf_printf(out, ",\"version\":%d", version->number);
    }
    if (!sr_put_content(call, holder_of(call, named), &named->entry->content, named->entry->type))
        return;
    if (version && version->timestamp_ms > 0)
        bs_buf_printf(out, ",\"ts\":%lld", (long long)version->timestamp_ms);
    if (version && version->deleted)
        bs_buf_puts(out, ",\"deleted\":true");
    if (sr_flag(call, "fetchMaxId"))
        bs_buf_printf(out, ",\"maxId\":%d", (int)named->space->max_id);
    bs_buf_puts(out, "}");
}

int sr_schema_by_id(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    struct named named;
    if (sr_begin(&call, ctx, request, response) && named_entry(&call, &named))
        put_entry(&call, &named);
    return sr_end(&call);
}

int sr_schema_text(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    struct named named;
    if (sr_begin(&call, ctx, request, response) && named_entry(&call, &named))
        sr_put_schema(&call, holder_of(&call, &named), &named.entry->content);
    return sr_end(&call);
}

struct use {
    const struct sr_subject *subject;
    const struct sr_version *version;
};

/* Versions that use the entry, or one of each subject; a subject in the query has to be theirs. */
static size_t find_uses(struct sr_call *call, const struct sr_space *space,
                        const struct sr_entry *entry, bool versions, struct use *ret)
{
    const char *filter = sr_query_subject(call);
    bool deleted = sr_flag(call, "deleted");
    size_t found = 0;
    filter = filter ? sr_name_split(filter).bare : "";
    for (size_t i = 0; i < sr_store_subject_count(call->store); i++) {
        const struct sr_subject *subject = sr_store_subject_at(call->store, i);
        if (subject->space != space || !sr_may_read(call, subject->name) ||
            (*filter && strcmp(filter, sr_name_split(subject->name).bare) != 0))
            continue;
        for (size_t k = 0; k < subject->count; k++) {
            const struct sr_version *version = &subject->versions[k];
            if (version->entry != entry || (version->deleted && !deleted))
                continue;
            ret[found++] = (struct use){.subject = subject, .version = version};
            if (!versions)
                break;
        }
    }
    return found;
}

static int list_uses(void *ctx, struct ht_request *request, struct ht_response *response,
                     bool versions)
{
    struct sr_call call;
    struct named named;
    if (sr_begin(&call, ctx, request, response) && named_entry(&call, &named)) {
        struct use *uses = bs_arena_array(request->arena, named.entry->uses, sizeof *uses);
        size_t found = find_uses(&call, named.space, named.entry, versions, uses), from, to;
        if (!sr_page(&call, found, found, &from, &to))
            return sr_end(&call);
        bs_buf_puts(&response->body, "[");
        for (size_t i = from; i < to; i++) {
            bs_buf_puts(&response->body, i > from ? "," : "");
            bs_buf_puts(&response->body, versions ? "{\"subject\":" : "");
            sr_put_text(&response->body, uses[i].subject->name);
            if (versions)
                bs_buf_printf(&response->body, ",\"version\":%d}", uses[i].version->number);
        }
        bs_buf_puts(&response->body, "]");
    }
    return sr_end(&call);
}

int sr_schema_subjects(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return list_uses(ctx, request, response, false);
}

int sr_schema_versions(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return list_uses(ctx, request, response, true);
}

int sr_schema_types(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response))
        bs_buf_puts(&response->body, "[\"AVRO\"]");
    return sr_end(&call);
}

static bool guid_param(struct sr_call *call, struct sr_content *ret)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = call->request->params[0];
    *ret = (struct sr_content){0};
    for (size_t i = 0; i < SR_DIGEST_SIZE * 2; i++, at++) {
        const char *digit;
        if (*at == '-')
            at++;
        digit = *at ? strchr(digits, *at | 32) : NULL;
        if (digit == NULL)
            return false;
        ret->digest[i / 2] = (uint8_t)(ret->digest[i / 2] << 4 | (digit - digits));
    }
    return *at == '\0';
}

int sr_schema_by_guid(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        struct named named = {0};
        struct sr_content wanted;
        bool fine = guid_param(&call, &wanted);
        for (size_t i = 0; fine && i < sr_store_space_count(call.store); i++) {
            const struct sr_space *space = sr_store_space_at(call.store, i);
            if (take_entry(&call, &named, space, sr_space_digest(space, &wanted)))
                break;
        }
        if (named.entry)
            put_entry(&call, &named);
        else
            sr_fail_unreadable(&call, request->params[0]);
    }
    return sr_end(&call);
}

int sr_guid_ids(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        struct bs_buf *out = &response->body;
        struct sr_content wanted;
        bool fine = guid_param(&call, &wanted);
        bs_buf_puts(out, "[");
        for (size_t i = 0; fine && i < sr_store_space_count(call.store); i++) {
            const struct sr_space *space = sr_store_space_at(call.store, i);
            const struct sr_entry *entry = sr_space_digest(space, &wanted);
            if (entry == NULL || !sr_may_read_entry(&call, entry))
                continue;
            bs_buf_puts(out, out->len > 1 ? ",{\"context\":" : "{\"context\":");
            sr_put_text(out, space->context);
            bs_buf_printf(out, ",\"id\":%d}", (int)entry->id);
        }
        bs_buf_puts(out, "]");
    }
    return sr_end(&call);
}

/* ---- versions of many subjects ---- */

struct filter {
    bool deleted, latest;
    struct sr_prefixes prefixes;
    const char *rule_type;
    const struct sr_subject **aliases; /* subjects that stand for others, with the prefix */
    size_t alias_count;
};

static void find_aliases(struct sr_call *call, struct filter *filter)
{
    size_t total = sr_store_subject_count(call->store);
    filter->aliases =
        bs_arena_array(call->request->arena, total, sizeof(const struct sr_subject *));
    for (size_t i = 0; i < total; i++) {
        const struct sr_subject *subject = sr_store_subject_at(call->store, i);
        if (subject->config && subject->config->alias &&
            sr_has_prefix(&filter->prefixes, subject->name))
            filter->aliases[filter->alias_count++] = subject;
    }
}

/* By its own name or by one that stands for it. */
static bool subject_listed(const struct filter *filter, const struct sr_subject *subject)
{
    if (sr_has_prefix(&filter->prefixes, subject->name))
        return true;
    for (size_t i = 0; i < filter->alias_count; i++)
        if (sr_name_means(filter->aliases[i]->name, filter->aliases[i]->config->alias,
                          subject->name))
            return true;
    return false;
}

static bool version_listed(const struct filter *filter, const struct sr_version *version)
{
    if (version->deleted && !filter->deleted)
        return false;
    return filter->rule_type == NULL ||
           sr_rule_set_has_type(version->entry->content.rule_set, filter->rule_type);
}

int sr_schemas_list(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin(&call, ctx, request, response)) {
        struct filter filter = {.deleted = sr_flag(&call, "deleted"),
                                .latest = sr_flag(&call, "latestOnly"),
                                .rule_type = ht_query(request, "ruleType")};
        size_t from, to, found = 0;
        if (!sr_page(&call, SIZE_MAX / 2, LIST_MAX, &from, &to))
            return sr_end(&call);
        sr_query_prefixes(&call, &filter.prefixes);
        if (sr_flag(&call, "aliases"))
            find_aliases(&call, &filter);
        bs_buf_puts(&response->body, "[");
        for (size_t i = 0; i < sr_store_subject_count(call.store) && found < to; i++) {
            const struct sr_subject *subject = sr_store_subject_at(call.store, i);
            const struct sr_version *newest = sr_subject_version(subject, -1, filter.deleted);
            if (!subject_listed(&filter, subject) || !sr_may_read(&call, subject->name))
                continue;
            for (size_t k = 0; k < subject->count && found < to; k++) {
                const struct sr_version *version = &subject->versions[k];
                if ((filter.latest && version != newest) || !version_listed(&filter, version))
                    continue;
                if (found >= from) {
                    bs_buf_puts(&response->body, found > from ? "," : "");
                    if (!sr_put_version(&call, subject->name, version))
                        return sr_end(&call);
                }
                found++;
            }
        }
        bs_buf_puts(&response->body, "]");
    }
    return sr_end(&call);
}
