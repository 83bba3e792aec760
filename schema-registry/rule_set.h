/* Rule set: the rules of a schema or of a setting, as the registry keeps them for clients; it does
 * not run them. Pure.
 *
 *   {"migrationRules":[R],"domainRules":[R],"encodingRules":[R],"enableAt":…}
 *   R = {"name","doc","kind","mode","type","tags","params","expr","onSuccess","onFailure",
 *        "disabled"} */
#ifndef WEIR_SR_RULE_SET_H
#define WEIR_SR_RULE_SET_H

#include "lib/serde/value.h"

enum { SR_RULES_MAX = 10000, SR_RULE_NAME_MAX = 256 };

/* A copy of what a request brings, with scalars as the types that are wanted (member.h); what
 * cannot be taken for its type stays, and the check says so. */
const struct sd_value *sr_rule_set_take(const struct sd_value *set, struct bs_arena *arena);
/* BS_EINVAL: err names the rule and says what is wrong. `set` may be NULL. */
int sr_rule_set_check(const struct sd_value *set, struct bs_error *err);
/* Members in order, defaults written out (kind TRANSFORM, mode WRITEREAD, disabled false), tags and
 * params sorted, what is empty or unknown left out; {} for one without a rule. For sets that were
 * checked, and for stored ones, where what has a wrong type is left out. */
const struct sd_value *sr_rule_set_complete(const struct sd_value *set, struct bs_arena *arena);
/* `old` with `new` over it: old rules go whose names the same list of `new` has, and new ones are
 * appended. Either may be NULL. */
const struct sd_value *sr_rule_set_merge(const struct sd_value *old, const struct sd_value *new,
                                         struct bs_arena *arena);
/* Without the rules of those names (a list of strings). */
const struct sd_value *sr_rule_set_without(const struct sd_value *set, const struct sd_value *names,
                                           struct bs_arena *arena);

/* Has it a rule of that type ("CEL")? `set` may be NULL. */
bool sr_rule_set_has_type(const struct sd_value *set, const char *type);

#endif
