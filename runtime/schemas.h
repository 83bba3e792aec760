/* Schemas: the registry behind a pipeline's port. */
#ifndef WEIR_RUNTIME_SCHEMAS_H
#define WEIR_RUNTIME_SCHEMAS_H

#include "lib/registry/serializer.h"
#include "runtime/pipeline/pipeline.h"

/* Read by all of a worker's threads; filled before the first starts. */
struct rt_schema_port {
    struct rc_client *client; /* for records: asks again; NULL: there is no registry */
    struct rc_client *once;   /* for the start, which waits and asks again itself */
    const struct bs_config *serde;
    bool dry;  /* schemas of files are not registered: nothing will be written with them */
    bool test; /* nor is a source's file held against the subject: the test says what comes */
};

/* Data whose schema a header names, as data with the id in front, appended to `out`. */
int rt_schema_plain(const struct rt_schema_port *port, struct bs_bytes header, struct bs_bytes data,
                    struct bs_buf *out, struct bs_error *err);
/* `port` lives as long as the pipeline. */
struct rt_schemas rt_schemas_of(const struct rt_schema_port *port);

#endif
