/* Service: see service.h. */
#include "schema-registry/service.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"
#include "schema-registry/access.h"
#include "schema-registry/forward.h"
#include "schema-registry/media.h"
#include "schema-registry/scope.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { RUNS_MAX = 8 }; /* of a write whose leaders change under it */

void sr_put_text(struct bs_buf *out, const char *text)
{
    bs_buf_put_json_string(out, text, strlen(text));
}

void sr_fail(struct sr_call *call, int code, const char *fmt, ...)
{
    struct bs_buf text = BS_BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    bs_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    ht_error(call->response, code >= 1000 ? code / 100 : code, code, "%s", bs_buf_text(&text));
    bs_buf_deinit(&text);
    bs_metric_add(&call->service->refused, 1);
}

void sr_fail_mode(struct sr_call *call, const char *what)
{
    struct sr_name name = sr_name_split(call->subject ? call->subject : "null");
    sr_fail(call, 42205, "Subject %s in context %.*s %s", name.bare, (int)name.context.len,
            (const char *)name.context.ptr, what);
}

static bool negotiate(struct sr_call *call)
{
    const char *type = sr_media_json(ht_header_list(call->request, "Accept"));
    call->response->content_type = type ? type : SR_TYPE_V1;
    if (type == NULL) {
        sr_fail(call, 406, "HTTP 406 Not Acceptable");
        return false;
    }
    if (call->request->body.len && !sr_media_is_json(ht_header(call->request, "Content-Type"))) {
        sr_fail(call, 415, "HTTP 415 Unsupported Media Type");
        return false;
    }
    return true;
}

/* ---- begin and end ---- */

bool sr_begin_without_store(struct sr_call *call, void *service, struct ht_request *request,
                            struct ht_response *response)
{
    *call = (struct sr_call){.service = service, .request = request, .response = response};
    bs_metric_add(&call->service->requests, 1);
    return negotiate(call) && !sr_forward_misled(call) && sr_access_begin(call);
}

bool sr_begin(struct sr_call *call, void *service, struct ht_request *request,
              struct ht_response *response)
{
    if (!sr_begin_without_store(call, service, request, response))
        return false;
    call->store = sr_gate_read(call->service->gate);
    call->locked = true;
    if (call->store)
        return true;
    sr_fail(call, 503, "The registry is starting and has not read its topic yet; see /health");
    return false;
}

