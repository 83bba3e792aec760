#!/bin/sh
# All scenarios of tests/registry against the registry as a process.
. "$(dirname "$0")/stage.sh"

command -v python3 >/dev/null || skip "python3 is not installed"
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready registry
"$top/tests/registry/run" "$top/tests/registry" --url "http://$(address registry registry)" \
    --weir "$weir" --bootstrap "$bootstrap" || fail "scenarios"
stop registry
stop broker
