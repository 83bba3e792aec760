/* Generate: one line of Lua per operator of the recording. Test program; one thread. */
#include "tests/streams/generate.h"

#include <string.h>

static const char *text_of(const json_t *op, const char *name)
{
    return json_string_value(json_object_get(op, name));
}

static bool is(const json_t *op, const char *name)
{
    const char *have = text_of(op, "op");
    return have && strcmp(have, name) == 0;
}

static void classify(const json_t *value, const char **type)
{
    if (json_is_integer(value))
        *type = "int64";
    else if (json_is_string(value))
        *type = "string";
}

struct sink_types sink_types_of(const json_t *scenario, const char *topic)
{
    struct sink_types types = {.key = "string", .value = "string"};
    size_t i;
    json_t *record;
    json_array_foreach(json_object_get(scenario, "expect"), i, record)
    {
        if (strcmp(text_of(record, "topic"), topic) != 0)
            continue;
        const json_t *key = json_object_get(record, "key");
        if (json_is_object(key)) {
            types.windowed = true;
            key = json_object_get(key, "key");
        }
        classify(key, &types.key);
        classify(json_object_get(record, "value"), &types.value);
    }
    return types;
}

json_int_t window_size_of(const json_t *scenario)
{
    size_t i;
    json_t *op;
    json_array_foreach(json_object_get(scenario, "ops"), i, op)
    {
        const json_t *size = json_object_get(json_object_get(op, "window"), "size_ms");
        if (size)
            return json_integer_value(size);
    }
    return 0;
}

const char *scenario_lacks(const json_t *scenario)
{
    static const char *const absent[] = {"process",       "process_values", "suppress",
                                         "cogroup",       "join_streams",   "join_tables",
                                         "join_tables_fk"};
    size_t i;
    json_t *op, *step;
    json_array_foreach(json_object_get(scenario, "ops"), i, op)
    {
        const char *window = text_of(json_object_get(op, "window"), "kind");
        for (size_t a = 0; a < sizeof absent / sizeof *absent; a++)
            if (is(op, absent[a]))
                return absent[a];
        if (window && strcmp(window, "tumbling") != 0 && strcmp(window, "hopping") != 0)
            return "session, sliding and unlimited windows";
        if (json_object_get(op, "emit"))
            return "emit on window close";
    }
    const json_t *config = json_object_get(scenario, "config");
    if (json_object_get(config, "cache_bytes") || json_object_get(config, "commit"))
        return "record caches";
    if (json_object_get(config, "on_processing_error") ||
        json_object_get(config, "on_deserialization_error"))
        return "on_error by kind";
    json_array_foreach(json_object_get(scenario, "steps"), i, step)
    {
        if (!json_object_get(step, "pipe") && !json_object_get(step, "advance_wall_ms"))
            return "batches, commits and store queries";
    }
    return NULL;
}

/* A JSON value as Lua literal. */
static void put_literal(struct bs_buf *out, const json_t *value)
{
    size_t i;
    const char *name;
    json_t *item;
    if (json_is_object(value)) {
        bs_buf_puts(out, "{");
        json_object_foreach((json_t *)value, name, item)
        {
            bs_buf_printf(out, "[\"%s\"] = ", name);
            put_literal(out, item);
            bs_buf_puts(out, ", ");
        }
        bs_buf_puts(out, "}");
    } else if (json_is_array(value)) {
        bs_buf_puts(out, "{");
        json_array_foreach(value, i, item)
        {
            put_literal(out, item);
            bs_buf_puts(out, ", ");
        }
        bs_buf_puts(out, "}");
    } else if (json_is_string(value)) {
        const unsigned char *text = (const unsigned char *)json_string_value(value);
        bs_buf_puts(out, "\"");
        for (; *text; text++)
            bs_buf_printf(out, "\\%03d", *text);
        bs_buf_puts(out, "\"");
    } else if (json_is_integer(value)) {
        bs_buf_printf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_boolean(value)) {
        bs_buf_puts(out, json_is_true(value) ? "true" : "false");
    } else {
        bs_buf_puts(out, "nil");
    }
}

static void put_named(struct bs_buf *out, const char *maker, const json_t *spec)
{
    bs_buf_printf(out, "%s(", maker);
    put_literal(out, spec);
    bs_buf_puts(out, ")");
}

