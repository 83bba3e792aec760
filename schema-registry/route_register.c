/* Registration: the one way to a new id.
 *
 * A schema that the subject has is found without any lock but the reader's. Otherwise the request
 * becomes the one writer of its subject, looks again, checks the mode, the schema (strictly now)
 * and the compatibility, and appends one record; the answer is given when that record has been
 * applied. Writers of different subjects share batches; the same new schema in several of them gets
 * one id.
 *
 * Only the leader decides (leader.h). Should another product write to the topic at the same time
 * and its record for the same id or version slip in between, it comes first and ours has no effect
 * (subject.c): then its record is repaired and all is decided again. */
#include "schema-registry/answer.h"
#include "schema-registry/merge.h"
#include "schema-registry/route.h"
#include "schema-registry/scope.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
    TRIES = 40,
    PAUSE_MS = 5,
    IMPORT_MAX = INT32_MAX - 1000000, /* above it there is room for new ids */
};

static bool check_version(struct sr_call *call, const struct sr_input *input)
{
    const struct sr_version *newest =
        sr_subject_version(sr_store_subject(call->store, call->subject), -1, true);
    int next = newest ? newest->number + 1 : 1;
    if (input->id >= 0) {
        sr_fail_mode(call, "is not in import mode");
        return false;
    }
    if (input->version > 0 && input->version != next) {
        sr_fail(call, 42201,
                "Version is not one more than previous version (%d is given, %d is next)",
                input->version, next);
        return false;
    }
    return true;
}

static void fail_incompatible(struct sr_call *call, const char **messages, size_t count)
{
    struct bs_buf list = BS_BUF_INIT;
    for (size_t i = 0; i < count; i++)
        bs_buf_printf(&list, "%s%s", i ? ", " : "", messages[i]);
    sr_fail(call, 40901,
            "Schema being registered is incompatible with an earlier schema for subject \"%s\", "
            "details: [%s]",
            call->subject, bs_buf_text(&list));
    bs_metric_add(&call->service->incompatible, 1);
    bs_buf_deinit(&list);
}

/* Soft-deleted versions with the same id make room for the new number, unless referred to. */
static size_t add_tombstones(struct sr_call *call, int32_t id, struct sr_record *records)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    size_t count = 0;
    for (size_t i = 0; subject && i < subject->count; i++) {
        const struct sr_version *version = &subject->versions[i];
        if (!version->deleted || version->entry->id != id ||
            sr_store_referrers(call->store, call->subject, version->number, true, NULL))
            continue;
        records[count++] = (struct sr_record){.kind = SR_RECORD_SCHEMA,
                                              .subject = call->subject,
                                              .version = version->number,
                                              .tombstone = true};
    }
    return count;
}

/* Ours came second: compaction must not keep it instead of the winner's. */
static bool repair(struct sr_call *call, int number)
{
    const struct sr_version *winner =
        sr_subject_version(sr_store_subject(call->store, call->subject), number, true);
    struct sr_record record = {.kind = SR_RECORD_SCHEMA,
                               .subject = call->subject,
                               .version = number,
                               .tombstone = winner == NULL};
    if (winner)
        record = sr_version_record(sr_store_subject(call->store, call->subject), winner,
                                   call->request->arena);
    return sr_append(call, &record, 1);
}

/* One try: true when the response is set. */
static bool append_version(struct sr_call *call, const struct sr_input *input)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    const struct sr_version *newest = sr_subject_version(subject, -1, true), *version;
    const struct sr_entry *same = sr_store_digest(call->store, call->subject, &input->content);
    struct sr_record *records =
        bs_arena_array(call->request->arena, (subject ? subject->count : 0) + 2, sizeof *records);
    struct sr_record record = {
        .kind = SR_RECORD_SCHEMA,
        .subject = call->subject,
        .version = newest ? newest->number + 1 : 1,
        .id = same ? same->id
                   : sr_gate_next_id(call->service->gate, call->store, &call->writer,
                                     &input->content),
        .content = input->content,
    };
    size_t count;
    int made;
    if (newest && newest->number == INT32_MAX) {
        sr_fail(call, 50001, "Subject %s has no version numbers left", call->subject);
        return true;
    }
    if (record.id == 0) {
        sr_fail(
            call, 50001,
            "The context of subject %s has no ids left: id %d is taken; register in another one",
            call->subject, INT32_MAX);
        return true;
    }
    /* The new version first: if the writes end between, nothing is lost. */
    if ((made = sr_context_record(call, &records[0])) < 0)
        return true;
    count = (size_t)made;
    records[count++] = record;
    count += add_tombstones(call, record.id, records + count);
    if (!sr_append(call, records, count))
        return true;
    version =
        sr_subject_version(sr_store_subject(call->store, call->subject), record.version, false);
    if (version == NULL || version->entry->id != record.id ||
        !sr_content_same_digest(&version->entry->content, &input->content))
        return !repair(call, record.version);
    sr_put_registered(call, call->subject, version);
    return true;
}

