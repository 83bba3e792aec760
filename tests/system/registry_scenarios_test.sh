#!/bin/sh
# All scenarios of tests/registry against the registry as a process; then through another one that
# follows it: it forwards writes, and reads what it has just answered.
. "$(dirname "$0")/stage.sh"

command -v python3 >/dev/null || skip "python3 is not installed"
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready registry
"$top/tests/registry/run" "$top/tests/registry" --url "http://$(address registry registry)" \
    --weir "$weir" --bootstrap "$bootstrap" || fail "scenarios"
say "through a follower"
start follower "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready follower
follower=http://$(address follower registry)
curl -sS -m 20 "$follower/health" | grep -q '"role":"follower"' || fail "no follower"
"$top/tests/registry/run" "$top/tests/registry" --url "$follower" >"$stage/through" ||
    fail "scenarios through a follower: $(grep -v ^skipped "$stage/through")"
tail -1 "$stage/through"
stop follower
stop registry
stop broker
