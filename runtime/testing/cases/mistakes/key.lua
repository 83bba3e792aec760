local weir = require "weir"
weir.stream("in"):map(function(v) return v, 5 end):to("out")
