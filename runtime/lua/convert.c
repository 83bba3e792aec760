/* Convert: Lua values ↔ data. Functions here may raise Lua errors and run protected (vm.c).
 *
 * A plain table becomes a map with its names in byte order (Lua's own order differs from run to
 * run), or an array when its keys are 1..n or it was made by weir.array. */
#include "runtime/lua/machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char null_mark;

void rt_lua_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&null_mark);
}

bool rt_lua_is_null(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == &null_mark;
}

static void push_tree(lua_State *L, struct rt_datum *datum, int slots_index)
{
    struct rt_vm *vm = rt_vm_of(L);
    if (datum->slot) {
        lua_rawgeti(L, slots_index, datum->slot);
        return;
    }
    if (datum->form == RT_TREE)
        rt_view_push_tree(L, datum->bytes);
    else
        rt_view_push_avro(L, datum->avro, datum->avro->root, datum->bytes);
    if (slots_index && vm->slots < RT_SLOT_MAX) {
        datum->slot = ++vm->slots;
        lua_pushvalue(L, -1);
        lua_rawseti(L, slots_index, datum->slot);
    }
}

static void push_avro(lua_State *L, struct rt_datum *datum, int slots_index)
{
    if (datum->slot || datum->avro->root->kind == SD_AVRO_RECORD) {
        push_tree(L, datum, slots_index);
        return;
    }
    struct rt_vm *vm = rt_vm_of(L);
    struct bs_cursor at = bs_cursor(datum->bytes);
    size_t start = vm->scratch.len;
    int rc = rt_flat_put_avro(&vm->scratch, datum->avro->root, &at, 0);
    if (rc) {
        vm->scratch.len = start;
        luaL_error(L, "the Avro value does not fit its schema");
    }
    rt_flat_push(L, bs_bytes(vm->scratch.data + start, vm->scratch.len - start));
    vm->scratch.len = start;
}

void rt_lua_push(lua_State *L, struct rt_datum *datum, int slots_index)
{
    if (datum->windowed) {
        rt_view_push_window(L, datum);
        return;
    }
    if (datum->form == RT_JSON) {
        struct bs_error problem = {0};
        if (rt_datum_parse(datum, rt_vm_of(L)->arena, &problem))
            luaL_error(L, "%s", problem.text);
    }
    switch ((enum rt_form)datum->form) {
    case RT_NULL:
        lua_pushnil(L);
        break;
    case RT_BOOL:
        lua_pushboolean(L, datum->boolean);
        break;
    case RT_LONG:
        lua_pushinteger(L, datum->number);
        break;
    case RT_DOUBLE:
        lua_pushnumber(L, datum->real);
        break;
    case RT_STRING:
    case RT_BYTES:
        lua_pushlstring(L, (const char *)datum->bytes.ptr, datum->bytes.len);
        break;
    case RT_TREE:
        push_tree(L, datum, slots_index);
        break;
    case RT_AVRO:
        push_avro(L, datum, slots_index);
        break;
    case RT_JSON:
        break; /* parsed above */
    }
}

/* ---- tables → flat ---- */

struct name_at {
    struct bs_bytes name;
};

static int compare_names(const void *a, const void *b)
{
    return bs_bytes_compare(((const struct name_at *)a)->name, ((const struct name_at *)b)->name);
}

static bool has_type(lua_State *L, int index, const void *type)
{
    if (!lua_getmetatable(L, index))
        return false;
    bool same = lua_topointer(L, -1) == type;
    lua_pop(L, 1);
    return same;
}

static void flatten(lua_State *L, int index, struct bs_buf *out, unsigned depth);

static void flatten_array(lua_State *L, int index, lua_Integer count, struct bs_buf *out,
                          unsigned depth)
{
    size_t mark = rt_flat_begin(out, RT_TAG_ARRAY);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, index, i);
        if (lua_isnil(L, -1))
            luaL_error(L, "item %d of the list is nil; weir.null stands for null", (int)i);
        flatten(L, lua_gettop(L), out, depth + 1);
        lua_pop(L, 1);
    }
    rt_flat_end(out, mark, (size_t)count);
}