/* The newest live version with that id that has the content: the same may have been imported under
 * several ids. */
static const struct sr_version *version_of_id(struct sr_call *call, const struct sr_input *input)
{
    const struct sr_subject *subject = sr_store_subject(call->store, call->subject);
    for (size_t i = subject ? subject->count : 0; i-- > 0;) {
        const struct sr_version *version = &subject->versions[i];
        if (!version->deleted && version->entry->id == input->id)
            return sr_version_has(call->store, call->subject, version, &input->content) ? version
                                                                                        : NULL;
    }
    return NULL;
}

/* What stands for the same under the subject: any version, of that id where one is given, or only
 * the latest where "-1" asks for that. One that asks for its number is new, unless that number has
 * the id it asks for and the content. */
static const struct sr_version *known_version(struct sr_call *call, const struct sr_input *input)
{
    const struct sr_version *found;
    if (input->version == 0)
        return input->id >= 0 ? version_of_id(call, input)
                              : sr_content_find(call->store, call->subject, &input->content, false);
    if (input->version > 0 && input->id < 0)
        return NULL;
    found = sr_subject_version(sr_store_subject(call->store, call->subject), input->version, false);
    return found && (input->id < 0 || found->entry->id == input->id) &&
                   sr_version_has(call->store, call->subject, found, &input->content)
               ? found
               : NULL;
}

static void number_content(struct sr_call *call, struct sr_input *input)
{
    const struct sr_version *newest =
        sr_subject_version(sr_store_subject(call->store, call->subject), -1, true);
    sr_merge_number(&input->content, input->version != 0, newest ? newest->number + 1 : 1,
                    call->request->arena);
    sr_content_seal(&input->content, call->request->arena);
}

/* One try, decided on what is in the topic now: true when the response is set. */
static bool try_register(struct sr_call *call, struct sr_input input)
{
    const struct sr_version *known;
    struct bs_error err = {0};
    struct sd_schema *schema = NULL;
    const char **messages;
    size_t count;
    bool answered = true;
    if (sr_mode_import(sr_store_mode(call->store, call->subject))) {
        sr_again(call); /* the mode has changed while this waited to be the writer */
        return true;
    }
    if (sr_refuse_readonly(call) || !sr_input_complete(call, &input))
        return true;
    if (sr_input_parse(call, &input, true, &schema, &err) < 0) {
        sr_fail(call, 42201, "Invalid schema %.*s, details: %s",
                (int)(input.content.text.len > 2000 ? 2000 : input.content.text.len),
                (const char *)input.content.text.ptr, err.text);
        return true;
    }
    known = known_version(call, &input);
    if (known)
        sr_put_registered(call, call->subject, known);
    else if (check_version(call, &input)) {
        number_content(call, &input);
        if (!sr_flag(call, "force") &&
            !sr_compatible(call, &input, schema, NULL, &messages, &count))
            fail_incompatible(call, messages, count);
        else
            answered = append_version(call, &input);
    }
    sd_schema_unref(schema);
    return answered;
}

static void register_new(struct sr_call *call, const struct sr_input *input)
{
    for (int i = 0; i < TRIES; i++) {
        if (try_register(call, *input))
            return;
        /* Two that lose to each other again and again part by pauses of different length. */
        poll(NULL, 0, (int)((unsigned)getpid() * 2654435761u >> 16) % (PAUSE_MS * (i + 1)));
    }
    sr_fail(call, 50001, "Other processes write versions of subject %s at the same time",
            call->subject);
}

