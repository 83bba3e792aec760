/* Subject name: see subject_name.h. */
#include "lib/registry/subject_name.h"

#include "lib/base/mem.h"

#include <string.h>

static const char PACKAGE[] = "io.confluent.kafka.serializers.subject.";

static const struct {
    const char *name;
    enum rc_strategy strategy;
} NAMES[] = {
    {"TopicNameStrategy", RC_TOPIC_NAME},
    {"RecordNameStrategy", RC_RECORD_NAME},
    {"TopicRecordNameStrategy", RC_TOPIC_RECORD_NAME},
    {"AssociatedNameStrategy", RC_TOPIC_NAME},
};

int rc_strategy_read(const char *text, enum rc_strategy *ret, struct bs_error *err)
{
    size_t package = sizeof PACKAGE - 1;
    const char *name = strncmp(text, PACKAGE, package) == 0 ? text + package : text;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(name, NAMES[i].name) == 0) {
            *ret = NAMES[i].strategy;
            return 0;
        }
    return bs_error_set(err, BS_EINVAL,
                        "'%s' is no subject name strategy; there are TopicNameStrategy, "
                        "RecordNameStrategy and TopicRecordNameStrategy",
                        text);
}

int rc_subject_name(enum rc_strategy strategy, const char *topic, bool key,
                    const struct sd_node *schema, char **ret, struct bs_error *err)
{
    const char *which = key ? "key" : "value";
    if (strategy == RC_TOPIC_NAME) {
        *ret = bs_asprintf("%s-%s", topic, which);
        return 0;
    }
    if (schema == NULL || schema->name == NULL)
        return bs_error_set(err, BS_EINVAL,
                            "%s.subject.name.strategy names the subject by the record, but the %s "
                            "of topic '%s' has %s\n  hint: a schema with a name, or "
                            "TopicNameStrategy",
                            which, which, topic, schema ? "a schema without a name" : "no schema");
    *ret = strategy == RC_RECORD_NAME ? bs_strdup(schema->name)
                                      : bs_asprintf("%s-%s", topic, schema->name);
    return 0;
}
