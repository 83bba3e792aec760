/* Subjects: see subject.h.
 *
 * Invariants: a space that ever had an id is not taken away, so that its highest is known. A
 * SCHEMA record whose id stands for other content, or whose version is live with another id, is
 * dropped: the first one in the topic wins, in every process alike. Its writer sees that, writes
 * the winner's record once more (compaction would keep only the last of a key) and tries again. */
#include "schema-registry/subject.h"

#include "lib/base/mem.h"
#include "schema-registry/referred.h"
#include "schema-registry/scope.h"
#include "schema-registry/spelling.h"

#include <stdlib.h>
#include <string.h>

struct sr_store {
    struct sr_subject **subjects; /* sorted by name */
    size_t count, cap;
    struct sr_space **spaces; /* sorted by context; the first is the default one's */
    size_t space_count;
    struct sr_spelling *spellings;
    struct sr_referred *referred;
    enum sr_level level;      /* of the server's options */
    struct sr_config *config; /* or NULL */
    enum sr_mode mode;
};

struct sr_store *sr_store_new(enum sr_level level)
{
    struct sr_store *store = bs_new(struct sr_store);
    store->level = level;
    store->spaces = bs_new(struct sr_space *);
    store->spaces[store->space_count++] = sr_space_new(bs_bytes_text(SR_CONTEXT_DEFAULT));
    return store;
}

static void extra_free(struct sr_extra *extra)
{
    if (extra)
        bs_arena_deinit(&extra->arena);
    bs_free(extra);
}

static void subject_free(struct sr_subject *subject)
{
    for (size_t i = 0; i < subject->count; i++)
        extra_free(subject->versions[i].extra);
    sr_config_free(subject->config);
    bs_free(subject->versions);
    bs_free(subject);
}

void sr_store_free(struct sr_store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->count; i++)
        subject_free(store->subjects[i]);
    for (size_t i = 0; i < store->space_count; i++)
        sr_space_free(store->spaces[i]);
    sr_spelling_free(&store->spellings);
    sr_referred_free(&store->referred);
    sr_config_free(store->config);
    bs_free(store->spaces);
    bs_free(store->subjects);
    bs_free(store);
}

/* ---- lookups ---- */

size_t sr_store_subject_count(const struct sr_store *store)
{
    return store->count;
}

const struct sr_subject *sr_store_subject_at(const struct sr_store *store, size_t i)
{
    return store->subjects[i];
}

