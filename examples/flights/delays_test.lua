-- delays_test.lua: run by `weir test`, no broker, no registry, no clock but the one moved by hand
local t = require "weir.test"

local function start(p)
  p:schema("airports", "airports.avsc")
  p:schema("flights", "flights.avsc")
  p:pipe("airports", "JFK", { iata = "JFK", name = "John F Kennedy Intl", city = "New York", state = "NY",
                              country = "USA", latitude = 40.64, longitude = -73.78 })
end

local function flight(date, delay, origin)
  return { date = date, delay = delay, distance = 100, origin = origin, destination = "LAX" }
end

t.describe("delays", "delays.lua", function(p)
  start(p)
  p:pipe("flights", nil, flight("2001/01/01 10:05", 20, "JFK"))
  p:pipe("flights", nil, flight("2001/01/01 10:15", 5, "JFK"))    -- punctual: filtered
  local out = p:read_all("delays-by-airport")
  t.equal(#out, 1)
  t.equal(out[1].value.late, 1)
end)

t.describe("an hour of delays", "delays.lua", function(p)
  start(p)
  p:pipe("flights", nil, flight("2001/01/01 10:05", 20, "JFK"))
  p:pipe("flights", nil, flight("2001/01/01 10:30", 45, "JFK"))
  p:pipe("flights", nil, flight("2001/01/01 11:00", 15, "JFK"))   -- the next hour
  p:pipe("flights", nil, flight("2001/01/01 11:01", 99, "QQQ"))   -- no such airport: dropped by the join
  local out = p:read_all("delays-by-airport")
  t.equal(#out, 3)
  t.equal(out[2].value.late, 2)
  t.equal(out[2].value.worst, 45)
  t.equal(out[2].value.mean, 32.5)
  t.equal(out[2].value.city, "New York")
  t.equal(out[2].value.airport, "JFK")
  t.equal(out[3].value.late, 1)
  t.equal(out[3].value.hour - out[2].value.hour, 3600000)
end)
