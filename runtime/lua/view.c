/* View: a userdata over encoded bytes that reads like a table and decodes what is asked for.
 *
 * The bytes stand in the userdata itself (so a kept view stays valid and counts against the
 * script's memory), or in that of the view it was taken from, which its user value keeps alive.
 * RT_TREE views show flat containers, RT_AVRO views Avro records; the offsets of fields that were
 * passed once are remembered. All functions run inside Lua calls. */
#include "runtime/lua/machine.h"

#include "lib/serde/avro.h"
#include "runtime/task/task.h"

#include <string.h>

static struct rt_view *new_view(lua_State *L, size_t offsets, size_t bytes)
{
    size_t head = sizeof(struct rt_view) + offsets * sizeof(uint32_t);
    struct rt_view *view = lua_newuserdatauv(L, head + bytes, 1);
    memset(view, 0, head);
    view->data = (const uint8_t *)view + head;
    lua_rawgetp(L, LUA_REGISTRYINDEX, (void *)rt_view_register);
    lua_setmetatable(L, -2);
    return view;
}

static void fill(struct rt_view *view, struct bs_bytes bytes)
{
    if (bytes.len)
        memcpy((uint8_t *)view->data, bytes.ptr, bytes.len);
    view->len = (uint32_t)bytes.len;
}

static void check_size(lua_State *L, size_t len)
{
    if (len > UINT32_MAX / 2)
        luaL_error(L, "a value of %d MiB is too large", (int)(len >> 20));
}

void rt_view_push_tree(lua_State *L, struct bs_bytes flat)
{
    check_size(L, flat.len);
    struct rt_view *view = new_view(L, 0, flat.len);
    fill(view, flat);
    view->form = RT_TREE;
}

void rt_view_push_avro(lua_State *L, const struct rt_avro *avro, const struct sd_node *node,
                       struct bs_bytes bytes)
{
    check_size(L, bytes.len);
    struct rt_view *view = new_view(L, node->field_count + 1, bytes.len);
    fill(view, bytes);
    view->form = RT_AVRO;
    view->node = node;
    view->avro = avro;
}

/* The key of a window: { key =, start =, stop = }. */
void rt_view_push_window(lua_State *L, const struct rt_datum *key)
{
    struct rt_vm *vm = rt_vm_of(L);
    struct bs_buf *out = &vm->scratch;
    struct bs_error problem = {0};
    size_t start = out->len;
    size_t mark = rt_flat_begin(out, RT_TAG_MAP);
    rt_flat_put_name(out, bs_bytes_text("key"));
    struct rt_datum plain = *key;
    if (plain.form == RT_AVRO) { /* windows of Avro keys show them as flat data */
        struct bs_cursor at = bs_cursor(plain.bytes);
        if (rt_flat_put_avro(out, plain.avro->root, &at, 0))
            luaL_error(L, "the Avro key does not fit its schema");
    } else if (rt_datum_put(&plain, vm->arena, out, &problem)) {
        luaL_error(L, "%s", problem.text);
    }
    rt_flat_put_name(out, bs_bytes_text("start"));
    rt_flat_put_long(out, key->start);
    rt_flat_put_name(out, bs_bytes_text("stop"));
    rt_flat_put_long(out, key->stop);
    rt_flat_end(out, mark, 3);
    rt_view_push_tree(L, bs_bytes(out->data + start, out->len - start));
    out->len = start;
    struct rt_view *view = lua_touserdata(L, -1);
    view->windowed = true;
    view->start = key->start;
    view->stop = key->stop;
}

struct rt_view *rt_view_test(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return NULL;
    bool same = lua_topointer(L, -1) == rt_vm_of(L)->view_type;
    lua_pop(L, 1);
    return same ? lua_touserdata(L, index) : NULL;
}