/* Where the name is, or would be. */
static size_t subject_place(const struct sr_store *store, const char *name, bool *ret_there)
{
    size_t low = 0, high = store->count;
    *ret_there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(store->subjects[middle]->name, name);
        if (order == 0) {
            *ret_there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct sr_subject *sr_store_subject(const struct sr_store *store, const char *name)
{
    bool there;
    size_t at = subject_place(store, name, &there);
    return there ? store->subjects[at] : NULL;
}

const struct sr_subject *sr_store_subject_in(const struct sr_store *store,
                                             const struct sr_space *space, const char *bare)
{
    const struct sr_subject *subject;
    struct bs_buf name = BS_BUF_INIT;
    if (space == store->spaces[0])
        return sr_store_subject(store, bare);
    bs_buf_printf(&name, ":%s:%s", space->context, bare);
    subject = sr_store_subject(store, bs_buf_text(&name));
    bs_buf_deinit(&name);
    return subject;
}

static size_t space_place(const struct sr_store *store, struct bs_bytes context, bool *ret_there)
{
    size_t at = 0;
    int order = 1;
    while (at < store->space_count &&
           (order = bs_bytes_compare(bs_bytes_text(store->spaces[at]->context), context)) < 0)
        at++;
    *ret_there = at < store->space_count && order == 0;
    return at;
}

size_t sr_store_space_count(const struct sr_store *store)
{
    return store->space_count;
}

const struct sr_space *sr_store_space_at(const struct sr_store *store, size_t i)
{
    return store->spaces[i];
}

const struct sr_space *sr_store_space(const struct sr_store *store, const char *name)
{
    bool there;
    size_t at;
    if (name == NULL || sr_name_is_default(name))
        return store->spaces[0];
    at = space_place(store, sr_name_split(name).context, &there);
    return there ? store->spaces[at] : NULL;
}

const struct sr_entry *sr_store_id(const struct sr_store *store, const char *name, int32_t id)
{
    return sr_space_id(sr_store_space(store, name), id);
}

const struct sr_entry *sr_store_digest(const struct sr_store *store, const char *name,
                                       const struct sr_content *content)
{
    return sr_space_digest(sr_store_space(store, name), content);
}

int32_t sr_store_max_id(const struct sr_store *store, const char *name)
{
    const struct sr_space *space = sr_store_space(store, name);
    return space ? space->max_id : 0;
}

size_t sr_store_entry_count(const struct sr_store *store)
{
    size_t count = 0;
    for (size_t i = 0; i < store->space_count; i++)
        count += store->spaces[i]->entries;
    return count;
}

bool sr_subject_live(const struct sr_subject *subject)
{
    return sr_subject_version(subject, -1, false) != NULL;
}

const struct sr_version *sr_subject_version(const struct sr_subject *subject, int number,
                                            bool deleted_too)
{
    for (size_t i = subject ? subject->count : 0; i-- > 0;) {
        const struct sr_version *version = &subject->versions[i];
        if ((number == -1 || version->number == number) && (deleted_too || !version->deleted))
            return version;
    }
    return NULL;
}

const struct sr_version *sr_subject_find(const struct sr_subject *subject,
                                         const struct sr_content *content, bool deleted_too)
{
    for (size_t i = subject ? subject->count : 0; i-- > 0;) {
        const struct sr_version *version = &subject->versions[i];
        if ((deleted_too || !version->deleted) &&
            sr_content_same_digest(content, &version->entry->content))
            return version;
    }
    for (size_t i = subject ? subject->count : 0; i-- > 0;) {
        const struct sr_version *version = &subject->versions[i];
        if ((deleted_too || !version->deleted) && !version->entry->other_type &&
            sr_content_matches(content, &version->entry->content, version->number))
            return version;
    }
    return NULL;
}

static bool refers_to(const char *referrer, const struct sr_content *content, const char *subject,
                      int version)
{
    for (size_t i = 0; i < content->ref_count; i++)
        if (content->refs[i].version == version &&
            sr_name_means(referrer, content->refs[i].subject, subject))
            return true;
    return false;
}

size_t sr_store_referrers(const struct sr_store *store, const char *subject, int version,
                          bool deleted_too, int32_t **ret_ids)
{
    size_t count = 0;
    if (ret_ids)
        *ret_ids = NULL;
    if (sr_referred_count(store->referred, subject) == 0)
        return 0;
    for (size_t i = 0; i < store->count; i++) {
        const struct sr_subject *referrer = store->subjects[i];
        for (size_t k = 0; k < referrer->count; k++) {
            const struct sr_version *v = &referrer->versions[k];
            bool known = false;
            if ((v->deleted && !deleted_too) ||
                !refers_to(referrer->name, &v->entry->content, subject, version))
                continue;
            for (size_t j = 0; ret_ids && j < count && !known; j++)
                known = (*ret_ids)[j] == v->entry->id;
            if (known)
                continue;
            if (ret_ids) {
                *ret_ids = bs_realloc(*ret_ids, (count + 1) * sizeof **ret_ids);
                (*ret_ids)[count] = v->entry->id;
            }
            count++;
        }
    }
    return count;
}

bool sr_store_referred_by_others(const struct sr_store *store, const char *subject, int version,
                                 bool deleted_too)
{
    if (sr_referred_count(store->referred, subject) == 0)
        return false;
    for (size_t i = 0; i < store->count; i++) {
        const struct sr_subject *referrer = store->subjects[i];
        for (size_t k = 0; k < referrer->count && strcmp(referrer->name, subject) != 0; k++) {
            const struct sr_version *v = &referrer->versions[k];
            if ((deleted_too || !v->deleted) &&
                refers_to(referrer->name, &v->entry->content, subject, version))
                return true;
        }
    }
    return false;
}

const struct sr_config *sr_store_config(const struct sr_store *store, const char *name)
{
    const struct sr_subject *s = name ? sr_store_subject(store, name) : NULL;
    return name ? (s ? s->config : NULL) : store->config;
}

enum sr_mode sr_store_own_mode(const struct sr_store *store, const char *name)
{
    const struct sr_subject *s = name ? sr_store_subject(store, name) : NULL;
    return name ? (s ? s->mode : SR_MODE_UNSET) : store->mode;
}

enum sr_level sr_store_default_level(const struct sr_store *store)
{
    return store->level;
}

size_t sr_store_spellings(const struct sr_store *store, const struct sr_record *record,
                          const struct bs_bytes **ret)
{
    struct bs_buf ours = BS_BUF_INIT;
    size_t count;
    sr_record_put_key(record, &ours);
    count = sr_spelling_find(store->spellings, bs_buf_bytes(&ours), ret);
    bs_buf_deinit(&ours);
    return count;
}

/* ---- applying records ---- */

static struct sr_space *space_get(struct sr_store *store, struct bs_bytes context)
{
    bool there;
    size_t at = space_place(store, context, &there);
    if (there)
        return store->spaces[at];
    store->spaces = bs_realloc(store->spaces, (store->space_count + 1) * sizeof(*store->spaces));
    memmove(store->spaces + at + 1, store->spaces + at,
            (store->space_count - at) * sizeof(*store->spaces));
    store->space_count++;
    return store->spaces[at] = sr_space_new(context);
}

static struct sr_subject *subject_get(struct sr_store *store, const char *name)
{
    bool there;
    size_t at = subject_place(store, name, &there);
    struct sr_subject *subject;
    if (there)
        return store->subjects[at];
    if (store->count == store->cap) {
        store->cap = store->cap ? store->cap * 2 : 16;
        store->subjects = bs_realloc(store->subjects, store->cap * sizeof(*store->subjects));
    }
    memmove(store->subjects + at + 1, store->subjects + at,
            (store->count - at) * sizeof(*store->subjects));
    subject = bs_zalloc(sizeof *subject + strlen(name) + 1);
    memcpy(subject->name, name, strlen(name) + 1);
    subject->space = space_get(store, sr_name_split(name).context);
    subject->space->subjects++;
    store->subjects[at] = subject;
    store->count++;
    return subject;
}

/* Settings alone make no context. */
static void space_drop_empty(struct sr_store *store, struct sr_space *space)
{
    bool there;
    size_t at = space_place(store, bs_bytes_text(space->context), &there);
    if (at == 0 || space->subjects || space->declared || space->max_id > 0)
        return;
    memmove(store->spaces + at, store->spaces + at + 1,
            (store->space_count - at - 1) * sizeof(*store->spaces));
    store->space_count--;
    sr_space_free(space);
}

static void subject_drop_empty(struct sr_store *store, struct sr_subject *subject)
{
    bool there;
    size_t at;
    if (subject->count || subject->config || subject->mode != SR_MODE_UNSET)
        return;
    at = subject_place(store, subject->name, &there);
    memmove(store->subjects + at, store->subjects + at + 1,
            (store->count - at - 1) * sizeof(*store->subjects));
    store->count--;
    subject->space->subjects--;
    space_drop_empty(store, subject->space);
    subject_free(subject);
}

static size_t version_place(const struct sr_subject *subject, int number, bool *ret_there)
{
    size_t at = subject->count;
    while (at > 0 && subject->versions[at - 1].number >= number)
        at--;
    *ret_there = at < subject->count && subject->versions[at].number == number;
    return at;
}

static bool uses_entry(const struct sr_subject *subject, const struct sr_entry *entry)
{
    for (size_t i = 0; i < subject->count; i++)
        if (subject->versions[i].entry == entry)
            return true;
    return false;
}

/* One use less, by a version that the subject has no more. */
static void entry_release(struct sr_store *store, struct sr_subject *subject,
                          struct sr_entry *entry)
{
    size_t i = 0;
    sr_referred_remove(&store->referred, subject->name, &entry->content);
    if (entry->uses > 1 && entry->holder == subject->name && !uses_entry(subject, entry)) {
        while (i < store->count && !uses_entry(store->subjects[i], entry))
            i++;
        entry->holder = i < store->count ? store->subjects[i]->name : NULL;
    }
    sr_space_release(subject->space, entry);
}

static void version_remove(struct sr_store *store, struct sr_subject *subject, size_t at)
{
    struct sr_version version = subject->versions[at];
    memmove(subject->versions + at, subject->versions + at + 1,
            (subject->count - at - 1) * sizeof *subject->versions);
    subject->count--;
    entry_release(store, subject, version.entry);
    extra_free(version.extra);
}

static void version_make_room(struct sr_subject *subject, size_t at)
{
    if (subject->count == subject->cap) {
        subject->cap = subject->cap ? subject->cap * 2 : 1;
        subject->versions = bs_realloc(subject->versions, subject->cap * sizeof *subject->versions);
    }
    memmove(subject->versions + at + 1, subject->versions + at,
            (subject->count - at) * sizeof *subject->versions);
    subject->count++;
}

static struct sr_extra *extra_new(const struct sd_value *members)
{
    struct sr_extra *extra;
    if (members == NULL)
        return NULL;
    extra = bs_new(struct sr_extra);
    extra->members = sd_value_copy(&extra->arena, members);
    return extra;
}

/* A leader's record says what the id stands for. Who uses it otherwise is a loser that compaction
 * has left without the claim that made it one; a record of another product is never that. */
static struct sr_entry *take_from_loser(struct sr_store *store, struct sr_space *space,
                                        const struct sr_record *record)
{
    bool decided = true;
    space->subjects++; /* or it would go with the last of them */
    for (int round = 0; round < 2 && decided; round++)
        for (size_t i = store->count; i-- > 0;) {
            struct sr_subject *subject = store->subjects[i];
            if (subject->space != space)
                continue;
            for (size_t k = subject->count; k-- > 0;) {
                if (subject->versions[k].entry->id != record->id)
                    continue;
                if (round == 0)
                    decided = decided && subject->versions[k].decided;
                else
                    version_remove(store, subject, k);
            }
            if (round == 1)
                subject_drop_empty(store, subject);
        }
    space->subjects--;
    return decided ? sr_space_take(space, record->id, record->type, &record->content) : NULL;
}

static int apply_schema(struct sr_store *store, const struct sr_record *record,
                        struct bs_error *err)
{
    struct sr_space *space = space_get(store, sr_name_split(record->subject).context);
    struct sr_version replaced = {0};
    struct sr_subject *subject;
    const struct sr_version *old;
    struct sr_entry *entry;
    bool there;
    size_t at;
    if (record->id > space->max_id)
        space->max_id = record->id;
    old = sr_subject_version(sr_store_subject(store, record->subject), record->version, false);
    if (old && old->entry->id != record->id && !(record->decided && old->decided))
        return bs_error_set(err, BS_ECONFLICT, "version %d of subject %s has id %d already, not %d",
                            record->version, record->subject, (int)old->entry->id, (int)record->id);
    entry = sr_space_take(space, record->id, record->type, &record->content);
    if (entry == NULL && record->decided)
        entry = take_from_loser(store, space, record);
    if (entry == NULL)
        return bs_error_set(err, BS_ECONFLICT,
                            "version %d of subject %s: id %d stands for another schema already",
                            record->version, record->subject, (int)record->id);
    subject = subject_get(store, record->subject);
    at = version_place(subject, record->version, &there);
    if (there)
        replaced = subject->versions[at];
    else
        version_make_room(subject, at);
    sr_referred_add(&store->referred, subject->name, &entry->content);
    subject->versions[at] = (struct sr_version){.number = record->version,
                                                .deleted = record->deleted,
                                                .decided = record->decided,
                                                .timestamp_ms = record->timestamp_ms,
                                                .entry = entry,
                                                .extra = extra_new(record->extra)};
    if (entry->holder == NULL)
        entry->holder = subject->name;
    if (replaced.entry)
        entry_release(store, subject, replaced.entry);
    extra_free(replaced.extra);
    return 0;
}

static void remove_version(struct sr_store *store, const struct sr_record *record)
{
    bool there;
    size_t at = subject_place(store, record->subject, &there);
    struct sr_subject *subject = there ? store->subjects[at] : NULL;
    if (subject == NULL)
        return;
    at = version_place(subject, record->version, &there);
    if (there)
        version_remove(store, subject, at);
    /* With the last version the config goes too (Confluent, permanent delete) – by its own record;
     * an empty subject without config is nothing. */
    subject_drop_empty(store, subject);
}

static void delete_subject(struct sr_store *store, const struct sr_record *record)
{
    bool there;
    size_t at = subject_place(store, record->subject, &there);
    for (size_t i = 0; there && i < store->subjects[at]->count; i++)
        if (store->subjects[at]->versions[i].number <= record->version)
            store->subjects[at]->versions[i].deleted = true;
}

/* All soft-deleted versions in the scope; without a subject those of every context. */
static void clear_subject(struct sr_store *store, const struct sr_record *record)
{
    const char *scope = record->subject ? record->subject : SR_SCOPE_GLOBAL;
    for (size_t i = store->count; i-- > 0;) {
        struct sr_subject *subject = store->subjects[i];
        if (!sr_scope_covers(scope, subject->name))
            continue;
        for (size_t k = subject->count; k-- > 0;)
            if (subject->versions[k].deleted)
                version_remove(store, subject, k);
        subject_drop_empty(store, subject);
    }
}

static void apply_config(struct sr_store *store, const struct sr_record *record)
{
    struct sr_config *config = sr_config_new(record->tombstone ? NULL : &record->value);
    struct sr_subject *subject;
    if (record->subject == NULL) {
        sr_config_free(store->config);
        store->config = config;
        return;
    }
    subject = subject_get(store, record->subject);
    sr_config_free(subject->config);
    subject->config = config;
    subject_drop_empty(store, subject);
}

static void apply_mode(struct sr_store *store, const struct sr_record *record)
{
    const struct sd_value *value = sd_value_get(&record->value, bs_bytes_text("mode"));
    enum sr_mode mode = SR_MODE_UNSET;
    struct sr_subject *subject;
    char text[32];
    if (!record->tombstone && value && value->type == SD_STRING && value->bytes.len < sizeof text) {
        memcpy(text, value->bytes.ptr, value->bytes.len);
        text[value->bytes.len] = '\0';
        mode = sr_mode_parse(text);
    }
    if (record->subject == NULL) {
        store->mode = mode;
        return;
    }
    subject = subject_get(store, record->subject);
    subject->mode = mode;
    subject_drop_empty(store, subject);
}

static void raise_max(struct sr_space *space, const struct sd_value *id)
{
    if (id && id->type == SD_LONG && id->number <= INT32_MAX && id->number > space->max_id)
        space->max_id = (int32_t)id->number;
}

/* Our NOOP records carry the highest ids: see sr_store_mark. Others' have no value. */
static void apply_noop(struct sr_store *store, const struct sr_record *record)
{
    const struct sd_value *contexts = sd_value_get(&record->value, bs_bytes_text("contexts"));
    if (record->tombstone)
        return;
    raise_max(store->spaces[0], sd_value_get(&record->value, bs_bytes_text("maxId")));
    for (size_t i = 0; contexts && contexts->type == SD_MAP && i < contexts->map.count; i++)
        if (sr_context_valid(contexts->map.fields[i].name))
            raise_max(space_get(store, contexts->map.fields[i].name),
                      &contexts->map.fields[i].value);
}

static void apply_context(struct sr_store *store, const struct sr_record *record)
{
    struct sr_space *space = space_get(store, bs_bytes_text(record->context));
    space->declared = !record->tombstone;
    space_drop_empty(store, space);
}

static void remember_spelling(struct sr_store *store, const struct sr_record *record)
{
    struct sr_record own = *record;
    struct bs_buf ours = BS_BUF_INIT;
    if (record->spelling.ptr == NULL)
        return;
    own.spelling = bs_bytes(NULL, 0);
    sr_record_put_key(&own, &ours);
    if (record->tombstone)
        sr_spelling_remove(&store->spellings, bs_buf_bytes(&ours), record->spelling);
    else
        sr_spelling_add(&store->spellings, bs_buf_bytes(&ours), record->spelling);
    bs_buf_deinit(&ours);
}

int sr_store_apply(struct sr_store *store, const struct sr_record *record, struct bs_error *err)
{
    remember_spelling(store, record);
    switch (record->kind) {
    case SR_RECORD_SCHEMA:
        if (!record->tombstone)
            return apply_schema(store, record, err);
        remove_version(store, record);
        return 0;
    case SR_RECORD_DELETE_SUBJECT:
        if (!record->tombstone)
            delete_subject(store, record);
        return 0;
    case SR_RECORD_CLEAR_SUBJECT:
        if (!record->tombstone)
            clear_subject(store, record);
        return 0;
    case SR_RECORD_CONFIG:
        apply_config(store, record);
        return 0;
    case SR_RECORD_MODE:
        apply_mode(store, record);
        return 0;
    case SR_RECORD_NOOP:
        apply_noop(store, record);
        return 0;
    case SR_RECORD_CONTEXT:
        apply_context(store, record);
        return 0;
    case SR_RECORD_ASSOC:
        return 0;
    case SR_RECORD_UNKNOWN:
        break;
    }
    return bs_error_set(err, BS_EUNSUPPORTED, "a record of unknown kind is ignored");
}
