-- The named functions of the stream vectors, as functions of a pipeline: f(value, key, meta).
local weir = require "weir"

local function text(x) if x == nil then return "null" end return tostring(x) end

local function part(s, separator, index)
  if s == nil then return nil end
  local from = 1
  for _ = 1, index do
    local _, stop = s:find(separator, from, true)
    if not stop then return nil end
    from = stop + 1
  end
  local start = s:find(separator, from, true)
  return s:sub(from, start and start - 1 or -1)
end

local predicates = {
  any = function() return function() return true end end,
  none = function() return function() return false end end,
  value_gt = function(o) return function(v) return v ~= nil and v > o.arg end end,
  value_lt = function(o) return function(v) return v ~= nil and v < o.arg end end,
  value_even = function() return function(v) return v ~= nil and v % 2 == 0 end end,
  value_eq = function(o) return function(v) return v ~= nil and v == o.arg end end,
  value_contains = function(o) return function(v) return v ~= nil and v:find(o.arg, 1, true) ~= nil end end,
  value_starts = function(o) return function(v) return v ~= nil and v:sub(1, #o.arg) == o.arg end end,
  value_null = function() return function(v) return v == nil end end,
  key_null = function() return function(_, k) return k == nil end end,
  key_eq = function(o) return function(_, k) return k == o.arg end end,
}

local mappers = {
  same = function() return function(v) return v end end,
  upper = function() return function(v) return v and v:upper() end end,
  length = function() return function(v) return v and #v end end,
  add = function(o) return function(v) return v and v + o.arg end end,
  to_long = function() return function(v) return v and math.tointeger(tonumber(v)) end end,
  append = function(o) return function(v) return text(v) .. o.arg end end,
  prefix_key = function() return function(v, k) return text(k) .. ":" .. text(v) end end,
  to_text = function() return function(v) return text(v) end end,
  part = function(o) return function(v) return part(v, o.sep, o.index) end end,
  null_if = function(o) return function(v) if v == o.arg then return nil end return v end end,
  const = function(o) return function() return o.arg end end,
  fail_if = function(o) return function(v) if v == o.arg then error("the value is " .. text(v)) end return v end end,
}

local selectors = {
  key = function() return function(_, k) return k end end,
  value = function() return function(v) return v end end,
  const = function(o) return function() return o.arg end end,
  null = function() return function() return nil end end,
  value_part = function(o) return function(v) return part(v, o.sep, o.index) end end,
  key_part = function(o) return function(_, k) return part(k, o.sep, o.index) end end,
  key_upper = function() return function(_, k) return k and k:upper() end end,
  key_prefix = function(o) return function(_, k) return k and k:sub(1, o.arg) end end,
  window_key = function() return function(_, w) return w.key end end,
  window_start = function() return function(_, w) return w.start end end,
}

local function pick(set, noun)
  return function(o)
    if not set[o.fn] then error("LACKS " .. noun .. " " .. tostring(o.fn), 0) end
    return set[o.fn](o)
  end
end

local predicate, mapper, selector = pick(predicates, "predicate"), pick(mappers, "mapper"), pick(selectors, "selector")

-- → value, key
local pair = pick({
  swap = function() return function(v, k) return k, v end end,
  pair = function(o)
    local key, value = selector(o.key), mapper(o.value)
    return function(v, k) return value(v, k), key(v, k) end
  end,
}, "pair mapper")

local function table_pair(o)
  local both = pair(o)
  return function(v, k)
    local value, key = both(v, k)
    return key, value
  end
end

local flat = pick({
  pairs = function()
    return function(v)
      local list = {}
      if v == nil or v == "" then return list end
      local from = 1
      while true do
        local stop = v:find(",", from, true)
        local piece = v:sub(from, stop and stop - 1 or -1)
        local at = piece:find("=", 1, true)
        local key = at and piece:sub(1, at - 1) or piece
        local value = at and piece:sub(at + 1) or nil
        if key == "" then key = nil end
        if value == "" then value = nil end
        list[#list + 1] = { value, key }
        if not stop then return list end
        from = stop + 1
      end
    end
  end,
}, "flat mapper")

local flat_values = pick({
  words = function()
    return function(v)
      local list = {}
      for word in (v or ""):gmatch("[^ ]+") do list[#list + 1] = word end
      return list
    end
  end,
  chars = function()
    return function(v)
      local list = {}
      for _, c in utf8.codes(v or "") do list[#list + 1] = utf8.char(c) end
      return list
    end
  end,
  twice = function() return function(v) return weir.array { v, v } end end,
}, "flat value mapper")

local function number_rule(rule)
  return function()
    return function(a, b)
      if b == nil then return a end
      if a == nil then return b end
      return rule(a, b)
    end
  end
end

local reducer = pick({
  sum = number_rule(function(a, b) return a + b end),
  sub = number_rule(function(a, b) return a - b end),
  min = number_rule(function(a, b) return math.min(a, b) end),
  max = number_rule(function(a, b) return math.max(a, b) end),
  concat = function() return function(a, b) return text(a) .. "," .. text(b) end end,
  minus = function() return function(a, b) return text(a) .. "-" .. text(b) end end,
  first = function() return function(a) return a end end,
  last = function() return function(_, b) return b end end,
  last_or_null = function(o) return function(_, b) if b == o.arg then return nil end return b end end,
}, "reducer")

-- Kafka's (key, value, aggregate) is (aggregate, value, key) here.
local aggregator = pick({
  count = function() return function(a) return a + 1 end end,
  sum = function() return function(a, v) return v == nil and a or a + v end end,
  sub = function() return function(a, v) return v == nil and a or a - v end end,
  max = function() return function(a, v) return v == nil and a or math.max(a, v) end end,
  append = function() return function(a, v) return text(a) .. "+" .. text(v) end end,
  minus = function() return function(a, v) return text(a) .. "-" .. text(v) end end,
  append_or_null = function(o)
    return function(a, v)
      if v == o.arg then return nil end
      return text(a) .. "+" .. text(v)
    end
  end,
}, "aggregator")

local joiner = pick({
  concat = function(o) return function(l, r) return text(l) .. (o.sep or "+") .. text(r) end end,
  concat_key = function(o) return function(l, r, k) return text(k) .. ":" .. text(l) .. (o.sep or "+") .. text(r) end end,
  null_if_right = function(o)
    return function(l, r)
      if r == o.arg then return nil end
      return text(l) .. (o.sep or "+") .. text(r)
    end
  end,
}, "joiner")

local function nothing() end
local function value_time(v) return math.tointeger(tonumber(part(v, "@", 1))) end
