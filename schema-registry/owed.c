/* Owed: see owed.h. */
#include "schema-registry/owed.h"

#include "lib/base/mem.h"
#include "schema-registry/scope.h"

#include <stdio.h>
#include <string.h>

void sr_owed_init(struct sr_owed_list *list)
{
    *list = (struct sr_owed_list){0};
    list->end = &list->first;
}

static void owed_free(struct sr_owed *owed)
{
    bs_free((char *)owed->key.subject);
    bs_free((char *)owed->key.context);
    bs_free((uint8_t *)owed->key.spelling.ptr);
    bs_free(owed);
}

void sr_owed_deinit(struct sr_owed_list *list)
{
    while (list->first) {
        struct sr_owed *owed = list->first;
        list->first = owed->next;
        owed_free(owed);
    }
    sr_owed_init(list);
}

static bool same_key(const struct sr_record *a, const struct sr_record *b)
{
    if (a->kind != b->kind || (a->subject == NULL) != (b->subject == NULL) ||
        (a->subject && strcmp(a->subject, b->subject) != 0))
        return false;
    if (!bs_bytes_equal(a->spelling, b->spelling) ||
        (a->kind == SR_RECORD_CONTEXT && strcmp(a->context, b->context) != 0))
        return false;
    return (a->kind != SR_RECORD_SCHEMA || a->version == b->version) &&
           (a->kind != SR_RECORD_NOOP || a->epoch == b->epoch);
}

bool sr_owed_add(struct sr_owed_list *list, const struct sr_record *key, int64_t below)
{
    struct sr_owed *owed;
    if (list->count < 64) /* else it may stand there twice, and be paid twice */
        for (owed = list->first; owed; owed = owed->next)
            if (same_key(&owed->key, key)) {
                owed->below = below;
                return true;
            }
    if (list->count >= SR_OWED_MAX)
        return false;
    owed = bs_new(struct sr_owed);
    owed->key = (struct sr_record){
        .kind = key->kind, .version = key->version, .epoch = key->epoch, .tombstone = true};
    owed->key.subject = key->subject ? bs_strdup(key->subject) : NULL;
    owed->key.context = key->context ? bs_strdup(key->context) : NULL;
    if (key->spelling.ptr)
        owed->key.spelling =
            bs_bytes(bs_memdup(key->spelling.ptr, key->spelling.len), key->spelling.len);
    owed->below = below;
    *list->end = owed;
    list->end = &owed->next;
    list->count++;
    return true;
}

void sr_owed_settle(struct sr_owed_list *list, const struct sr_record *key)
{
    for (struct sr_owed **at = &list->first; *at;) {
        struct sr_owed *owed = *at;
        if (!same_key(&owed->key, key)) {
            at = &owed->next;
            continue;
        }
        *at = owed->next;
        if (list->end == &owed->next)
            list->end = at;
        owed_free(owed);
        list->count--;
        if (list->count < 64)
            continue;
        break; /* in a long list the first is the one: they come in its order */
    }
}

const struct sr_owed *sr_owed_next(const struct sr_owed_list *list, int64_t epoch)
{
    const struct sr_owed *claim = NULL;
    for (const struct sr_owed *owed = list->first; owed; owed = owed->next) {
        if (owed->below >= epoch)
            continue;
        if (owed->key.kind != SR_RECORD_NOOP)
            return owed;
        if (claim == NULL)
            claim = owed;
    }
    return claim;
}

bool sr_owed_due(const struct sr_owed_list *list, int64_t epoch)
{
    return sr_owed_next(list, epoch) != NULL;
}

/* ---- what is in force ---- */

static void put_mode(struct sr_record *to, enum sr_mode mode, struct bs_arena *arena)
{
    struct sd_field *fields = bs_arena_array(arena, 2, sizeof *fields);
    size_t count = 0;
    if (to->subject) {
        fields[count].name = bs_bytes_text("subject");
        fields[count++].value =
            (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(to->subject)};
    }
    fields[count].name = bs_bytes_text("mode");
    fields[count++].value =
        (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(sr_mode_name(mode))};
    to->tombstone = false;
    to->value = (struct sd_value){.type = SD_MAP, .map = {.fields = fields, .count = count}};
}

