/* Reader: the schema that a reader sees messages with when it is not each writer's own: one that it
 * was given, else the subject's newest version with some metadata, else its latest. How a writer's
 * data is seen so is planned once per topic and writer, and kept. One owner thread; the client
 * below it is shared. */
#ifndef WEIR_REGISTRY_READER_H
#define WEIR_REGISTRY_READER_H

#include "lib/registry/client.h"
#include "lib/registry/subject_name.h"
#include "lib/serde/avro.h"

struct rc_reader_options {
    struct rc_client *client;       /* borrowed */
    const struct sd_schema *schema; /* given; counted here; or NULL: */
    const char *metadata;           /* "name=value,…", or NULL: the latest version */
    enum rc_strategy strategy;      /* whose latest: the writer's schema may give the name */
    bool key;
    int64_t ttl_ms; /* of a version that was found; negative: for ever */
    size_t max;     /* plans that are kept; the one not used for longest goes */
};

struct rc_reader;
struct rc_reader *rc_reader_new(const struct rc_reader_options *options);
void rc_reader_free(struct rc_reader *reader); /* accepts NULL */

/* What the given reader's schema is not needed for: the version that `topic` is read with when
 * `writer` wrote it. */
int rc_reader_version(struct rc_reader *reader, const char *topic, const struct sd_schema *writer,
                      struct rc_version *ret, struct bs_error *err);
/* A payload that `writer`, of this id, wrote. *ret_schema is the reader's, counted. Errors name the
 * id, the field and why. */
int rc_reader_read(struct rc_reader *reader, const char *topic, int32_t id,
                   const struct sd_schema *writer, struct bs_bytes payload, struct bs_arena *arena,
                   struct sd_schema **ret_schema, struct sd_value *ret, struct bs_error *err);

#endif
