/* Driver: a pipeline without broker and registry: one partition, a clock moved by hand, stores in
 * memory. Each record that is piped in is processed to its end, through all internal topics.
 *
 * One thread. Used by `weir test`, the stream vectors and benchmarks. */
#ifndef WEIR_RUNTIME_TESTING_DRIVER_H
#define WEIR_RUNTIME_TESTING_DRIVER_H

#include "runtime/task/task.h"

struct bs_config;
struct rt_driver;
struct rt_node;
struct rt_datum;

struct rt_driver_record {
    const char *topic;
    struct bs_bytes key, value;
    int64_t timestamp;
    int32_t partition;
    const struct rt_header *headers;
    size_t header_count;
};

/* Remembers the file; it is loaded by the first call that needs it, so that schemas can be
 * registered before. */
struct rt_driver *rt_driver_new(const char *file);
void rt_driver_free(struct rt_driver *driver); /* accepts NULL */
/* A version that the registry has, and what records of the topic are written with from now on. */
struct rt_driver_schema {
    const char *topic;
    bool key;
    struct bs_bytes text;
    const char *subject;  /* NULL: "<topic>-value", "<topic>-key" */
    int32_t id;           /* 0: the next one */
    const char *metadata; /* "name=value,…", or NULL */
};
int rt_driver_schema(struct rt_driver *driver, const struct rt_driver_schema *schema,
                     struct bs_error *err);
/* Options of serializers as the worker would have them; kept by the caller. */
void rt_driver_set_serde(struct rt_driver *driver, const struct bs_config *serde);
int rt_driver_load(struct rt_driver *driver, struct bs_error *err); /* once; later calls: 0 */
struct rt_pipeline *rt_driver_pipeline(struct rt_driver *driver);   /* NULL before load */
/* Offsets are counted per topic. message->offset is ignored. */
int rt_driver_pipe(struct rt_driver *driver, const struct rt_message *message,
                   struct bs_error *err);
void rt_driver_set_wall(struct rt_driver *driver, int64_t wall_ms);
int rt_driver_advance(struct rt_driver *driver, int64_t ms, struct bs_error *err);
/* As after a clean stop: new tasks over the stores that were kept, with the stream time of the last
 * commit. */
int rt_driver_restart(struct rt_driver *driver, struct bs_error *err);
/* What was written to topics that are not internal, oldest first; valid until clear. */
const struct rt_driver_record *rt_driver_outputs(const struct rt_driver *driver, size_t *ret_count);
void rt_driver_clear(struct rt_driver *driver);
/* Takes nothing, keeps nothing of outputs: for benchmarks. */
void rt_driver_discard(struct rt_driver *driver, bool discard);
uint64_t rt_driver_discarded(const struct rt_driver *driver);
struct rt_store *rt_driver_store(struct rt_driver *driver, const char *name); /* NULL: none */
uint64_t rt_driver_dropped(const struct rt_driver *driver);
/* The node that reads or writes the topic, or NULL. */
const struct rt_node *rt_driver_source(struct rt_driver *driver, const char *topic);
const struct rt_node *rt_driver_sink(struct rt_driver *driver, const char *topic);
/* Encodes what is piped in, where the type is Avro with the topic's schema. */
int rt_driver_encode(struct rt_driver *driver, const struct rt_node *node, const char *topic,
                     bool key, const struct rt_datum *datum, struct bs_arena *arena,
                     struct bs_buf *out, bool *ret_null, struct bs_error *err);

#endif
