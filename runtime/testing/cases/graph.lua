-- Groups with several aggregates, windows, tables that derive from tables, split and merge.
local weir = require "weir"
local g = weir.stream("in", {value="json"}):group_by(function(v) return v.k end)
g:count():to_stream():to("a", {value="int64"})
local w = g:windowed_by(weir.tumbling("10ms"))
w:count():to_stream(function(_, w) return w.key .. w.start end):to("b", {value="int64"})
w:aggregate({n = weir.count(), s = weir.sum("x")}, { as = "named" }):to_stream():map_values(function(v, w, m) return { v = v, start = w.start, stop = w.stop, key = w.key, part = m.partition } end):to("c")
local t = weir.table("t", {value="json"})
local f = t:filter(function(v) return v.ok end, { as = "oks" }):map_values(function(v) return v.name end)
weir.stream("s", {value="json"}):left_join(f, function(l, r, k) return { l = l.x, r = r or "none", k = k } end):to("d")
local by = weir.stream("s2", {value="json"}):split { { "big", "n > 10" }, { "small" } }
by.big:merge(by.small:map_values(function(v) return weir.with(v, { small = true }) end)):to("e")