/* The soft-deleted versions that such a mark may hit: a mark that is not in force (or one that
 * would hit others now) is replaced by the versions themselves. */
static size_t put_deleted(const struct sr_store *store, const struct sr_record *mark,
                          struct bs_arena *arena, struct sr_record *records)
{
    size_t count = 0;
    for (size_t i = 0; i < sr_store_subject_count(store); i++) {
        const struct sr_subject *subject = sr_store_subject_at(store, i);
        if (mark->kind == SR_RECORD_CLEAR_SUBJECT ? !sr_scope_covers(mark->subject, subject->name)
                                                  : strcmp(mark->subject, subject->name) != 0)
            continue;
        for (size_t k = 0; k < subject->count; k++)
            if (subject->versions[k].deleted) {
                if (records)
                    records[count] = sr_version_record(subject, &subject->versions[k], arena);
                count++;
            }
    }
    return count;
}

/* A mark and what it must not change; the versions come first where the mark itself goes. */
static size_t pay_mark(const struct sr_store *store, struct sr_record mark, struct bs_arena *arena,
                       struct sr_record **ret_records)
{
    size_t deleted = put_deleted(store, &mark, arena, NULL);
    struct sr_record *list = bs_arena_array(arena, deleted + 1, sizeof *list);
    bool clears = mark.kind == SR_RECORD_CLEAR_SUBJECT;
    *ret_records = list;
    if (clears) { /* an older one may have cleared what is still in the topic */
        struct sd_field *field = bs_arena_zalloc(arena, sizeof *field);
        field->name = bs_bytes_text("subject");
        if (mark.subject)
            field->value =
                (struct sd_value){.type = SD_STRING, .bytes = bs_bytes_text(mark.subject)};
        mark.tombstone = false;
        mark.value = (struct sd_value){.type = SD_MAP,
                                       .map = {.fields = field, .count = mark.subject != NULL}};
    }
    list[clears ? 0 : deleted] = mark;
    put_deleted(store, &mark, arena, clears ? list + 1 : list);
    return deleted + 1;
}

void sr_owed_pay(const struct sr_store *store, const struct sr_record *key, struct bs_arena *arena,
                 struct sr_record **ret_records, size_t *ret_count)
{
    struct sr_record record = *key;
    const struct sr_subject *subject = key->subject ? sr_store_subject(store, key->subject) : NULL;
    const struct sr_version *version = NULL;
    const struct sr_config *config;
    record.tombstone = true;
    if (key->spelling.ptr == NULL && key->kind == SR_RECORD_SCHEMA)
        version = sr_subject_version(subject, key->version, true);
    if (version) {
        record = sr_version_record(subject, version, arena);
    } else if (key->spelling.ptr) {
        ; /* what is in force stands under our own key */
    } else if (key->kind == SR_RECORD_DELETE_SUBJECT || key->kind == SR_RECORD_CLEAR_SUBJECT) {
        *ret_count = pay_mark(store, record, arena, ret_records);
        return;
    } else if (key->kind == SR_RECORD_CONFIG) {
        config = sr_store_config(store, key->subject);
        record.tombstone = config == NULL;
        if (config)
            record.value = *sd_value_copy(arena, config->json);
    } else if (key->kind == SR_RECORD_MODE) {
        if (sr_store_own_mode(store, key->subject) != SR_MODE_UNSET)
            put_mode(&record, sr_store_own_mode(store, key->subject), arena);
    } else if (key->kind == SR_RECORD_CONTEXT) {
        char name[SR_CONTEXT_MAX + 3];
        const struct sr_space *space;
        snprintf(name, sizeof name, ":%s:", key->context);
        space = sr_store_space(store, name);
        record.tombstone = space == NULL || !space->declared;
    }
    *ret_records = bs_arena_array(arena, 1, sizeof **ret_records);
    (*ret_records)[0] = record;
    *ret_count = 1;
}
