/* Merge: where metadata and rules of a new version come from: the request, else the version before;
 * under them the defaults of the settings in scope, over them their overrides. Pure. */
#ifndef WEIR_SR_MERGE_H
#define WEIR_SR_MERGE_H

#include "schema-registry/content.h"

/* As a config has them; each may be NULL. */
struct sr_presets {
    const struct sd_value *default_metadata, *override_metadata;
    const struct sd_value *default_rules, *override_rules;
};

bool sr_presets_any(const struct sr_presets *presets);
/* Fills content->metadata and content->rule_set, which are the request's (NULL: not given, {}: none
 * wanted). `previous` may be NULL; its "confluent:version" is not taken. */
void sr_merge(struct sr_content *content, const struct sr_content *previous,
              const struct sr_presets *presets, struct bs_arena *arena);
/* Records the number of the new version as that property, if the request is `numbered` or its
 * metadata has the property. */
void sr_merge_number(struct sr_content *content, bool numbered, int number, struct bs_arena *arena);

#endif
