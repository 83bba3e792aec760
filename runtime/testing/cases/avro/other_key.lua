local weir = require "weir"
local rows = weir.global_table("rows", { key = "avro", value = "string" })
weir.stream("in", { key = "avro", value = "string", key_schema = "key-reader.avsc" })
  :join(rows, function(_, k) return k end, function(v) return v end):to("out", { value = "string", key = "json" })
