/* Script: binds drivers into a machine that runs a test file. Besides runtime/lua the only file
 * that touches the Lua stack. Files are found beside the test file. One thread. */
#include "runtime/testing/script.h"

#include "runtime/lua/machine.h"
#include "runtime/testing/driver.h"

#include "lib/base/option.h"
#include "runtime/pipeline/content.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

extern const char rt_test_lua[];
extern const size_t rt_test_lua_size;

enum { FILE_MAX = 16 << 20 };

struct run {
    const struct bs_config *serde;
    const char *file, *name;
    char *folder;
    struct bs_bytes text;
    struct rt_driver **drivers; /* freed after the machine: values it holds point into them */
    size_t driver_count;
    struct bs_buf key, value, bytes;
    size_t passed, failed;
};

static struct run *run_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int read_file(const char *path, struct bs_buf *out, struct bs_error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return bs_error_sys(err, errno, "%s", path);
    size_t n = 0;
    out->len = 0;
    do {
        n = fread(bs_buf_reserve(out, 65536), 1, 65536, file);
        out->len += n;
    } while (n && out->len <= FILE_MAX);
    bool bad = ferror(file) || out->len > FILE_MAX;
    fclose(file);
    return bad ? bs_error_set(err, BS_EIO, "%s: cannot be read, or is larger than 16 MiB", path)
               : 0;
}

static const char *beside(lua_State *L, const struct run *run, const char *name)
{
    return name[0] == '/' ? name : lua_pushfstring(L, "%s%s", run->folder, name);
}

static int raise(lua_State *L, const struct bs_error *err)
{
    lua_pushstring(L, err->text);
    return lua_error(L);
}

static struct rt_driver *check_driver(lua_State *L)
{
    struct run *run = run_of(L);
    struct rt_driver *driver = lua_touserdata(L, 1);
    for (size_t i = 0; i < run->driver_count; i++)
        if (run->drivers[i] == driver)
            return driver;
    luaL_error(L, "this is no pipeline under test");
    return NULL;
}

static int native_driver(lua_State *L)
{
    struct run *run = run_of(L);
    const char *path = beside(L, run, luaL_checkstring(L, 1));
    run->drivers = bs_realloc(run->drivers, (run->driver_count + 1) * sizeof *run->drivers);
    run->drivers[run->driver_count] = rt_driver_new(path);
    rt_driver_set_serde(run->drivers[run->driver_count++], run->serde);
    lua_pushlightuserdata(L, run->drivers[run->driver_count - 1]);
    return 1;
}

/* { name = value } as "name=value,…" in `out`. */
static const char *read_metadata(lua_State *L, int index, struct bs_buf *out)
{
    out->len = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "schema: metadata is names and strings");
        const char *name = lua_tostring(L, -2), *value = lua_tostring(L, -1);
        if (strpbrk(name, ",=") || strchr(value, ','))
            luaL_error(L, "schema: metadata with ',' or '=' cannot be asked for by an option");
        bs_buf_printf(out, "%s%s=%s", out->len ? "," : "", name, value);
    }
    return bs_buf_text(out);
}

/* { key = true, subject =, id =, metadata = { name = value } }; its strings stay on the stack. */
static void read_schema_options(lua_State *L, struct run *run, struct rt_driver_schema *schema)
{
    static const char *const names[] = {"key", "subject", "id", "metadata", NULL};
    lua_settop(L, 4);
    if (lua_isnil(L, 4))
        return;
    luaL_checktype(L, 4, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        luaL_checkoption(L, -1, NULL, names);
        lua_pop(L, 1);
    }
    lua_getfield(L, 4, "key");
    schema->key = lua_toboolean(L, -1);
    lua_getfield(L, 4, "subject");
    schema->subject = luaL_optstring(L, -1, NULL);
    lua_getfield(L, 4, "id");
    lua_Integer id = luaL_optinteger(L, -1, 1);
    if (id < 1 || id > INT32_MAX)
        luaL_error(L, "schema: id must be from 1 to %d", INT32_MAX);
    schema->id = lua_isnil(L, -1) ? 0 : (int32_t)id;
    if (lua_getfield(L, 4, "metadata") == LUA_TTABLE)
        schema->metadata = read_metadata(L, lua_gettop(L), &run->value);
    else if (!lua_isnil(L, -1))
        luaL_error(L, "schema: metadata is a table of names and strings");
}

