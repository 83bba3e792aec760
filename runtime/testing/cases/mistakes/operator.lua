local weir = require "weir"
weir.stream("in"):fliter(function() end)