static const char *type_of(const json_t *op, const char *name)
{
    const char *type = text_of(op, name);
    return type && strcmp(type, "long") == 0 ? "int64" : "string";
}

static void put_as(struct bs_buf *out, const json_t *op)
{
    if (text_of(op, "store"))
        bs_buf_printf(out, ", { as = \"%s\" }", text_of(op, "store"));
}

static void put_source(struct bs_buf *out, const json_t *op)
{
    const char *stamps = text_of(op, "timestamps");
    bs_buf_printf(out, "N.%s = weir.%s(", text_of(op, "as"), text_of(op, "op"));
    put_literal(out, json_object_get(op, json_object_get(op, "topics") ? "topics" : "topic"));
    bs_buf_printf(out, ", { key = \"%s\", value = \"%s\"", type_of(op, "key"),
                  type_of(op, "value"));
    if (text_of(op, "store"))
        bs_buf_printf(out, ", as = \"%s\"", text_of(op, "store"));
    if (json_object_get(op, "versioned_ms"))
        bs_buf_printf(out, ", versioned = %lld",
                      (long long)json_integer_value(json_object_get(op, "versioned_ms")));
    if (stamps && strcmp(stamps, "value") == 0)
        bs_buf_puts(out, ", timestamp = value_time");
    else if (stamps)
        bs_buf_printf(out, ", timestamp = \"%s\"", stamps);
    bs_buf_puts(out, " })\n");
}

static void put_split(struct bs_buf *out, const json_t *op)
{
    size_t i;
    json_t *branch;
    const char *rest = text_of(op, "default");
    bs_buf_printf(out, "for name, stream in pairs(N.%s:split {", text_of(op, "of"));
    json_array_foreach(json_object_get(op, "branches"), i, branch)
    {
        bs_buf_printf(out, " { \"%s\", ", text_of(branch, "as"));
        put_named(out, "predicate", branch);
        bs_buf_puts(out, " },");
    }
    if (rest)
        bs_buf_printf(out, " { \"%s\" }", rest);
    bs_buf_puts(out, " }) do N[name] = stream end\n");
}

static void put_sink(struct bs_buf *out, const json_t *scenario, const json_t *op)
{
    const char *topic = text_of(op, "topic");
    bs_buf_printf(out, "N.%s:to(", text_of(op, "of"));
    if (topic) {
        put_literal(out, json_object_get(op, "topic"));
    } else {
        put_named(out, "selector", op);
        topic = json_string_value(json_array_get(json_object_get(op, "topics"), 0));
    }
    struct sink_types types = sink_types_of(scenario, topic);
    bs_buf_printf(out, ", { key = \"%s\", value = \"%s\" })\n", types.key, types.value);
}

static void put_group(struct bs_buf *out, const json_t *op)
{
    const json_t *window = json_object_get(op, "window");
    bs_buf_printf(out, "N.%s = N.%s", text_of(op, "as"), text_of(op, "of"));
    if (!window)
        return;
    bs_buf_printf(out, ":windowed_by(weir.%s(%lld", text_of(window, "kind"),
                  (long long)json_integer_value(json_object_get(window, "size_ms")));
    if (json_object_get(window, "advance_ms"))
        bs_buf_printf(out, ", %lld",
                      (long long)json_integer_value(json_object_get(window, "advance_ms")));
    bs_buf_printf(out, "):grace(%lld))",
                  (long long)json_integer_value(json_object_get(window, "grace_ms")));
}

static void put_aggregate(struct bs_buf *out, const json_t *op)
{
    put_group(out, op);
    if (is(op, "count")) {
        const char *store = text_of(op, "store");
        bs_buf_puts(out, store ? ":count({ as = \"" : ":count()\n");
        if (store)
            bs_buf_printf(out, "%s\" })\n", store);
        return;
    }
    bool reduce = is(op, "reduce");
    const char *maker = reduce ? "reducer" : "aggregator";
    bs_buf_puts(out, reduce ? ":reduce(" : ":aggregate(");
    if (!reduce) {
        put_literal(out, json_object_get(op, "init"));
        bs_buf_puts(out, ", ");
    }
    const json_t *add = json_object_get(op, json_object_get(op, "adder") ? "adder" : maker);
    if (json_is_string(add))
        bs_buf_printf(out, "%s({ fn = \"%s\" })", maker, json_string_value(add));
    else
        put_named(out, maker, add);
    const json_t *subtract = json_object_get(op, "subtractor");
    if (json_is_string(subtract))
        bs_buf_printf(out, ", %s({ fn = \"%s\" })", maker, json_string_value(subtract));
    else if (subtract) {
        bs_buf_puts(out, ", ");
        put_named(out, maker, subtract);
    }
    put_as(out, op);
    bs_buf_puts(out, ")\n");
}