void rt_view_flatten(lua_State *L, const struct rt_view *view, struct bs_buf *out)
{
    if (view->form == RT_TREE) {
        bs_buf_put(out, view->data, view->len);
        return;
    }
    struct bs_cursor at = bs_cursor(bs_bytes(view->data, view->len));
    if (rt_flat_put_avro(out, view->node, &at, 0))
        luaL_error(L, "the Avro value does not fit its schema");
}

/* ---- reading ---- */

static int corrupt(lua_State *L)
{
    return luaL_error(L, "the value's bytes do not fit its type");
}

/* A view of a part of the view at `parent`, without copying. */
static struct rt_view *push_part(lua_State *L, int parent, size_t offsets)
{
    struct rt_view *part = new_view(L, offsets, 0);
    lua_pushvalue(L, parent);
    lua_setiuservalue(L, -2, 1);
    return part;
}

/* Pushes one flat value; containers as a part of `parent`, or copied when parent is 0. */
static void push_flat(lua_State *L, struct bs_bytes flat, int parent)
{
    struct bs_bytes plain = flat;
    if (rt_flat_unwrap(&plain))
        corrupt(L);
    if (plain.ptr[0] >= RT_TAG_ARRAY && plain.ptr[0] <= RT_TAG_RECORD) {
        if (!parent) {
            rt_view_push_tree(L, plain);
            return;
        }
        struct rt_view *part = push_part(L, parent, 0);
        part->data = plain.ptr;
        part->len = (uint32_t)plain.len;
        part->form = RT_TREE;
        return;
    }
    struct bs_cursor at = bs_cursor(plain);
    struct sd_value value;
    if (rt_flat_get_value(&at, NULL, &value, 0))
        corrupt(L);
    switch ((enum sd_type)value.type) {
    case SD_BOOL:
        lua_pushboolean(L, value.boolean);
        break;
    case SD_LONG:
        lua_pushinteger(L, value.number);
        break;
    case SD_FLOAT:
    case SD_DOUBLE:
        lua_pushnumber(L, value.real);
        break;
    case SD_STRING:
    case SD_BYTES:
        lua_pushlstring(L, (const char *)value.bytes.ptr, value.bytes.len);
        break;
    default:
        rt_lua_push_null(L);
    }
}

void rt_flat_push(lua_State *L, struct bs_bytes flat)
{
    push_flat(L, flat, 0);
}

/* Where field `i` of the record starts; passes over those before it once. */
static uint32_t field_offset(lua_State *L, struct rt_view *view, size_t i)
{
    struct bs_cursor at = {.at = view->data + view->offsets[view->known],
                           .end = view->data + view->len};
    while (view->known < i) {
        if (sd_avro_skip(view->node->fields[view->known].type, &at))
            corrupt(L);
        view->offsets[++view->known] = (uint32_t)(at.at - view->data);
    }
    return view->offsets[i];
}

static void push_avro_value(lua_State *L, int parent, const struct sd_node *node,
                            struct bs_cursor *at)
{
    struct bs_bytes bytes;
    int64_t number = 0;
    while (node->kind == SD_AVRO_UNION) {
        if (bs_get_varlong(at, &number) || number < 0 || (size_t)number >= node->branch_count)
            corrupt(L);
        node = node->branches[number];
    }
    switch (node->kind) {
    case SD_AVRO_INT:
    case SD_AVRO_LONG:
        if (bs_get_varlong(at, &number))
            corrupt(L);
        lua_pushinteger(L, number);
        return;
    case SD_AVRO_STRING:
    case SD_AVRO_BYTES:
        if (bs_get_varlong(at, &number) || number < 0 || bs_get_bytes(at, (size_t)number, &bytes))
            corrupt(L);
        lua_pushlstring(L, (const char *)bytes.ptr, bytes.len);
        return;
    case SD_AVRO_RECORD: {
        struct rt_view *part = push_part(L, parent, node->field_count + 1);
        part->form = RT_AVRO;
        part->node = node;
        part->data = at->at;
        if (sd_avro_skip(node, at))
            corrupt(L);
        part->len = (uint32_t)(at->at - part->data);
        return;
    }
    default: {
        struct bs_buf *out = &rt_vm_of(L)->scratch;
        size_t start = out->len;
        if (rt_flat_put_avro(out, node, at, 0)) {
            out->len = start;
            corrupt(L);
        }
        push_flat(L, bs_bytes(out->data + start, out->len - start), 0);
        out->len = start;
    }
    }
}

