/* Subjects: see subject.h.
 *
 * Invariants: an entry has at least one version that uses it; ids and digests of entries are
 * unique; max_id never goes down. A SCHEMA record whose id stands for other content, or whose
 * version is live with another id, is dropped: the first one in the topic wins, in every process
 * alike. Its writer sees that, writes the winner's record once more (compaction would keep only the
 * last of a key) and tries again. */
#include "schema-registry/subject.h"

#include "lib/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define uthash_malloc(size)    bs_alloc(size)
#define uthash_free(ptr, size) bs_free(ptr)
#include <uthash.h>

struct slot {
    struct sr_entry entry;
    UT_hash_handle by_id, by_digest;
};

struct sr_store {
    struct sr_subject **subjects; /* sorted by name */
    size_t count, cap;
    struct slot *ids, *digests;
    int32_t max_id;
    enum sr_level level; /* of the server's options */
    struct sr_config config;
    enum sr_mode mode;
};

static const char *const mode_names[] = {
    [SR_MODE_UNSET] = "UNSET",
    [SR_MODE_READWRITE] = "READWRITE",
    [SR_MODE_READONLY] = "READONLY",
    [SR_MODE_IMPORT] = "IMPORT",
};

const char *sr_mode_name(enum sr_mode mode)
{
    return mode_names[mode];
}

enum sr_mode sr_mode_parse(const char *text)
{
    for (int i = SR_MODE_READWRITE; i <= SR_MODE_IMPORT; i++)
        if (strcasecmp(text, mode_names[i]) == 0)
            return (enum sr_mode)i;
    return SR_MODE_UNSET;
}

struct sr_store *sr_store_new(enum sr_level level)
{
    struct sr_store *store = bs_new(struct sr_store);
    store->level = level;
    store->config.level = SR_LEVEL_UNSET;
    return store;
}

static void subject_free(struct sr_subject *subject)
{
    bs_arena_deinit(&subject->config.arena);
    bs_free(subject->versions);
    bs_free(subject->name);
    bs_free(subject);
}

static void slot_free(struct sr_store *store, struct slot *slot)
{
    HASH_DELETE(by_id, store->ids, slot);
    HASH_DELETE(by_digest, store->digests, slot);
    bs_arena_deinit(&slot->entry.arena);
    bs_free(slot);
}

void sr_store_free(struct sr_store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->count; i++)
        subject_free(store->subjects[i]);
    while (store->ids)
        slot_free(store, store->ids);
    bs_arena_deinit(&store->config.arena);
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

const struct sr_entry *sr_store_id(const struct sr_store *store, int32_t id)
{
    struct slot *slot;
    HASH_FIND(by_id, store->ids, &id, sizeof id, slot);
    return slot ? &slot->entry : NULL;
}

const struct sr_entry *sr_store_digest(const struct sr_store *store,
                                       const struct sr_content *content)
{
    struct slot *slot;
    HASH_FIND(by_digest, store->digests, content->digest, SR_DIGEST_SIZE, slot);
    return slot ? &slot->entry : NULL;
}

size_t sr_store_entry_count(const struct sr_store *store)
{
    return HASH_CNT(by_id, store->ids);
}

int32_t sr_store_max_id(const struct sr_store *store)
{
    return store->max_id;
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
            sr_content_matches(content, &version->entry->content))
            return version;
    }
    return NULL;
}

static bool refers_to(const struct sr_content *content, const char *subject, int version)
{
    for (size_t i = 0; i < content->ref_count; i++)
        if (content->refs[i].version == version && strcmp(content->refs[i].subject, subject) == 0)
            return true;
    return false;
}

