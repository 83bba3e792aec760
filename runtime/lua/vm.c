/* Machine: the Lua state, its memory cap, and calls into it.
 *
 * Every use of the state runs protected: one C function per call does all the work that may raise
 * (arguments, the call, results), so that no Lua error ever crosses a frame that owns something.
 * Buffers it needs belong to the machine. One owner thread at a time. */
#include "runtime/lua/machine.h"

#include "runtime/pipeline/graph.h"
#include "runtime/task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_DEFAULT = 256 << 20, CPU_DEFAULT_MS = 1000 };

static void *allocate(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    struct rt_vm *vm = ud;
    size_t held = ptr ? old_size : 0;
    if (new_size == 0) {
        vm->memory -= held;
        bs_free(ptr);
        return NULL;
    }
    if (new_size > held && vm->memory + (new_size - held) > vm->memory_max)
        return NULL; /* Lua collects garbage and asks again, then raises "not enough memory" */
    void *moved = bs_try_realloc(ptr, new_size);
    if (moved)
        vm->memory += new_size - held;
    return moved;
}

static int on_panic(lua_State *L)
{
    const char *text = lua_tostring(L, -1);
    fprintf(stderr, "weir: Lua error outside a protected call: %s\n", text ? text : "?");
    abort();
}

static void on_kill(lua_State *L, void *debug)
{
    (void)debug;
    luaL_error(L, "it took more than %d ms of processor time for one record",
               (int)rt_vm_of(L)->cpu_max_ms);
}

int rt_vm_protect(struct rt_vm *vm, lua_CFunction body, void *arg, struct bs_error *err)
{
    lua_State *L = vm->L;
    lua_pushcfunction(L, body);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_LAST + 1); /* views by slot */
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_LAST + 2); /* meta */
    lua_pushlightuserdata(L, arg);
    int status = lua_pcall(L, 3, 0, 0);
    if (status == LUA_OK && !rt_watch_killed(&vm->watch))
        return 0;
    bool has_text = status != LUA_OK && lua_type(L, -1) == LUA_TSTRING;
    const char *text = has_text ? lua_tostring(L, -1) : NULL;
    int rc;
    /* The watchdog's stop goes first: a script that it stops under pcall comes out with whatever
     * error it was in, the refusal of memory too. */
    if (rt_watch_killed(&vm->watch) && (!text || !strstr(text, "processor time")))
        rc = bs_error_set(err, BS_ESCRIPT,
                          "it took more than %lld ms of processor time for one record",
                          (long long)vm->cpu_max_ms);
    else if (status == LUA_ERRMEM)
        rc = bs_error_set(err, BS_ESCRIPT,
                          "it needs more memory than the %zu bytes it may use (memory_max)",
                          vm->memory_max);
    else
        rc = bs_error_set(err, BS_ESCRIPT, "%s",
                          text ? text : "an error that is no text was raised");
    lua_settop(L, 0);
    return rc;
}

static int set_up(lua_State *L)
{
    static const luaL_Reg libs[] = {{"_G", luaopen_base},
                                    {"table", luaopen_table},
                                    {"string", luaopen_string},
                                    {"math", luaopen_math},
                                    {"utf8", luaopen_utf8},
                                    {"debug", luaopen_debug},
                                    {NULL, NULL}};
    for (const luaL_Reg *lib = libs; lib->name; lib++) {
        luaL_requiref(L, lib->name, lib->func, 1);
        lua_pop(L, 1);
    }
    rt_view_register(L);
    return 0;
}

int rt_vm_new(const struct rt_limits *limits, struct rt_vm **ret, struct bs_error *err)
{
    struct rt_vm *vm = bs_new(struct rt_vm);
    vm->memory_max = limits && limits->memory_max ? limits->memory_max : MEMORY_DEFAULT;
    vm->cpu_max_ms =
        limits && limits->cpu_max_per_record_ms ? limits->cpu_max_per_record_ms : CPU_DEFAULT_MS;
    vm->L = lua_newstate(allocate, vm);
    if (!vm->L) {
        bs_free(vm);
        return bs_error_set(err, BS_ENOMEM, "no memory for a Lua state");
    }
    *(struct rt_vm **)lua_getextraspace(vm->L) = vm;
    lua_atpanic(vm->L, on_panic);
    lua_newtable(vm->L);
    lua_rawseti(vm->L, LUA_REGISTRYINDEX, LUA_RIDX_LAST + 1);
    lua_pushnil(vm->L);
    lua_rawseti(vm->L, LUA_REGISTRYINDEX, LUA_RIDX_LAST + 2);
    vm->watch.state = vm->L;
    vm->watch.hook = on_kill;
    vm->watch.budget_ms = vm->cpu_max_ms;
    vm->arena = &vm->own;
    int rc = rt_vm_protect(vm, set_up, NULL, err);
    if (rc) {
        rt_vm_free(vm);
        return rc;
    }
    rt_watch_add(&vm->watch);
    *ret = vm;
    return 0;
}

