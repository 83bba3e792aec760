local weir = require "weir"
weir.stream("in"):to("in")
