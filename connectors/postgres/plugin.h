/* PostgreSQL connectors: what their parts share. */
#ifndef WEIR_CONNECTORS_POSTGRES_PLUGIN_H
#define WEIR_CONNECTORS_POSTGRES_PLUGIN_H

#include "connectors/api/connector.h"

extern const struct cn_host *cn_pg_host; /* set once by the entry function */
extern const struct cn_sink cn_pg_sink;

/* The option's text, or "" when there is none. */
const char *cn_pg_option(const struct cn_config *config, const char *name);

#endif
