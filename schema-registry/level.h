/* Level: the seven compatibility levels. Pure. */
#ifndef WEIR_SR_LEVEL_H
#define WEIR_SR_LEVEL_H

#include <stdbool.h>

enum sr_level {
    SR_LEVEL_UNSET = -1,
    SR_NONE,
    SR_BACKWARD,
    SR_BACKWARD_TRANSITIVE,
    SR_FORWARD,
    SR_FORWARD_TRANSITIVE,
    SR_FULL,
    SR_FULL_TRANSITIVE,
};

const char *sr_level_name(enum sr_level level); /* "BACKWARD" */
enum sr_level sr_level_parse(const char *text); /* any case; SR_LEVEL_UNSET when unknown */
bool sr_level_transitive(enum sr_level level);

#endif
