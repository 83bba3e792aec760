#!/bin/sh
# The broker is killed four times while a client copies a topic in transactions: the copy is exact.
. "$(dirname "$0")/../system/stage.sh"
port=$(python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')
start broker "$weir" broker --data "$stage/data" --listen "127.0.0.1:$port"
ready broker
timeout 200 "$INTEROP_CLIENT" "127.0.0.1:$port" copy >"$stage/client.out" 2>"$stage/client.log" &
client=$!
done_by() { sed -n 's/^copy: done //p' "$stage/client.out" | tail -1; }
for mark in 300 1100 1900 2700; do
    at_mark() { [ "$(done_by)" -ge $mark ] 2>/dev/null || ! kill -0 $client 2>/dev/null; }
    until_true 90 at_mark
    kill_hard broker
    start broker "$weir" broker --data "$stage/data" --listen "127.0.0.1:$port"
    ready broker
done
wait $client || fail "the copy: $(tail -5 "$stage/client.log" "$stage/client.out")"
grep restarts "$stage/client.out"
stop broker
