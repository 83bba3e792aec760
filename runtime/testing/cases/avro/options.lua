-- What options of Avro serializers do in a pipeline.
local weir = require "weir"
weir.app { on_error = { dead_letter = "letters" } }

weir.stream("latest", { value = "avro", ["use.latest.version"] = true }):to("latest-seen", { value = "json" })
weir.stream("marked", { value = "avro", ["use.latest.with.metadata"] = "stage=test" }):to("marked-seen", { value = "json" })
weir.stream("by-record", { value = "avro", ["use.latest.version"] = true, ["value.subject.name.strategy"] = "RecordNameStrategy" })
  :to("by-record-seen", { value = "json" })

local fruit = weir.stream("fruit", { value = "json" })
fruit:to("headed", { value = "avro", schema = "fruit-2.avsc", ["value.schema.id.serializer"] = "HeaderSchemaIdSerializer" })
weir.stream("headed", { value = "avro" }):to("headed-seen", { value = "json" })
fruit:to("known", { value = "avro", schema = "fruit-2.avsc", ["auto.register.schemas"] = false, ["normalize.schemas"] = true })
fruit:to("old", { value = "avro", ["auto.register.schemas"] = false, ["use.schema.id"] = 70 })