/* (driver, topic, file[, options]) */
static int native_schema(lua_State *L)
{
    struct run *run = run_of(L);
    struct rt_driver *driver = check_driver(L);
    struct rt_driver_schema schema = {.topic = luaL_checkstring(L, 2)};
    struct bs_error err = {0};
    luaL_checkstring(L, 3);
    read_schema_options(L, run, &schema);
    const char *path = beside(L, run, lua_tostring(L, 3));
    if (!read_file(path, &run->bytes, &err)) {
        schema.text = bs_buf_bytes(&run->bytes);
        if (!rt_driver_schema(driver, &schema, &err))
            return 0;
        bs_error_wrap(&err, "%s", path);
    }
    return raise(L, &err);
}

static void read_headers(lua_State *L, struct bs_arena *arena, struct rt_message *message)
{
    lua_getfield(L, 5, "headers");
    if (lua_istable(L, -1)) {
        struct rt_header *headers = bs_arena_array(arena, 100, sizeof *headers);
        int list = lua_gettop(L);
        for (lua_pushnil(L); lua_next(L, list) && message->header_count < 100; lua_pop(L, 1)) {
            size_t name_len = 0, len = 0;
            if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
                luaL_error(L, "headers are names and strings");
            const char *name = lua_tolstring(L, -2, &name_len), *text = lua_tolstring(L, -1, &len);
            headers[message->header_count++] =
                (struct rt_header){.name = bs_bytes(bs_arena_dup(arena, name, name_len), name_len),
                                   .value = bs_bytes(bs_arena_dup(arena, text, len), len)};
        }
        message->headers = headers;
    }
    lua_pop(L, 1);
}

static int encode(lua_State *L, struct rt_driver *driver, const char *topic, int index, bool key,
                  struct bs_buf *out, struct bs_bytes *ret, struct bs_error *err)
{
    struct rt_vm *vm = rt_vm_of(L);
    struct rt_datum datum;
    bool null = false;
    const struct rt_node *node = rt_driver_source(driver, topic);
    if (!node)
        return bs_error_set(err, BS_ENOTFOUND, "the pipeline does not read topic '%s'", topic);
    rt_lua_get(L, index, 0, &datum);
    out->len = 0;
    bs_buf_reserve(out, 1);
    int rc = rt_driver_encode(driver, node, topic, key, &datum, vm->arena, out, &null, err);
    *ret = null ? bs_bytes(NULL, 0) : bs_buf_bytes(out);
    return rc;
}

static int native_load(lua_State *L)
{
    struct bs_error err = {0};
    return rt_driver_load(check_driver(L), &err) ? raise(L, &err) : 0;
}

/* (driver, topic, key, value[, { timestamp =, headers = }]) */
static int native_pipe(lua_State *L)
{
    struct run *run = run_of(L);
    struct rt_driver *driver = check_driver(L);
    struct rt_message message = {.topic = luaL_checkstring(L, 2)};
    struct bs_error err = {0};
    lua_settop(L, 5);
    if (lua_istable(L, 5)) {
        lua_getfield(L, 5, "timestamp");
        message.timestamp = luaL_optinteger(L, -1, 0);
        lua_pop(L, 1);
        read_headers(L, rt_vm_of(L)->arena, &message);
    }
    if (rt_driver_load(driver, &err) ||
        encode(L, driver, message.topic, 3, true, &run->key, &message.key, &err) ||
        encode(L, driver, message.topic, 4, false, &run->value, &message.value, &err) ||
        rt_driver_pipe(driver, &message, &err))
        return raise(L, &err);
    return 0;
}

/* A sink's schema that stands in a header. */
static int take_header(struct rt_pipeline *pipeline, const struct rt_node *sink,
                       const struct rt_driver_record *from, bool key, struct bs_arena *arena,
                       struct bs_bytes *data, struct bs_error *err)
{
    const char *name = key ? SD_KEY_SCHEMA_HEADER : SD_VALUE_SCHEMA_HEADER;
    struct bs_bytes found = {0};
    if (!sink || !(key ? sink->key.in_header : sink->value.in_header) || !data->ptr)
        return 0;
    for (size_t i = 0; i < from->header_count; i++)
        if (bs_bytes_is(from->headers[i].name, name))
            found = from->headers[i].value;
    return rt_serde_plain(pipeline, found, *data, arena, data, err);
}