static void put_join(struct bs_buf *out, const json_t *op)
{
    bool left = strcmp(text_of(op, "type"), "left") == 0;
    bs_buf_printf(out, "N.%s = N.%s:%s(N.%s, ", text_of(op, "as"), text_of(op, "left"),
                  left ? "left_join" : "join", text_of(op, "right"));
    if (json_object_get(op, "key")) {
        put_named(out, "selector", json_object_get(op, "key"));
        bs_buf_puts(out, ", ");
    }
    put_named(out, "joiner", json_object_get(op, "joiner"));
    if (json_object_get(op, "grace_ms"))
        bs_buf_printf(out, ", { grace = %lld }",
                      (long long)json_integer_value(json_object_get(op, "grace_ms")));
    bs_buf_puts(out, ")\n");
}

static const struct {
    const char *op, *method, *maker;
} simple[] = {
    {"filter", "filter", "predicate"},
    {"filter_not", "filter_not", "predicate"},
    {"map_values", "map_values", "mapper"},
    {"map", "map", "pair"},
    {"flat_map", "flat_map", "flat"},
    {"flat_map_values", "flat_map_values", "flat_values"},
    {"select_key", "select_key", "selector"},
    {"group_by", "group_by", NULL},
    {"group_by_key", "group_by_key", ""},
    {"repartition", "repartition", ""},
    {"to_table", "to_table", ""},
    {"to_stream", "to_stream", "selector"},
};

/* A named pair mapper belongs to a table's group_by. */
static bool pairs_of(const json_t *op)
{
    const char *fn = text_of(op, "fn");
    return fn && (strcmp(fn, "swap") == 0 || strcmp(fn, "pair") == 0);
}

static void put_simple(struct bs_buf *out, const json_t *op, size_t i)
{
    const char *maker = simple[i].maker;
    bs_buf_printf(out, "N.%s = N.%s:%s(", text_of(op, "as"), text_of(op, "of"), simple[i].method);
    if (!maker)
        maker = pairs_of(op) ? "table_pair" : "selector";
    if (*maker && text_of(op, "fn")) {
        put_named(out, maker, op);
        put_as(out, op);
    } else if (text_of(op, "store")) {
        bs_buf_printf(out, "{ as = \"%s\" }", text_of(op, "store"));
    }
    bs_buf_puts(out, ")\n");
}

static void put_op(struct bs_buf *out, const json_t *scenario, const json_t *op)
{
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++)
        if (is(op, simple[i].op)) {
            put_simple(out, op, i);
            return;
        }
    if (is(op, "stream") || is(op, "table") || is(op, "global_table")) {
        put_source(out, op);
    } else if (is(op, "peek")) {
        bs_buf_printf(out, "N.%s = N.%s:peek(nothing)\n", text_of(op, "as"), text_of(op, "of"));
    } else if (is(op, "split")) {
        put_split(out, op);
    } else if (is(op, "merge")) {
        size_t i;
        json_t *name;
        json_array_foreach(json_object_get(op, "of"), i, name)
        {
            if (i == 0)
                bs_buf_printf(out, "N.%s = N.%s:merge(", text_of(op, "as"),
                              json_string_value(name));
            else
                bs_buf_printf(out, "%sN.%s", i > 1 ? ", " : "", json_string_value(name));
        }
        bs_buf_puts(out, ")\n");
    } else if (is(op, "to") || is(op, "to_dynamic")) {
        put_sink(out, scenario, op);
    } else if (is(op, "join_stream_table") || is(op, "join_stream_global")) {
        put_join(out, op);
    } else {
        put_aggregate(out, op);
    }
}

void generate_pipeline(const json_t *scenario, struct bs_buf *out)
{
    size_t i;
    json_t *op;
    bs_buf_puts(out, "\nlocal N = {}\n");
    json_array_foreach(json_object_get(scenario, "ops"), i, op) put_op(out, scenario, op);
}
