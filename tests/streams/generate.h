/* Generate: a scenario of the stream vectors → the text of a pipeline file. */
#ifndef WEIR_TESTS_STREAMS_GENERATE_H
#define WEIR_TESTS_STREAMS_GENERATE_H

#include "lib/base/buf.h"

#include <jansson.h>

/* What the records of a sink topic hold, as the recording shows it. */
struct sink_types {
    const char *key, *value; /* "string" or "int64" */
    bool windowed;
};

struct sink_types sink_types_of(const json_t *scenario, const char *topic);
/* Window size of the scenario, or 0. */
json_int_t window_size_of(const json_t *scenario);
/* NULL, or what the scenario needs and the product lacks. */
const char *scenario_lacks(const json_t *scenario);
void generate_pipeline(const json_t *scenario, struct bs_buf *out);

#endif
