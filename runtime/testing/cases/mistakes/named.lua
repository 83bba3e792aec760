local weir = require "weir"
weir.stream("in"):flat_map(function(v) return { { value = v, key = "k" } } end):to("out")
