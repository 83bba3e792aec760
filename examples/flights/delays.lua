-- delays.lua: which airports keep people waiting, hour by hour
local weir = require "weir"

local airports = weir.global_table("airports", { value = "avro" })   -- small and complete: read to its end before the start

local flights = weir.stream("flights", {
  value     = "avro",                              -- avro | json | string | bytes | int64 | double
  timestamp = function(f) return weir.time(f.date, "%Y/%m/%d %H:%M") end,
})

flights
  :filter(function(f) return f.delay >= 15 end)
  :join(airports, function(f) return f.origin end, function(f, a)
      return { airport = f.origin, city = a.city, state = a.state, delay = f.delay }
    end)
  :group_by(function(f) return f.airport end)
  :windowed_by(weir.tumbling("1h"):grace("10m"))
  :aggregate { late = weir.count(), worst = weir.max("delay"), mean = weir.mean("delay"), city = weir.last("city") }
  :to_stream()
  :map(function(v, w) return weir.with(v, { airport = w.key, hour = w.start }), w.key .. "@" .. w.start end)
  :to("delays-by-airport", { value = "avro", schema = "delays.avsc" })
