/* Graph: what the user's file built, as C sees it: nodes and edges, their functions (numbers that
 * the machine knows), types, windows and stores. Filled by the machine (runtime/lua), checked and
 * finished by the pipeline; never changed after that. */
#ifndef WEIR_RUNTIME_PIPELINE_GRAPH_H
#define WEIR_RUNTIME_PIPELINE_GRAPH_H

#include "runtime/pipeline/datum.h"
#include "runtime/pipeline/pipeline.h"

enum rt_op {
    RT_OP_SOURCE,
    RT_OP_FILTER,
    RT_OP_MAP,
    RT_OP_MAP_VALUES,
    RT_OP_FLAT_MAP,
    RT_OP_FLAT_MAP_VALUES,
    RT_OP_SELECT_KEY,
    RT_OP_PEEK,
    RT_OP_FOR_EACH,
    RT_OP_PRINT,
    RT_OP_SPLIT,
    RT_OP_BRANCH,
    RT_OP_MERGE,
    RT_OP_REPARTITION,
    RT_OP_TO,
    RT_OP_TABLE, /* stream → table */
    RT_OP_TABLE_FILTER,
    RT_OP_TABLE_MAP_VALUES,
    RT_OP_TO_STREAM,
    RT_OP_TABLE_GROUP,
    RT_OP_AGGREGATE,
    RT_OP_TABLE_AGGREGATE,
    RT_OP_JOIN,
    RT_OP_GLOBAL,
};

enum rt_type {
    RT_TYPE_STRING,
    RT_TYPE_BYTES,
    RT_TYPE_INT64,
    RT_TYPE_DOUBLE,
    RT_TYPE_JSON,
    RT_TYPE_AVRO
};

struct rt_serde {
    enum rt_type type;
    const char *schema_file;    /* as the user gave it, or NULL */
    bool base64;                /* JSON: bytes and what is no UTF-8 are written base64 */
    const struct rt_avro *avro; /* resolved: fixed sinks */
    bool in_header;             /* sinks: the schema goes into a header, not before the data */
    uint8_t header[SD_SCHEMA_HEADER_SIZE];
    struct rt_reader **readers; /* sources: by topic; NULL: records are read as they were written */
};

enum rt_stamp { RT_STAMP_RECORD, RT_STAMP_SKIP, RT_STAMP_PARTITION, RT_STAMP_FUNCTION };

enum rt_how { RT_HOW_COUNT, RT_HOW_REDUCE, RT_HOW_FUNCTION, RT_HOW_READY };

enum rt_ready_kind {
    RT_READY_COUNT,
    RT_READY_SUM,
    RT_READY_MIN,
    RT_READY_MAX,
    RT_READY_MEAN,
    RT_READY_FIRST,
    RT_READY_LAST,
};

struct rt_ready {
    enum rt_ready_kind kind;
    struct bs_bytes name;  /* in the result */
    struct bs_bytes field; /* of the value; ptr NULL: the record itself */
};

enum { RT_NO_FN = 0 };

struct rt_node {
    enum rt_op op;
    uint32_t index;
    const char *kind;  /* as the user wrote it: "filter_not" */
    const char *where; /* "delays.lua:12" */
    const char *name;  /* store, repartition topic or branch; may be NULL */
    struct rt_node **parents, **children;
    size_t parent_count, child_count;
    int fn, fn2, fn3; /* RT_NO_FN: none */
    int *fns;         /* SPLIT: per child; RT_NO_FN takes all */
    bool negate, left, global, internal, changes, raw, named, needed, keep_null, drop_null;
    const char *const *topics; /* SOURCE, GLOBAL */
    size_t topic_count;
    const char *topic; /* TO: fixed; REPARTITION, TABLE_GROUP: the internal one */
    int partitions;
    enum rt_stamp stamp;
    struct rt_serde key, value;
    const struct rt_setting *serde_options; /* of Avro; the worker knows them */
    size_t serde_option_count;
    const char *label;
    /* windows */
    bool windowed;
    int64_t size_ms, advance_ms, grace_ms; /* JOIN: grace_ms, when it is stored */
    int64_t versioned_ms; /* tables: history retention; 0: only the row now is kept */
    /* aggregates */
    enum rt_how how;
    const struct rt_ready *ready;
    size_t ready_count;
    struct bs_bytes init; /* flat form of the start value; ptr NULL: fn2 makes it, or none */
    /* set by the pipeline */
    bool stored;   /* has a store of its own, called `name` */
    bool send_old; /* tables: updates carry the row before */
    size_t subtopology;
};

enum rt_on_error { RT_ON_ERROR_STOP, RT_ON_ERROR_SKIP, RT_ON_ERROR_DEAD_LETTER };

struct rt_graph {
    struct bs_arena arena;
    struct rt_node *nodes;
    size_t node_count;
    /* settings; NULL or negative: not said */
    const char *app_id, *state_dir, *dead_letter;
    bool exactly_once;
    int64_t commit_interval_ms, memory_max, cpu_max_ms;
    int threads, retries;
    enum rt_on_error on_error;
    struct rt_setting *kafka;
    size_t kafka_count;
};

void rt_graph_init(struct rt_graph *graph);
void rt_graph_deinit(struct rt_graph *graph); /* accepts a zeroed one */
/* Derives children, stores and old values, cuts into subtopologies, names internal topics. */
int rt_graph_finish(struct rt_graph *graph, const char *app_id, size_t *ret_subtopologies,
                    struct bs_error *err);
/* Structure and names; equal for equal files. */
uint64_t rt_graph_fingerprint(const struct rt_graph *graph, uint64_t seed);

#endif
