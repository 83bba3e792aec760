/* Service: see service.h. */
#include "schema-registry/service.h"

#include "lib/base/mem.h"
#include "lib/serde/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TYPE_V1   "application/vnd.schemaregistry.v1+json"
#define TYPE_ANY  "application/vnd.schemaregistry+json"
#define TYPE_JSON "application/json"

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

/* ---- content types ---- */

/* Does a list of media types name the type, or a pattern for it. */
static bool accepts(const char *list, const char *type)
{
    size_t want = strlen(type);
    while (*list) {
        size_t len;
        list += strspn(list, ", \t");
        len = strcspn(list, ",; \t");
        if ((len == want && strncasecmp(list, type, len) == 0) ||
            (len == 3 && strncmp(list, "*/*", 3) == 0) ||
            (len == 13 && strncasecmp(list, "application/*", 13) == 0))
            return true;
        list += strcspn(list, ",");
    }
    return false;
}

static bool negotiate(struct sr_call *call)
{
    static const char *const types[] = {TYPE_V1, TYPE_ANY, TYPE_JSON};
    const char *accept = ht_header(call->request, "Accept");
    const char *sent = ht_header(call->request, "Content-Type");
    call->response->content_type = TYPE_V1;
    if (accept && *accept) {
        size_t i = 0;
        while (i < 3 && !accepts(accept, types[i]))
            i++;
        if (i == 3) {
            sr_fail(call, 406, "HTTP 406 Not Acceptable");
            return false;
        }
        call->response->content_type = types[i];
    }
    if (call->request->body.len && sent && !accepts(sent, "application/octet-stream") &&
        !accepts(sent, TYPE_V1) && !accepts(sent, TYPE_ANY) && !accepts(sent, TYPE_JSON)) {
        sr_fail(call, 415, "HTTP 415 Unsupported Media Type");
        return false;
    }
    return true;
}

/* ---- begin and end ---- */

bool sr_begin(struct sr_call *call, void *service, struct ht_request *request,
              struct ht_response *response)
{
    *call = (struct sr_call){.service = service, .request = request, .response = response};
    bs_metric_add(&call->service->requests, 1);
    if (!negotiate(call))
        return false;
    call->store = sr_gate_read(call->service->gate);
    call->locked = true;
    if (call->store)
        return true;
    sr_fail(call, 503, "The registry is starting and has not read its topic yet; see /health");
    return false;
}

/* The default context may be written out; an alias stands for its subject. */
static const char *subject_name(const struct sr_store *store, const char *name)
{
    const struct sr_config *config;
    if (strncmp(name, ":.:", 3) == 0)
        name += 3;
    config = sr_store_config(store, name);
    return config && config->alias ? config->alias : name;
}

static bool subject_valid(const char *name)
{
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    return strcmp(name, "__GLOBAL") != 0 && strcmp(name, "__EMPTY") != 0;
}

bool sr_begin_subject(struct sr_call *call, void *service, struct ht_request *request,
                      struct ht_response *response)
{
    const char *name;
    if (!sr_begin(call, service, request, response))
        return false;
    name = subject_name(call->store, request->params[0]);
    /* a copy: the store's own may go when the lock is given up */
    call->subject = bs_arena_strndup(request->arena, name, strlen(name));
    if (subject_valid(call->subject))
        return true;
    sr_fail(call, 42208, "The specified subject '%s' is not a valid.", call->subject);
    return false;
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
    unlock(call);
    if (call->writing)
        sr_gate_leave(call->service->gate, &call->writer);
    call->writing = false;
    return call->later ? HT_BLOCKS : 0;
}

