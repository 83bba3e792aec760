/* Space: the ids of one context: schemas by id and by digest. Pure.
 *
 * Invariants: an entry has at least one version that uses it; ids are unique in their space; of
 * entries with one digest the lowest id is found; max_id never goes down, whatever is deleted. */
#ifndef WEIR_SR_SPACE_H
#define WEIR_SR_SPACE_H

#include "lib/base/arena.h"
#include "schema-registry/content.h"

/* A schema under its id. */
struct sr_entry {
    int32_t id;
    unsigned uses;      /* versions, soft-deleted ones too */
    const char *holder; /* name of a subject that has one of them */
    bool other_type;
    const char *type; /* schemaType where that is not AVRO, or NULL */
    struct sr_content content;
    struct bs_arena arena;
};

/* Entries by one of their keys. */
struct sr_table {
    struct sr_entry **entries; /* cap of them, a power of two; most are NULL */
    size_t cap, count;
};

struct sr_space {
    char *context;   /* "." or ".ctx" */
    bool declared;   /* it has a CONTEXT record */
    size_t subjects; /* with or without versions */
    size_t used;     /* versions in it, soft-deleted ones too */
    size_t entries;  /* schemas */
    int32_t max_id;  /* highest ever seen; 0 at first */
    struct sr_table ids, digests;
};

struct sr_space *sr_space_new(struct bs_bytes context);
void sr_space_free(struct sr_space *space);
/* Both accept a NULL space, of a context that is not there. */
const struct sr_entry *sr_space_id(const struct sr_space *space, int32_t id);
const struct sr_entry *sr_space_digest(const struct sr_space *space,
                                       const struct sr_content *content);
/* One more use of the entry of that id, which is made when it is new (`type` NULL: AVRO). NULL: the
 * id stands for another content. */
struct sr_entry *sr_space_take(struct sr_space *space, int32_t id, const char *type,
                               const struct sr_content *content);
void sr_space_release(struct sr_space *space, struct sr_entry *entry);

#endif
