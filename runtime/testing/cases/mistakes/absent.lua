local weir = require "weir"
weir.stream("in"):suppress { after = "10s" }
