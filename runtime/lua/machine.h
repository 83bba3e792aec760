/* Machine, inside: what the files of runtime/lua share. */
#ifndef WEIR_RUNTIME_LUA_MACHINE_H
#define WEIR_RUNTIME_LUA_MACHINE_H

#include "runtime/lua/vm.h"
#include "runtime/lua/watchdog.h"

#include "lib/base/arena.h"
#include "lib/base/mem.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { RT_SLOT_MAX = 4096 };

struct rt_vm {
    lua_State *L;
    struct rt_watch watch;
    size_t memory, memory_max;
    int64_t cpu_max_ms;
    const void *view_type, *array_type, *branch_type; /* metatables */
    struct bs_arena *arena;                           /* of the record */
    struct bs_arena own;                              /* between records, and while loading */
    struct bs_buf scratch;                            /* conversions; survives a Lua error */
    int slots;
    const struct rt_meta *meta;
    struct bs_buf missing, missing_fields;
    bool loading;
    const char *file; /* base name of the user's file */
};

/* view.c: userdata over encoded bytes. */
struct rt_view {
    const uint8_t *data;
    uint32_t len;
    uint8_t form; /* RT_TREE or RT_AVRO (a record) */
    bool windowed;
    uint16_t known;               /* RT_AVRO: offsets[0..known] hold */
    uint32_t at_index, at_offset; /* RT_TREE array: where the last access ended */
    const struct sd_node *node;
    const struct rt_avro *avro; /* a root value; else NULL */
    int64_t start, stop;
    uint32_t offsets[]; /* RT_AVRO: field_count + 1 */
};

static inline struct rt_vm *rt_vm_of(lua_State *L)
{
    return *(struct rt_vm **)lua_getextraspace(L);
}

void rt_view_register(lua_State *L);
struct rt_view *rt_view_test(lua_State *L, int index); /* NULL: not a view */
/* Both push; bytes are copied into the new userdata. */
void rt_view_push_tree(lua_State *L, struct bs_bytes flat);
void rt_view_push_avro(lua_State *L, const struct rt_avro *avro, const struct sd_node *node,
                       struct bs_bytes bytes);
void rt_view_push_window(lua_State *L, const struct rt_datum *key);
/* Pushes one flat value: a scalar, or a view copied from `flat`. */
void rt_flat_push(lua_State *L, struct bs_bytes flat);
/* Appends the flat form of what the view shows. */
void rt_view_flatten(lua_State *L, const struct rt_view *view, struct bs_buf *out);

/* convert.c: Lua values ↔ data. All may raise Lua errors; call them protected. */
void rt_lua_push(lua_State *L, struct rt_datum *datum, int slots_index);
void rt_lua_get(lua_State *L, int index, int slots_index, struct rt_datum *ret);
/* Appends the flat form of the Lua value; `what` names it in errors. */
void rt_lua_flatten(lua_State *L, int index, struct bs_buf *out);
void rt_lua_push_null(lua_State *L);
bool rt_lua_is_null(lua_State *L, int index);

/* sandbox.c, pattern.c, api.c: tables of functions. */
void rt_sandbox_push(lua_State *L);     /* the user's _ENV */
void rt_pattern_register(lua_State *L); /* replaces find match gmatch gsub in the table on top */
void rt_api_push(lua_State *L);         /* native part of require "weir" */
/* builder.c: the graph that weir.lua built (table on top) → C. */
int rt_graph_read(struct rt_vm *vm, struct rt_graph *graph, struct bs_error *err);

extern const char rt_weir_lua[];
extern const size_t rt_weir_lua_size;

/* vm.c */
int rt_vm_protect(struct rt_vm *vm, lua_CFunction body, void *arg, struct bs_error *err);
/* Loads text as a chunk whose _ENV is the value at `env`; pushes it, or returns an error. */
int rt_vm_load(lua_State *L, struct bs_bytes text, const char *name, int env);

#endif