/* IMPORT: a schema comes with its id from another registry; nothing is checked but the id. */
static void import_version(struct sr_call *call, struct sr_input *input)
{
    const struct sr_subject *subject;
    const struct sr_version *newest, *version;
    const struct sr_entry *entry = sr_store_id(call->store, call->subject, input->id);
    struct sr_record record = {.kind = SR_RECORD_SCHEMA, .subject = call->subject}, records[2];
    struct sd_schema *schema = NULL;
    struct bs_error err = {0};
    size_t count;
    int made;
    if (!sr_mode_import(sr_store_mode(call->store, call->subject))) {
        sr_again(call); /* the mode has changed while this waited to be the writer */
        return;
    }
    if (input->id < 0) { /* what is live has been looked for before */
        sr_fail_mode(call, "is not in read-write mode");
        return;
    }
    if (input->id > IMPORT_MAX && entry == NULL) {
        sr_fail(call, 42205, "Id %d is too high to be imported: at most %d, so that new ids remain",
                input->id, IMPORT_MAX);
        return;
    }
    input->normalize = false;
    if (sr_input_parse(call, input, false, &schema, &err) < 0) {
        sr_fail(call, 42201, "Invalid schema of type AVRO, details: %s", err.text);
        return;
    }
    sd_schema_unref(schema);
    subject = sr_store_subject(call->store, call->subject); /* as it is now */
    newest = sr_subject_version(subject, -1, true);
    entry = sr_store_id(call->store, call->subject, input->id);
    if ((version = known_version(call, input))) {
        sr_put_registered(call, call->subject, version);
        return;
    }
    /* A soft-deleted one too: its id names its schema until it is deleted for good. */
    version = sr_subject_version(subject, input->version, true);
    if ((entry && !sr_content_same_digest(&entry->content, &input->content)) ||
        (input->version > 0 && version && version->entry->id != input->id)) {
        struct bs_bytes context = sr_name_split(call->subject).context;
        sr_fail(call, 42205, "Overwrite new schema with id %d in context %.*s is not permitted.",
                input->id, (int)context.len, (const char *)context.ptr);
        return;
    }
    record.id = input->id;
    record.content = input->content;
    record.version = input->version > 0 ? input->version : newest ? newest->number + 1 : 1;
    if ((made = sr_context_record(call, &records[0])) < 0)
        return;
    count = (size_t)made;
    records[count++] = record;
    if (!sr_append(call, records, count))
        return;
    version =
        sr_subject_version(sr_store_subject(call->store, call->subject), record.version, false);
    if (version && version->entry->id == record.id)
        sr_put_registered(call, call->subject, version);
    else
        sr_fail(call, 50001, "Another process writes to the topic at the same time");
}

static bool imports(struct sr_call *call)
{
    return sr_mode_import(sr_store_mode(call->store, call->subject));
}

/* Known already, without becoming a writer? true: the response is set. What is imported is taken as
 * it comes. */
static bool answer_known(struct sr_call *call, struct sr_input input)
{
    const struct sr_version *known;
    struct sd_schema *schema = NULL;
    struct bs_error err = {0};
    bool complete =
        !imports(call) && (input.empty || input.keep_tags || sr_input_has_presets(call));
    if (complete && !sr_input_complete(call, &input))
        return true;
    if (sr_input_parse(call, &input, false, &schema, &err) < 0) {
        sr_fail(call, 42201, "Invalid schema of type AVRO, details: %s", err.text);
        return true;
    }
    sd_schema_unref(schema);
    known = known_version(call, &input);
    if (known)
        sr_put_registered(call, call->subject, known);
    return known != NULL;
}

/* A follower knows what it knows; whatever it does not find is the leader's to judge. */
static void register_at_leader(struct sr_call *call, const struct sr_input *input)
{
    if (answer_known(call, *input) && call->response->status < 300)
        return;
    bs_buf_reset(&call->response->body);
    call->response->status = 0;
    if (sr_become_subject_writer(call))
        sr_again(call); /* leads by now */
}

/* Was it looked for before, where it must not wait? Then it is the writer's to look again. */
static bool looked_for(const struct sr_call *call)
{
    return call->request->may_block && call->request->body.len <= SR_HEAVY_BYTES;
}

void sr_register(struct sr_call *call, struct sr_input *input)
{
    if (sr_follows(call))
        register_at_leader(call, input);
    else if (!looked_for(call) && answer_known(call, *input))
        return;
    else if (!imports(call)) {
        if (sr_become_subject_writer(call))
            register_new(call, input);
    } else if (sr_become_writer(call))
        import_version(call, input);
}

/* A large schema is not parsed on a thread that serves connections; it may have to wait to be
 * written afterwards, so it is not one for the threads that only compute. */
static bool waits_to_parse(struct sr_call *call)
{
    call->later = call->request->body.len > SR_HEAVY_BYTES && !call->request->may_block;
    return call->later;
}

int sr_version_register(void *ctx, struct ht_request *request, struct ht_response *response)
{
    struct sr_call call;
    if (sr_begin_subject(&call, ctx, request, response)) {
        struct sr_input input;
        if (waits_to_parse(&call) || !sr_input_read(&call, &input))
            return sr_end(&call);
        if (input.empty && imports(&call))
            sr_fail(&call, 42201, "Empty schema");
        else
            sr_register(&call, &input);
    }
    return sr_end(&call);
}
