#!/bin/sh
# README's five minutes: runs every line of its ```sh blocks, in order, and compares what they print with
# the lines marked #>. Only the folder and the ports are others, so that nothing else is in the way.
. "$(dirname "$0")/stage.sh"
command -v kcat >/dev/null || skip "no kcat; scripts/deps --test installs it"
free_ports=$(python3 -c '
import socket
held = [socket.socket() for _ in range(3)]
for s in held: s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])')
set -- $free_ports
export WEIR_BOOTSTRAP="127.0.0.1:$1" WEIR_REGISTRY_URL="http://127.0.0.1:$2" WEIR_WORKER_URL="http://127.0.0.1:$3"

awk '/^## Five minutes/ { on = 1 } /^## Figures/ { on = 0 }
    on && /^```sh/ { code = 1; next } /^```$/ { code = 0 } code' "$top/README.md" >"$stage/blocks"
sed -n 's/^#> //p' "$stage/blocks" >"$stage/wanted"
[ "$(wc -l <"$stage/wanted")" -ge 10 ] || fail "README's tour was not found"
{
    echo "set -e; trap 'kill %1 2>/dev/null || true; wait' EXIT"
    grep -v '^#>' "$stage/blocks" |
        sed "s#\$PWD/build/release#${weir%/*}#; s#/tmp/tour#$stage/tour#g
            s#^weir dev #weir dev --listen 127.0.0.1:$1 --registry 127.0.0.1:$2 --worker 127.0.0.1:$3 --http 127.0.0.1:0 #
            s#localhost:9092#127.0.0.1:$1#; s#localhost:8083#127.0.0.1:$3#"
} >"$stage/tour.sh"
cd "$top"
timeout 100 bash "$stage/tour.sh" >"$stage/printed" 2>"$stage/tour.log" || fail "a line of the tour failed with status $?"
# Every marked line is printed, in this order; other lines may stand between.
awk 'NR == FNR { wanted[++n] = $0; next } index($0, wanted[i + 1]) == 1 && i < n { i++ }
    END { if (i < n) { print "not printed: " wanted[i + 1]; exit 1 } }' "$stage/wanted" "$stage/printed" || {
    cat "$stage/printed"
    fail "README says otherwise"
}
say "$(wc -l <"$stage/wanted") lines as README has them"
