/* Subjects: the state of a registry: subjects with their versions, ids, configs and modes. Pure:
 * records go in, lookups come out; start-up is the same as running. One owner (see gate.h).
 *
 * Each context is an id space of its own. Names of subjects are in their stored form everywhere
 * (context.h); where a function takes a `name` for its context, that is a subject's or a context's
 * ":.ctx:", and NULL stands for the default context. */
#ifndef WEIR_SR_SUBJECT_H
#define WEIR_SR_SUBJECT_H

#include "schema-registry/context.h"
#include "schema-registry/mode.h"
#include "schema-registry/record.h"
#include "schema-registry/setting.h"
#include "schema-registry/space.h"

/* Members of a record's value that we do not know: kept, to be written again. */
struct sr_extra {
    struct bs_arena arena;
    const struct sd_value *members;
};

struct sr_version {
    int number;
    bool deleted; /* softly */
    bool decided; /* a leader's record: another leader's may contradict it */
    int64_t timestamp_ms;
    struct sr_entry *entry;
    struct sr_extra *extra; /* or NULL */
};

/* Small, since there may be many. */
struct sr_subject {
    struct sr_space *space;
    struct sr_version *versions; /* by number */
    uint32_t count, cap;
    struct sr_config *config; /* or NULL */
    enum sr_mode mode;
    char name[];
};

struct sr_store;

struct sr_store *sr_store_new(enum sr_level level);
void sr_store_free(struct sr_store *store);
/* 0: applied. BS_ECONFLICT: dropped, its id stands for another schema. BS_EUNSUPPORTED: unknown
 * kind, ignored. */
int sr_store_apply(struct sr_store *store, const struct sr_record *record, struct bs_error *err);

/* Views are valid until the next record is applied. Subjects sorted by name; one without versions
 * may be there for its config. */
size_t sr_store_subject_count(const struct sr_store *store);
const struct sr_subject *sr_store_subject_at(const struct sr_store *store, size_t i);
const struct sr_subject *sr_store_subject(const struct sr_store *store, const char *name);
/* The subject of that bare name in a context. */
const struct sr_subject *sr_store_subject_in(const struct sr_store *store,
                                             const struct sr_space *space, const char *bare);

/* Contexts sorted by name, the default one first; some only for what they held once. */
size_t sr_store_space_count(const struct sr_store *store);
const struct sr_space *sr_store_space_at(const struct sr_store *store, size_t i);
/* NULL: nothing is known of that context. */
const struct sr_space *sr_store_space(const struct sr_store *store, const char *name);
const struct sr_entry *sr_store_id(const struct sr_store *store, const char *name, int32_t id);
const struct sr_entry *sr_store_digest(const struct sr_store *store, const char *name,
                                       const struct sr_content *content);
int32_t sr_store_max_id(const struct sr_store *store,
                        const char *name);                 /* highest ever seen; 0 at first */
size_t sr_store_entry_count(const struct sr_store *store); /* of all contexts */

bool sr_subject_live(const struct sr_subject *subject); /* accepts NULL */
/* number -1: the newest. NULL: not there. */
const struct sr_version *sr_subject_version(const struct sr_subject *subject, int number,
                                            bool deleted_too);
/* The version that has this content: see sr_content_matches; the newest one. */
const struct sr_version *sr_subject_find(const struct sr_subject *subject,
                                         const struct sr_content *content, bool deleted_too);
/* Versions that name this one in their references: live ones, or soft-deleted ones too. A reference
 * without context means the one of its own subject. */
size_t sr_store_referrers(const struct sr_store *store, const char *subject, int version,
                          bool deleted_too, int32_t **ret_ids /* or NULL; bs_free */);
/* The same for versions of other subjects only. */
bool sr_store_referred_by_others(const struct sr_store *store, const char *subject, int version,
                                 bool deleted_too);

/* Records as they are there, NULL or UNSET where there is none; `name` NULL: the global ones. What
 * counts in the end is in scope.h. */
const struct sr_config *sr_store_config(const struct sr_store *store, const char *name);
enum sr_mode sr_store_own_mode(const struct sr_store *store, const char *name);
enum sr_level sr_store_default_level(const struct sr_store *store);

/* The record of a version as it is, copied into the arena, to be changed and written again. */
struct sr_record sr_version_record(const struct sr_subject *subject,
                                   const struct sr_version *version, struct bs_arena *arena);
/* The NOOP record that keeps the highest ids of all contexts, so that they are known after their
 * schemas are gone for good and compacted away: to be written before anything is. Its map has room
 * for SR_MARK_ROOM members more. */
enum { SR_MARK_ROOM = 4 };
struct sr_record sr_store_mark(const struct sr_store *store, struct bs_arena *arena);
/* Other keys that mean the record's: a tombstone has to be written for each. Valid until the next
 * record is applied. */
size_t sr_store_spellings(const struct sr_store *store, const struct sr_record *record,
                          const struct bs_bytes **ret);

#endif