bool sr_name_valid(const struct sr_call *call, const char *name, bool scope)
{
    struct sr_name parts = sr_name_split(name);
    const struct sr_settings *settings = sr_gate_settings(call->service->gate);
    if (scope && strcmp(name, SR_SCOPE_GLOBAL) == 0)
        return true;
    for (const char *p = parts.bare; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    if (!sr_context_valid(parts.context) || bs_bytes_is(parts.context, ".__GLOBAL"))
        return false;
    if (strcmp(parts.bare, "__GLOBAL") == 0 || strcmp(parts.bare, "__EMPTY") == 0)
        return false;
    if (scope && parts.qualified && *parts.bare == '\0')
        return true;
    if (settings->reject_empty && (*parts.bare == '\0' || strcmp(parts.bare, "*") == 0))
        return false;
    return parts.context.len > 1 || !parts.qualified; /* or it was stored bare */
}

/* The subject that an alias stands for, in the context of its own. */
static const char *resolve_alias(struct sr_call *call, const char *name)
{
    const struct sr_config *config = sr_store_config(call->store, name);
    struct bs_arena *arena = call->request->arena;
    const char *alias = config && config->alias ? sr_name_beside(arena, name, config->alias) : name;
    return bs_arena_strndup(arena, alias, strlen(alias)); /* the store's own may go */
}

/* One that came into the topic otherwise can be read and deleted. */
static bool too_long(const struct sr_call *call, const char *name)
{
    return strlen(name) > SR_SUBJECT_MAX && sr_store_subject(call->store, name) == NULL;
}

static bool begin_named(struct sr_call *call, bool scope)
{
    const char *name = sr_name_stored(call->request->arena, call->request->params[0]);
    call->subject = scope ? name : resolve_alias(call, name);
    if (scope && *name == '\0' && *call->request->params[0]) { /* ":.:" */
        bool may = sr_access_subject(call);
        call->subject = NULL;
        return may;
    }
    if (sr_name_valid(call, call->subject, scope) && !too_long(call, call->subject))
        return sr_access_subject(call);
    sr_fail(call, 42208, "The specified subject '%.*s' is not a valid.", SR_SUBJECT_MAX,
            call->subject);
    return false;
}

bool sr_begin_subject(struct sr_call *call, void *service, struct ht_request *request,
                      struct ht_response *response)
{
    return sr_begin(call, service, request, response) && begin_named(call, false);
}

int sr_in_scope(void *service, struct ht_request *request, struct ht_response *response,
                void (*run)(struct sr_call *))
{
    struct sr_call call;
    if (sr_begin(&call, service, request, response) &&
        (request->params[0] == NULL || begin_named(&call, true)))
        run(&call);
    return sr_end(&call);
}

bool sr_is_top(const struct sr_call *call)
{
    return call->subject == NULL || strcmp(call->subject, SR_SCOPE_GLOBAL) == 0;
}

bool sr_refuse_readonly(struct sr_call *call)
{
    if (!sr_mode_readonly(sr_store_mode(call->store, call->subject)))
        return false;
    sr_fail_mode(call, "is in read-only mode");
    return true;
}

static void unlock(struct sr_call *call)
{
    if (call->locked)
        sr_gate_done(call->service->gate);
    call->locked = false;
    call->store = NULL;
}

int sr_end(struct sr_call *call)
{
    struct ht_response *response = call->response;
    if (call->writing && ht_header(call->request, "X-Forward") &&
        response->field_count < HT_FIELDS_MAX)
        response->fields[response->field_count++] = (struct ht_field){
            SR_APPLIED_FIELD, bs_arena_printf(call->request->arena, "%lld",
                                              (long long)sr_gate_applied(call->service->gate))};
    unlock(call);
    sr_access_end(call);
    if (call->writing)
        sr_gate_leave(call->service->gate, &call->writer);
    call->writing = false;
    return call->heavy ? HT_HEAVY : call->later ? HT_BLOCKS : 0;
}

bool sr_must_compute(struct sr_call *call, size_t bytes)
{
    call->heavy = bytes > SR_HEAVY_BYTES && !call->request->may_block;
    return call->heavy;
}

void sr_compute_begin(struct sr_call *call, size_t bytes)
{
    unlock(call);
    call->computing = bytes > SR_HEAVY_BYTES && call->request->may_block;
    while (call->computing && sem_wait(&call->service->heavy) < 0) /* a signal: again */
        ;
}

void sr_compute_end(struct sr_call *call)
{
    if (call->computing)
        sem_post(&call->service->heavy);
    call->computing = false;
    call->store = sr_gate_read(call->service->gate);
    call->locked = true;
}

bool sr_follows(struct sr_call *call)
{
    char url[SR_URL_MAX];
    return !sr_gate_leads(call->service->gate, url) && url[0];
}

static bool become_writer(struct sr_call *call, const char *subject)
{
    const struct sr_settings *settings = sr_gate_settings(call->service->gate);
    int64_t until_ms = sr_gate_now_ms() + settings->wait_ms;
    struct bs_error err = {0};
    int rc;
    unlock(call);
    call->later = !call->request->may_block;
    if (call->later)
        return false;
    call->writer.subject = subject;
    do {
        rc = sr_gate_enter(call->service->gate, &call->writer, until_ms, &err);
        if (rc == BS_EFENCED && sr_forward(call, call->writer.leader, until_ms))
            return false;
    } while (rc == BS_EFENCED);
    if (rc < 0) {
        sr_fail(call, rc == BS_ESTATE ? 503 : 50004, "%s", err.text);
        return false;
    }
    call->writing = true;
    call->store = sr_gate_read(call->service->gate);
    call->locked = true;
    return true;
}

bool sr_become_writer(struct sr_call *call)
{
    return become_writer(call, NULL);
}

bool sr_become_subject_writer(struct sr_call *call)
{
    return become_writer(call, call->subject);
}

int sr_context_record(struct sr_call *call, struct sr_record *ret)
{
    const struct sr_space *space = sr_store_space(call->store, call->subject);
    struct bs_bytes context = sr_name_split(call->subject).context;
    if (bs_bytes_is(context, SR_CONTEXT_DEFAULT) || (space && space->declared))
        return 0;
    if (space == NULL && sr_store_space_count(call->store) > SR_CONTEXTS_MAX) {
        sr_fail(call, 42205, "A registry has at most %d contexts; %.*s would be one more",
                SR_CONTEXTS_MAX, (int)context.len, (const char *)context.ptr);
        return -1;
    }
    *ret = (struct sr_record){.kind = SR_RECORD_CONTEXT};
    ret->context = bs_arena_strndup(call->request->arena, (const char *)context.ptr, context.len);
    return 1;
}

/* Compaction knows no key that means the same as another: a deletion names them all. */
static const struct sr_record *with_spellings(struct sr_call *call, const struct sr_record *records,
                                              size_t *count)
{
    const struct bs_bytes *others;
    size_t more = 0, to = 0;
    struct sr_record *all;
    for (size_t i = 0; i < *count; i++)
        if (records[i].tombstone)
            more += sr_store_spellings(call->store, &records[i], &others);
    if (more == 0)
        return records;
    all = bs_arena_array(call->request->arena, *count + more, sizeof *all);
    for (; to < *count; to++) /* our own one after the other, for the bundle */
        all[to] = records[to];
    for (size_t i = 0; i < *count; i++) {
        size_t spellings = 0;
        if (records[i].tombstone)
            spellings = sr_store_spellings(call->store, &records[i], &others);
        for (size_t k = 0; k < spellings; k++) {
            all[to] = records[i];
            all[to++].spelling = bs_bytes(
                bs_arena_dup(call->request->arena, others[k].ptr, others[k].len), others[k].len);
        }
    }
    *count = to;
    return all;
}

void sr_again(struct sr_call *call)
{
    if (call->request->runs < RUNS_MAX)
        call->later = true;
    else
        sr_fail(call, 50004, "Leader not known. It has changed %d times.", RUNS_MAX);
}

static void fail_append(struct sr_call *call, int rc, bool registers, const struct bs_error *err)
{
    if (rc == BS_ELIMIT && registers)
        sr_fail(call, 42209, "Register operation failed because schema is too large: %s",
                err->text);
    else if (rc == BS_ELIMIT)
        sr_fail(call, 42209, "The write is too large: %s", err->text);
    else if (rc == BS_ERANGE)
        sr_fail(call, 42205, "The operation is not permitted: %s", err->text);
    else
        sr_fail(call, rc == BS_ETIMEOUT ? 50002 : 50001, "%s", err->text);
}

bool sr_append(struct sr_call *call, const struct sr_record *records, size_t count)
{
    struct bs_error err = {0};
    bool registers = false;
    int rc;
    for (size_t i = 0; i < count; i++)
        registers = registers || (records[i].kind == SR_RECORD_SCHEMA && !records[i].tombstone);
    records = with_spellings(call, records, &count);
    unlock(call);
    rc = sr_gate_append(call->service->gate, &call->writer, records, count, &err);
    call->store = sr_gate_read(call->service->gate);
    call->locked = true;
    if (rc == 0)
        return true;
    if (rc == BS_EFENCED)
        sr_again(call);
    else
        fail_append(call, rc, registers, &err);
    return false;
}

/* ---- parameters ---- */

bool sr_flag(struct sr_call *call, const char *name)
{
    const char *value = ht_query(call->request, name);
    return value && strcasecmp(value, "true") == 0;
}

/* Inside /contexts/{c}/… a name without context is of that one. */
static const char *in_scope(struct sr_call *call, const char *value)
{
    const char *scope = call->request->scope;
    if (scope == NULL || sr_name_split(value).qualified)
        return value;
    return bs_arena_printf(call->request->arena, "%s%s", scope, value);
}

const char *sr_query_subject(struct sr_call *call)
{
    const char *value = ht_query(call->request, "subject");
    if (value == NULL)
        return call->request->scope ? sr_name_stored(call->request->arena, call->request->scope)
                                    : NULL;
    return resolve_alias(call, sr_name_stored(call->request->arena, in_scope(call, value)));
}

void sr_query_prefixes(struct sr_call *call, struct sr_prefixes *ret)
{
    const char *value;
    *ret = (struct sr_prefixes){0};
    while (ret->count < SR_PREFIXES_MAX &&
           (value = ht_query_at(call->request, "subjectPrefix", (unsigned)ret->count)))
        ret->list[ret->count++] = in_scope(call, value);
    if (ret->count == 0)
        ret->list[ret->count++] = call->request->scope ? call->request->scope : ":*:";
}

bool sr_has_prefix(const struct sr_prefixes *prefixes, const char *name)
{
    for (size_t i = 0; i < prefixes->count; i++)
        if (sr_name_has_prefix(name, prefixes->list[i]))
            return true;
    return false;
}

/* A parameter that is typed integer: as one of the path, another text is not found. */
static bool number_query(struct sr_call *call, const char *name, int64_t *ret)
{
    const char *text = ht_query(call->request, name);
    if (text == NULL || text[strspn(text, " ")] == '\0' ||
        bs_parse_int(text, INT32_MIN, INT32_MAX, ret) == 0)
        return true;
    sr_fail(call, 404, "HTTP 404 Not Found: parameter '%s' of the query is not an integer", name);
    return false;
}

bool sr_page(struct sr_call *call, size_t total, size_t most, size_t *ret_from, size_t *ret_to)
{
    int64_t offset = 0, limit = -1;
    size_t from, count;
    if (!number_query(call, "offset", &offset) || !number_query(call, "limit", &limit))
        return false;
    from = offset < 0 ? 0 : (size_t)offset;
    count = limit < 0 ? total : (size_t)limit;
    if (count > most)
        count = most;
    *ret_from = from < total ? from : total;
    *ret_to = total - *ret_from < count ? total : *ret_from + count;
    return true;
}

bool sr_version_param(struct sr_call *call, const char *text, int *ret)
{
    int64_t value;
    if (strcasecmp(text, "latest") == 0 || strcmp(text, "-1") == 0) {
        *ret = -1;
        return true;
    }
    if (bs_parse_int(text, 1, INT32_MAX, &value) == 0) {
        *ret = (int)value;
        return true;
    }
    sr_fail(call, 42202,
            "The specified version '%s' is not a valid version id. Allowed values are between [1, "
            "2^31-1] and the string \"latest\"",
            text);
    return false;
}

bool sr_id_param(struct sr_call *call, const char *text, int32_t *ret)
{
    int64_t value;
    if (bs_parse_int(text, INT32_MIN, INT32_MAX, &value) < 0) {
        sr_fail(call, 404, "HTTP 404 Not Found");
        return false;
    }
    *ret = (int32_t)value;
    return true;
}

/* ---- bodies ---- */

/* A body of 10 MB in numbers would take half a gigabyte; 10,000 rules have about 120,000 values. */
enum { BODY_VALUES_MAX = 200000 };

bool sr_body(struct sr_call *call, struct sd_value *ret)
{
    struct bs_error err = {0};
    if (call->request->body.len == 0) {
        sr_fail(call, 422, "The request has no body");
        return false;
    }
    if (sd_json_read_few(call->request->body, BODY_VALUES_MAX, call->request->arena, ret, &err) <
        0) {
        sr_fail(call, 400, "Unable to process JSON: %s", err.text);
        return false;
    }
    if (ret->type != SD_MAP) {
        sr_fail(call, 400, "Unable to process JSON: the body is not an object");
        return false;
    }
    return true;
}
