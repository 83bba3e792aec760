/* Sandbox: what a user's chunk sees as its globals.
 *
 * Nothing that reaches outside, loads code, sees the clock or chance, or escapes the watchdog. The
 * environment itself is an empty table: reads go to a store behind it (an unknown name is an
 * error), writes go to the store while the file runs and are refused afterwards. Runs inside Lua
 * calls. */
#include "runtime/lua/machine.h"

#include "lib/base/log.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH_MAX = 10000000, REPEAT_MAX = 64 << 20 };

static const struct bs_event EVENT_PRINT = {
    .id = "pipeline.print",
    .level = BS_LOG_INFO,
    .doc = "A pipeline's own print.",
};

/* ---- protected calls: a stop by the watchdog or the end of memory goes through ---- */

static int finish_call(lua_State *L, int status)
{
    if (status != LUA_OK && rt_watch_killed(&rt_vm_of(L)->watch))
        return lua_error(L);
    return lua_gettop(L);
}

static int safe_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
    if (status != LUA_OK) {
        lua_pushboolean(L, 0);
        lua_replace(L, 1);
    }
    return finish_call(L, status);
}

/* Upvalue 1: the script's message handler. It does not see the watchdog's stop: that is raised
 * inside a hook, where no hook could stop the handler itself. */
static int guarded_handler(lua_State *L)
{
    if (rt_watch_killed(&rt_vm_of(L)->watch))
        return 1;
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int safe_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2); /* handler, true, function, arguments… */
    lua_pushcclosure(L, guarded_handler, 1);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 3);
    int status = lua_pcall(L, lua_gettop(L) - 5, LUA_MULTRET, 3);
    lua_remove(L, 1);
    lua_remove(L, 1);
    lua_remove(L, 1);
    if (status != LUA_OK) {
        lua_pushboolean(L, 0);
        lua_replace(L, 1);
    }
    return finish_call(L, status);
}

/* ---- bounded functions ---- */

/* Upvalue 1: the library's function. Its first argument is a table whose length is bounded. */
static int bounded_length(lua_State *L)
{
    if (luaL_len(L, 1) > LENGTH_MAX)
        return luaL_error(L, "a table of more than %d items", LENGTH_MAX);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int bounded_range(lua_State *L, int from, int to)
{
    lua_Integer first = luaL_optinteger(L, from, 1);
    lua_Integer last = lua_isnoneornil(L, to) ? luaL_len(L, 1) : luaL_checkinteger(L, to);
    if (last >= first && (lua_Unsigned)last - (lua_Unsigned)first > LENGTH_MAX)
        return luaL_error(L, "a range of more than %d items", LENGTH_MAX);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int bounded_move(lua_State *L)
{
    return bounded_range(L, 2, 3);
}

static int bounded_concat(lua_State *L)
{
    return bounded_range(L, 3, 4);
}

static int bounded_rep(lua_State *L)
{
    size_t len = 0, separator_len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *separator = luaL_optlstring(L, 3, "", &separator_len);
    if (n <= 0 || len + separator_len == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((size_t)n > REPEAT_MAX / (len + separator_len))
        return luaL_error(L, "string.rep: the result would be larger than %d MiB",
                          REPEAT_MAX >> 20);
    size_t total = (size_t)n * len + ((size_t)n - 1) * separator_len;
    luaL_Buffer out;
    char *at = luaL_buffinitsize(L, &out, total);
    for (lua_Integer i = 0; i < n; i++) {
        memcpy(at, text, len);
        at += len;
        if (i + 1 < n && separator_len) {
            memcpy(at, separator, separator_len);
            at += separator_len;
        }
    }
    luaL_pushresultsize(&out, total);
    return 1;
}

static int safe_setmetatable(lua_State *L)
{
    static const char *const refused[] = {"__gc", "__mode", "__close"};
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_istable(L, 2))
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
            lua_pushstring(L, refused[i]);
            if (lua_rawget(L, 2) != LUA_TNIL)
                return luaL_error(L, "setmetatable: %s is not allowed here", refused[i]);
            lua_pop(L, 1);
        }
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

/* ---- pairs in an order that is the same on every run ---- */

static int pairs_next(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2)) + 1;
    lua_pushinteger(L, i);
    lua_replace(L, lua_upvalueindex(2));
    for (;; i++) {
        if (lua_rawgeti(L, lua_upvalueindex(1), i) == LUA_TNIL)
            return 1;
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) != LUA_TNIL)
            break;
        lua_pop(L, 2); /* removed meanwhile */
        lua_pushinteger(L, i + 1);
        lua_replace(L, lua_upvalueindex(2));
    }
    return 2;
}

struct sort_key {
    int rank; /* numbers, strings, the rest in Lua's order */
    double number;
    struct bs_bytes text;
    int index;
};

static int compare_keys(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank - y->rank;
    if (x->rank == 0 && x->number != y->number)
        return x->number < y->number ? -1 : 1;
    if (x->rank == 1)
        return bs_bytes_compare(x->text, y->text);
    return x->index - y->index;
}

