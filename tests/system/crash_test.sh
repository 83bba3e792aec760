#!/bin/sh
# Two million flights, and the whole of Weir killed (SIGKILL) at ten moments chosen by progress, each
# time started again on the same data. The result equals SQL to the row and digit. A kill that did not
# hit in the middle of the work fails the test.
. "$(dirname "$0")/stage.sh"
repeat=${CRASH_REPEAT:-100}
kills=${CRASH_KILLS:-10}
postgres
"$top/tests/system/flights-repeat" "$flights/flights.csv" "$repeat" >"$stage/flights.csv"
connectors "$stage/flights.csv"
total=$(awk -F, 'NR > 1 && $2 >= 15' "$stage/flights.csv" | wc -l)
say "$(($(wc -l <"$stage/flights.csv") - 1)) flights, $total of them late"

start_job() {
    start dev "$weir" dev --data "$stage/data" $ports "$@" "$flights/delays.lua" $connector_args
}
reached() {
    running dev || fail "weir ended by itself"
    now=$(counted)
    [ "${now:-0}" -ge "$1" ]
}

for turn in $(seq "$kills"); do
    start_job
    goal=$((total * turn / (kills + 1)))
    until_true 120 reached "$goal"
    kill_hard dev
    after=$(counted)
    [ "$after" -lt "$total" ] || fail "kill $turn came after the end ($after of $total): it hit nothing"
    say "kill $turn at $after of $total"
done
start_job --until-caught-up
wait "$(pid_of dev)" || fail "the last run ended with status $?"
verdict=$("$top/scripts/flights-compare" "$FLIGHTS_PG_URL" "$stage/flights.csv") || fail "the result differs: $verdict"
say "$verdict"
