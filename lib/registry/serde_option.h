/* Serde options: what Confluent's serializers and their registry client are told, under the same
 * names and with the same defaults where they mean the same. */
#ifndef WEIR_REGISTRY_SERDE_OPTION_H
#define WEIR_REGISTRY_SERDE_OPTION_H

#include "lib/base/option.h"
#include "lib/registry/client.h"

extern const struct bs_option_table rc_serde_options;

struct bs_config *rc_serde_config_new(void);
/* Sets an option for the key's or the value's side. "key.…" and "value.…" in front of an option's
 * name mean that side alone (for the other: done, nothing is set), the rows that begin so
 * themselves too. BS_ENOTFOUND names the nearest. */
int rc_serde_set(struct bs_config *config, bool key, const char *name, const char *value,
                 const char *source, struct bs_error *err);
/* "NAME=VALUE", for both sides. */
int rc_serde_set_text(struct bs_config *config, const char *text, const char *source,
                      struct bs_error *err);
/* "key.…" or "value.…" in front of an option's name? Such are set after the others: they count
 * more. */
bool rc_serde_of_one_side(const char *name);
/* Is it to be read with a version of the subject, whatever the writer's? */
bool rc_serde_reads_latest(const struct bs_config *config);
/* Values that have the right form but cannot be had; BS_EUNSUPPORTED says what to do. */
int rc_serde_check(const struct bs_config *config, struct bs_error *err);
/* Takes over what is set in `from` (which may hold other tables too) and not in `config` yet. What
 * makes a client is taken over only when `config` needs one of its own, and user and password only
 * when that asks the same registry. */
int rc_serde_inherit(struct bs_config *config, const struct bs_config *from, struct bs_error *err);
/* All that is set in `from`, which was checked when it was set. */
void rc_serde_copy(struct bs_config *config, const struct bs_config *from);
/* A client as the options say; `url` when schema.registry.url is not set. */
int rc_client_of(const struct bs_config *config, const char *url, struct rc_client **ret,
                 struct bs_error *err);
/* Is anything set that makes another client than one that is there already? */
bool rc_serde_needs_client(const struct bs_config *config);

#endif
