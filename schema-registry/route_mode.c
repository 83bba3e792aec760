/* Routes of modes: of a subject, a context, the default context (the global one), and everywhere
 * (":.__GLOBAL:"). A mode is one record; wider changes are made by the one writer alone. */
#include "schema-registry/route.h"
#include "schema-registry/scope.h"

#include "lib/base/mem.h"

#include <string.h>

static void put_mode(struct sr_call *call, enum sr_mode mode)
{
    bs_buf_printf(&call->response->body, "{\"mode\":\"%s\"}", sr_mode_name(mode));
}

static void mode_get(struct sr_call *call)
{
    enum sr_mode own = sr_store_own_mode(call->store, call->subject);
    bool effective = sr_is_top(call) || sr_flag(call, "defaultToGlobal");
    if (own == SR_MODE_UNSET && !effective)
        sr_fail(call, 40409, "Subject '%s' does not have subject-level mode configured",
                call->subject);
    else
        put_mode(call, effective ? sr_store_mode(call->store, call->subject) : own);
}

static struct sr_record mode_record(struct sr_call *call, enum sr_mode mode)
{
    struct sd_field *fields = bs_arena_array(call->request->arena, 2, sizeof *fields);
    struct sr_record record = {.kind = SR_RECORD_MODE, .subject = call->subject};
    size_t count = 0;
    if (call->subject) {
        fields[count].name = bs_bytes_text("subject");
        fields[count++].value =
            (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(call->subject)};
    }
    fields[count].name = bs_bytes_text("mode");
    fields[count++].value =
        (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(sr_mode_name(mode))};
    record.value = (struct sd_value){.type = SD_MAP, .map = {.fields = fields, .count = count}};
    return record;
}

/* Tombstones for the modes of everything that the scope covers, but not for its own. */
static size_t add_modes_below(struct sr_call *call, struct sr_record *records)
{
    size_t count = 0;
    if (call->subject && strcmp(call->subject, SR_SCOPE_GLOBAL) == 0 &&
        sr_store_own_mode(call->store, NULL) != SR_MODE_UNSET)
        records[count++] = (struct sr_record){.kind = SR_RECORD_MODE, .tombstone = true};
    for (size_t i = 0; i < sr_store_subject_count(call->store); i++) {
        const struct sr_subject *subject = sr_store_subject_at(call->store, i);
        if (subject->mode == SR_MODE_UNSET || !sr_scope_covers(call->subject, subject->name) ||
            (call->subject && strcmp(subject->name, call->subject) == 0))
            continue;
        records[count++] = (struct sr_record){
            .kind = SR_RECORD_MODE,
            .subject = bs_arena_strndup(call->request->arena, subject->name, strlen(subject->name)),
            .tombstone = true};
    }
    return count;
}

/* The writer: takes away the mode, and those below it where that is asked for. */
static bool clear_mode(struct sr_call *call)
{
    bool recursive = sr_flag(call, "recursive");
    size_t most = recursive ? sr_store_subject_count(call->store) + 2 : 1, count = 0;
    struct sr_record *records = bs_arena_array(call->request->arena, most, sizeof *records);
    if (recursive)
        count = add_modes_below(call, records);
    records[count++] =
        (struct sr_record){.kind = SR_RECORD_MODE, .subject = call->subject, .tombstone = true};
    return sr_append(call, records, count);
}

static void mode_delete(struct sr_call *call)
{
    enum sr_mode old;
    if (!sr_become_writer(call))
        return;
    old = sr_store_own_mode(call->store, call->subject);
    if (old == SR_MODE_UNSET && !sr_is_top(call) && !sr_flag(call, "recursive")) {
        sr_fail(call, 40401, "Subject '%s' not found.", call->subject);
        return;
    }
    if (!clear_mode(call))
        return;
    if (old == SR_MODE_UNSET && !sr_is_top(call))
        bs_buf_puts(&call->response->body, "{}");
    else
        put_mode(call, old == SR_MODE_UNSET ? SR_MODE_READWRITE : old);
}

/* As in Confluent's registry the global mode clears every context, not only the default one. */
static const char *cleared_scope(const struct sr_call *call)
{
    return call->subject ? call->subject : SR_SCOPE_GLOBAL;
}

/* A version that is to go may be what a schema outside of the scope refers to. */
static bool referred_from_outside(struct sr_call *call, const struct sr_subject *referrer)
{
    struct bs_arena *arena = call->request->arena;
    for (size_t i = 0; i < referrer->count; i++) {
        const struct sr_content *content = &referrer->versions[i].entry->content;
        for (size_t k = 0; k < content->ref_count; k++) {
            const char *name = sr_name_beside(arena, referrer->name, content->refs[k].subject);
            int version = content->refs[k].version;
            if (!sr_scope_covers(cleared_scope(call), name) ||
                !sr_subject_version(sr_store_subject(call->store, name), version, true))
                continue;
            sr_fail(call, 42206,
                    "One or more references exist to the schema "
                    "{magic=1,keytype=SCHEMA,subject=%s,version=%d}.",
                    name, version);
            return true;
        }
    }
    return false;
}

