/* Deletion: softly (the versions stay readable by id) or for good. The order of the checks is
 * Confluent's. Before something goes for good, a NOOP record keeps the highest id, so that it is
 * never given again even when compaction has taken every trace of its schema. */
#include "schema-registry/route.h"

static void fail_referred(struct sr_call *call, int number)
{
    sr_fail(call, 42206,
            "One or more references exist to the schema "
            "{magic=1,keytype=SCHEMA,subject=%s,version=%d}.",
            call->subject, number);
}

/* Versions of the subject from which the request deletes; false: the response is set. */
static bool check_subject(struct sr_call *call, const struct sr_subject *subject, bool permanent)
{
    if (subject == NULL || subject->count == 0) {
        sr_fail(call, 40401, "Subject '%s' not found.", call->subject);
        return false;
    }
    if (!permanent && !sr_subject_live(subject)) {
        sr_fail(call, 40404,
                "Subject '%s' was soft deleted.Set permanent=true to delete permanently",
                call->subject);
        return false;
    }
    if (sr_refuse_readonly(call))
        return false;
    /* what the subject's own versions refer to goes with them */
    for (size_t i = 0; i < subject->count; i++) {
        int number = subject->versions[i].number;
        if ((permanent || !subject->versions[i].deleted) &&
            sr_store_referred_by_others(call->store, call->subject, number, permanent)) {
            fail_referred(call, number);
            return false;
        }
    }
    if (permanent && sr_subject_live(subject)) {
        sr_fail(call, 40405, "Subject '%s' was not deleted first before being permanently deleted",
                call->subject);
        return false;
    }
    return true;
}

/* What goes with the last version: the mark of soft deletion, and the settings. */
static size_t add_rest(struct sr_call *call, const struct sr_subject *subject,
                       struct sr_record *records)
{
    static const enum sr_record_kind rest[] = {SR_RECORD_DELETE_SUBJECT, SR_RECORD_CONFIG,
                                               SR_RECORD_MODE};
    size_t count = 0;
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        if ((rest[i] == SR_RECORD_CONFIG && !subject->config) ||
            (rest[i] == SR_RECORD_MODE && subject->mode == SR_MODE_UNSET))
            continue;
        records[count++] =
            (struct sr_record){.kind = rest[i], .subject = call->subject, .tombstone = true};
    }
    return count;
}

/* Records of a permanent deletion: the highest ids before all, so that they are kept first. */
static size_t permanent_records(struct sr_call *call, const struct sr_subject *subject,
                                struct sr_record *records)
{
    size_t count = 0;
    records[count++] = sr_store_mark(call->store, call->request->arena);
    for (size_t i = subject->count; i-- > 0;) /* first what refers, then what is referred to */
        records[count++] = (struct sr_record){.kind = SR_RECORD_SCHEMA,
                                              .subject = call->subject,
                                              .version = subject->versions[i].number,
                                              .tombstone = true};
    return count + add_rest(call, subject, records + count);
}

int sr_subject_delete(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response) && sr_become_writer(&call)) {
        const struct sr_subject *subject = sr_store_subject(call.store, call.subject);
        bool permanent = sr_flag(&call, "permanent");
        struct bs_buf list = BS_BUF_INIT;
        struct sr_record *records;
        size_t count = 1;
        if (!check_subject(&call, subject, permanent))
            return sr_end(&call);
        records = bs_arena_array(request->arena, subject->count + 4, sizeof *records);
        for (size_t i = 0; i < subject->count; i++)
            if (permanent || !subject->versions[i].deleted)
                bs_buf_printf(&list, "%s%d", list.len ? "," : "", subject->versions[i].number);
        if (permanent)
            count = permanent_records(&call, subject, records);
        else
            records[0] =
                (struct sr_record){.kind = SR_RECORD_DELETE_SUBJECT,
                                   .subject = call.subject,
                                   .version = sr_subject_version(subject, -1, false)->number};
        if (sr_append(&call, records, count))
            bs_buf_printf(&response->body, "[%s]", bs_buf_text(&list));
        bs_buf_deinit(&list);
    }
    return sr_end(&call);
}

static const struct sr_version *check_version(struct sr_call *call, bool permanent)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    const struct sr_version *version;
    int number;
    if (!sr_version_param(call, call->request->params[1], &number))
        return NULL;
    version = sr_subject_version(subject, number, number != -1 || permanent);
    if (version && version->deleted && !permanent) {
        sr_fail(call, 40406,
                "Subject '%s' Version %d was soft deleted.Set permanent=true to delete permanently",
                call->subject, version->number);
        return NULL;
    }
    if (version == NULL) {
        if (permanent ? subject && subject->count : sr_subject_live(subject))
            sr_fail(call, 40402, "Version %d not found.", number);
        else
            sr_fail(call, 40401, "Subject '%s' not found.", call->subject);
        return NULL;
    }
    if (sr_refuse_readonly(call))
        return NULL;
    if (sr_store_referrers(call->store, call->subject, version->number, permanent, NULL)) {
        fail_referred(call, version->number);
        return NULL;
    }
    if (permanent && !version->deleted) {
        sr_fail(call, 40407,
                "Subject '%s' Version %d was not deleted first before being permanently deleted",
                call->subject, version->number);
        return NULL;
    }
    return version;
}

int sr_version_delete(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response) && sr_become_writer(&call)) {
        bool permanent = sr_flag(&call, "permanent");
        const struct sr_version *version = check_version(&call, permanent);
        const struct sr_subject *subject = sr_store_subject(call.store, call.subject);
        struct sr_record records[5];
        size_t count = 0;
        int number;
        if (version == NULL)
            return sr_end(&call);
        number = version->number;
        if (permanent)
            records[count++] = sr_store_mark(call.store, request->arena);
        records[count] =
            sr_version_record(sr_store_subject(call.store, call.subject), version, request->arena);
        records[count].tombstone = permanent;
        records[count++].deleted = true;
        if (permanent && subject->count == 1)
            count += add_rest(&call, subject, records + count);
        if (sr_append(&call, records, count))
            bs_buf_printf(&response->body, "%d", number);
    }
    return sr_end(&call);
}
