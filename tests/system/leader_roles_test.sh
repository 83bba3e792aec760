#!/bin/sh
# Leader, follower, forwarding, another product in the group: see leader_roles.py.
. "$(dirname "$0")/stage.sh"
command -v python3 >/dev/null || skip "python3 is not installed"
timeout 110 python3 -B "$top/tests/system/leader_roles.py" "$weir" "$stage" || fail "leader_roles.py"
