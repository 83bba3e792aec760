local weir = require "weir"
weir.stream("in", { valeu = "json" })
