#!/bin/sh
# The same parts as separate processes: health, readiness, the main job, SIGTERM.
. "$(dirname "$0")/stage.sh"
postgres
connectors

say "broker, registry, worker"
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0 --http 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready registry
registry=http://$(address registry registry)
start worker "$weir" worker --listen 127.0.0.1:0 --bootstrap "$bootstrap" --registry "$registry" \
    --data "$stage/state" "$flights/delays.lua" $connector_args
ready worker
worker=http://$(address worker worker)
http=$(sed -n 's|.*weir\.http_listening \(http://[^/]*\)/.*|\1|p' "$stage/broker.log")

say "health of each over HTTP"
for url in "$http" "$registry" "$worker"; do
    curl -fsS -m 10 "$url/health" | grep -q '"status": *"ok"' || fail "$url/health is not ok"
    curl -fsS -m 10 "$url/metrics" | grep -q '^# TYPE weir_' || fail "$url/metrics shows nothing"
done

caught_up() { curl -fsS -m 10 "$worker/health" | grep -q '"caught_up": *true'; }
until_true 100 caught_up
verdict=$("$top/scripts/flights-compare" "$FLIGHTS_PG_URL") || fail "the result differs: $verdict"
say "$verdict"

say "SIGTERM ends each with status 0"
stop worker
stop registry
stop broker