static bool become_writer(struct sr_call *call, const char *subject)
{
    struct bs_error err = {0};
    int rc;
    unlock(call);
    call->later = !call->request->may_block;
    if (call->later)
        return false;
    call->writer.subject = subject;
    rc = sr_gate_enter(call->service->gate, &call->writer, &err);
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

bool sr_append(struct sr_call *call, const struct sr_record *records, size_t count)
{
    struct bs_error err = {0};
    int rc;
    unlock(call);
    rc = sr_gate_append(call->service->gate, records, count, &err);
    call->store = sr_gate_read(call->service->gate);
    call->locked = true;
    if (rc == 0)
        return true;
    if (rc == BS_ELIMIT)
        sr_fail(call, 42209, "Schema is too large: %s", err.text);
    else
        sr_fail(call, rc == BS_ETIMEOUT ? 50002 : 50001, "%s", err.text);
    return false;
}

/* ---- parameters ---- */

bool sr_flag(struct sr_call *call, const char *name)
{
    const char *value = ht_query(call->request, name);
    return value && strcasecmp(value, "true") == 0;
}

static int64_t number_query(struct sr_call *call, const char *name, int64_t absent)
{
    const char *text = ht_query(call->request, name);
    int64_t value;
    if (text == NULL || bs_parse_int(text, INT32_MIN, INT32_MAX, &value) < 0)
        return absent;
    return value;
}

void sr_page(struct sr_call *call, size_t total, size_t most, size_t *ret_from, size_t *ret_to)
{
    int64_t offset = number_query(call, "offset", 0), limit = number_query(call, "limit", -1);
    size_t from = offset < 0 ? 0 : (size_t)offset;
    size_t count = limit < 0 ? total : (size_t)limit;
    if (count > most)
        count = most;
    *ret_from = from < total ? from : total;
    *ret_to = total - *ret_from < count ? total : *ret_from + count;
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

bool sr_body(struct sr_call *call, struct sd_value *ret)
{
    struct bs_error err = {0};
    if (call->request->body.len == 0) {
        sr_fail(call, 422, "The request has no body");
        return false;
    }
    if (sd_json_read(call->request->body, call->request->arena, ret, &err) < 0) {
        sr_fail(call, 400, "Unable to process JSON: %s", err.text);
        return false;
    }
    if (ret->type != SD_MAP) {
        sr_fail(call, 400, "Unable to process JSON: the body is not an object");
        return false;
    }
    return true;
}

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
    return true;
}

/* ---- schemas ---- */

enum { REFERENCE_DEPTH_MAX = 20, REFERENCE_COUNT_MAX = 1000 };

static int content_parse(const struct sr_store *store, const struct sr_content *content,
                         bool strict, bool live_refs, unsigned depth, unsigned *budget,
                         struct sd_schema **ret, struct bs_error *err)
{
    struct sd_reference *refs = bs_array(content->ref_count, sizeof *refs);
    size_t count = 0;
    int rc = 0;
    if (depth > REFERENCE_DEPTH_MAX)
        rc = bs_error_set(err, BS_ELIMIT, "references are nested deeper than %d",
                          REFERENCE_DEPTH_MAX);
    for (size_t i = 0; i < content->ref_count && rc == 0; i++) {
        const struct sr_ref *ref = &content->refs[i];
        const char *name = strncmp(ref->subject, ":.:", 3) == 0 ? ref->subject + 3 : ref->subject;
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
            rc = content_parse(store, &version->entry->content, false, false, depth + 1, budget,
                               &schema, err);
        if (rc == 0)
            refs[count++] = (struct sd_reference){.name = ref->name, .schema = schema};
    }
    if (rc == 0)
        rc = sd_schema_parse(content->text, strict, refs, count, ret, err);
    for (size_t i = 0; i < count; i++)
        sd_schema_unref((struct sd_schema *)refs[i].schema);
    bs_free(refs);
    return rc;
}

int sr_content_parse(const struct sr_store *store, const struct sr_content *content, bool strict,
                     bool live_refs, struct sd_schema **ret, struct bs_error *err)
{
    unsigned budget = REFERENCE_COUNT_MAX;
    return content_parse(store, content, strict, live_refs, 0, &budget, ret, err);
}

/* Version -1 of a reference is stored as the number of the latest. */
static void fix_references(struct sr_call *call, struct sr_content *content)
{
    for (size_t i = 0; i < content->ref_count; i++) {
        const struct sr_version *latest =
            sr_subject_version(sr_store_subject(call->store, content->refs[i].subject), -1, false);
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
    rc = sr_content_parse(call->store, &input->content, strict, strict, ret, err);
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
            sr_content_parse(call->store, &version->entry->content, false, false, &old, &err) < 0) {
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
        fine = sr_compat_check(schema, olds, count, level, arena, ret_messages, ret_count);
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

void sr_put_version(struct sr_call *call, const char *subject, const struct sr_version *version,
                    bool with_time)
{
    struct bs_buf *out = &call->response->body;
    char guid[SR_GUID_TEXT];
    sr_content_guid(&version->entry->content, guid);
    bs_buf_puts(out, "{\"subject\":");
    sr_put_text(out, subject);
    bs_buf_printf(out, ",\"version\":%d,\"id\":%d,\"guid\":\"%s\",\"schemaType\":\"AVRO\"",
                  version->number, (int)version->entry->id, guid);
    sr_content_put_members(&version->entry->content, out);
    if (with_time && version->timestamp_ms > 0)
        bs_buf_printf(out, ",\"ts\":%lld", (long long)version->timestamp_ms);
    if (with_time && version->deleted)
        bs_buf_puts(out, ",\"deleted\":true");
    bs_buf_puts(out, "}");
}
