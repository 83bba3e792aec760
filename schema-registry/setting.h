/* Setting: the config of one subject, of a context, or the global one, as its record has it. Pure.
 */
#ifndef WEIR_SR_SETTING_H
#define WEIR_SR_SETTING_H

#include "lib/serde/value.h"
#include "schema-registry/level.h"

/* What is asked often is taken out of the members. */
struct sr_config {
    enum sr_level level;         /* UNSET: none of its own */
    int normalize;               /* -1 unset, 0, 1 */
    const char *group, *alias;   /* compatibilityGroup, alias; or NULL */
    const struct sd_value *json; /* all members, as in the record */
    struct bs_arena arena;
};

struct sr_config *sr_config_new(const struct sd_value *value); /* NULL: it is no map */
void sr_config_free(struct sr_config *config);                 /* accepts NULL */

#endif
