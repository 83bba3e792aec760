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
    struct bs_arena arena; /* plan */
    struct rt_plan plan;
    const char *folder; /* of the file: schema files are relative to it */
};

/* serde.c. Encoders append to `out` and tell null by *ret_null. Errors are sentences without place:
 * the caller knows the record. */
int rt_serde_decode(struct rt_pipeline *pipeline, const struct rt_serde *serde,
                    struct bs_bytes bytes, struct rt_datum *ret, struct bs_error *err);
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
