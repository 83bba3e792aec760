/* Builder: runs weir.lua and the user's file, and reads the node tables that came of it into a
 * graph. The tables are checked as strictly as data from outside: a user's file holds them. Runs
 * once per machine, protected. */
#include "runtime/lua/machine.h"

#include "runtime/pipeline/graph.h"

#include <string.h>

static const struct {
    const char *name;
    enum rt_op op;
} ops[] = {
    {"source", RT_OP_SOURCE},
    {"filter", RT_OP_FILTER},
    {"map", RT_OP_MAP},
    {"map_values", RT_OP_MAP_VALUES},
    {"flat_map", RT_OP_FLAT_MAP},
    {"flat_map_values", RT_OP_FLAT_MAP_VALUES},
    {"select_key", RT_OP_SELECT_KEY},
    {"peek", RT_OP_PEEK},
    {"for_each", RT_OP_FOR_EACH},
    {"print", RT_OP_PRINT},
    {"split", RT_OP_SPLIT},
    {"branch", RT_OP_BRANCH},
    {"merge", RT_OP_MERGE},
    {"repartition", RT_OP_REPARTITION},
    {"to", RT_OP_TO},
    {"table", RT_OP_TABLE},
    {"table_filter", RT_OP_TABLE_FILTER},
    {"table_map_values", RT_OP_TABLE_MAP_VALUES},
    {"to_stream", RT_OP_TO_STREAM},
    {"table_group", RT_OP_TABLE_GROUP},
    {"aggregate", RT_OP_AGGREGATE},
    {"table_aggregate", RT_OP_TABLE_AGGREGATE},
    {"join", RT_OP_JOIN},
    {"global", RT_OP_GLOBAL},
};

static int find_word(lua_State *L, int index, const char *field, const char *const *words, int def)
{
    lua_getfield(L, index, field);
    const char *text = lua_tostring(L, -1);
    int found = text ? -1 : def;
    for (int i = 0; text && words[i]; i++)
        if (strcmp(words[i], text) == 0)
            found = i;
    if (found < 0)
        luaL_error(L, "%s = '%s' is not known", field, text ? text : "?");
    lua_pop(L, 1);
    return found;
}

static const char *text_field(lua_State *L, struct rt_graph *graph, int index, const char *field)
{
    size_t len = 0;
    lua_getfield(L, index, field);
    const char *text = lua_tolstring(L, -1, &len);
    const char *copy = text ? bs_arena_strndup(&graph->arena, text, len) : NULL;
    lua_pop(L, 1);
    return copy;
}

static int64_t number_field(lua_State *L, int index, const char *field, int64_t def)
{
    lua_getfield(L, index, field);
    int64_t number = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : def;
    lua_pop(L, 1);
    return number;
}

static bool flag_field(lua_State *L, int index, const char *field)
{
    lua_getfield(L, index, field);
    bool flag = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return flag;
}

static int function_field(lua_State *L, int index, const char *field)
{
    lua_getfield(L, index, field);
    if (lua_isfunction(L, -1))
        return luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    return RT_NO_FN;
}

static void read_topics(lua_State *L, struct rt_graph *graph, int index, struct rt_node *node)
{
    lua_getfield(L, index, "topics");
    if (lua_istable(L, -1)) {
        node->topic_count = (size_t)luaL_len(L, -1);
        const char **topics = bs_arena_array(&graph->arena, node->topic_count + 1, sizeof *topics);
        for (size_t i = 0; i < node->topic_count; i++) {
            size_t len = 0;
            lua_geti(L, -1, (lua_Integer)i + 1);
            const char *text = luaL_checklstring(L, -1, &len);
            topics[i] = bs_arena_strndup(&graph->arena, text, len);
            lua_pop(L, 1);
        }
        node->topics = topics;
    }
    lua_pop(L, 1);
}

