#!/bin/sh
# Three registries on one topic, 16 clients, leaders that are killed, stopped and ended: the answers and
# the topic hold what leader_change.py says.
#   leader_change_test.sh [ROUNDS]
. "$(dirname "$0")/stage.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
copy=$(dirname "$weir")/test/topic_copy
[ -x "$copy" ] || skip "$copy is not built"
mkdir "$stage/leaders"
timeout 900 python3 "$top/tests/system/leader_change.py" "$weir" "$copy" "$stage" "${1:-4}" || fail "leader_change.py"
