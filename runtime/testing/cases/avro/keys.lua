local weir = require "weir"
weir.stream("in", { value = "string" }):to("out", { value = "string" })
weir.table("rows", { key = "avro", value = "avro", ["use.latest.version"] = true }):to_stream():to("rows-out", { key = "json", value = "json" })
