/* Scope: which settings count for a subject. Field by field the first that has one: the subject's
 * record; that of its context (":.ctx:", for the default context the global record); that of
 * ":.__GLOBAL:"; the server's option. `name` is a subject or a context's ":.ctx:"; NULL stands for
 * the global record. Pure. */
#ifndef WEIR_SR_SCOPE_H
#define WEIR_SR_SCOPE_H

#include "schema-registry/subject.h"

enum sr_level sr_store_level(const struct sr_store *store, const char *name);
enum sr_mode sr_store_mode(const struct sr_store *store, const char *name);
bool sr_store_normalize(const struct sr_store *store, const char *name);
const char *sr_store_group(const struct sr_store *store, const char *name); /* or NULL */
/* A member by its name in the records; NULL: no record has it. The level of the server's option is
 * not among them. */
const struct sd_value *sr_store_setting(const struct sr_store *store, const char *name,
                                        const char *member);
/* Is the subject among those that the settings of `name` are for: itself, its context's, all. */
bool sr_scope_covers(const char *name, const char *subject);

#endif
