#!/bin/sh
# Requests that are wrong in random ways, from fixed seeds: each is refused as it must be, nothing is
# stored that was not answered, and what is stored is there after a restart.
. "$(dirname "$0")/stage.sh"

command -v python3 >/dev/null || skip "python3 is not installed"
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready registry
registry=http://$(address registry registry)
for seed in 1 2 3; do
    "$top/tests/registry/malformed" --url "$registry" --count 2000 --seed $seed || fail "seed $seed"
done
everything() { curl -sS -m 20 "$registry/schemas?deleted=true&subjectPrefix=:*:" >"$stage/$1"; }
everything before
kill_hard registry
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready registry
registry=http://$(address registry registry)
everything after
cmp "$stage/before" "$stage/after" || fail "another state after a restart"
stop registry
stop broker
