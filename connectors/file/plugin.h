/* File connectors: what their parts share: the host's table and the two life cycles. */
#ifndef WEIR_CONNECTORS_FILE_PLUGIN_H
#define WEIR_CONNECTORS_FILE_PLUGIN_H

#include "connectors/api/connector.h"

extern const struct cn_host *cn_file_host; /* set once by the entry function */
extern const struct cn_source cn_file_source;
extern const struct cn_sink cn_file_sink;

/* The option's text, or "" when there is none. */
const char *cn_file_option(const struct cn_config *config, const char *name);

#endif
