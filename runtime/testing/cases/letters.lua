local weir = require "weir"
weir.app { id = "letters", on_error = { dead_letter = "letters-failed" } }
weir.stream("in", { value = "json" }):map_values(function(v) return { n = v.n + 1 } end):to("out", { value = "json" })
