/* Setting: the config of one subject, of a context, or the global one, as its record has it. Pure.
 */
#ifndef WEIR_SR_SETTING_H
#define WEIR_SR_SETTING_H

#include "lib/serde/value.h"
#include "schema-registry/level.h"

/* What is asked often is taken out of the members. */
struct sr_config {
    bool present;
    enum sr_level level;         /* UNSET: none of its own */
    int normalize;               /* -1 unset, 0, 1 */
    const char *group, *alias;   /* compatibilityGroup, alias; or NULL */
    const struct sd_value *json; /* all members, as in the record */
    struct bs_arena arena;
};

void sr_config_init(struct sr_config *config);
/* `value` NULL or no map: the config is not present any more. */
void sr_config_set(struct sr_config *config, const struct sd_value *value);
void sr_config_deinit(struct sr_config *config);

#endif
