-- Mistakes in functions: what a user reads. The filter stands in line 12, as in docs.
local weir = require "weir"

local flights = weir.stream("flights", {
  value = "json",
})

-- The value's fields are date, delay and origin; the test sends one that is spelled wrong.
-- A punctual flight is one that is less than a quarter of an hour late.

flights
  :filter(function(f) return f.delay >= 15 end)
  :to("late", { value = "json" })
