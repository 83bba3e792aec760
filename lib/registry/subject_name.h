/* Subject name: which subject of the registry a topic's schema belongs to. Pure. */
#ifndef WEIR_REGISTRY_SUBJECT_NAME_H
#define WEIR_REGISTRY_SUBJECT_NAME_H

#include "lib/serde/schema.h"

enum rc_strategy {
    RC_TOPIC_NAME,        /* <topic>-key, <topic>-value */
    RC_RECORD_NAME,       /* the schema's full name */
    RC_TOPIC_RECORD_NAME, /* <topic>-<full name> */
};

/* "RecordNameStrategy" or its Java class name. AssociatedNameStrategy is what 8.x clients use by
 * default: without associations, which no registry of Weir's has, it is TopicNameStrategy. */
int rc_strategy_read(const char *text, enum rc_strategy *ret, struct bs_error *err);
/* *ret: bs_free it. `schema` may be NULL where the topic alone decides; BS_EINVAL where it does not
 * and the schema is missing or has no name. */
int rc_subject_name(enum rc_strategy strategy, const char *topic, bool key,
                    const struct sd_node *schema, char **ret, struct bs_error *err);

#endif
