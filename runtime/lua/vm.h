/* Machine: a sandboxed Lua state that runs one user file and then calls its functions.
 *
 * The only door to Lua for the rest of the runtime: values go in and out as data (datum.h). One
 * owner thread at a time. Memory is capped, CPU time per record is watched (watchdog.h), chunks are
 * text only; there is nothing to reach outside. A breach ends in an error. */
#ifndef WEIR_RUNTIME_LUA_VM_H
#define WEIR_RUNTIME_LUA_VM_H

#include "lib/base/err.h"
#include "runtime/pipeline/datum.h"
#include "runtime/pipeline/pipeline.h"

struct rt_vm;
struct rt_graph;
struct rt_header;

/* What functions see as `meta`. Borrowed from begin to end of a record. */
struct rt_meta {
    const char *topic;
    int32_t partition;
    int64_t offset, timestamp;
    const struct rt_header *headers;
    size_t header_count;
};

int rt_vm_new(const struct rt_limits *limits, struct rt_vm **ret, struct bs_error *err);
void rt_vm_free(struct rt_vm *vm); /* accepts NULL */

/* Runs the file with `require "weir"` and fills the graph with what it built. */
int rt_vm_build(struct rt_vm *vm, const char *file, struct bs_bytes text, struct rt_graph *graph,
                struct bs_error *err);

/* A record is worked on between begin and end: the CPU budget runs, and views made for its data are
 * reused. Results of calls live in `arena` or in kept views until the next begin. */
void rt_vm_begin(struct rt_vm *vm, struct bs_arena *arena);
void rt_vm_set_meta(struct rt_vm *vm, const struct rt_meta *meta);
void rt_vm_end(struct rt_vm *vm);

struct rt_call {
    int fn; /* from the graph */
    struct rt_datum *args[3];
    size_t arg_count;
    bool meta;         /* pass meta last */
    bool booleans;     /* the result must be a boolean */
    size_t result_max; /* how many results are looked at: 0..2 */
};
/* 0; BS_ESCRIPT with Lua's message. `ret_count`: how many results there were (≤ result_max). */
int rt_vm_call(struct rt_vm *vm, const struct rt_call *call, struct rt_datum *results,
               size_t *ret_count, struct bs_error *err);

/* Calls whose result is a list: of values, or of {value, key} pairs. In the arena. */
struct rt_pair {
    struct rt_datum value, key;
};
int rt_vm_call_list(struct rt_vm *vm, const struct rt_call *call, bool pairs,
                    struct rt_pair **ret_items, size_t *ret_count, struct bs_error *err);
/* A table of names to strings, for headers. In the arena. */
int rt_vm_call_headers(struct rt_vm *vm, const struct rt_call *call, struct rt_header **ret,
                       size_t *ret_count, struct bs_error *err);

/* The field that a view was asked for and did not have, since the last begin of a call, and the
 * names it does have; NULL when there was none. Valid until the next call. */
const char *rt_vm_missing(struct rt_vm *vm, const char **ret_fields);
size_t rt_vm_memory(const struct rt_vm *vm);
/* New limits; 0 or less leaves the old one. */
void rt_vm_limit(struct rt_vm *vm, int64_t memory_max, int64_t cpu_max_ms);

#endif
