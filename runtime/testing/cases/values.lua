-- How values look to functions, and what becomes of them from topic to topic.
local weir = require "weir"

local json = weir.stream("json", { value = "json" })
json:to("json-out", { value = "json" })
json:map_values(function(v) return weir.with(v, { added = 1, big = weir.null }) end):to("json-with", { value = "json" })
orders_raw = weir.stream("raw", { value = "bytes" })
orders_raw:to("raw-json", { value = "json", base64 = true })
orders_raw:to("raw-bytes", { value = "bytes" })
json:map_values(function(v)
  local names = {}
  for name in pairs(v) do names[#names + 1] = name end
  return {
    names = names, list_len = v.list and #v.list or -1, first = v.list and v.list[1], second = v.list and v.list[2],
    null = v.null == weir.null, absent = v.nowhere == nil, big = v.big, type = type(v),
    got = weir.get(v, "odd name", "default"), same = v == v, equal = weir.equal(v.list or {}, { 1, "two" }),
  }
end):to("json-seen", { value = "json" })
json:group_by(function(v) return v.big end):reduce(function(_, v) return v end):to_stream():to("json-stored", { key = "int64", value = "json" })

local orders = weir.stream("orders", { value = "avro", key = "int64" })
orders:to("orders-same", { key = "int64", value = "avro", schema = "order.avsc" })
orders:map_values(function(o) return weir.with(o, { count = o.count + 1 }) end)
  :to("orders-more", { key = "int64", value = "avro", schema = "order.avsc" })
orders:map_values(function(o)
  local sum = 0
  for _, line in pairs(o.lines) do sum = sum + line.n end
  return { sum = sum, state = o.state, note = o.note == weir.null and "none" or o.note, tag = o.tags.a, customer = o.customer,
           age = o.customer.age, sku = o.lines[2] and o.lines[2].sku, price = o.price }
end):to("orders-seen", { key = "int64", value = "json" })
orders:filter(function(o) return o.count == 99 end):map_values(function(o) return weir.with(o, { count = 1.5 }) end)
  :to("orders-bad", { key = "int64", value = "avro", schema = "order.avsc" })

weir.stream("pairs", { value = "string" })
  :flat_map(function(v, k) return { { v .. "1", k }, { nil, k }, { v .. "3", nil } } end)
  :to(function(_, k) return k and "keyed" or "unkeyed" end, {
    value = "string",
    headers = function(_, _, meta) return { from = meta.topic, at = tostring(meta.timestamp) } end,
    partition = function(_, k) if k then return 0 end end,
  })

weir.stream("numbers", { value = "json" })
  :group_by_key()
  :aggregate { n = weir.count(), with_x = weir.count("x"), sum = weir.sum("x"), low = weir.min("x"), high = weir.max("x"),
               mean = weir.mean("x"), first = weir.first("x"), last = weir.last("x") }
  :to_stream():to("numbers-out", { value = "json" })

