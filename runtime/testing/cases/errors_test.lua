local t = require "weir.test"

-- Runs `text` as a pipeline over topic "in" and gives the message it ends with.
t.describe("a field that is not there", "delays.lua", function(p)
  local message = t.fails(function()
    p:pipe("flights", "JFK", { date = "2001/01/01 00:47", dly = 66, origin = "JFK" })
  end)
  t.equal(message:match("delays.lua.*"), [[
delays.lua:12: attempt to compare number with nil (the value has no field 'delay')
  in filter (delays.lua:12), record flights[0]@0, key "JFK"
  value {"date":"2001/01/01 00:47","dly":66,"origin":"JFK"}
  hint: its fields are date, dly, origin]])
end)

local function refused(name, text)
  t.describe(name, "mistakes/" .. name .. ".lua", function(p)
    t.fails(function() p:pipe("in", "k", { n = 1 }) end, text)
  end)
end

refused("operator", "operator.lua:2: a stream has no operator 'fliter'\n  hint: did you mean 'filter'?")
refused("absent", "absent.lua:2: suppress: suppress is not there yet")
refused("option", "option.lua:2: stream: there is no option 'valeu'\n  hint: did you mean 'value'?")
refused("type", "type.lua:2: stream: value = 'jsn' is no type\n  hint: did you mean 'json'?")
refused("argument", "argument.lua:2: filter: its argument must be a function, this is a number")
refused("syntax", "syntax.lua:2:")
refused("twice", "twice.lua:3: topic 'in' is read here and at twice.lua:2")
refused("boolean", "boolean.lua:2: a predicate must return true or false, it returned number")
refused("mixed", "mixed.lua:2: a table in data has names, or keys 1 to n; this one has both")
refused("key", "key.lua:2: to 'out': the key is an integer, but key = \"string\"")
refused("schema", "schema.lua:2: to: no schema to write topic 'out' with")
refused("expression", "expression.lua:2: filter: the expression cannot be read")
refused("empty", "the file builds no pipeline")
refused("named", "named.lua:2: item 1 of the list must be { value, key }, it has a field '")
refused("circle", "through topic 'in': does the pipeline write what it reads?")