void rt_vm_free(struct rt_vm *vm)
{
    if (!vm)
        return;
    rt_watch_remove(&vm->watch);
    lua_close(vm->L);
    bs_arena_deinit(&vm->own);
    bs_buf_deinit(&vm->scratch);
    bs_buf_deinit(&vm->missing);
    bs_buf_deinit(&vm->missing_fields);
    bs_free(vm);
}

size_t rt_vm_memory(const struct rt_vm *vm)
{
    return vm->memory;
}

void rt_vm_limit(struct rt_vm *vm, int64_t memory_max, int64_t cpu_max_ms)
{
    if (memory_max > 0)
        vm->memory_max = (size_t)memory_max;
    if (cpu_max_ms > 0) {
        vm->cpu_max_ms = cpu_max_ms;
        rt_watch_set_budget(&vm->watch, cpu_max_ms);
    }
}

void rt_vm_begin(struct rt_vm *vm, struct bs_arena *arena)
{
    vm->arena = arena;
    vm->slots = 0;
    rt_watch_enter(&vm->watch);
}

void rt_vm_set_meta(struct rt_vm *vm, const struct rt_meta *meta)
{
    vm->meta = meta;
}

void rt_vm_end(struct rt_vm *vm)
{
    rt_watch_leave(&vm->watch);
    vm->meta = NULL;
    vm->arena = &vm->own;
}

const char *rt_vm_missing(struct rt_vm *vm, const char **ret_fields)
{
    if (!vm->missing.len)
        return NULL;
    *ret_fields = bs_buf_text(&vm->missing_fields);
    return bs_buf_text(&vm->missing);
}

/* ---- calls ---- */

struct call_frame {
    const struct rt_call *call;
    struct rt_datum *results;
    size_t count;
    bool pairs;
    struct rt_pair *items;
    struct rt_header *headers;
};

enum { VIEWS = 1, META = 2, FRAME = 3 };

/* Function and arguments on the stack, called; results from index 4 on. */
static void invoke(lua_State *L, const struct rt_call *call, int result_count)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, call->fn);
    for (size_t i = 0; i < call->arg_count; i++)
        rt_lua_push(L, call->args[i], VIEWS);
    if (call->meta)
        lua_pushvalue(L, META);
    lua_call(L, (int)call->arg_count + call->meta, result_count);
}

static int call_body(lua_State *L)
{
    struct call_frame *frame = lua_touserdata(L, FRAME);
    const struct rt_call *call = frame->call;
    if (call->result_max == 0) {
        invoke(L, call, 0);
        return 0;
    }
    invoke(L, call, call->result_max == 1 ? 1 : LUA_MULTRET);
    size_t count = (size_t)(lua_gettop(L) - FRAME);
    if (call->booleans && lua_type(L, FRAME + 1) != LUA_TBOOLEAN) {
        const char *got = rt_lua_is_null(L, FRAME + 1) ? "weir.null" : luaL_typename(L, FRAME + 1);
        return luaL_error(L, "a predicate must return true or false, it returned %s", got);
    }
    frame->count = count < call->result_max ? count : call->result_max;
    for (size_t i = 0; i < frame->count; i++)
        rt_lua_get(L, FRAME + 1 + (int)i, VIEWS, &frame->results[i]);
    return 0;
}

static void forget_missing(struct rt_vm *vm)
{
    vm->missing.len = 0;
    vm->missing_fields.len = 0;
}

int rt_vm_call(struct rt_vm *vm, const struct rt_call *call, struct rt_datum *results,
               size_t *ret_count, struct bs_error *err)
{
    struct call_frame frame = {.call = call, .results = results};
    forget_missing(vm);
    int rc = rt_vm_protect(vm, call_body, &frame, err);
    if (!rc)
        for (size_t i = frame.count; i < call->result_max; i++)
            memset(&results[i], 0, sizeof results[i]);
    if (ret_count)
        *ret_count = frame.count;
    return rc;
}

