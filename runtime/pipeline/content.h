/* Content of a pipeline: what tasks of the same thread see of it. */
#ifndef WEIR_RUNTIME_PIPELINE_CONTENT_H
#define WEIR_RUNTIME_PIPELINE_CONTENT_H

#include "runtime/lua/vm.h"
#include "runtime/pipeline/graph.h"
#include "runtime/pipeline/pipeline.h"

struct rt_pipeline {
    struct rt_vm *vm;
    struct rt_graph graph;
    struct rt_schemas schemas;
    struct rt_avro **avros; /* by arrival; owned */
    size_t avro_count;
    const struct rt_avro *last; /* the one found last */
    struct rt_guid {
        uint8_t guid[16];
        int32_t id;
    } * guids; /* that headers named; owned */
    size_t guid_count;
    struct rt_reader **readers; /* of all sources; owned */
    size_t reader_count;
    struct rt_avro **reader_avros; /* what they read with; owned */
    size_t reader_avro_count;
    struct bs_arena arena; /* plan */
    struct rt_plan plan;
    const char *folder; /* of the file: schema files are relative to it */
};

/* serde.c. Encoders append to `out` and tell null by *ret_null. Errors are sentences without place:
 * the caller knows the record. */
int rt_serde_decode(struct rt_pipeline *pipeline, const struct rt_serde *serde,
                    struct bs_bytes bytes, struct rt_datum *ret, struct bs_error *err);
/* As rt_serde_decode, for a record of a source's topic (its number) or a row that is kept as it
 * came: through the reader's schema, if there is one. The datum may lie in the arena. */
int rt_source_decode(struct rt_pipeline *pipeline, const struct rt_node *node, size_t topic,
                     bool key, struct bs_bytes bytes, struct bs_arena *arena, struct rt_datum *ret,
                     struct bs_error *err);
/* A message whose schema stands in a header (`header`, its last one), as one with the envelope; in
 * the arena. So what follows knows one form only. */
int rt_serde_plain(struct rt_pipeline *pipeline, struct bs_bytes header, struct bs_bytes bytes,
                   struct bs_arena *arena, struct bs_bytes *ret, struct bs_error *err);
int rt_serde_encode(const struct rt_serde *serde, const char *what, const struct rt_datum *datum,
                    struct bs_arena *arena, struct bs_buf *out, bool *ret_null,
                    struct bs_error *err);
/* The schema of an id, from the cache or the registry. */
int rt_pipeline_avro(struct rt_pipeline *pipeline, int32_t id, const struct rt_avro **ret,
                     struct bs_error *err);
const struct rt_avro *rt_pipeline_keep(struct rt_pipeline *pipeline, int32_t id,
                                       struct sd_schema *schema); /* takes the reference */

/* reader.c: a reader's schema of one topic's keys or values, and how each writer's data is seen
 * through it: planned once per writer, RT_PLANS_MAX kept. */
enum { RT_PLANS_MAX = 1000 };
/* `schema` of the file that `what` names, counted here; or NULL: the version that `ask` gives for
 * each writer. */
struct rt_reader *rt_reader_new(struct rt_pipeline *pipeline, struct sd_schema *schema,
                                const char *what, const struct rt_schema_ask *ask);
void rt_reader_free(struct rt_reader *reader);
const struct rt_avro *rt_reader_avro(
    const struct rt_reader *reader); /* NULL: not the same for all */
int rt_reader_decode(struct rt_pipeline *pipeline, struct rt_reader *reader, int32_t id,
                     struct bs_bytes payload, struct bs_arena *arena, struct rt_datum *ret,
                     struct bs_error *err);
/* An Avro datum that did not come through this reader, as if it had. */
int rt_reader_convert(struct rt_pipeline *pipeline, struct rt_reader *reader,
                      const struct rt_datum *datum, struct bs_arena *arena, struct rt_datum *ret,
                      struct bs_error *err);

/* Registers and finds what the graph's nodes name. */
int rt_pipeline_resolve(struct rt_pipeline *pipeline, struct bs_error *err);

/* Keys in repartition topics and stores: the bytes alone decide the partition and the row, so a
 * string is its own bytes, and an integer its 8; the tag says how to read them back. */
int rt_key_encode(const struct rt_datum *key, struct bs_arena *arena, struct bs_buf *out,
                  uint8_t *ret_tag, struct bs_error *err);
int rt_key_decode(struct rt_pipeline *pipeline, uint8_t tag, struct bs_bytes bytes,
                  struct rt_datum *ret, struct bs_error *err);
/* A flat value, RT_TAG_AVRO allowed. Borrows it. */
int rt_flat_datum(struct rt_pipeline *pipeline, struct bs_bytes flat, struct rt_datum *ret,
                  struct bs_error *err);

/* plan.c */
void rt_pipeline_make_plan(struct rt_pipeline *pipeline, const char *file, size_t subtopologies,
                           uint64_t text_hash);
int64_t rt_node_retention_ms(const struct rt_node *node);

#endif
