local weir = require "weir"
weir.stream("in", { value = "avro", ["max.retries"] = 1 }):to("out", { value = "json" })
