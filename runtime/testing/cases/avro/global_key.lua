local weir = require "weir"
local rows = weir.global_table("rows", { key = "avro", key_schema = "key-1.avsc" })
weir.stream("in"):join(rows, function(_, k) return k end, function(v) return v end):to("out")