/* { { name, value }, … } */
static void read_serde_options(lua_State *L, struct rt_graph *graph, int index,
                               struct rt_node *node)
{
    lua_getfield(L, index, "serde");
    size_t count = lua_istable(L, -1) ? (size_t)luaL_len(L, -1) : 0;
    struct rt_setting *list = bs_arena_array(&graph->arena, count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        lua_geti(L, -1, (lua_Integer)i + 1);
        luaL_checktype(L, -1, LUA_TTABLE);
        lua_geti(L, -1, 1);
        lua_geti(L, -2, 2);
        list[i].name = bs_arena_strndup(&graph->arena, luaL_checkstring(L, -2),
                                        strlen(luaL_checkstring(L, -2)));
        list[i].value = bs_arena_strndup(&graph->arena, luaL_checkstring(L, -1),
                                         strlen(luaL_checkstring(L, -1)));
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
    node->serde_options = list;
    node->serde_option_count = count;
}

static void read_serdes(lua_State *L, struct rt_graph *graph, int index, struct rt_node *node)
{
    static const char *const types[] = {"string", "bytes", "int64", "double", "json", "avro", NULL};
    node->key.type = (enum rt_type)find_word(L, index, "key_type", types, RT_TYPE_STRING);
    node->value.type = (enum rt_type)find_word(L, index, "value_type", types, RT_TYPE_JSON);
    node->key.schema_file = text_field(L, graph, index, "key_schema");
    node->value.base64 = node->key.base64 = flag_field(L, index, "base64");
    node->value.schema_file = text_field(L, graph, index, "schema");
    read_serde_options(L, graph, index, node);
}

static void read_parents(lua_State *L, struct rt_graph *graph, int index, struct rt_node *node)
{
    lua_getfield(L, index, "parents");
    node->parent_count = (size_t)luaL_len(L, -1);
    node->parents = bs_arena_array(&graph->arena, node->parent_count + 1, sizeof *node->parents);
    for (size_t i = 0; i < node->parent_count; i++) {
        lua_geti(L, -1, (lua_Integer)i + 1);
        lua_Integer id = luaL_checkinteger(L, -1);
        if (id < 1 || id > (lua_Integer)node->index)
            luaL_error(L, "a node is built on one that is not there");
        node->parents[i] = &graph->nodes[id - 1];
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static struct bs_bytes bytes_field(lua_State *L, struct rt_graph *graph, int index,
                                   const char *field)
{
    size_t len = 0;
    lua_getfield(L, index, field);
    const char *text = lua_tolstring(L, -1, &len);
    struct bs_bytes copy = bs_bytes(text ? bs_arena_dup(&graph->arena, text, len) : NULL, len);
    lua_pop(L, 1);
    return copy;
}

static void read_ready(lua_State *L, struct rt_graph *graph, int index, struct rt_node *node)
{
    static const char *const kinds[] = {"count", "sum",   "min",  "max",
                                        "mean",  "first", "last", NULL};
    lua_getfield(L, index, "ready");
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    int list = lua_gettop(L);
    node->ready_count = (size_t)luaL_len(L, list);
    struct rt_ready *ready = bs_arena_array(&graph->arena, node->ready_count + 1, sizeof *ready);
    for (size_t i = 0; i < node->ready_count; i++) {
        lua_geti(L, list, (lua_Integer)i + 1);
        int at = lua_gettop(L);
        ready[i].kind = (enum rt_ready_kind)find_word(L, at, "kind", kinds, -1);
        ready[i].name = bytes_field(L, graph, at, "name");
        ready[i].field = bytes_field(L, graph, at, "field");
        lua_pop(L, 1);
    }
    node->ready = ready;
    lua_pop(L, 1);
}

static void read_aggregate(lua_State *L, struct rt_graph *graph, int index, struct rt_node *node)
{
    static const char *const hows[] = {"count", "reduce", "function", "ready", NULL};
    struct rt_vm *vm = rt_vm_of(L);
    node->how = (enum rt_how)find_word(L, index, "how", hows, RT_HOW_COUNT);
    read_ready(L, graph, index, node);
    lua_getfield(L, index, "window");
    if (lua_istable(L, -1)) {
        int window = lua_gettop(L);
        node->windowed = true;
        node->size_ms = number_field(L, window, "size", 0);
        node->advance_ms = number_field(L, window, "advance", 0);
        node->grace_ms = number_field(L, window, "grace", 0);
        if (node->size_ms <= 0 || node->advance_ms <= 0)
            luaL_error(L, "a window has no size");
    }
    lua_pop(L, 1);
    lua_getfield(L, index, "init");
    if (lua_istable(L, -1)) {
        lua_rawgeti(L, -1, 1);
        vm->scratch.len = 0;
        rt_lua_flatten(L, -1, &vm->scratch);
        size_t len = vm->scratch.len;
        node->init = bs_bytes(bs_arena_dup(&graph->arena, vm->scratch.data, len), len);
        vm->scratch.len = 0;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void read_split(lua_State *L, struct rt_graph *graph, int index, struct rt_node *node)
{
    lua_getfield(L, index, "fns");
    node->fns = bs_arena_array(&graph->arena, 1002, sizeof *node->fns);
    for (int i = 0; i < 1000; i++) {
        lua_geti(L, -1, i + 1);
        node->fns[i] = lua_isfunction(L, -1) ? luaL_ref(L, LUA_REGISTRYINDEX) : RT_NO_FN;
        if (!node->fns[i]) {
            lua_pop(L, 1);
            break;
        }
    }
    lua_pop(L, 1);
}

static void read_node(lua_State *L, struct rt_graph *graph, int index, struct rt_node *node)
{
    static const char *const stamps[] = {"record", "skip_invalid", "partition_time", "function",
                                         NULL};
    const char *op = text_field(L, graph, index, "op");
    bool known = false;
    for (size_t i = 0; op && i < sizeof ops / sizeof *ops; i++)
        if (strcmp(op, ops[i].name) == 0) {
            node->op = ops[i].op;
            known = true;
        }
    if (!known)
        luaL_error(L, "operator '%s' is not known", op ? op : "?");
    node->kind = text_field(L, graph, index, "kind");
    node->where = text_field(L, graph, index, "where");
    node->name = text_field(L, graph, index, "name");
    node->label = text_field(L, graph, index, "label");
    node->topic = text_field(L, graph, index, "topic");
    node->partitions = (int)number_field(L, index, "partitions", 0);
    node->negate = flag_field(L, index, "negate");
    node->left = flag_field(L, index, "left");
    node->global = flag_field(L, index, "global");
    node->internal = flag_field(L, index, "internal");
    node->changes = flag_field(L, index, "changes");
    node->raw = flag_field(L, index, "raw");
    node->named = flag_field(L, index, "named");
    node->needed = flag_field(L, index, "needed");
    node->keep_null = flag_field(L, index, "keep_null");
    node->drop_null = flag_field(L, index, "drop_null");
    node->fn = function_field(L, index, "fn");
    node->fn2 = function_field(L, index, "fn2");
    node->fn3 = function_field(L, index, "fn3");
    node->stamp = (enum rt_stamp)find_word(L, index, "timestamp", stamps, RT_STAMP_RECORD);
    if (!node->kind)
        node->kind = op;
    if (!node->where)
        node->where = "?";
    node->versioned_ms = number_field(L, index, "versioned", 0);
    if (node->op == RT_OP_JOIN)
        node->grace_ms = number_field(L, index, "grace", 0);
    read_parents(L, graph, index, node);
    read_topics(L, graph, index, node);
    read_serdes(L, graph, index, node);
    if (node->op == RT_OP_SPLIT)
        read_split(L, graph, index, node);
    if (node->op == RT_OP_AGGREGATE || node->op == RT_OP_TABLE_AGGREGATE)
        read_aggregate(L, graph, index, node);
}

static void read_app(lua_State *L, struct rt_graph *graph, int index)
{
    static const char *const guarantees[] = {"exactly_once", "at_least_once", NULL};
    static const char *const on_error[] = {"stop", "skip", "dead_letter", NULL};
    lua_getfield(L, index, "app");
    int app = lua_gettop(L);
    graph->app_id = text_field(L, graph, app, "id");
    graph->state_dir = text_field(L, graph, app, "state_dir");
    graph->dead_letter = text_field(L, graph, app, "dead_letter");
    graph->retries = (int)number_field(L, app, "retries", 0);
    graph->exactly_once = find_word(L, app, "guarantee", guarantees, 0) == 0;
    graph->on_error = (enum rt_on_error)find_word(L, app, "on_error", on_error, 0);
    graph->commit_interval_ms = number_field(L, app, "commit_interval", 100);
    graph->threads = (int)number_field(L, app, "threads", 1);
    graph->memory_max = number_field(L, app, "memory_max", 0);
    graph->cpu_max_ms = number_field(L, app, "cpu_max_per_record", 0);
    lua_getfield(L, app, "kafka");
    if (lua_istable(L, -1)) {
        int list = lua_gettop(L);
        size_t count = 0;
        for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1))
            count++;
        graph->kafka = bs_arena_array(&graph->arena, count + 1, sizeof *graph->kafka);
        for (lua_pushnil(L); lua_next(L, list); lua_pop(L, 1)) {
            size_t name_len = 0, len = 0;
            const char *name = lua_tolstring(L, -2, &name_len);
            const char *text = luaL_tolstring(L, -1, &len);
            graph->kafka[graph->kafka_count++] = (struct rt_setting){
                .name = bs_arena_strndup(&graph->arena, name, name_len),
                .value = bs_arena_strndup(&graph->arena, text, len),
            };
            lua_pop(L, 1);
        }
    }
    lua_settop(L, app - 1);
}

static void read_graph(lua_State *L, struct rt_graph *graph, int index)
{
    read_app(L, graph, index);
    lua_getfield(L, index, "nodes");
    int list = lua_gettop(L);
    lua_Integer count = luaL_len(L, list);
    if (count > 10000)
        luaL_error(L, "a pipeline of more than 10000 operators");
    graph->node_count = (size_t)count;
    graph->nodes = bs_arena_array(&graph->arena, graph->node_count + 1, sizeof *graph->nodes);
    for (size_t i = 0; i < graph->node_count; i++) {
        lua_geti(L, list, (lua_Integer)i + 1);
        graph->nodes[i].index = (uint32_t)i;
        read_node(L, graph, lua_gettop(L), &graph->nodes[i]);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ---- running the file ---- */

struct build {
    const char *file;
    struct bs_bytes text;
    struct rt_graph *graph;
};

int rt_vm_load(lua_State *L, struct bs_bytes text, const char *name, int env)
{
    int status = luaL_loadbufferx(L, (const char *)text.ptr, text.len, name, "t");
    if (status)
        return status;
    lua_pushvalue(L, env);
    if (!lua_setupvalue(L, -2, 1))
        lua_pop(L, 1);
    return 0;
}

static int require_module(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (strcmp(name, "weir") != 0)
        return luaL_error(L, "there is no module '%s'; the only one is \"weir\"%s", name,
                          strcmp(name, "weir.test") == 0 ? " (\"weir.test\" is for `weir test`)"
                                                         : "");
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
}

static int build_body(lua_State *L)
{
    struct build *build = lua_touserdata(L, 3);
    struct rt_vm *vm = rt_vm_of(L);
    lua_settop(L, 0);
    if (luaL_loadbufferx(L, rt_weir_lua, rt_weir_lua_size, "=weir.lua", "t"))
        return lua_error(L);
    rt_api_push(L);
    lua_pushstring(L, build->file);
    lua_call(L, 2, 3);  /* 1 weir, 2 graph, 3 close */
    rt_sandbox_push(L); /* 4 */
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, require_module, 1);
    lua_setfield(L, 4, "require");
    const char *name = lua_pushfstring(L, "@%s", build->file); /* 5 */
    if (rt_vm_load(L, build->text, name, 4))
        return lua_error(L);
    lua_call(L, 0, 0);
    lua_pushvalue(L, 3);
    lua_call(L, 0, 0);
    vm->loading = false;
    read_graph(L, build->graph, 2);
    return 0;
}

int rt_vm_build(struct rt_vm *vm, const char *file, struct bs_bytes text, struct rt_graph *graph,
                struct bs_error *err)
{
    const char *slash = strrchr(file, '/');
    vm->file =
        bs_arena_strndup(&vm->own, slash ? slash + 1 : file, strlen(slash ? slash + 1 : file));
    struct build build = {.file = vm->file, .text = text, .graph = graph};
    vm->loading = true;
    rt_watch_enter(&vm->watch);
    int rc = rt_vm_protect(vm, build_body, &build, err);
    rt_watch_leave(&vm->watch);
    vm->loading = false;
    return rc;
}
