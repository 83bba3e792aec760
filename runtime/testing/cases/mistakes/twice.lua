local weir = require "weir"
weir.stream("in"):to("a")
weir.stream("in"):to("b")
