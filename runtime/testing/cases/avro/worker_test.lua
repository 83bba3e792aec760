-- Run with --serde auto.register.schemas=false: as an option of the worker.
local t = require "weir.test"

t.describe("not registered", "worker.lua", function(p)
  t.fails(function() p:pipe("in", nil, { name = "pear" }) end, "subject 'shop.Fruit' has not this schema, and auto.register.schemas is false")
end)
t.describe("registered", "worker.lua", function(p)
  p:schema("out", "fruit-odd.avsc", { subject = "shop.Fruit" })
  p:pipe("in", nil, { name = "pear" })
  t.equal(p:read("out").value, { name = "pear" })
end)
