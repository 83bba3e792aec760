/* Tree: the connector's value model and lib/serde's, one to the other. Both are views: strings are
 * shared, only the nodes are made anew in the arena. */
#ifndef WEIR_RUNTIME_CONNECT_TREE_H
#define WEIR_RUNTIME_CONNECT_TREE_H

#include "connectors/api/connector.h"
#include "lib/serde/value.h"

void rt_tree_to_serde(const struct cn_value *from, struct bs_arena *arena, struct sd_value *ret);
void rt_tree_from_serde(const struct sd_value *from, struct bs_arena *arena, struct cn_value *ret);

#endif