/* Remembers what was asked for and not there, for the message if the call fails. */
static void note_missing(lua_State *L, const struct rt_view *view, struct bs_bytes name)
{
    struct rt_vm *vm = rt_vm_of(L);
    vm->missing.len = 0;
    vm->missing_fields.len = 0;
    bs_buf_put(&vm->missing, name.ptr, name.len < 100 ? name.len : 100);
    if (view->form == RT_AVRO) {
        for (size_t i = 0; i < view->node->field_count && vm->missing_fields.len < 200; i++)
            bs_buf_printf(&vm->missing_fields, "%s%s", i ? ", " : "", view->node->fields[i].name);
        return;
    }
    struct bs_cursor at;
    size_t count = 0;
    struct bs_bytes field;
    if (view->data[0] == RT_TAG_ARRAY || rt_flat_open(bs_bytes(view->data, view->len), &at, &count))
        return;
    for (size_t i = 0; i < count && vm->missing_fields.len < 200; i++) {
        if (rt_flat_name(&at, &field) || rt_flat_skip(&at))
            return;
        bs_buf_puts(&vm->missing_fields, i ? ", " : "");
        bs_buf_put(&vm->missing_fields, field.ptr, field.len);
    }
}

/* Pushes the field or item, or nil; false: not there. */
static bool push_item(lua_State *L, struct rt_view *view, int index, lua_Integer i)
{
    struct bs_cursor at;
    size_t count = 0;
    struct bs_bytes slice;
    if (rt_flat_open(bs_bytes(view->data, view->len), &at, &count))
        corrupt(L);
    if (i < 1 || (lua_Unsigned)i > count) {
        lua_pushnil(L);
        return false;
    }
    lua_Integer from = 1;
    if (view->at_index && view->at_index < i) { /* go on where the last access ended */
        from = view->at_index + 1;
        at.at = view->data + view->at_offset;
    }
    for (; from < i; from++)
        if (rt_flat_skip(&at))
            corrupt(L);
    if (rt_flat_slice(&at, &slice))
        corrupt(L);
    view->at_index = (uint32_t)i;
    view->at_offset = (uint32_t)(at.at - view->data);
    push_flat(L, slice, index);
    return true;
}

static bool push_named(lua_State *L, struct rt_view *view, int index, struct bs_bytes name)
{
    if (view->form == RT_AVRO) {
        int i = sd_node_field(view->node, name);
        if (i < 0) {
            lua_pushnil(L);
            return false;
        }
        struct bs_cursor at = {.at = view->data + field_offset(L, view, (size_t)i),
                               .end = view->data + view->len};
        push_avro_value(L, index, view->node->fields[i].type, &at);
        return true;
    }
    struct bs_bytes slice;
    int rc = view->data[0] == RT_TAG_ARRAY
                 ? BS_ENOTFOUND
                 : rt_flat_field(bs_bytes(view->data, view->len), name, &slice);
    if (rc == BS_ENOTFOUND) {
        lua_pushnil(L);
        return false;
    }
    if (rc)
        corrupt(L);
    push_flat(L, slice, index);
    return true;
}