static void push_record(lua_State *L, struct rt_driver *driver, const struct rt_driver_record *from)
{
    struct rt_pipeline *pipeline = rt_driver_pipeline(driver);
    const struct rt_node *sink = rt_driver_sink(driver, from->topic);
    struct bs_arena *arena = rt_vm_of(L)->arena;
    struct bs_error err = {0};
    struct rt_datum key, value;
    struct bs_bytes key_bytes = from->key, value_bytes = from->value;
    if (key_bytes.ptr)
        key_bytes.ptr = bs_arena_dup(arena, key_bytes.ptr, key_bytes.len);
    if (value_bytes.ptr)
        value_bytes.ptr = bs_arena_dup(arena, value_bytes.ptr, value_bytes.len);
    struct rt_serde plain = {.type = RT_TYPE_BYTES};
    if (take_header(pipeline, sink, from, true, arena, &key_bytes, &err) ||
        take_header(pipeline, sink, from, false, arena, &value_bytes, &err) ||
        rt_serde_decode(pipeline, sink ? &sink->key : &plain, key_bytes, &key, &err) ||
        rt_serde_decode(pipeline, sink ? &sink->value : &plain, value_bytes, &value, &err))
        raise(L, &err);
    lua_createtable(L, 0, 5);
    rt_lua_push(L, &key, 0);
    lua_setfield(L, -2, "key");
    rt_lua_push(L, &value, 0);
    lua_setfield(L, -2, "value");
    lua_pushinteger(L, from->timestamp);
    lua_setfield(L, -2, "timestamp");
    lua_createtable(L, 0, (int)from->header_count);
    for (size_t i = 0; i < from->header_count; i++) {
        const struct rt_header *header = &from->headers[i];
        lua_pushlstring(L, (const char *)header->name.ptr, header->name.len);
        lua_pushlstring(L, (const char *)header->value.ptr, header->value.len);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "headers");
}

/* (driver, topic[, most]): what was written since the last time. */
static int native_read_all(lua_State *L)
{
    struct rt_driver *driver = check_driver(L);
    const char *topic = luaL_checkstring(L, 2);
    lua_Integer most = luaL_optinteger(L, 3, LUA_MAXINTEGER), given = 0;
    struct bs_error err = {0};
    if (rt_driver_load(driver, &err))
        return raise(L, &err);
    const char *letters = rt_driver_pipeline(driver)->graph.dead_letter;
    if (!rt_driver_sink(driver, topic) && (!letters || strcmp(letters, topic) != 0))
        return luaL_error(L, "the pipeline does not write topic '%s'", topic);
    /* Where reading of a topic stands is kept per driver and topic in the registry. */
    lua_pushfstring(L, "weir.read %p %s", (void *)driver, topic);
    lua_pushvalue(L, -1);
    lua_Integer seen = lua_rawget(L, LUA_REGISTRYINDEX) == LUA_TNUMBER ? lua_tointeger(L, -1) : 0;
    lua_pop(L, 1);
    int place = lua_gettop(L);
    size_t count = 0;
    const struct rt_driver_record *records = rt_driver_outputs(driver, &count);
    lua_newtable(L);
    lua_Integer i = seen;
    for (; i < (lua_Integer)count && given < most; i++) {
        if (strcmp(records[i].topic, topic) != 0)
            continue;
        push_record(L, driver, &records[i]);
        lua_rawseti(L, -2, ++given);
    }
    lua_pushvalue(L, place);
    lua_pushinteger(L, i);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return 1;
}

static int native_advance(lua_State *L)
{
    struct bs_error err = {0};
    if (rt_driver_advance(check_driver(L), luaL_checkinteger(L, 2), &err))
        return raise(L, &err);
    return 0;
}

static int native_restart(lua_State *L)
{
    struct bs_error err = {0};
    struct rt_driver *driver = check_driver(L);
    if (rt_driver_load(driver, &err) || rt_driver_restart(driver, &err))
        return raise(L, &err);
    return 0;
}

static int native_dropped(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)rt_driver_dropped(check_driver(L)));
    return 1;
}

static int native_print(lua_State *L)
{
    printf("%s\n", luaL_checkstring(L, 1));
    fflush(stdout);
    return 0;
}

static int native_show(lua_State *L)
{
    struct rt_vm *vm = rt_vm_of(L);
    struct run *run = run_of(L);
    struct rt_datum datum;
    rt_lua_get(L, 1, 0, &datum);
    run->bytes.len = 0;
    rt_datum_show(&datum, vm->arena, 2000, &run->bytes);
    lua_pushlstring(L, (const char *)run->bytes.data, run->bytes.len);
    return 1;
}

