/* Merge: see merge.h. */
#include "schema-registry/merge.h"

#include "schema-registry/metadata.h"
#include "schema-registry/rule_set.h"

bool sr_presets_any(const struct sr_presets *presets)
{
    return presets->default_metadata || presets->override_metadata || presets->default_rules ||
           presets->override_rules;
}

void sr_merge(struct sr_content *content, const struct sr_content *previous,
              const struct sr_presets *presets, struct bs_arena *arena)
{
    const struct sd_value *metadata = content->metadata, *rules = content->rule_set;
    if (metadata == NULL && previous)
        metadata = sr_metadata_with(previous->metadata, SR_METADATA_VERSION, NULL, arena);
    metadata = sr_metadata_merge(presets->default_metadata, metadata, arena);
    metadata = sr_metadata_merge(metadata, presets->override_metadata, arena);
    if (rules == NULL && previous)
        rules = previous->rule_set;
    rules = sr_rule_set_merge(presets->default_rules, rules, arena);
    rules = sr_rule_set_merge(rules, presets->override_rules, arena);
    content->metadata = metadata ? sd_value_copy(arena, metadata) : NULL;
    content->rule_set = rules ? sd_value_copy(arena, rules) : NULL;
}

void sr_merge_number(struct sr_content *content, bool numbered, int number, struct bs_arena *arena)
{
    if (numbered || sr_metadata_property(content->metadata, SR_METADATA_VERSION).ptr)
        content->metadata = sr_metadata_with(content->metadata, SR_METADATA_VERSION,
                                             bs_arena_printf(arena, "%d", number), arena);
}