static int view_index(lua_State *L)
{
    struct rt_view *view = lua_touserdata(L, 1); /* only our metatable leads here */
    size_t len = 0;
    if (lua_type(L, 2) == LUA_TSTRING) {
        const char *name = lua_tolstring(L, 2, &len);
        if (!push_named(L, view, 1, bs_bytes(name, len)))
            note_missing(L, view, bs_bytes(name, len));
        return 1;
    }
    if (view->form == RT_TREE && view->data[0] == RT_TAG_ARRAY && lua_isinteger(L, 2)) {
        push_item(L, view, 1, lua_tointeger(L, 2));
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

static int view_newindex(lua_State *L)
{
    const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "field";
    return luaL_error(L, "values are read-only; weir.with(value, { %s = … }) gives a changed copy",
                      name);
}

static int view_len(lua_State *L)
{
    struct rt_view *view = lua_touserdata(L, 1);
    struct bs_cursor at;
    size_t count = 0;
    if (view->form == RT_AVRO)
        count = view->node->field_count;
    else if (rt_flat_open(bs_bytes(view->data, view->len), &at, &count))
        corrupt(L);
    lua_pushinteger(L, (lua_Integer)count);
    return 1;
}

/* Iterates by position: upvalues are the view, how many were given, and where the next begins. */
static int view_next(lua_State *L)
{
    struct rt_view *view = lua_touserdata(L, lua_upvalueindex(1));
    lua_Integer i = lua_tointeger(L, lua_upvalueindex(2));
    lua_pushinteger(L, i + 1);
    lua_replace(L, lua_upvalueindex(2));
    if (view->form == RT_AVRO) {
        if ((size_t)i >= view->node->field_count)
            return 0;
        const char *name = view->node->fields[i].name;
        lua_pushstring(L, name);
        struct bs_cursor at = {.at = view->data + field_offset(L, view, (size_t)i),
                               .end = view->data + view->len};
        push_avro_value(L, lua_upvalueindex(1), view->node->fields[i].type, &at);
        return 2;
    }
    if (view->data[0] == RT_TAG_ARRAY) {
        lua_pushinteger(L, i + 1);
        return push_item(L, view, lua_upvalueindex(1), i + 1) ? 2 : 0;
    }
    struct bs_cursor at;
    size_t count = 0;
    struct bs_bytes name, slice;
    if (rt_flat_open(bs_bytes(view->data, view->len), &at, &count))
        corrupt(L);
    if ((size_t)i >= count)
        return 0;
    lua_Integer offset = lua_tointeger(L, lua_upvalueindex(3));
    if (offset)
        at.at = view->data + offset;
    if (rt_flat_name(&at, &name) || rt_flat_slice(&at, &slice))
        corrupt(L);
    lua_pushinteger(L, at.at - view->data);
    lua_replace(L, lua_upvalueindex(3));
    lua_pushlstring(L, (const char *)name.ptr, name.len);
    push_flat(L, slice, lua_upvalueindex(1));
    return 2;
}

static int view_pairs(lua_State *L)
{
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, view_next, 3);
    return 1;
}

static int view_eq(lua_State *L)
{
    struct rt_vm *vm = rt_vm_of(L);
    struct rt_view *a = rt_view_test(L, 1), *b = rt_view_test(L, 2);
    if (!a || !b) {
        lua_pushboolean(L, 0);
        return 1;
    }
    struct bs_buf *out = &vm->scratch;
    size_t start = out->len;
    rt_view_flatten(L, a, out);
    size_t middle = out->len;
    rt_view_flatten(L, b, out);
    struct rt_datum left, right;
    bool same = !rt_datum_from_flat(bs_bytes(out->data + start, middle - start), &left) &&
                !rt_datum_from_flat(bs_bytes(out->data + middle, out->len - middle), &right) &&
                rt_datum_equal(&left, &right, vm->arena);
    out->len = start;
    lua_pushboolean(L, same);
    return 1;
}

static int view_tostring(lua_State *L)
{
    struct rt_vm *vm = rt_vm_of(L);
    struct rt_view *view = lua_touserdata(L, 1);
    struct bs_buf text = BS_BUF_INIT; /* nothing below raises while it is held */
    size_t start = vm->scratch.len;
    rt_view_flatten(L, view, &vm->scratch);
    struct rt_datum datum;
    if (!rt_datum_from_flat(bs_bytes(vm->scratch.data + start, vm->scratch.len - start), &datum))
        rt_datum_show(&datum, vm->arena, 10000, &text);
    vm->scratch.len = start;
    char *copy = bs_arena_strndup(vm->arena, (const char *)text.data, text.len);
    size_t len = text.len;
    bs_buf_deinit(&text);
    lua_pushlstring(L, copy, len);
    return 1;
}

static int view_concat(lua_State *L)
{
    int which = rt_view_test(L, 1) ? 1 : 2;
    return luaL_error(L,
                      "a record cannot be joined to a string; take one of its fields, or "
                      "tostring(%s)",
                      which == 1 ? "left" : "right");
}

/* ---- meta ---- */

static void push_headers(lua_State *L, const struct rt_meta *meta)
{
    lua_createtable(L, 0, (int)meta->header_count);
    for (size_t i = 0; i < meta->header_count; i++) {
        const struct rt_header *header = &meta->headers[i];
        lua_pushlstring(L, (const char *)header->name.ptr, header->name.len);
        if (header->value.ptr)
            lua_pushlstring(L, (const char *)header->value.ptr, header->value.len);
        else
            rt_lua_push_null(L);
        lua_rawset(L, -3);
    }
}

static int meta_index(lua_State *L)
{
    const struct rt_meta *meta = rt_vm_of(L)->meta;
    const char *name = lua_tostring(L, 2);
    if (!meta)
        return luaL_error(L, "meta holds only during the call it was given to");
    if (!name)
        lua_pushnil(L);
    else if (strcmp(name, "timestamp") == 0)
        lua_pushinteger(L, meta->timestamp);
    else if (strcmp(name, "topic") == 0)
        lua_pushstring(L, meta->topic);
    else if (strcmp(name, "partition") == 0)
        lua_pushinteger(L, meta->partition);
    else if (strcmp(name, "offset") == 0)
        lua_pushinteger(L, meta->offset);
    else if (strcmp(name, "headers") == 0)
        push_headers(L, meta);
    else
        return luaL_error(
            L, "meta has no '%s'; it has topic, partition, offset, timestamp, headers", name);
    return 1;
}

static int meta_newindex(lua_State *L)
{
    return luaL_error(L, "meta is read-only");
}

static int null_index(lua_State *L)
{
    return luaL_error(L, "weir.null has no fields (a null value is compared: f.x == weir.null)");
}

static int null_tostring(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

void rt_view_register(lua_State *L)
{
    static const luaL_Reg view[] = {
        {"__index", view_index},   {"__newindex", view_newindex},
        {"__len", view_len},       {"__pairs", view_pairs},
        {"__eq", view_eq},         {"__tostring", view_tostring},
        {"__concat", view_concat}, {NULL, NULL},
    };
    static const luaL_Reg meta[] = {
        {"__index", meta_index}, {"__newindex", meta_newindex}, {NULL, NULL}};
    static const luaL_Reg null[] = {
        {"__index", null_index}, {"__tostring", null_tostring}, {NULL, NULL}};
    luaL_newlib(L, view);
    lua_pushliteral(L, "view");
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "value");
    lua_setfield(L, -2, "__name");
    rt_vm_of(L)->view_type = lua_topointer(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, (void *)rt_view_register);
    lua_newuserdatauv(L, 0, 0);
    luaL_newlib(L, meta);
    lua_pushliteral(L, "meta");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_LAST + 2);
    rt_lua_push_null(L);
    luaL_newlib(L, null);
    lua_pushliteral(L, "null");
    lua_setfield(L, -2, "__metatable");
    lua_pushliteral(L, "weir.null");
    lua_setfield(L, -2, "__name");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}
