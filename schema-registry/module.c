/* Module registry: what lib/weir/registry.so exports. */
#include "schema-registry/role.h"

static const struct bs_role *const roles[] = {&sr_role, NULL};

extern const struct bs_module weir_module;
__attribute__((visibility("default"))) const struct bs_module weir_module = {.roles = roles};
