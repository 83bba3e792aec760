/* Role: the registry as a part of the program. */
#ifndef WEIR_SR_ROLE_H
#define WEIR_SR_ROLE_H

#include "lib/base/role.h"

extern const struct bs_role sr_role;

#endif
