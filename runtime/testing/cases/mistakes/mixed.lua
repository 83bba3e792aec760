local weir = require "weir"
weir.stream("in"):map_values(function() return { a = 1, 2 } end):to("out")
