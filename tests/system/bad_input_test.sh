#!/bin/sh
# Bad input: each gives a clear error, and loses nothing.
. "$(dirname "$0")/stage.sh"
cd "$stage"

say "a pipeline with a syntax error"
cat >syntax.lua <<L
local weir = require "weir"
weir.stream("flights", { value = "json" })
  :filter(function(f) return f.delay >= end)
L
expect_fail 1 "syntax.lua:3" "$weir" dev --data "$stage/d1" $ports syntax.lua

say "two pipelines with one id"
cat >one.lua <<L
local weir = require "weir"
weir.app { id = "same" }
weir.stream("in", { value = "json" }):for_each(function() end)
L
cp one.lua two.lua
expect_fail 1 "another pipeline runs with the id 'same'" "$weir" dev --data "$stage/d0" $ports one.lua two.lua

say "a pipeline without its topic"
cat >missing.lua <<L
local weir = require "weir"
weir.stream("nowhere", { value = "json" }):filter(function(v) return true end):to("out", { value = "json" })
L
start dev "$weir" dev --data "$stage/d2" $ports missing.lua
says_missing() { logged dev "nowhere"; }
until_true 30 says_missing
"$weir" topic create nowhere --bootstrap "$(sed -n 's/.*broker\.listening.* \([0-9.]*:[0-9]*\).*/\1/p' dev.log | head -1)" >/dev/null 2>&1 || true
kill -TERM "$(pid_of dev)"
wait "$(pid_of dev)" || true

say "a script in an endless loop"
cat >loop.lua <<L
local weir = require "weir"
weir.stream("numbers", { value = "json" })
  :filter(function(v)
    while v.n == 2 do end
    return true
  end)
  :to("out", { value = "json" })
L
printf '{"n":1}\n{"n":2}\n{"n":3}\n' >numbers.jsonl
cat >numbers.json <<J
{"name": "numbers", "config": {"connector.class": "file-source", "file": "$stage/numbers.jsonl", "topic": "numbers",
 "format": "jsonl", "bounded": "true", "topic.creation.default.partitions": "1",
 "topic.creation.default.replication.factor": "1"}}
J
expect_fail 1 "loop.lua" timeout 60 "$weir" dev --data "$stage/d3" $ports --until-caught-up loop.lua --connector numbers.json
grep -q "numbers\[0\]@1" said || fail "the record is not named: $(cat said)"

say "a broken line of JSON: the connector stops at it, and goes on when it is mended"
{
    seq -f '{"n":%.0f}' 1 5000
    echo '{"n":'
    seq -f '{"n":%.0f}' 5002 6000
} >lines.jsonl
sed 's/numbers/lines/g' numbers.json >lines.json
start dev "$weir" dev --data "$stage/d4" $ports --connector lines.json
ready dev
WEIR_BOOTSTRAP=$(address dev broker)
WEIR_WORKER_URL=http://$(address dev worker)
export WEIR_BOOTSTRAP WEIR_WORKER_URL
has_failed() { "$weir" connector status lines 2>/dev/null | grep -q FAILED; }
until_true 30 has_failed
"$weir" connector status lines | grep -q "lines.jsonl:5001\|line 5001" || fail "the line is not named: $("$weir" connector status lines)"
python3 - lines.jsonl <<'P'
import sys
data = open(sys.argv[1]).read().replace('{"n":\n', '{"n":5001}\n')
open(sys.argv[1], "w").write(data)
P
"$weir" connector restart lines >/dev/null
all_there() { [ "$("$weir" consume lines --from beginning --until-end | sort -u | wc -l)" = 6000 ]; }
until_true 30 all_there
[ "$("$weir" consume lines --from beginning --until-end | wc -l)" = 6000 ] || fail "records came twice"
stop dev
unset WEIR_BOOTSTRAP WEIR_WORKER_URL

printf '{"n":1}\n{"n"\n' >broken.jsonl
sed 's/numbers/broken/g' numbers.json >broken.json
expect_fail 1 "broken.jsonl:2" "$weir" dev --data "$stage/d4b" $ports --until-caught-up --connector broken.json
expect_fail 1 "nothing.json: No such file or directory$" "$weir" dev --data "$stage/d4c" $ports --connector nothing.json

say "a wrong port: the worker says so"
start worker "$weir" worker --listen 127.0.0.1:0 --bootstrap 127.0.0.1:1 --registry http://127.0.0.1:1 --data "$stage/d5"
says_refused() { logged worker "127\.0\.0\.1:1\b.*(refused|cannot|connect)|(refused|cannot|connect).*127\.0\.0\.1:1\b" || ! running worker; }
until_true 40 says_refused
logged worker "127\.0\.0\.1:1\b" || fail "the worker does not name the address: $(cat worker.log)"
if running worker; then kill_hard worker; fi

say "PostgreSQL is not there at the start: the sink waits, says so, and goes on when it comes"
postgres
"$top/scripts/private-postgres" stop "$stage/postgres"
connectors
start dev "$weir" dev --data "$stage/d6" $ports --until-caught-up "$flights/delays.lua" $connector_args
waits() { logged dev "(delays-postgres|[Pp]ostgre).*(connect|wait|refused|No such file)"; }
until_true 60 waits
running dev || fail "weir ended instead of waiting"
"$top/scripts/private-postgres" start "$stage/postgres" >/dev/null
ended() { ! running dev; }
until_true 90 ended
wait "$(pid_of dev)" || fail "weir ended with status $?"
verdict=$("$top/scripts/flights-compare" "$FLIGHTS_PG_URL") || fail "the result differs: $verdict"
say "$verdict"

say "a record larger than the client takes: on_error decides, the message names line and record"
mkdir "$stage/large"
cd "$stage/large"
cat >large.lua <<'L'
local weir = require "weir"
weir.app { id = "large", on_error = { dead_letter = "large-dead" } }
weir.stream("large", { value = "json" })
  :map_values(function(v) return { n = v.n, s = string.rep("z", v.n) } end)
  :to("large-out", { value = "json" })
L
printf '{"n":1}\n{"n":3000000}\n{"n":2}\n' >large.jsonl
cat >large.json <<'J'
{"name":"large","config":{"connector.class":"file-source","file":"large.jsonl","format":"jsonl","topic":"large","bounded":"true"}}
J
"$weir" dev --data "$stage/d9" $ports --until-caught-up large.lua --connector large.json >"$stage/said" 2>&1 ||
    fail "the pipeline stopped: $(tail -5 "$stage/said")"
grep -q "large.lua:[0-9]*: record of .* bytes to topic 'large-out'" "$stage/said" || fail "$(cat "$stage/said")"
grep -q "large\[0\]@1" "$stage/said" || fail "the message does not name the record: $(cat "$stage/said")"