static int native_duration(lua_State *L)
{
    int64_t ms = -1;
    if (lua_isinteger(L, 1))
        ms = lua_tointeger(L, 1);
    else if (lua_type(L, 1) == LUA_TSTRING && bs_parse_duration_ms(lua_tostring(L, 1), &ms))
        ms = -1;
    if (ms < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, ms);
    return 1;
}

static int test_print(lua_State *L)
{
    int count = lua_gettop(L);
    for (int i = 1; i <= count; i++)
        printf("%s%s", i > 1 ? "\t" : "", luaL_tolstring(L, i, NULL));
    printf("\n");
    return 0;
}

/* Upvalues: weir, weir.test. */
static int require_module(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strcmp(name, "weir") != 0 && strcmp(name, "weir.test") != 0)
        return luaL_error(L, "there is no module '%s'; there are \"weir.test\" and \"weir\"", name);
    lua_pushvalue(L, lua_upvalueindex(strcmp(name, "weir") == 0 ? 1 : 2));
    return 1;
}

static int traceback(lua_State *L)
{
    const char *text = lua_tostring(L, 1);
    lua_pushstring(L, text ? text : "an error that is no text was raised");
    return 1;
}

static int run_body(lua_State *L)
{
    static const luaL_Reg natives[] = {
        {"driver", native_driver},   {"load", native_load},         {"schema", native_schema},
        {"pipe", native_pipe},       {"read_all", native_read_all}, {"advance", native_advance},
        {"dropped", native_dropped}, {"restart", native_restart},   {"print", native_print},
        {"show", native_show},       {"duration", native_duration}, {NULL, NULL}};
    struct run *run = lua_touserdata(L, 3);
    lua_settop(L, 0);
    if (luaL_loadbufferx(L, rt_weir_lua, rt_weir_lua_size, "=weir.lua", "t"))
        return lua_error(L);
    rt_api_push(L);
    lua_pushstring(L, run->name);
    lua_call(L, 2, 1); /* 1 weir */
    if (luaL_loadbufferx(L, rt_test_lua, rt_test_lua_size, "=test.lua", "t"))
        return lua_error(L);
    luaL_newlibtable(L, natives);
    lua_pushlightuserdata(L, run);
    luaL_setfuncs(L, natives, 1);
    lua_pushvalue(L, 1);
    lua_pushstring(L, run->name);
    lua_call(L, 3, 2);  /* 2 weir.test, 3 how it went */
    rt_sandbox_push(L); /* 4 */
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, require_module, 2);
    lua_setfield(L, 4, "require");
    lua_pushcfunction(L, test_print);
    lua_setfield(L, 4, "print");
    lua_pushcfunction(L, traceback); /* 5 */
    const char *name = lua_pushfstring(L, "@%s", run->name);
    if (rt_vm_load(L, run->text, name, 4))
        return lua_error(L);
    int status = lua_pcall(L, 0, 0, 5);
    const char *problem = status ? lua_tostring(L, -1) : NULL;
    lua_pushvalue(L, 3);
    lua_call(L, 0, 2);
    run->passed = (size_t)lua_tointeger(L, -2);
    run->failed = (size_t)lua_tointeger(L, -1);
    if (problem)
        return luaL_error(L, "%s", problem);
    return 0;
}

int rt_script_run(const char *file, const struct bs_config *serde, size_t *ret_passed,
                  size_t *ret_failed, struct bs_error *err)
{
    struct run run = {.file = file, .serde = serde};
    struct bs_buf text = BS_BUF_INIT;
    struct rt_vm *vm = NULL;
    const char *slash = strrchr(file, '/');
    run.name = slash ? slash + 1 : file;
    run.folder = bs_strndup(file, slash ? (size_t)(slash + 1 - file) : 0);
    int rc = read_file(file, &text, err);
    run.text = bs_buf_bytes(&text);
    rc = rc ? rc : rt_vm_new(NULL, &vm, err);
    if (!rc) {
        vm->loading = true;
        vm->file = run.name;
        rc = rt_vm_protect(vm, run_body, &run, err);
    }
    *ret_passed = run.passed;
    *ret_failed = run.failed;
    rt_vm_free(vm);
    for (size_t i = 0; i < run.driver_count; i++)
        rt_driver_free(run.drivers[i]);
    bs_free(run.drivers);
    bs_buf_deinit(&run.key);
    bs_buf_deinit(&run.value);
    bs_buf_deinit(&run.bytes);
    bs_buf_deinit(&text);
    bs_free(run.folder);
    return rc;
}
