/* Pipeline: the user's file, run once in a virtual machine of its own → a graph, cut into
 * subtopologies at repartition topics, and the plan a worker needs to run it.
 *
 * One pipeline per worker thread (each has its Lua state); plans of the same file must have the
 * same fingerprint. Everything handed out lives as long as the pipeline. */
#ifndef WEIR_RUNTIME_PIPELINE_PIPELINE_H
#define WEIR_RUNTIME_PIPELINE_PIPELINE_H

#include "lib/serde/avro.h"
#include "runtime/state/store.h"

struct rt_setting {
    const char *name, *value;
};

/* What the keys or values of a topic are written with, or read with. */
struct rt_schema_ask {
    const char *topic;
    bool key;
    bool only_read;                 /* a source: see `choose` */
    const struct sd_schema *own;    /* of the file, or NULL: the registry's latest */
    const struct sd_schema *writer; /* of a source's record */
    const struct rt_setting *options;
    size_t option_count;
    const char *where; /* "delays.lua:12" */
};

struct rt_schema_answer {
    int32_t id;
    struct sd_schema *schema; /* counted */
    bool in_header;
    uint8_t header[SD_SCHEMA_HEADER_SIZE];
    bool latest; /* sources: records are read with a version of the subject */
};

/* Where schemas come from: the registry in a worker, a table in `weir test`. Each hands out a
 * counted schema. `choose` registers where the options say so; a refusal's message names subject
 * and field. For a source it checks the options when it is asked without a writer, and that its
 * file can read what the subject has, and says whether they want records read with a version of the
 * subject; asked with one it gives that version. Where
 * a function is NULL there is nobody to ask. */
struct rt_schemas {
    void *ctx;
    int (*by_id)(void *ctx, int32_t id, struct sd_schema **ret, struct bs_error *err);
    int (*by_guid)(void *ctx, const uint8_t guid[16], int32_t *ret_id, struct sd_schema **ret,
                   struct bs_error *err);
    int (*choose)(void *ctx, const struct rt_schema_ask *ask, struct rt_schema_answer *ret,
                  struct bs_error *err);
};

/* A topic the pipeline reads from or writes to. */
struct rt_topic {
    const char *name;
    bool internal;        /* made by the worker */
    bool compacted;       /* changelogs */
    int partitions;       /* 0: as many as the sources of the subtopology that writes it */
    int64_t retention_ms; /* −1: for ever */
    const char *where;    /* "delays.lua:12" */
};

struct rt_subtopology {
    const char *const *topics; /* source and repartition topics, all with equal partition counts
                                * where `copartitioned`; checked by the worker before the start */
    size_t topic_count;
    bool copartitioned; /* more than one topic has to be read by equal keys */
    const struct rt_store_spec *stores;
    size_t store_count;
};

struct rt_global {
    const char *topic;
    bool avro_key, avro_value;  /* a schema's id in a header is put in front of them */
    struct rt_store_spec store; /* raw key bytes → raw value bytes as in the topic */
};

struct rt_plan {
    const char *file;   /* as given */
    const char *app_id; /* weir.app{ id = … } or the file's name without ending */
    bool exactly_once;
    int64_t commit_interval_ms;
    int threads;
    const char *state_dir;          /* NULL: the worker's */
    const struct rt_setting *kafka; /* extra librdkafka options */
    size_t kafka_count;
    const struct rt_topic
        *topics; /* every topic once: sources, sinks with a fixed name, internal */
    size_t topic_count;
    const struct rt_subtopology *subtopologies;
    size_t subtopology_count;
    const struct rt_global *globals;
    size_t global_count;
    uint64_t fingerprint;
};

struct rt_limits {
    size_t memory_max;             /* bytes of the Lua state; 0: 256 MiB */
    int64_t cpu_max_per_record_ms; /* 0: 1000 */
};

struct rt_pipeline;

/* Runs the file, checks the graph, registers and resolves every schema. Errors come in the form of
 * the design: "delays.lua:12: …\n  hint: …". */
int rt_pipeline_load(const char *file, const struct rt_schemas *schemas,
                     const struct rt_limits *limits, struct rt_pipeline **ret,
                     struct bs_error *err);
const struct rt_plan *rt_pipeline_plan(const struct rt_pipeline *pipeline);
void rt_pipeline_free(struct rt_pipeline *pipeline); /* after its tasks; accepts NULL */

#endif
