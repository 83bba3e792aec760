/* Mode: what may be written under a subject, a context or everywhere. Pure. */
#ifndef WEIR_SR_MODE_H
#define WEIR_SR_MODE_H

#include <stdbool.h>

enum sr_mode {
    SR_MODE_UNSET,
    SR_MODE_READWRITE,
    SR_MODE_READONLY,
    SR_MODE_READONLY_OVERRIDE, /* of a wider scope: wins over the modes below it */
    SR_MODE_IMPORT,            /* schemas come with their ids */
    SR_MODE_FORWARD,           /* as IMPORT; of :.__GLOBAL: only */
};

const char *sr_mode_name(enum sr_mode mode);
enum sr_mode sr_mode_parse(const char *text); /* any case; UNSET when unknown */
bool sr_mode_readonly(enum sr_mode mode);
bool sr_mode_import(enum sr_mode mode); /* ids are given, nothing else is checked */

#endif
