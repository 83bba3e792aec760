#!/bin/sh
# Broker, registry and two workers as processes; one worker is killed in the middle of its work. The
# other takes over; the result equals SQL to the row and digit.
. "$(dirname "$0")/stage.sh"
repeat=${WORKERS_REPEAT:-100}
postgres
"$top/tests/system/flights-repeat" "$flights/flights.csv" "$repeat" >"$stage/flights.csv"
connectors "$stage/flights.csv"
total=$(awk -F, 'NR > 1 && $2 >= 15' "$stage/flights.csv" | wc -l)

start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0 \
    --set group.initial.rebalance.delay.ms=500
ready broker
bootstrap=$(address broker broker)
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready registry
registry=http://$(address registry registry)
for n in 1 2; do
    start worker$n "$weir" worker --listen 127.0.0.1:0 --bootstrap "$bootstrap" --registry "$registry" \
        --data "$stage/state$n" "$flights/delays.lua" $connector_args
done
ready worker1
ready worker2

reached() {
    running worker1 || fail "worker 1 ended by itself"
    running worker2 || fail "worker 2 ended by itself"
    now=$(counted)
    [ "${now:-0}" -ge "$1" ]
}
until_true 120 reached $((total / 4))
# The one that writes to PostgreSQL goes, so that connectors and pipeline both have to move.
victim=worker1 other=worker2
logged worker1 'connect\.task_started delays-postgres-0' || { victim=worker2 other=worker1; }
kill_hard $victim
after=$(counted)
[ "$after" -lt "$total" ] || fail "the kill came after the end ($after of $total): it hit nothing"
for n in 1 2; do
    logged worker$n 'worker\.assigned delays-0: [1-9]' || fail "worker $n had no part of the pipeline"
done
say "$victim killed at $after of $total"

worker=http://$(address $other worker)
caught_up() {
    running $other || fail "$other ended by itself"
    curl -fsS -m 10 "$worker/health" | grep -q '"caught_up": *true' && [ "$(counted)" = "$total" ]
}
until_true 150 caught_up
verdict=$("$top/scripts/flights-compare" "$FLIGHTS_PG_URL" "$stage/flights.csv") || fail "the result differs: $verdict"
say "$verdict"
