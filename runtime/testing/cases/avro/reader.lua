-- Sources that read with a schema of their own.
local weir = require "weir"
weir.app { on_error = { dead_letter = "letters" } }

local fruit = weir.stream("fruit", { value = "avro", schema = "reader.avsc" })
fruit:to("seen", { value = "json" })
fruit:map_values(function(f) return { name = f.label, weight = f.weight, origin = f.origin } end)
  :to("again", { value = "avro", schema = "fruit-2.avsc", ["value.subject.name.strategy"] = "RecordNameStrategy" })
fruit:group_by(function(f) return f.label end)
  :reduce(function(a, b) return weir.with(b, { weight = a.weight + b.weight }) end)
  :to_stream():to("sums", { value = "json" })

local names = weir.global_table("names", { value = "avro", schema = "reader.avsc" })
weir.stream("ask", { value = "string" })
  :join(names, function(v) return v end, function(v, n) return { asked = v, label = n.label, origin = n.origin } end)
  :to("answers", { value = "json" })

-- Keys of several writers meet in one row, and one group.
local shelf = weir.table("shelf", { key = "avro", key_schema = "key-reader.avsc", value = "string" })
local sold = weir.stream("sold", { key = "avro", value = "string", key_schema = "key-reader.avsc" })
sold:join(shelf, function(a, b) return a .. " of " .. b end):to("joined", { value = "string", key = "json" })
weir.stream("plain", { key = "avro", value = "string" })
  :join(shelf, function(a, b) return a .. " of " .. b end):to("joined-plain", { value = "string", key = "json" })
sold:group_by_key():count():to_stream():to("counts", { key = "json", value = "int64" })