static void flatten_map(lua_State *L, int index, size_t count, struct bs_buf *out, unsigned depth)
{
    struct name_at few[16], *names = few;
    if (count > 16) /* a userdata, so that an error cannot leak it */
        names = lua_newuserdatauv(L, count * sizeof *names, 0);
    else
        lua_pushnil(L);
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        size_t len = 0;
        const char *name = lua_tolstring(L, -2, &len); /* a string: checked by the caller */
        names[n++].name = bs_bytes(name, len);
    }
    qsort(names, n, sizeof *names, compare_names);
    size_t mark = rt_flat_begin(out, RT_TAG_MAP);
    for (size_t i = 0; i < n; i++) {
        rt_flat_put_name(out, names[i].name);
        lua_pushlstring(L, (const char *)names[i].name.ptr, names[i].name.len);
        lua_rawget(L, index);
        flatten(L, lua_gettop(L), out, depth + 1);
        lua_pop(L, 1);
    }
    rt_flat_end(out, mark, n);
    lua_pop(L, 1);
}

static void flatten_branch(lua_State *L, int index, struct bs_buf *out, unsigned depth)
{
    size_t len = 0;
    lua_rawgeti(L, index, 1);
    const char *name = luaL_checklstring(L, -1, &len);
    bs_buf_put_u8(out, RT_TAG_BRANCH);
    rt_flat_put_name(out, bs_bytes(name, len));
    lua_rawgeti(L, index, 2);
    flatten(L, lua_gettop(L), out, depth + 1);
    lua_pop(L, 2);
}

static void flatten_table(lua_State *L, int index, struct bs_buf *out, unsigned depth)
{
    struct rt_vm *vm = rt_vm_of(L);
    if (has_type(L, index, vm->branch_type)) {
        flatten_branch(L, index, out, depth);
        return;
    }
    bool array = has_type(L, index, vm->array_type);
    size_t names = 0, numbers = 0;
    lua_Integer largest = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            names++;
        } else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1) {
            numbers++;
            if (lua_tointeger(L, -2) > largest)
                largest = lua_tointeger(L, -2);
        } else {
            luaL_error(L,
                       "a table in data has names, or keys 1 to n; this one has a key that is a %s",
                       luaL_typename(L, -2));
        }
    }
    if (numbers && names)
        luaL_error(L, "a table in data has names, or keys 1 to n; this one has both");
    if (array && names)
        luaL_error(L, "a weir.array has no names");
    if ((size_t)largest != numbers)
        luaL_error(L,
                   "a list in data has no holes: this one has %d items up to index %I; weir.null "
                   "stands for null",
                   (int)numbers, largest);
    if (numbers || array)
        flatten_array(L, index, largest, out, depth);
    else
        flatten_map(L, index, names, out, depth);
}

static void flatten(lua_State *L, int index, struct bs_buf *out, unsigned depth)
{
    size_t len = 0;
    if (depth > RT_FLAT_DEPTH_MAX / 2)
        luaL_error(L, "data is nested more than %d levels deep (does it contain itself?)",
                   RT_FLAT_DEPTH_MAX / 2);
    if (out->len > rt_vm_of(L)->memory_max)
        luaL_error(L, "the data is larger than the memory that the script may use");
    luaL_checkstack(L, 8, NULL);
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        bs_buf_put_u8(out, RT_TAG_NULL);
        return;
    case LUA_TBOOLEAN:
        bs_buf_put_u8(out, lua_toboolean(L, index) ? RT_TAG_TRUE : RT_TAG_FALSE);
        return;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            rt_flat_put_long(out, lua_tointeger(L, index));
        else
            rt_flat_put_double(out, lua_tonumber(L, index));
        return;
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, index, &len);
        rt_flat_put_text(out, RT_TAG_STRING, bs_bytes(text, len));
        return;
    }
    case LUA_TTABLE:
        flatten_table(L, index, out, depth);
        return;
    case LUA_TLIGHTUSERDATA:
        if (rt_lua_is_null(L, index)) {
            bs_buf_put_u8(out, RT_TAG_NULL);
            return;
        }
        break;
    case LUA_TUSERDATA: {
        const struct rt_view *view = rt_view_test(L, index);
        if (view) {
            rt_view_flatten(L, view, out);
            return;
        }
        break;
    }
    default:
        break;
    }
    luaL_error(L, "a %s cannot be data", luaL_typename(L, index));
}