static int ordered_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    int count = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
        count++;
    if (count > LENGTH_MAX)
        return luaL_error(L, "a table of more than %d items", LENGTH_MAX);
    struct sort_key *keys = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *keys, 0);
    lua_createtable(L, count, 0);
    int found = lua_gettop(L), n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        struct sort_key *key = &keys[n++];
        key->index = n;
        key->rank = lua_type(L, -2) == LUA_TNUMBER ? 0 : lua_type(L, -2) == LUA_TSTRING ? 1 : 2;
        key->number = key->rank == 0 ? lua_tonumber(L, -2) : 0;
        size_t len = 0;
        const char *text = key->rank == 1 ? lua_tolstring(L, -2, &len) : NULL;
        key->text = bs_bytes(text, len);
        lua_pushvalue(L, -2);
        lua_rawseti(L, found, n);
    }
    qsort(keys, (size_t)n, sizeof *keys, compare_keys);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, found, keys[i].index);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_next, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int print_log(lua_State *L)
{
    struct rt_vm *vm = rt_vm_of(L);
    luaL_Buffer out;
    int count = lua_gettop(L);
    luaL_buffinit(L, &out);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&out, ' ');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&out);
    }
    luaL_pushresult(&out);
    bs_log(&EVENT_PRINT, "%s: %.2000s", vm->file ? vm->file : "?", lua_tostring(L, -1));
    return 0;
}

/* ---- the environment ---- */

static int unknown_global(lua_State *L)
{
    static const struct {
        const char *name, *why;
    } known[] = {
        {"os", "functions see no clock and no system; meta.timestamp and weir.time are there"},
        {"io", "pipelines open no files"},
        {"debug", "it is not part of the sandbox"},
        {"coroutine", "functions run to their end"},
        {"package", "the only module is weir"},
        {"load", "code comes from the file alone"},
        {"loadstring", "code comes from the file alone"},
        {"loadfile", "code comes from the file alone"},
        {"dofile", "code comes from the file alone"},
        {"collectgarbage", "memory is looked after"},
        {"rawset", "plain assignment does"},
        {"rawget", "plain indexing does"},
    };
    const char *name = lua_tostring(L, 2);
    for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0)
            return luaL_error(L, "'%s' is not available in a pipeline: %s", name, known[i].why);
    return luaL_error(L, "there is no global '%s'", name ? name : "?");
}

static int set_global(lua_State *L)
{
    if (!rt_vm_of(L)->loading)
        return luaL_error(L,
                          "global '%s' cannot be set while records are worked on; state belongs "
                          "in stores (count, reduce, aggregate)",
                          lua_tostring(L, 2) ? lua_tostring(L, 2) : "?");
    lua_rawset(L, lua_upvalueindex(1));
    return 0;
}

static int no_chance(lua_State *L)
{
    return luaL_error(L, "math.random is not available: a replay must give the same result");
}

/* Copies the named fields of the global library `lib` into a new table on top. */
static void copy_library(lua_State *L, const char *lib, const char *const *names)
{
    lua_newtable(L);
    lua_getglobal(L, lib);
    for (; *names; names++) {
        lua_getfield(L, -1, *names);
        lua_setfield(L, -3, *names);
    }
    lua_pop(L, 1);
}

/* Wraps field `name` of the table on top. */
static void wrap(lua_State *L, const char *name, lua_CFunction wrapper)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, wrapper, 1);
    lua_setfield(L, -2, name);
}

static void add_libraries(lua_State *L)
{
    static const char *const strings[] = {"byte",  "char",     "format", "len",
                                          "lower", "upper",    "sub",    "reverse",
                                          "pack",  "packsize", "unpack", NULL};
    static const char *const tables[] = {"concat", "insert", "move",   "pack",
                                         "remove", "sort",   "unpack", NULL};
    static const char *const maths[] = {
        "abs", "ceil",       "cos",        "deg",  "exp",       "floor", "fmod", "huge", "log",
        "max", "maxinteger", "mininteger", "min",  "modf",      "pi",    "rad",  "sin",  "sqrt",
        "tan", "acos",       "asin",       "atan", "tointeger", "type",  "ult",  NULL};
    static const char *const utf8s[] = {"char", "charpattern", "codes", "codepoint",
                                        "len",  "offset",      NULL};
    copy_library(L, "string", strings);
    rt_pattern_register(L);
    lua_pushcfunction(L, bounded_rep);
    lua_setfield(L, -2, "rep");
    lua_pushliteral(L, ""); /* methods of strings are these too */
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    lua_setfield(L, -2, "string");
    copy_library(L, "table", tables);
    wrap(L, "insert", bounded_length);
    wrap(L, "remove", bounded_length);
    wrap(L, "sort", bounded_length);
    wrap(L, "move", bounded_move);
    wrap(L, "concat", bounded_concat);
    lua_setfield(L, -2, "table");
    copy_library(L, "math", maths);
    lua_pushcfunction(L, no_chance);
    lua_setfield(L, -2, "random");
    lua_pushcfunction(L, no_chance);
    lua_setfield(L, -2, "randomseed");
    lua_setfield(L, -2, "math");
    copy_library(L, "utf8", utf8s);
    lua_setfield(L, -2, "utf8");
}

void rt_sandbox_push(lua_State *L)
{
    static const char *const base[] = {
        "assert", "error",    "getmetatable", "ipairs", "next",     "rawequal",     "rawlen",
        "select", "tonumber", "tostring",     "type",   "_VERSION", "setmetatable", NULL};
    static const luaL_Reg own[] = {{"pcall", safe_pcall},
                                   {"xpcall", safe_xpcall},
                                   {"pairs", ordered_pairs},
                                   {"print", print_log},
                                   {NULL, NULL}};
    lua_newtable(L); /* the environment: stays empty */
    lua_newtable(L); /* its metatable */
    lua_newtable(L); /* the store */
    lua_getglobal(L, "_G");
    for (const char *const *name = base; *name; name++) {
        lua_getfield(L, -1, *name);
        lua_setfield(L, -3, *name);
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, own, 0);
    wrap(L, "setmetatable", safe_setmetatable);
    add_libraries(L);
    lua_newtable(L); /* of the store: unknown names */
    lua_pushcfunction(L, unknown_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, set_global, 1);
    lua_setfield(L, -3, "__newindex");
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "sandbox");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}
