#!/bin/sh
# Registries whose host.name is wrong: see leader_url.py.
. "$(dirname "$0")/stage.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
timeout 110 python3 -B "$top/tests/system/leader_url.py" "$weir" "$stage" || fail "leader_url.py"
