/* Context: the names of contexts, each an id space of its own, and of the subjects in them. Pure.
 *
 *   s            a subject of the default context "."; ":.:s" is the same
 *   :.ctx:s      a subject of the context ".ctx"
 *   :.ctx:       the context itself, as the holder of settings; ":.ctx" is the same
 *   :.__GLOBAL:  holds the settings above all contexts; has no subjects
 *   :*:s         only where a prefix is wanted: in every context
 *
 * What is stored is bare in the default context and has both colons in every other. */
#ifndef WEIR_SR_CONTEXT_H
#define WEIR_SR_CONTEXT_H

#include "lib/base/arena.h"
#include "lib/base/bytes.h"

#define SR_CONTEXT_DEFAULT "."
#define SR_SCOPE_GLOBAL    ":.__GLOBAL:"

enum {
    SR_CONTEXT_MAX = 255,   /* bytes of a context's name */
    SR_SUBJECT_MAX = 1024,  /* of a new subject's, with its context; as a right may name */
    SR_CONTEXTS_MAX = 1000, /* that requests make: each is in every mark of the highest ids */
};

/* A name in its parts; views of it. */
struct sr_name {
    struct bs_bytes context; /* ".ctx"; "*" for every one */
    const char *bare;
    bool qualified; /* it names its context itself */
};

struct sr_name sr_name_split(const char *name);
/* The stored form of any spelling; `name` itself where it is that already. */
const char *sr_name_stored(struct bs_arena *arena, const char *name);
const char *sr_name_join(struct bs_arena *arena, struct bs_bytes context, const char *bare);
/* What `name` means in the context of the subject `referrer`, in its stored form. */
const char *sr_name_beside(struct bs_arena *arena, const char *referrer, const char *name);
/* Does `name` mean the subject `stored` there? */
bool sr_name_means(const char *referrer, const char *name, const char *stored);
bool sr_name_is_default(const char *stored); /* of the default context */
/* Does a stored name begin with a prefix as `subjectPrefix` has it? */
bool sr_name_has_prefix(const char *stored, const char *prefix);

/* "." or "." with more behind; no control characters, no ':' */
bool sr_context_valid(struct bs_bytes context);

#endif
