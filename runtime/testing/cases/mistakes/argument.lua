local weir = require "weir"
weir.stream("in"):filter(3)
