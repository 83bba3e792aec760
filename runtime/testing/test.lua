-- The Lua half of require "weir.test". Gets the native functions of runtime/testing/script.c and the
-- name of the test file; gives the module and a function that tells how it went.
local native, weir, file = ...
local t = {}
local passed, failed = 0, 0
local getinfo = debug.getinfo

local function line()
  for level = 2, 60 do
    local info = getinfo(level, "Sl")
    if not info then break end
    if info.source == "@" .. file then return file .. ":" .. info.currentline .. ": " end
  end
  return ""
end

local function fail(message) error(line() .. message, 0) end

local function show(value)
  if type(value) == "string" then return string.format("%q", value) end
  if type(value) == "table" then return native.show(value) end
  return tostring(value)
end

function t.equal(got, want, what)
  if not (got == want or weir.equal(got, want)) then
    fail((what and what .. ": " or "") .. "expected " .. show(want) .. ", got " .. show(got))
  end
end
t.same = t.equal

function t.not_equal(got, unwanted, what)
  if got == unwanted or weir.equal(got, unwanted) then
    fail((what and what .. ": " or "") .. "expected anything but " .. show(unwanted))
  end
end

function t.ok(value, what)
  if not value then fail((what and what .. ": " or "") .. "expected a true value, got " .. show(value)) end
end

-- The function must fail; `pattern` is looked for in the message (plain text).
function t.fails(fn, pattern, what)
  local well, message = pcall(fn)
  if well then fail((what and what .. ": " or "") .. "expected an error, there was none") end
  if pattern and not tostring(message):find(pattern, 1, true) then
    fail((what and what .. ": " or "") .. "expected an error with " .. show(pattern) .. ", got " .. tostring(message))
  end
  return message
end

function t.fail(message) fail(message or "failed") end

local methods = {}

function methods.schema(p, topic, schema_file, options) native.schema(p.driver, topic, schema_file, options) end
function methods.pipe(p, topic, key, value, options) native.pipe(p.driver, topic, key, value, options) end
function methods.read_all(p, topic) return native.read_all(p.driver, topic) end
function methods.read(p, topic) return native.read_all(p.driver, topic, 1)[1] end
function methods.advance_wall(p, duration)
  local ms = native.duration(duration)
  if not ms then fail("advance_wall: '" .. tostring(duration) .. "' is no duration") end
  native.advance(p.driver, ms)
end
function methods.restart(p) native.restart(p.driver) end
function methods.dropped(p) return native.dropped(p.driver) end

local function check(p, what, topic)
  if type(topic) ~= "string" then fail("p:" .. what .. ": a topic is a string, this is a " .. type(topic)) end
end

for name, method in pairs(methods) do
  methods[name] = function(p, ...)
    if type(p) ~= "table" or not rawget(p, "driver") then fail("p:" .. name .. "(…) is called with ':'") end
    if name ~= "advance_wall" and name ~= "dropped" and name ~= "restart" then check(p, name, (...)) end
    if name ~= "schema" and name ~= "dropped" then p.loaded = true end -- or the test knows that it fails
    local result = table.pack(pcall(method, p, ...))
    if not result[1] then
      local message = tostring(result[2])
      fail(message:gsub("^%[C%]: ?", ""), 0)
    end
    return table.unpack(result, 2, result.n)
  end
end

function t.describe(name, pipeline, fn)
  if type(name) ~= "string" or type(pipeline) ~= "string" or type(fn) ~= "function" then
    fail('describe: takes a name, a pipeline file and a function: t.describe("delays", "delays.lua", function(p) … end)')
  end
  local p = setmetatable({ driver = native.driver(pipeline) }, { __index = methods, __metatable = "pipeline" })
  local well, message = xpcall(fn, function(m) return m end, p)
  if well and not p.loaded then well, message = pcall(native.load, p.driver) end
  if well then
    passed = passed + 1
    native.print("  ok    " .. name)
  else
    failed = failed + 1
    native.print("  FAIL  " .. name .. "\n        " .. tostring(message):gsub("\n", "\n        "))
  end
end

return setmetatable(t, { __index = function(_, name) fail("weir.test has no '" .. tostring(name) .. "'") end }),
  function() return passed, failed end
