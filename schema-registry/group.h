/* Group: a consumer group on the one partition of the topic, as a lock that a dead process loses:
 * its owner is the candidate for leader. Reads nothing. Being the owner decides nothing either: see
 * leader.h. A thread of its own; the callbacks come from it. */
#ifndef WEIR_SR_GROUP_H
#define WEIR_SR_GROUP_H

#include "lib/base/err.h"

struct sr_group;

struct sr_group_options {
    const char *bootstrap, *topic, *id;
    const char *properties; /* as of the journal */
    void *ctx;
    void (*on_owner)(void *ctx, bool owner);
    /* Why this process cannot be in the group; NULL: it can again. `foreign`: another product has
     * the group. */
    void (*on_problem)(void *ctx, const char *text, bool foreign);
};

int sr_group_open(const struct sr_group_options *options, struct sr_group **ret,
                  struct bs_error *err);
/* Leaves the group at once, if the brokers can be reached: without them librdkafka would wait for
 * them for ever. Accepts NULL. */
void sr_group_close(struct sr_group *group, bool reachable);

#endif
