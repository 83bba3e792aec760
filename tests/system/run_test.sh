#!/bin/sh
# scripts/run: --once ends with status 0 and shows the result; without it, it stays, and SIGINT ends
# everything it started.
. "$(dirname "$0")/stage.sh"
[ "$weir" -ef "$top/build/release/weir" ] || skip "scripts/run builds and runs the release preset"
TMPDIR=$stage
export TMPDIR

say "scripts/run --once"
"$top/scripts/run" --once >"$stage/once" 2>&1 || fail "status $?: $(tail -20 "$stage/once")"
grep -q 'equal to SQL over the CSV files' "$stage/once" || fail "no verdict: $(cat "$stage/once")"

say "scripts/run, then SIGINT"
began=$(date +%s%N)
# python3 gives the script back the SIGINT that a shell takes from its background processes
python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$top/scripts/run" >"$stage/stay" 2>&1 &
script=$!
names="$names run"
echo $script >"$stage/run.pid"
has_output() { [ -s "$stage/stay" ]; }
until_true 5 has_output
first_ms=$((($(date +%s%N) - began) / 1000000))
say "first output after $first_ms ms"
[ $first_ms -lt 2000 ] || fail "the first output took $first_ms ms"
says_end() {
    kill -0 $script 2>/dev/null || fail "it ended by itself: $(cat "$stage/stay")"
    grep -q 'Ctrl-C ends all of it' "$stage/stay"
}
until_true 60 says_end
kill -INT $script
wait $script || [ $? = 130 ] || fail "status $? on SIGINT"
left=$(pgrep -f "$stage/weir-run" || true)
[ -z "$left" ] || fail "processes left over: $(ps -o pid,args -p $left)"
[ -z "$(ls -d "$stage"/weir-run.* 2>/dev/null)" ] || fail "data left over in $stage"
