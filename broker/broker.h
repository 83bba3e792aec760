/* Broker: the role. One thread, the loop thread, owns everything below it. */
#ifndef WEIR_BROKER_BROKER_H
#define WEIR_BROKER_BROKER_H

#include "lib/base/role.h"

extern const struct bs_role bk_role;

#endif
