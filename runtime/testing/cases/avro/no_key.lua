local weir = require "weir"
weir.stream("in", { key_schema = "key-1.avsc" }):to("out")