/* A pair on top of the stack has positions 1 and 2 only: names would give a record of nothing. */
static void check_pair(lua_State *L, size_t i)
{
    if (!lua_istable(L, -1))
        luaL_error(L, "item %d of the list must be { value, key }, it is a %s", (int)i + 1,
                   rt_view_test(L, -1) ? "value without a key" : luaL_typename(L, -1));
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        lua_Integer at = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        if (at == 1 || at == 2)
            continue;
        lua_pushvalue(L, -2);
        luaL_error(L, "item %d of the list must be { value, key }, it has a field '%s'", (int)i + 1,
                   luaL_tolstring(L, -1, NULL));
    }
}

static void list_item(lua_State *L, struct call_frame *frame, size_t i)
{
    lua_geti(L, FRAME + 1, (lua_Integer)i + 1);
    if (!frame->pairs) {
        rt_lua_get(L, -1, VIEWS, &frame->items[i].value);
        lua_pop(L, 1);
        return;
    }
    check_pair(L, i);
    lua_geti(L, -1, 1);
    rt_lua_get(L, -1, VIEWS, &frame->items[i].value);
    lua_geti(L, -2, 2);
    rt_lua_get(L, -1, VIEWS, &frame->items[i].key);
    lua_pop(L, 3);
}

static int list_body(lua_State *L)
{
    struct call_frame *frame = lua_touserdata(L, FRAME);
    invoke(L, frame->call, 1);
    if (lua_isnil(L, -1))
        return 0;
    if (!lua_istable(L, -1) && !rt_view_test(L, -1))
        return luaL_error(L, "it must return a list, it returned a %s", luaL_typename(L, -1));
    lua_Integer count = luaL_len(L, -1);
    if (count < 0 || count > 10000000)
        return luaL_error(L, "a list of %I items is too long", count);
    frame->items = bs_arena_array(rt_vm_of(L)->arena, (size_t)count + 1, sizeof *frame->items);
    for (lua_Integer i = 0; i < count; i++)
        list_item(L, frame, (size_t)i);
    frame->count = (size_t)count;
    return 0;
}

int rt_vm_call_list(struct rt_vm *vm, const struct rt_call *call, bool pairs,
                    struct rt_pair **ret_items, size_t *ret_count, struct bs_error *err)
{
    struct call_frame frame = {.call = call, .pairs = pairs};
    forget_missing(vm);
    int rc = rt_vm_protect(vm, list_body, &frame, err);
    *ret_items = frame.items;
    *ret_count = rc ? 0 : frame.count;
    return rc;
}

static int compare_headers(const void *a, const void *b)
{
    return bs_bytes_compare(((const struct rt_header *)a)->name,
                            ((const struct rt_header *)b)->name);
}

static int headers_body(lua_State *L)
{
    struct call_frame *frame = lua_touserdata(L, FRAME);
    struct bs_arena *arena = rt_vm_of(L)->arena;
    invoke(L, frame->call, 1);
    if (lua_isnil(L, -1))
        return 0;
    luaL_checktype(L, -1, LUA_TTABLE);
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, FRAME + 1); lua_pop(L, 1))
        count++;
    frame->headers = bs_arena_array(arena, count + 1, sizeof *frame->headers);
    for (lua_pushnil(L); lua_next(L, FRAME + 1); lua_pop(L, 1)) {
        size_t name_len = 0, len = 0;
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            return luaL_error(L, "headers are names and strings");
        const char *name = lua_tolstring(L, -2, &name_len), *text = lua_tolstring(L, -1, &len);
        frame->headers[frame->count++] = (struct rt_header){
            .name = bs_bytes(bs_arena_dup(arena, name, name_len), name_len),
            .value = bs_bytes(bs_arena_dup(arena, text, len), len),
        };
    }
    qsort(frame->headers, count, sizeof *frame->headers, compare_headers);
    return 0;
}

int rt_vm_call_headers(struct rt_vm *vm, const struct rt_call *call, struct rt_header **ret,
                       size_t *ret_count, struct bs_error *err)
{
    struct call_frame frame = {.call = call};
    forget_missing(vm);
    int rc = rt_vm_protect(vm, headers_body, &frame, err);
    *ret = frame.headers;
    *ret_count = rc ? 0 : frame.count;
    return rc;
}