static bool import_refused(struct sr_call *call, size_t *ret_deleted)
{
    *ret_deleted = 0;
    for (size_t i = 0; i < sr_store_subject_count(call->store); i++) {
        const struct sr_subject *subject = sr_store_subject_at(call->store, i);
        if (!sr_scope_covers(cleared_scope(call), subject->name)) {
            if (referred_from_outside(call, subject))
                return true;
            continue;
        }
        if (sr_subject_live(subject)) {
            sr_fail(call, 42205, "Cannot import since found existing subjects");
            return true;
        }
        *ret_deleted += subject->count;
    }
    return false;
}

/* Entering IMPORT: nothing live may be there, and what is softly deleted goes for good: each
 * version by its own record, so that no other registry takes away more than that. */
static size_t clear_records(struct sr_call *call, struct sr_record *records)
{
    struct bs_arena *arena = call->request->arena;
    struct sr_record clear = {.kind = SR_RECORD_CLEAR_SUBJECT, .subject = call->subject};
    size_t count = 0;
    records[count++] = sr_store_mark(call->store, arena);
    for (size_t i = 0; i < sr_store_subject_count(call->store); i++) {
        const struct sr_subject *subject = sr_store_subject_at(call->store, i);
        const char *name;
        if (!sr_scope_covers(cleared_scope(call), subject->name) || subject->count == 0)
            continue;
        name = bs_arena_strndup(arena, subject->name, strlen(subject->name));
        for (size_t k = 0; k < subject->count; k++)
            records[count++] = (struct sr_record){.kind = SR_RECORD_SCHEMA,
                                                  .subject = name,
                                                  .version = subject->versions[k].number,
                                                  .tombstone = true};
        records[count++] = (struct sr_record){
            .kind = SR_RECORD_DELETE_SUBJECT, .subject = name, .tombstone = true};
    }
    clear.value = mode_record(call, SR_MODE_IMPORT).value;
    clear.value.map.count = call->subject ? 1 : 0; /* {"subject":…} */
    records[count++] = clear;
    return count;
}

static void set_mode(struct sr_call *call, enum sr_mode mode)
{
    struct sr_record *records;
    size_t deleted = 0, count = 0;
    if (!sr_become_writer(call))
        return;
    /* where it is already, nothing is entered */
    if (mode == SR_MODE_IMPORT && !sr_flag(call, "force") &&
        sr_store_mode(call->store, call->subject) != SR_MODE_IMPORT &&
        import_refused(call, &deleted))
        return;
    records = bs_arena_array(call->request->arena, 2 * deleted + 3, sizeof *records);
    if (deleted)
        count = clear_records(call, records);
    records[count++] = mode_record(call, mode);
    if (sr_append(call, records, count))
        put_mode(call, mode);
}

static void mode_put(struct sr_call *call)
{
    const struct sd_value *value;
    enum sr_mode mode = SR_MODE_UNSET;
    struct sd_value body;
    char text[32] = "";
    if (!sr_body(call, &body))
        return;
    value = sd_value_get(&body, bs_bytes_text("mode"));
    if (value && value->type == SD_NULL) { /* an explicit null clears, and comes back as nothing */
        if (sr_become_writer(call) && clear_mode(call))
            bs_buf_puts(&call->response->body, "{}");
        return;
    }
    if (!sr_input_member(call, &body, "mode", SD_STRING, &value))
        return;
    if (value && value->bytes.len < sizeof text) {
        memcpy(text, value->bytes.ptr, value->bytes.len);
        mode = sr_mode_parse(text);
    }
    if (mode == SR_MODE_UNSET)
        sr_fail(call, 42204,
                "Invalid mode. Valid values are READWRITE, READONLY, IMPORT and FORWARD.");
    else if (mode == SR_MODE_FORWARD &&
             (call->subject == NULL || strcmp(call->subject, SR_SCOPE_GLOBAL) != 0))
        sr_fail(call, 42204, "Forward mode only supported on global level");
    else
        set_mode(call, mode);
}

int sr_mode_get(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return sr_in_scope(ctx, request, response, mode_get);
}

int sr_mode_put(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return sr_in_scope(ctx, request, response, mode_put);
}

int sr_mode_delete(void *ctx, struct ht_request *request, struct ht_response *response)
{
    return sr_in_scope(ctx, request, response, mode_delete);
}
