/* Content: what makes two registered schemas the same: text, references, metadata, rule set. Its
 * digest is the GUID and the key under which an id is found again. Pure. */
#ifndef WEIR_SR_CONTENT_H
#define WEIR_SR_CONTENT_H

#include "lib/serde/value.h"

enum { SR_DIGEST_SIZE = 16, SR_GUID_TEXT = 37 };

struct sr_ref {
    const char *name, *subject;
    int version;
};

/* All of it in one arena of its holder. */
struct sr_content {
    struct bs_bytes text; /* canonical */
    struct sr_ref *refs;
    size_t ref_count;
    const struct sd_value *metadata; /* as metadata.h reads it; or NULL */
    const struct sd_value *rule_set; /* complete, see rule_set.h; or NULL */
    uint8_t digest[SR_DIGEST_SIZE];
};

/* Completes the rule set and sets the digest; metadata is as sr_metadata_read gives it. */
void sr_content_seal(struct sr_content *content, struct bs_arena *arena);
/* Makes the copy's first block as large as text and references ask for: `to` stays for long. */
void sr_content_keep(struct sr_content *to, const struct sr_content *from, struct bs_arena *arena);
void sr_content_copy(struct sr_content *to, const struct sr_content *from, struct bs_arena *arena);
/* And the same text, where both have one: a digest may come from a record (record.c). */
bool sr_content_same_digest(const struct sr_content *a, const struct sr_content *b);
/* Text and references are equal, and what is said about them: metadata and rule set only where
 * `wanted` has them, and then a "confluent:version" that one of the two lacks is ignored if it is
 * the number of the version that has it. */
bool sr_content_matches(const struct sr_content *wanted, const struct sr_content *have, int number);
bool sr_content_matches_about(const struct sr_content *wanted, const struct sr_content *have,
                              int number);
/* The digest as a UUID. */
void sr_content_guid(const struct sr_content *content, char text[SR_GUID_TEXT]);
/* The value of a metadata property, or a NULL ptr. */
struct bs_bytes sr_content_property(const struct sr_content *content, const char *name);
/* "references","metadata","ruleSet","schema" members, each with a comma in front, as in answers and
 * records. */
void sr_content_put_members(const struct sr_content *content, struct bs_buf *out);

#endif