void rt_lua_flatten(lua_State *L, int index, struct bs_buf *out)
{
    flatten(L, lua_absindex(L, index), out, 0);
}

/* ---- results ---- */

static void get_view(lua_State *L, int index, int slots_index, const struct rt_view *view,
                     struct rt_datum *ret)
{
    struct rt_vm *vm = rt_vm_of(L);
    if (view->windowed) {
        struct bs_bytes key;
        if (rt_flat_field(bs_bytes(view->data, view->len), bs_bytes_text("key"), &key) ||
            rt_datum_from_flat(bs_bytes(bs_arena_dup(vm->arena, key.ptr, key.len), key.len), ret))
            luaL_error(L, "the window's key cannot be read");
        ret->windowed = true;
        ret->start = view->start;
        ret->stop = view->stop;
        return;
    }
    if (view->form == RT_AVRO && !view->avro) { /* a part of a record */
        size_t start = vm->scratch.len;
        rt_view_flatten(L, view, &vm->scratch);
        size_t len = vm->scratch.len - start;
        ret->form = RT_TREE;
        ret->bytes = bs_bytes(bs_arena_dup(vm->arena, vm->scratch.data + start, len), len);
        vm->scratch.len = start;
        return;
    }
    ret->form = view->form;
    ret->avro = view->avro;
    if (slots_index && vm->slots < RT_SLOT_MAX) {
        ret->slot = ++vm->slots;
        lua_pushvalue(L, index);
        lua_rawseti(L, slots_index, ret->slot);
        ret->bytes = bs_bytes(view->data, view->len);
    } else {
        ret->bytes = bs_bytes(bs_arena_dup(vm->arena, view->data, view->len), view->len);
    }
}

void rt_lua_get(lua_State *L, int index, int slots_index, struct rt_datum *ret)
{
    struct rt_vm *vm = rt_vm_of(L);
    size_t len = 0;
    memset(ret, 0, sizeof *ret);
    index = lua_absindex(L, index);
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE:
        return;
    case LUA_TBOOLEAN:
        ret->form = RT_BOOL;
        ret->boolean = lua_toboolean(L, index);
        return;
    case LUA_TNUMBER:
        ret->form = lua_isinteger(L, index) ? RT_LONG : RT_DOUBLE;
        if (ret->form == RT_LONG)
            ret->number = lua_tointeger(L, index);
        else
            ret->real = lua_tonumber(L, index);
        return;
    case LUA_TSTRING: {
        const char *text = lua_tolstring(L, index, &len);
        ret->form = RT_STRING;
        ret->bytes = bs_bytes(bs_arena_dup(vm->arena, text, len), len);
        return;
    }
    case LUA_TUSERDATA: {
        const struct rt_view *view = rt_view_test(L, index);
        if (view) {
            get_view(L, index, slots_index, view, ret);
            return;
        }
        break;
    }
    default:
        break;
    }
    if (rt_lua_is_null(L, index))
        return;
    vm->scratch.len = 0;
    rt_lua_flatten(L, index, &vm->scratch);
    uint8_t *copy = bs_arena_dup(vm->arena, vm->scratch.data, vm->scratch.len);
    if (rt_datum_from_flat(bs_bytes(copy, vm->scratch.len), ret))
        luaL_error(L, "the value cannot be kept");
    vm->scratch.len = 0;
}
