local weir = require "weir"
weir.stream("in"):filter(function(v) return v.n end):to("out")