size_t sr_store_referrers(const struct sr_store *store, const char *subject, int version,
                          bool deleted_too, int32_t **ret_ids)
{
    size_t count = 0;
    if (ret_ids)
        *ret_ids = NULL;
    for (size_t i = 0; i < store->count; i++) {
        for (size_t k = 0; k < store->subjects[i]->count; k++) {
            const struct sr_version *v = &store->subjects[i]->versions[k];
            bool known = false;
            if ((v->deleted && !deleted_too) || !refers_to(&v->entry->content, subject, version))
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

/* ---- effective settings: the subject's own, else the global ones, else the server's ---- */

const struct sr_config *sr_store_config(const struct sr_store *store, const char *subject)
{
    const struct sr_subject *s = subject ? sr_store_subject(store, subject) : NULL;
    const struct sr_config *config = subject ? (s ? &s->config : NULL) : &store->config;
    return config && config->present ? config : NULL;
}

enum sr_level sr_store_level(const struct sr_store *store, const char *subject)
{
    const struct sr_config *config = subject ? sr_store_config(store, subject) : NULL;
    if (config && config->level != SR_LEVEL_UNSET)
        return config->level;
    return store->config.level != SR_LEVEL_UNSET ? store->config.level : store->level;
}

bool sr_store_normalize(const struct sr_store *store, const char *subject)
{
    const struct sr_config *config = subject ? sr_store_config(store, subject) : NULL;
    if (config && config->normalize >= 0)
        return config->normalize == 1;
    return store->config.present && store->config.normalize == 1;
}

const char *sr_store_group(const struct sr_store *store, const char *subject)
{
    const struct sr_config *config = subject ? sr_store_config(store, subject) : NULL;
    if (config && config->group)
        return config->group;
    return store->config.present ? store->config.group : NULL;
}

enum sr_mode sr_store_own_mode(const struct sr_store *store, const char *subject)
{
    const struct sr_subject *s = subject ? sr_store_subject(store, subject) : NULL;
    return subject ? (s ? s->mode : SR_MODE_UNSET) : store->mode;
}

enum sr_mode sr_store_mode(const struct sr_store *store, const char *subject)
{
    enum sr_mode own = sr_store_own_mode(store, subject);
    if (own == SR_MODE_UNSET)
        own = store->mode;
    return own == SR_MODE_UNSET ? SR_MODE_READWRITE : own;
}

/* ---- applying records ---- */

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
    subject = bs_new(struct sr_subject);
    subject->name = bs_strdup(name);
    subject->config.level = SR_LEVEL_UNSET;
    store->subjects[at] = subject;
    store->count++;
    return subject;
}

static void subject_drop_empty(struct sr_store *store, struct sr_subject *subject)
{
    bool there;
    size_t at;
    if (subject->count || subject->config.present || subject->mode != SR_MODE_UNSET)
        return;
    at = subject_place(store, subject->name, &there);
    memmove(store->subjects + at, store->subjects + at + 1,
            (store->count - at - 1) * sizeof(*store->subjects));
    store->count--;
    subject_free(subject);
}

static void entry_release(struct sr_store *store, struct sr_entry *entry)
{
    if (--entry->uses == 0)
        slot_free(store, (struct slot *)entry);
}

static struct sr_entry *entry_get(struct sr_store *store, const struct sr_record *record)
{
    struct slot *slot;
    HASH_FIND(by_id, store->ids, &record->id, sizeof record->id, slot);
    if (slot)
        return sr_content_same_digest(&slot->entry.content, &record->content) ? &slot->entry : NULL;
    slot = bs_new(struct slot);
    slot->entry.id = record->id;
    slot->entry.other_type = record->other_type;
    sr_content_copy(&slot->entry.content, &record->content, &slot->entry.arena);
    HASH_ADD(by_id, store->ids, entry.id, sizeof slot->entry.id, slot);
    HASH_ADD(by_digest, store->digests, entry.content.digest, SR_DIGEST_SIZE, slot);
    return &slot->entry;
}

static size_t version_place(const struct sr_subject *subject, int number, bool *ret_there)
{
    size_t at = subject->count;
    while (at > 0 && subject->versions[at - 1].number >= number)
        at--;
    *ret_there = at < subject->count && subject->versions[at].number == number;
    return at;
}

static void version_remove(struct sr_store *store, struct sr_subject *subject, size_t at)
{
    struct sr_entry *entry = subject->versions[at].entry;
    memmove(subject->versions + at, subject->versions + at + 1,
            (subject->count - at - 1) * sizeof *subject->versions);
    subject->count--;
    entry_release(store, entry);
}

static int apply_schema(struct sr_store *store, const struct sr_record *record,
                        struct bs_error *err)
{
    struct sr_subject *subject;
    const struct sr_version *old;
    struct sr_entry *entry;
    bool there;
    size_t at;
    if (record->id > store->max_id)
        store->max_id = record->id;
    subject = (struct sr_subject *)sr_store_subject(store, record->subject);
    old = sr_subject_version(subject, record->version, false);
    if (old && old->entry->id != record->id)
        return bs_error_set(err, BS_ECONFLICT, "version %d of subject %s has id %d already, not %d",
                            record->version, record->subject, (int)old->entry->id, (int)record->id);
    entry = entry_get(store, record);
    if (entry == NULL)
        return bs_error_set(err, BS_ECONFLICT,
                            "version %d of subject %s: id %d stands for another schema already",
                            record->version, record->subject, (int)record->id);
    entry->uses++;
    subject = subject_get(store, record->subject);
    at = version_place(subject, record->version, &there);
    if (there) {
        entry_release(store, subject->versions[at].entry);
    } else {
        if (subject->count == subject->cap) {
            subject->cap = subject->cap ? subject->cap * 2 : 4;
            subject->versions =
                bs_realloc(subject->versions, subject->cap * sizeof *subject->versions);
        }
        memmove(subject->versions + at + 1, subject->versions + at,
                (subject->count - at) * sizeof *subject->versions);
        subject->count++;
    }
    subject->versions[at] = (struct sr_version){.number = record->version,
                                                .deleted = record->deleted,
                                                .timestamp_ms = record->timestamp_ms,
                                                .entry = entry};
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

/* All soft-deleted versions of one subject, or of every subject. */
static void clear_subject(struct sr_store *store, const struct sr_record *record)
{
    for (size_t i = store->count; i-- > 0;) {
        struct sr_subject *subject = store->subjects[i];
        if (record->subject && strcmp(record->subject, subject->name) != 0)
            continue;
        for (size_t k = subject->count; k-- > 0;)
            if (subject->versions[k].deleted)
                version_remove(store, subject, k);
        subject_drop_empty(store, subject);
    }
}

static const char *config_text(struct sr_config *config, const char *name)
{
    const struct sd_value *value = sd_value_get(config->json, bs_bytes_text(name));
    if (value == NULL || value->type != SD_STRING || value->bytes.len == 0)
        return NULL;
    return bs_arena_strndup(&config->arena, (const char *)value->bytes.ptr, value->bytes.len);
}

static void config_set(struct sr_config *config, const struct sr_record *record)
{
    const struct sd_value *normalize;
    const char *level;
    bs_arena_deinit(&config->arena);
    *config = (struct sr_config){.level = SR_LEVEL_UNSET, .normalize = -1};
    if (record->tombstone || record->value.type != SD_MAP)
        return;
    config->present = true;
    config->json = sd_value_copy(&config->arena, &record->value);
    level = config_text(config, "compatibilityLevel");
    if (level)
        config->level = sr_level_parse(level);
    normalize = sd_value_get(config->json, bs_bytes_text("normalize"));
    if (normalize && normalize->type == SD_BOOL)
        config->normalize = normalize->boolean;
    config->group = config_text(config, "compatibilityGroup");
    config->alias = config_text(config, "alias");
}

static void apply_config(struct sr_store *store, const struct sr_record *record)
{
    struct sr_subject *subject;
    if (record->subject == NULL) {
        config_set(&store->config, record);
        return;
    }
    subject = subject_get(store, record->subject);
    config_set(&subject->config, record);
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

/* Our NOOP records carry the highest id, so that it is known after its schema is gone for good and
 * compacted away. Others' have no value. */
static void apply_noop(struct sr_store *store, const struct sr_record *record)
{
    const struct sd_value *id = sd_value_get(&record->value, bs_bytes_text("maxId"));
    if (!record->tombstone && id && id->type == SD_LONG && id->number <= INT32_MAX &&
        id->number > store->max_id)
        store->max_id = (int32_t)id->number;
}

int sr_store_apply(struct sr_store *store, const struct sr_record *record, struct bs_error *err)
{
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
        return 0;
    case SR_RECORD_UNKNOWN:
        break;
    }
    return bs_error_set(err, BS_EUNSUPPORTED, "a record of unknown kind is ignored");
}
