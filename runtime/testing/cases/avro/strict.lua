local weir = require "weir"
weir.stream("in", { value = "json" })
  :to("out", { value = "avro", schema = "fruit-2.avsc", ["auto.register.schemas"] = false, ["use.latest.version"] = true })
