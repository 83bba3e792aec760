local weir = require "weir"
weir.stream("in", { value = "jsn" })
