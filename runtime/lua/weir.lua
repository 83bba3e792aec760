-- The Lua half of require "weir": what users call to build a pipeline. Runs once per machine, before
-- the user's file, outside the sandbox. It checks arguments with the user's line at hand and collects
-- plain node tables; runtime/lua/builder.c reads them.
local native, user_file = ...

local getinfo, type, setmetatable, rawget, ipairs, pairs, error, select, tostring =
      debug.getinfo, type, setmetatable, rawget, ipairs, pairs, error, select, tostring
local format, concat, sort = string.format, table.concat, table.sort

local graph = { nodes = {}, app = {}, topics = {} }
local names = {}          -- stateful names in use
local weir = {}
local done = false        -- the file has run: the graph is closed

-- ---- errors -----------------------------------------------------------------------------------

local function user_line()
  for level = 2, 60 do
    local info = getinfo(level, "Sl")
    if not info then break end
    if info.source == "@" .. user_file then return info.currentline end
  end
end

local function place() return user_file .. ":" .. (user_line() or 0) end

local function fail(message, hint)
  error(place() .. ": " .. message .. (hint and "\n  hint: " .. hint or ""), 0)
end

local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

local function nearest(name, known)
  local best, best_distance
  for candidate in pairs(known) do
    if type(candidate) == "string" then
      local d = distance(tostring(name), candidate)
      if not best or d < best_distance or (d == best_distance and candidate < best) then
        best, best_distance = candidate, d
      end
    end
  end
  if best and best_distance <= math.max(2, #best // 3) then return best end
end

local function listed(known)
  local list = {}
  for name in pairs(known) do list[#list + 1] = name end
  sort(list)
  return concat(list, ", ")
end

local function check_options(what, options, known)
  if options == nil then return {} end
  if type(options) ~= "table" then
    fail(what .. ": options must be a table, this is a " .. type(options))
  end
  for name, value in pairs(options) do
    local want = known[name]
    if not want then
      local near = nearest(name, known)
      fail(format("%s: there is no option '%s'", what, tostring(name)),
        near and "did you mean '" .. near .. "'?" or "its options are " .. listed(known))
    end
    if want ~= "any" and not (want .. "|"):find(type(value) .. "|", 1, true) then
      fail(format("%s: option '%s' must be a %s, this is a %s", what, name,
        want:gsub("|", " or a "), type(value)))
    end
  end
  return options
end

-- Options of Confluent's Avro serializers have a dot in their names. They are taken out of `options`
-- and given as a list, sorted; the worker knows which there are.
local function take_serde(what, options)
  local list, rest = {}, {}
  if type(options) ~= "table" then return list, options end
  for name, value in pairs(options) do
    if type(name) == "string" and name:find(".", 1, true) then
      if type(value) == "table" or type(value) == "function" then
        fail(format("%s: option '%s' must be a string, a number or a boolean, this is a %s", what, name, type(value)))
      end
      list[#list + 1] = { name, tostring(value) }
    else
      rest[name] = value
    end
  end
  if #list > 0 and options.key ~= "avro" and options.value ~= "avro" then
    fail(format("%s: option '%s' goes with key or value = 'avro'", what, list[1][1]))
  end
  sort(list, function(a, b) return a[1] < b[1] end)
  return list, rest
end

local types = { string = true, bytes = true, int64 = true, double = true, json = true, avro = true }

local function check_type(what, option, value, default)
  if value == nil then return default end
  if not types[value] then
    local near = nearest(value, types)
    fail(format("%s: %s = '%s' is no type", what, option, tostring(value)),
      near and "did you mean '" .. near .. "'?" or "types are " .. listed(types))
  end
  return value
end

local function milliseconds(what, value)
  local ms = native.duration(value)
  if not ms then
    fail(format("%s: '%s' is no duration", what, tostring(value)),
      'durations are "250ms" "10s" "5m" "1h" "7d" or a whole number of milliseconds')
  end
  return ms
end

local function check_topic(what, topic)
  if type(topic) ~= "string" then
    fail(format("%s: a topic is a string, this is a %s", what, type(topic)))
  end
  if #topic == 0 or #topic > 249 or topic:find("[^%w%._%-]") or topic == "." or topic == ".." then
    fail(format("%s: '%s' is no topic name", what, topic),
      "1 to 249 letters, digits, '.', '_' and '-'")
  end
  return topic
end

local function check_name(what, name)
  if type(name) ~= "string" or #name == 0 or #name > 180 or name:find("[^%w%._%-]") then
    fail(format("%s: as = '%s' is no name", what, tostring(name)),
      "letters, digits, '.', '_' and '-'")
  end
  return name
end

local function check_function(what, fn, which)
  if type(fn) ~= "function" then
    fail(format("%s: %s must be a function, this is %s", what, which or "its argument",
      fn == nil and "nothing" or "a " .. type(fn)))
  end
  return fn
end

-- A string where a function of the value is wanted: an expression over the value's fields.
local function expression(what, text)
  local chunk, message = native.compile("return function(_ENV) return (" .. text .. "\n) end", text)
  if not chunk then fail(what .. ": the expression cannot be read: " .. message) end
  return chunk()
end

local function function_or_expression(what, fn, which)
  if type(fn) == "string" then return expression(what, fn) end
  return check_function(what, fn, which)
end

-- ---- nodes ------------------------------------------------------------------------------------

local function unique(name)
  local candidate, n = name, 1
  while names[candidate] do
    n = n + 1
    candidate = name .. "-" .. n
  end
  names[candidate] = true
  return candidate
end

local function stateful_name(what, options, generated)
  local name = options.as
  if name then
    check_name(what, name)
    if names[name] then fail(format("%s: the name '%s' is taken", what, name)) end
    names[name] = true
    return name
  end
  return unique((generated:gsub("[^%w%._%-]", "-")))
end

-- Where an operator is: the line of its function, else of the chain.
local function where_of(fn)
  if type(fn) == "function" then
    local info = getinfo(fn, "S")
    if info.source == "@" .. user_file then return user_file .. ":" .. info.linedefined end
  end
  return place()
end

local function add(node, fn)
  if done then
    error(place() .. ": " .. node.kind .. ": the pipeline is built when the file has run; " ..
      "operators cannot be added later", 0)
  end
  graph.nodes[#graph.nodes + 1] = node
  node.id = #graph.nodes
  node.where = where_of(fn)
  return node
end

-- Handles: what users chain on. `path` is the name of the chain so far, `rekeyed` says that keys may
-- have changed since the last topic (a repartition topic is due before the next key-based step).
local Stream, Table, Global, Grouped, GroupedTable, Window, Ready = {}, {}, {}, {}, {}, {}, {}

local absent = {
  outer_join = "joins of two streams and of two tables", suppress = "suppress", process = "process",
  process_values = "process_values", late = "late(topic)", dedup = "dedup", rate = "rate",
  async = "async", through = "through (use repartition or to)", cogroup = "cogroup",
  transform = "transform (Kafka Streams removed it too)", punctuate = "punctuate",
}

local function class(methods, noun)
  return {
    __metatable = noun,
    __name = noun,
    __index = function(handle, name)
      local method = methods[name]
      if method then return method end
      if absent[name] then
        fail(format("%s: %s is not there yet", name, absent[name]),
          "docs list what works now: " .. listed(methods))
      end
      local near = nearest(name, methods)
      fail(format("a %s has no operator '%s'", noun, tostring(name)),
        near and "did you mean '" .. near .. "'?" or "it has " .. listed(methods))
    end,
    __newindex = function() fail("a " .. noun .. " cannot be changed") end,
  }
end

local classes = {
  stream = class(Stream, "stream"), table = class(Table, "table"),
  global = class(Global, "global table"), grouped = class(Grouped, "grouped stream"),
  grouped_table = class(GroupedTable, "grouped table"), window = class(Window, "window"),
  ready = class(Ready, "ready-made aggregate"),
}
local kind_of = setmetatable({}, { __mode = "k" })

local function handle(kind, fields)
  kind_of[fields] = kind
  return setmetatable(fields, classes[kind])
end

local function is(value, kind) return type(value) == "table" and kind_of[value] == kind end

local function check_handle(what, value, kind, noun)
  if not is(value, kind) then
    fail(format("%s: %s wanted, this is a %s", what, noun, kind_of[value] or type(value)),
      type(value) == "nil" and "call it with ':'" or nil)
  end
end

local function next_stream(from, node, changes)
  return handle("stream", {
    node = node, path = changes and changes.path or from.path,
    rekeyed = changes and changes.rekeyed ~= nil and changes.rekeyed or
      (not changes or changes.rekeyed == nil) and from.rekeyed or false,
  })
end

local function repartition_to(stream, name, options, where_fn, keep_null)
  local sink = add({ op = "repartition", kind = options.kind or "repartition", parents = { stream.node.id },
    name = name, partitions = options.partitions, keep_null = keep_null, fn = options.partition }, where_fn)
  local source = add({ op = "source", kind = sink.kind, internal = true, parents = {},
    name = name, partitions = options.partitions }, where_fn)
  sink.reader = source.id
  return handle("stream", { node = source, path = name, rekeyed = false })
end

local function check_partitions(what, n)
  if n ~= nil and (math.type(n) ~= "integer" or n < 1 or n > 10000) then
    fail(what .. ": partitions must be a whole number from 1 to 10000")
  end
  return n
end

local function settled(stream, what, suffix)
  if not stream.rekeyed then return stream end
  return repartition_to(stream, unique((stream.path .. "-" .. suffix):gsub("[^%w%._%-]", "-")),
    { kind = what })
end

-- ---- sources ----------------------------------------------------------------------------------

local source_options = { key = "string", value = "string", schema = "string", key_schema = "string",
  timestamp = "function|string", as = "string", retention = "any" }
local extractors = { record = true, skip_invalid = true, partition_time = true }

local function check_schemas(what, options)
  if options.schema and options.value ~= "avro" then fail(what .. ": schema goes with value = 'avro'") end
  if options.key_schema and options.key ~= "avro" then fail(what .. ": key_schema goes with key = 'avro'") end
end

local function source(what, topics, options, known)
  local serde
  serde, options = take_serde(what, options)
  check_options(what, options, known or source_options)
  options = options or {}
  local stamp, stamp_fn = options.timestamp, nil
  if type(stamp) == "function" then
    stamp_fn, stamp = stamp, "function"
  elseif stamp ~= nil and not extractors[stamp] then
    fail(format("%s: timestamp = '%s' is not known", what, stamp), "it is a function, or " .. listed(extractors))
  end
  check_schemas(what, options)
  return add({ op = "source", kind = what, parents = {}, topics = topics, timestamp = stamp or "record",
    fn = stamp_fn, key_type = check_type(what, "key", options.key, "string"),
    value_type = check_type(what, "value", options.value, "json"), schema = options.schema,
    key_schema = options.key_schema, serde = serde }, stamp_fn)
end

function weir.stream(topic, options)
  local topics = {}
  if type(topic) == "table" and kind_of[topic] == nil then
    for i, name in ipairs(topic) do topics[i] = check_topic("stream", name) end
    if #topics == 0 then fail("stream: the list of topics is empty") end
  else
    topics[1] = check_topic("stream", topic)
  end
  return handle("stream", { node = source("stream", topics, options), path = topics[1], rekeyed = false })
end

local table_options = { versioned = "any" }
for name, want in pairs(source_options) do table_options[name] = want end

function weir.table(topic, options)
  check_topic("table", topic)
  local from = source("table", { topic }, options, table_options)
  local node = add({ op = "table", kind = "table", parents = { from.id }, raw = true })
  local as = options and options.as
  if options and options.versioned ~= nil then
    node.versioned = milliseconds("table: versioned", options.versioned)
    if node.versioned == 0 then fail("table: versioned must be more than nothing") end
  end
  node.named = as ~= nil or node.versioned ~= nil
  node.name = stateful_name("table", { as = as }, topic .. "-table")
  return handle("table", { node = node, path = topic, from = from })
end

function weir.global_table(topic, options)
  check_topic("global_table", topic)
  local serde
  serde, options = take_serde("global_table", options)
  check_options("global_table", options, source_options)
  options = options or {}
  if options.timestamp then fail("global_table: timestamp has no meaning here") end
  check_schemas("global_table", options)
  local node = add({ op = "global", kind = "global_table", parents = {}, topics = { topic },
    key_type = check_type("global_table", "key", options.key, "string"),
    value_type = check_type("global_table", "value", options.value, "json"),
    schema = options.schema, key_schema = options.key_schema, serde = serde })
  node.name = stateful_name("global_table", options, topic .. "-global")
  return handle("global", { node = node, path = topic })
end

function weir.pattern() fail("weir.pattern: sources by pattern are not there yet",
  "weir.stream takes a list of topics") end
function weir.cogroup() fail("cogroup is not there yet") end
function weir.store() fail("weir.store: stores of one's own (process) are not there yet") end
function weir.decimal() fail("weir.decimal is not there yet",
  "decimals arrive as their bytes and can be passed on unchanged") end

-- ---- stateless --------------------------------------------------------------------------------

local function one(op, fields)
  return function(self, fn, ...)
    check_handle(op, self, "stream", "a stream")
    if select("#", ...) > 0 then fail(op .. ": takes one argument") end
    local node = { op = op, kind = op, parents = { self.node.id } }
    if fields.negate then node.op, node.negate = "filter", true end
    node.fn = (fields.expression and function_or_expression or check_function)(op, fn)
    return next_stream(self, add(node, fn), { rekeyed = fields.rekeys or nil })
  end
end

Stream.filter = one("filter", { expression = true })
Stream.filter_not = one("filter_not", { expression = true, negate = true })
Stream.map = one("map", { rekeys = true })
Stream.flat_map = one("flat_map", { rekeys = true })
Stream.flat_map_values = one("flat_map_values", {})
Stream.select_key = one("select_key", { expression = true, rekeys = true })
Stream.peek = one("peek", {})

local function values_function(what, fn)
  if type(fn) ~= "table" then return check_function(what, fn) end
  local parts, keys = {}, {}
  for name, text in pairs(fn) do
    if type(text) ~= "string" then fail(what .. ": the table's values are expressions (strings)") end
    keys[#keys + 1] = { math.type(name) == "integer" and text or name, text }
  end
  sort(keys, function(a, b) return tostring(a[1]) < tostring(b[1]) end)
  for i, pair in ipairs(keys) do
    expression(what, pair[2])
    parts[i] = format("[%q] = (%s\n)", pair[1], pair[2])
  end
  local chunk, message = native.compile("return function(_ENV) return {" .. concat(parts, ", ") .. "} end",
    "map_values")
  if not chunk then fail(what .. ": " .. message) end
  return chunk()
end

function Stream:map_values(fn)
  check_handle("map_values", self, "stream", "a stream")
  return next_stream(self, add({ op = "map_values", kind = "map_values", parents = { self.node.id },
    fn = values_function("map_values", fn) }, fn))
end

function Stream:for_each(fn)
  check_handle("for_each", self, "stream", "a stream")
  add({ op = "for_each", kind = "for_each", parents = { self.node.id }, fn = check_function("for_each", fn) }, fn)
end

function Stream:print(label)
  check_handle("print", self, "stream", "a stream")
  if label ~= nil and type(label) ~= "string" then fail("print: its label is a string") end
  add({ op = "print", kind = "print", parents = { self.node.id }, label = label or self.path })
end

function Stream:split(branches)
  check_handle("split", self, "stream", "a stream")
  if type(branches) ~= "table" or #branches == 0 then
    fail("split: takes a list of branches", 'split { { "big", function(v) … end }, { "rest" } }')
  end
  local node = { op = "split", kind = "split", parents = { self.node.id }, fns = {} }
  local first, seen = nil, {}
  for i, branch in ipairs(branches) do
    if type(branch) ~= "table" or type(branch[1]) ~= "string" then
      fail(format("split: branch %d needs a name", i))
    end
    if seen[branch[1]] then fail(format("split: two branches are called '%s'", branch[1])) end
    seen[branch[1]] = true
    if branch[2] == nil and i < #branches then
      fail(format("split: branch '%s' has no function, so it takes all: it must be the last", branch[1]))
    end
    if branch[2] ~= nil then
      node.fns[i] = function_or_expression("split", branch[2], "the function of '" .. branch[1] .. "'")
      first = first or branch[2]
    end
  end
  add(node, first)
  local streams = {}
  for i, branch in ipairs(branches) do
    local child = add({ op = "branch", kind = "split", parents = { node.id }, name = branch[1] }, branch[2])
    streams[branch[1]] = next_stream(self, child)
  end
  return streams
end

function Stream:merge(...)
  check_handle("merge", self, "stream", "a stream")
  local parents, rekeyed = { self.node.id }, self.rekeyed
  for i = 1, select("#", ...) do
    local other = select(i, ...)
    check_handle("merge", other, "stream", "a stream")
    parents[#parents + 1] = other.node.id
    rekeyed = rekeyed or other.rekeyed
  end
  if #parents < 2 then fail("merge: with which stream?") end
  return next_stream(self, add({ op = "merge", kind = "merge", parents = parents }), { rekeyed = rekeyed })
end

function Stream:repartition(options)
  check_handle("repartition", self, "stream", "a stream")
  check_options("repartition", options, { as = "string", partitions = "number", partition = "function" })
  options = options or {}
  check_partitions("repartition", options.partitions)
  local name = stateful_name("repartition", options, self.path)
  return repartition_to(self, name, options)
end

local to_options = { key = "string", value = "string", schema = "string", key_schema = "string",
  partition = "function", headers = "function", base64 = "boolean" }

function Stream:to(topic, options)
  check_handle("to", self, "stream", "a stream")
  local serde
  serde, options = take_serde("to", options)
  check_options("to", options, to_options)
  options = options or {}
  local node = { op = "to", kind = "to", parents = { self.node.id } }
  if type(topic) == "function" then node.fn = topic else node.topic = check_topic("to", topic) end
  node.key_type = check_type("to", "key", options.key, "string")
  node.value_type = check_type("to", "value", options.value, "json")
  check_schemas("to", options)
  if node.fn and (node.value_type == "avro" or node.key_type == "avro") then
    fail("to: Avro with a function for the topic is not there yet", "split into streams with fixed topics")
  end
  node.schema, node.key_schema, node.serde = options.schema, options.key_schema, serde
  node.fn2, node.fn3, node.base64 = options.partition, options.headers, options.base64
  add(node, node.fn)
end

-- ---- tables -----------------------------------------------------------------------------------

local function next_table(from, node, path)
  return handle("table", { node = node, path = path or from.path })
end

local function need(node)
  -- A node whose rows are looked up keeps them, or asks the node it derives from.
  while true do
    if node.op == "table" or node.op == "aggregate" or node.op == "table_aggregate" then
      node.needed = true
      return
    end
    if node.named then return end
    node = graph.nodes[node.parents[1]]
  end
end

local function table_one(op, out_op, negate)
  return function(self, fn, options)
    check_handle(op, self, "table", "a table")
    check_options(op, options, { as = "string" })
    local node = { op = out_op, kind = op, parents = { self.node.id }, negate = negate }
    node.fn = op == "map_values" and values_function(op, fn) or
      op ~= "map_values" and function_or_expression(op, fn) or nil
    add(node, fn)
    if options and options.as then
      node.name, node.named = stateful_name(op, options, ""), true
    end
    return next_table(self, node, node.name)
  end
end

Table.filter = table_one("filter", "table_filter", false)
Table.filter_not = table_one("filter_not", "table_filter", true)
Table.map_values = table_one("map_values", "table_map_values")

function Table:to_stream(fn)
  check_handle("to_stream", self, "table", "a table")
  local node = { op = "to_stream", kind = "to_stream", parents = { self.node.id } }
  if fn ~= nil then node.fn = check_function("to_stream", fn) end
  return handle("stream", { node = add(node, fn), path = self.path, rekeyed = fn ~= nil })
end

function Table:group_by(fn, options)
  check_handle("group_by", self, "table", "a table")
  check_options("group_by", options, { as = "string", partitions = "number" })
  options = options or {}
  check_function("group_by", fn)
  need(self.node)
  return handle("grouped_table", { from = self, fn = fn, options = options, path = self.path,
    partitions = check_partitions("group_by", options.partitions) })
end

function Stream:to_table(options)
  check_handle("to_table", self, "stream", "a stream")
  check_options("to_table", options, { as = "string" })
  options = options or {}
  local from = settled(self, "to_table", "to-table")
  local node = add({ op = "table", kind = "to_table", parents = { from.node.id }, named = options.as ~= nil })
  node.name = stateful_name("to_table", options, from.path .. "-to-table")
  return handle("table", { node = node, path = node.name })
end

for _, name in ipairs { "join", "left_join" } do
  Table[name] = function() fail(name .. ": joins of two tables are not there yet",
    "join the table's stream side: stream:join(table, fn)") end
end

-- ---- grouping and aggregates ------------------------------------------------------------------

local group_options = { as = "string", partitions = "number" }

function Stream:group_by(fn, options)
  check_handle("group_by", self, "stream", "a stream")
  check_options("group_by", options, group_options)
  options = options or {}
  check_partitions("group_by", options.partitions)
  local node = add({ op = "select_key", kind = "group_by", parents = { self.node.id },
    fn = function_or_expression("group_by", fn), drop_null = true }, fn)
  local keyed = handle("stream", { node = node, path = self.path, rekeyed = true })
  return handle("grouped", { from = keyed, options = options, path = self.path, suffix = "group-by", fn = fn })
end

function Stream:group_by_key(options)
  check_handle("group_by_key", self, "stream", "a stream")
  check_options("group_by_key", options, group_options)
  return handle("grouped", { from = self, options = options or {}, path = self.path, suffix = "group-by-key" })
end

function Grouped:windowed_by(window)
  check_handle("windowed_by", self, "grouped", "a grouped stream")
  check_handle("windowed_by", window, "window", "a window (weir.tumbling, weir.hopping)")
  if rawget(self, "window") then fail("windowed_by: it is windowed already") end
  return handle("grouped", { from = self.from, options = self.options, path = self.path, suffix = self.suffix,
    fn = rawget(self, "fn"), window = window, shared = self })
end

-- All aggregates of one group share its repartition topic.
local function group_source(group)
  local root = rawget(group, "shared") or group
  local settled_stream = rawget(root, "settled")
  if settled_stream then return settled_stream end
  local stream = root.from
  if stream.rekeyed then
    local options = root.options
    local name = stateful_name("group_by", options, stream.path .. "-" .. root.suffix)
    stream = repartition_to(stream, name, { kind = root.suffix == "group-by" and "group_by" or "group_by_key",
      partitions = options.partitions }, rawget(root, "fn"))
  end
  rawset(root, "settled", stream)
  return stream
end

local ready_kinds = { count = 0, sum = 1, min = 1, max = 1, mean = 1, first = 1, last = 1 }
local ready_absent = { collect = true, distinct_count = true, percentile = true, top = true }

for kind, arguments in pairs(ready_kinds) do
  weir[kind] = function(field)
    if field == nil and arguments == 1 or field ~= nil and type(field) ~= "string" then
      fail(format("weir.%s: takes the name of a field", kind), format('weir.%s("delay")', kind))
    end
    return handle("ready", { kind = kind, field = field })
  end
end
for kind in pairs(ready_absent) do
  weir[kind] = function() fail("weir." .. kind .. " is not there yet",
    "aggregate(init, function(aggregate, value, key) … end) can do it") end
end

local function add_aggregate(group, what, fields, fn, options)
  check_options(what, options, { as = "string" })
  local stream = group_source(group)
  local node = { op = "aggregate", kind = what, parents = { stream.node.id } }
  for name, value in pairs(fields) do node[name] = value end
  local window = rawget(group, "window")
  if window then
    node.window = { size = window.size, advance = window.advance, grace = rawget(window, "grace_ms") or 0 }
  end
  add(node, fn)
  node.name = stateful_name(what, options or {}, group.path .. "-" .. what)
  return handle("table", { node = node, path = node.name })
end

local function ready_list(what, list)
  local ready = {}
  for name, item in pairs(list) do
    if type(name) ~= "string" or not is(item, "ready") then
      fail(format("%s: '%s' must be a ready-made aggregate", what, tostring(name)),
        'aggregate { late = weir.count(), worst = weir.max("delay") }')
    end
    ready[#ready + 1] = { name = name, kind = item.kind, field = rawget(item, "field") }
  end
  if #ready == 0 then fail(what .. ": the table of aggregates is empty") end
  sort(ready, function(a, b) return a.name < b.name end)
  return ready
end

function Grouped:count(options)
  check_handle("count", self, "grouped", "a grouped stream")
  return add_aggregate(self, "count", { how = "count" }, nil, options)
end

function Grouped:reduce(fn, options)
  check_handle("reduce", self, "grouped", "a grouped stream")
  return add_aggregate(self, "reduce", { how = "reduce", fn = check_function("reduce", fn) }, fn, options)
end

local function initial(node, what, init)
  if type(init) == "function" then
    node.fn2 = init
  elseif init == nil then
    fail(what .. ": its first argument is the start value, or a function that makes it")
  else
    node.init = { init }
  end
end

function Grouped:aggregate(init, fn, options)
  check_handle("aggregate", self, "grouped", "a grouped stream")
  if fn == nil or type(fn) == "table" and type(init) == "table" then
    if type(init) ~= "table" then
      fail("aggregate: takes (start, function), or a table of ready-made aggregates")
    end
    return add_aggregate(self, "aggregate", { how = "ready", ready = ready_list("aggregate", init) }, nil, fn)
  end
  local fields = { how = "function", fn = check_function("aggregate", fn, "its second argument") }
  if type(options) == "function" then fail("aggregate: a merger belongs to session windows, which are not there yet") end
  initial(fields, "aggregate", init)
  return add_aggregate(self, "aggregate", fields, fn, options)
end

local function table_group_source(group)
  local reader = rawget(group, "settled")
  if reader then return reader end
  local name = stateful_name("group_by", group.options, group.path .. "-group-by")
  local sink = add({ op = "table_group", kind = "group_by", parents = { group.from.node.id }, fn = group.fn,
    name = name, partitions = group.options.partitions }, group.fn)
  reader = add({ op = "source", kind = "group_by", internal = true, changes = true, parents = {}, name = name,
    partitions = group.options.partitions }, group.fn)
  sink.reader = reader.id
  rawset(group, "settled", reader)
  return reader
end

local function add_table_aggregate(group, what, fields, fn, options)
  check_options(what, options, { as = "string" })
  local reader = table_group_source(group)
  local node = { op = "table_aggregate", kind = what, parents = { reader.id } }
  for name, value in pairs(fields) do node[name] = value end
  add(node, fn)
  node.name = stateful_name(what, options or {}, group.path .. "-" .. what)
  return handle("table", { node = node, path = node.name })
end

function GroupedTable:count(options)
  check_handle("count", self, "grouped_table", "a grouped table")
  return add_table_aggregate(self, "count", { how = "count" }, nil, options)
end

function GroupedTable:reduce(fn, subtract, options)
  check_handle("reduce", self, "grouped_table", "a grouped table")
  check_function("reduce", fn)
  check_function("reduce", subtract, "the subtractor (second argument)")
  return add_table_aggregate(self, "reduce", { how = "reduce", fn = fn, fn3 = subtract }, fn, options)
end

function GroupedTable:aggregate(init, fn, subtract, options)
  check_handle("aggregate", self, "grouped_table", "a grouped table")
  if type(init) == "table" and (fn == nil or type(fn) == "table") then
    fail("aggregate: ready-made aggregates over a table are not there yet",
      "aggregate(init, add, subtract)")
  end
  check_function("aggregate", fn, "its second argument")
  check_function("aggregate", subtract, "the subtractor (third argument)")
  local fields = { how = "function", fn = fn, fn3 = subtract }
  initial(fields, "aggregate", init)
  return add_table_aggregate(self, "aggregate", fields, fn, options)
end

function GroupedTable:windowed_by() fail("windowed_by: a table has no windows, a stream has") end

-- ---- windows ----------------------------------------------------------------------------------

local function new_window(what, size, advance)
  if size <= 0 then fail(what .. ": its size must be more than nothing") end
  if advance <= 0 or advance > size then fail(what .. ": it advances by more than 0 and at most its size") end
  if size // advance > 100000 then fail(what .. ": more than 100000 windows at a time") end
  return handle("window", { size = size, advance = advance })
end

function weir.tumbling(size)
  local ms = milliseconds("tumbling", size)
  return new_window("tumbling", ms, ms)
end
function weir.hopping(size, advance)
  return new_window("hopping", milliseconds("hopping", size), milliseconds("hopping", advance))
end
function weir.sliding() fail("weir.sliding is not there yet") end
function weir.session() fail("weir.session is not there yet") end

function Window:grace(duration)
  check_handle("grace", self, "window", "a window")
  return handle("window", { size = self.size, advance = self.advance,
    grace_ms = milliseconds("grace", duration) })
end
function Window:emit(when)
  if when ~= "update" then fail("emit: only 'update' is there yet") end
  return self
end
function Window:idle_close() fail("idle_close is not there yet") end

-- ---- joins ------------------------------------------------------------------------------------

-- The history retention of a table, or of the one it derives from.
local function history(node)
  while true do
    if node.versioned then return node.versioned end
    if node.op ~= "table_filter" and node.op ~= "table_map_values" or node.named then return nil end
    node = graph.nodes[node.parents[1]]
  end
end

local function join(what, left)
  return function(self, other, a, b, c)
    check_handle(what, self, "stream", "a stream")
    if is(other, "global") then
      local key = function_or_expression(what, a, "the key function")
      check_function(what, b, "the joiner (third argument)")
      check_options(what, c, {})
      return next_stream(self, add({ op = "join", kind = what, parents = { self.node.id, other.node.id },
        global = true, left = left, fn2 = key, fn = b }, b))
    end
    if is(other, "stream") then
      fail(what .. ": joins of two streams are not there yet", "other:to_table() gives a table to join with")
    end
    check_handle(what, other, "table", "a table or global table")
    check_function(what, a, "the joiner")
    if type(b) == "table" and (b.on or b.within) then
      fail(format("%s: %s is not there yet", what, b.on and "on = (foreign keys)" or "within ="))
    end
    check_options(what, b, { as = "string", grace = "any" })
    need(other.node)
    local stream, grace = self, nil
    if b and b.grace ~= nil then
      grace = milliseconds(what .. ": grace", b.grace)
      local kept = history(other.node)
      if not kept then
        fail(what .. ": grace needs a versioned table: rows of the past are looked up",
          'weir.table("topic", { versioned = "1h" })')
      end
      if grace > kept then
        fail(format("%s: a grace of %d ms is longer than the table's history of %d ms", what, grace, kept))
      end
    end
    if self.rekeyed then
      stream = repartition_to(self, stateful_name(what, b or {}, self.path .. "-" .. what),
        { kind = what }, a, left)
    end
    local node = add({ op = "join", kind = what, parents = { stream.node.id, other.node.id },
      left = left, fn = a, grace = grace, named = grace ~= nil }, a)
    if grace then node.name = unique(((b.as or stream.path) .. "-" .. what .. "-buffer"):gsub("[^%w%._%-]", "-")) end
    return next_stream(stream, node)
  end
end

Stream.join = join("join", false)
Stream.left_join = join("left_join", true)

-- ---- settings ---------------------------------------------------------------------------------

local app_options = { id = "string", guarantee = "string", commit_interval = "any", threads = "number",
  on_error = "string|table", cache_bytes = "number", state_dir = "string", standbys = "number",
  memory_max = "number", cpu_max_per_record = "any", kafka = "table" }

function weir.app(options)
  check_options("app", options, app_options)
  local app = graph.app
  for name, value in pairs(options or {}) do
    if name == "guarantee" and value ~= "exactly_once" and value ~= "at_least_once" then
      fail("app: guarantee is 'exactly_once' or 'at_least_once'")
    elseif name == "commit_interval" or name == "cpu_max_per_record" then
      value = milliseconds("app: " .. name, value)
    elseif name == "threads" and (math.type(value) ~= "integer" or value < 1 or value > 256) then
      fail("app: threads must be a whole number from 1 to 256")
    elseif name == "memory_max" and (math.type(value) ~= "integer" or value < 4 << 20) then
      fail("app: memory_max must be a whole number of bytes, 4 MiB or more")
    elseif name == "id" then
      check_name("app: id", value)
    elseif (name == "cache_bytes" or name == "standbys") and value ~= 0 then
      fail("app: " .. name .. " is not there yet", name == "cache_bytes" and
        "every update is passed on" or "state is rebuilt from its changelogs")
    elseif name == "on_error" then
      if type(value) == "table" then
        check_options("app: on_error", value, { dead_letter = "string", retries = "number" })
        app.dead_letter = check_topic("app: on_error", value.dead_letter)
        if value.retries and value.retries ~= 0 then
          fail("app: on_error: retries are not there yet", "functions have no side effects: the same call fails again")
        end
        value = "dead_letter"
      elseif value ~= "stop" and value ~= "skip" then
        fail('app: on_error is "stop", "skip" or { dead_letter = "topic" }')
      end
    elseif name == "kafka" then
      for k, v in pairs(value) do
        if type(k) ~= "string" or type(v) == "table" or type(v) == "function" then
          fail("app: kafka holds names of librdkafka options and their values")
        end
      end
    end
    app[name] = value
  end
end

weir.null, weir.with, weir.get, weir.equal = native.null, native.with, native.get, native.equal
weir.array, weir.branch, weir.time, weir.format_time = native.array, native.branch, native.time, native.format_time

setmetatable(weir, {
  __metatable = "weir",
  __index = function(_, name)
    local near = nearest(name, weir)
    fail(format("weir has no '%s'", tostring(name)), near and "did you mean 'weir." .. near .. "'?" or nil)
  end,
})

local facade = setmetatable({}, { __index = weir, __metatable = "weir",
  __newindex = function() fail("weir cannot be changed") end })

return facade, graph, function() done = true end
