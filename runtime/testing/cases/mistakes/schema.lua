local weir = require "weir"
weir.stream("in"):to("out", { value = "avro" })
