#!/bin/sh
# The main job: flights from a file through broker, registry and pipeline into PostgreSQL and a file.
# The result equals SQL over the CSV files; a second start on the same data changes nothing.
. "$(dirname "$0")/stage.sh"
postgres
connectors

run_job() {
    start dev "$weir" dev --data "$stage/data" $ports --until-caught-up "$flights/delays.lua" $connector_args
    wait "$(pid_of dev)" || fail "weir dev ended with status $?"
}

say "first run"
run_job
verdict=$("$top/scripts/flights-compare" "$FLIGHTS_PG_URL") || fail "the result differs: $verdict"
say "$verdict"

say "the file sink holds every update as a line of JSON"
lines=$(wc -l <"$FLIGHTS_OUT")
rows=$(query "SELECT count(*) FROM delays_by_airport")
[ "$lines" -ge "$rows" ] || fail "$lines lines for $rows rows"
python3 -c '
import json, sys
last = {}
for line in open(sys.argv[1]):
    value = json.loads(line)
    last[value["airport"], value["hour"]] = value["late"]
print(sum(last.values()))' "$FLIGHTS_OUT" >"$stage/sum"
[ "$(cat "$stage/sum")" = "$(counted)" ] || fail "the file counts $(cat "$stage/sum") late flights, PostgreSQL $(counted)"

say "second run on the same data"
run_job
verdict=$("$top/scripts/flights-compare" "$FLIGHTS_PG_URL") || fail "after a second run the result differs: $verdict"
[ "$(wc -l <"$FLIGHTS_OUT")" = "$lines" ] || fail "the second run wrote to the file again: $lines, then $(wc -l <"$FLIGHTS_OUT") lines"
