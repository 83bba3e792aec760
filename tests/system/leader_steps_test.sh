#!/bin/sh
# The registry is killed at every step of every kind of write: see leader_steps.py.
. "$(dirname "$0")/stage.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
at=$(dirname "$weir")/test/registry_at copy=$(dirname "$weir")/test/topic_copy
[ -x "$at" ] || skip "$at is not built"
timeout 290 python3 "$top/tests/system/leader_steps.py" "$weir" "$at" "$copy" "$stage" || fail "leader_steps.py"
