/* Subjects: the state of a registry: subjects with their versions, ids, configs and modes. Pure:
 * records go in, lookups come out; start-up is the same as running. One owner (see gate.h). */
#ifndef WEIR_SR_SUBJECT_H
#define WEIR_SR_SUBJECT_H

#include "schema-registry/level.h"
#include "schema-registry/record.h"

enum sr_mode { SR_MODE_UNSET, SR_MODE_READWRITE, SR_MODE_READONLY, SR_MODE_IMPORT };

const char *sr_mode_name(enum sr_mode mode);
enum sr_mode sr_mode_parse(const char *text); /* any case; UNSET when unknown */

/* A schema under its id. */
struct sr_entry {
    int32_t id;
    unsigned uses; /* versions, soft-deleted ones too */
    bool other_type;
    struct sr_content content;
    struct bs_arena arena;
};

struct sr_version {
    int number;
    bool deleted; /* softly */
    int64_t timestamp_ms;
    struct sr_entry *entry;
};

struct sr_config {
    bool present;
    enum sr_level level;         /* UNSET: none of its own */
    int normalize;               /* -1 unset, 0, 1 */
    const char *group, *alias;   /* compatibilityGroup, alias; or NULL */
    const struct sd_value *json; /* all members, as in the record */
    struct bs_arena arena;
};

struct sr_subject {
    char *name;
    struct sr_version *versions; /* by number */
    size_t count, cap;
    struct sr_config config;
    enum sr_mode mode;
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
const struct sr_entry *sr_store_id(const struct sr_store *store, int32_t id);
const struct sr_entry *sr_store_digest(const struct sr_store *store,
                                       const struct sr_content *content);
size_t sr_store_entry_count(const struct sr_store *store);
int32_t sr_store_max_id(const struct sr_store *store); /* highest ever seen; 0 at first */

bool sr_subject_live(const struct sr_subject *subject); /* accepts NULL */
/* number -1: the newest. NULL: not there. */
const struct sr_version *sr_subject_version(const struct sr_subject *subject, int number,
                                            bool deleted_too);
/* The version that has this content: see sr_content_matches; the newest one. */
const struct sr_version *sr_subject_find(const struct sr_subject *subject,
                                         const struct sr_content *content, bool deleted_too);
/* Versions that name this one in their references: live ones, or soft-deleted ones too. */
size_t sr_store_referrers(const struct sr_store *store, const char *subject, int version,
                          bool deleted_too, int32_t **ret_ids /* or NULL; bs_free */);

/* Effective settings. */
enum sr_level sr_store_level(const struct sr_store *store, const char *subject);
enum sr_mode sr_store_mode(const struct sr_store *store, const char *subject);
bool sr_store_normalize(const struct sr_store *store, const char *subject);
const char *sr_store_group(const struct sr_store *store, const char *subject);
const struct sr_config *sr_store_config(const struct sr_store *store, const char *subject);
enum sr_mode sr_store_own_mode(const struct sr_store *store, const char *subject);

#endif
