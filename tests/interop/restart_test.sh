#!/bin/sh
# The broker is killed while an idempotent producer sends: every record is there once and in order; and
# what a group committed is still committed.
. "$(dirname "$0")/../system/stage.sh"
port=$(python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')
bootstrap=127.0.0.1:$port
start broker "$weir" broker --data "$stage/data" --listen "$bootstrap"
ready broker
"$weir" topic create lines --bootstrap "$bootstrap" >/dev/null
seq 100 | "$weir" produce lines --bootstrap "$bootstrap"
"$weir" consume lines --from beginning --until-end --group g --bootstrap "$bootstrap" >"$stage/first"
[ "$(wc -l <"$stage/first")" = 100 ] || fail "$(wc -l <"$stage/first") of 100 lines came back"

timeout 150 "$INTEROP_CLIENT" "$bootstrap" idempotent >"$stage/client.out" 2>"$stage/client.log" &
client=$!
for mark in 500 1500 2500; do
    at_mark() { grep -q "idempotent: $mark" "$stage/client.out" || ! kill -0 $client 2>/dev/null; }
    until_true 60 at_mark
    kill_hard broker
    start broker "$weir" broker --data "$stage/data" --listen "$bootstrap"
    ready broker
done
wait $client || fail "the idempotent producer over three kills: $(cat "$stage/client.log")"

"$weir" consume lines --from beginning --until-end --group g --bootstrap "$bootstrap" >"$stage/again"
[ ! -s "$stage/again" ] || fail "the group reads $(wc -l <"$stage/again") lines again"
[ "$("$weir" consume lines --from beginning --until-end --bootstrap "$bootstrap" | wc -l)" = 100 ] ||
    fail "lines are gone"
stop broker
