/* References: a content with what it refers to: parsed, written out, found again. The store is
 * locked for reading.
 *
 * A type's name stands once in all that is behind a content: of two references of one name the
 * first that is met counts, as in Confluent's registry. */
#ifndef WEIR_SR_REFERENCES_H
#define WEIR_SR_REFERENCES_H

#include "lib/serde/schema.h"
#include "schema-registry/subject.h"

enum { SR_REFERENCE_DEPTH_MAX = 20, SR_REFERENCES_MAX = 1000 /* behind one content */ };

/* The texts that a content is parsed from, copied: the store may be unlocked meanwhile. */
struct sr_sources {
    struct bs_bytes text;
    struct sd_reference *refs;
    size_t ref_count;
    struct bs_arena arena;
};

/* Takes them for the content of a subject (or one of its context; NULL: the default one), in whose
 * context references without one are. With `live` the content's own references must name live
 * versions. BS_E…: err says what is wrong with a reference. To be freed in any case. */
int sr_sources_take(const struct sr_store *store, const char *subject,
                    const struct sr_content *content, bool live, struct sr_sources *ret,
                    struct bs_error *err);
void sr_sources_free(struct sr_sources *sources);
/* Needs no store. `strict` as for a new schema. BS_E…: err says what is wrong with it. */
int sr_sources_parse(const struct sr_sources *sources, bool strict, struct sd_schema **ret,
                     struct bs_error *err);
/* All three at once. */
int sr_content_parse(const struct sr_store *store, const char *subject,
                     const struct sr_content *content, bool strict, bool live,
                     struct sd_schema **ret, struct bs_error *err);
/* The text with all that it refers to written out. */
int sr_content_resolve(const struct sr_store *store, const char *subject,
                       const struct sr_content *content, struct bs_buf *out, struct bs_error *err);
typedef bool sr_content_ask(void *ctx, const char *subject);
/* Asks for the subject of each text that sr_content_resolve would write out. BS_EDENIED: `ask` said
 * no to one. */
int sr_content_behind(const struct sr_store *store, const char *subject,
                      const struct sr_content *content, sr_content_ask *ask, void *ctx,
                      struct bs_error *err);
/* The version that has this content, as sr_subject_find, or has it in a form with references. */
const struct sr_version *sr_content_find(const struct sr_store *store, const char *subject,
                                         const struct sr_content *content, bool deleted_too);
/* Does this version have it, in any of these ways? */
bool sr_version_has(const struct sr_store *store, const char *subject,
                    const struct sr_version *version, const struct sr_content *content);

#endif
