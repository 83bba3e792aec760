-- JSON that cannot be read: the source's values are texts here, so that a test can pipe what is no JSON.
local weir = require "weir"
weir.app { id = "broken" }
weir.stream("in", { value = "string" }):to("texts", { value = "string" })
weir.stream("texts", { value = "json" }):map_values(function(v) return v.a end):to("out", { value = "json" })
