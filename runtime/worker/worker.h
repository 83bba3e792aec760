/* Worker: the role: pipelines, connectors, and their REST interface. */
#ifndef WEIR_RUNTIME_WORKER_WORKER_H
#define WEIR_RUNTIME_WORKER_WORKER_H

#include "lib/base/role.h"

extern const struct bs_role rt_worker_role;

#endif
