local weir = require "weir"

