local weir = require "weir"
weir.stream("in", { value = "json" }):to("out", { value = "avro", schema = "fruit-odd.avsc", ["value.subject.name.strategy"] = "RecordNameStrategy" })
