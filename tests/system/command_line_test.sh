#!/bin/sh
# The command line: help, usage errors and their status, where options come from, readiness, signals.
. "$(dirname "$0")/stage.sh"

say "help and usage"
"$weir" help | grep -q '^  broker' || fail "weir help lists no broker"
for command in broker registry worker dev produce consume "topic create" "schema register" "connector create"; do
    "$weir" $command --help >"$stage/said" || fail "$command --help failed"
    grep -q -- "Usage: weir $command" "$stage/said" || fail "$command --help says: $(head -2 "$stage/said")"
done
for command in topic schema connector; do
    "$weir" $command --help | grep -q Verbs || fail "$command --help shows no verbs"
done
"$weir" help | sed -n 's/^  \([a-z]*\)  .*/\1/p' >"$stage/commands"
while read -r command; do
    "$weir" "$command" --help >/dev/null 2>&1 || fail "weir $command --help fails"
done <"$stage/commands"
printf 'return 1\n' >"$stage/none_test.lua"
expect_fail 1 "no test ran" "$weir" test "$stage/none_test.lua"
printf 'require("weir.test").describe("a", "nowhere.lua", function() end)\n' >"$stage/nowhere_test.lua"
expect_fail 1 "nowhere.lua: No such file" "$weir" test "$stage/nowhere_test.lua"
expect_fail 2 "unknown command 'brocker'; did you mean 'broker'" "$weir" brocker
expect_fail 2 "Usage" "$weir"
expect_fail 2 "unrecognized option" "$weir" broker --nonsense
expect_fail 2 "unknown option 'log.retention.mss'; did you mean 'log.retention.ms'" \
    "$weir" broker --data "$stage/d" --set log.retention.mss=1
expect_fail 2 "log.retention.ms.*soon" "$weir" broker --data "$stage/d" --set log.retention.ms=soon
expect_fail 1 "/proc/nothing" "$weir" broker --data /proc/nothing --listen 127.0.0.1:0
expect_fail 1 "nothing.properties: No such file" "$weir" broker --config "$stage/nothing.properties"
expect_fail 1 "refused" "$weir" topic list --bootstrap 127.0.0.1:1
expect_fail 2 "no_such|NO_SUCH" env WEIR_NO_SUCH=1 "$weir" broker --data "$stage/d"

expect_fail 1 "nothing.properties: No such file" "$weir" registry --config "$stage/nothing.properties"
printf 'nosuch=1\n' >"$stage/wrong.properties"
expect_fail 2 "wrong.properties:1: unknown option 'nosuch'; weir registry --options lists them" \
    "$weir" registry --config "$stage/wrong.properties"
expect_fail 2 "unknown option 'nosuch'; weir registry --options lists them" "$weir" registry --set nosuch=1
expect_fail 2 "did you mean 'listeners'\\? weir registry --options lists them" "$weir" registry --set listener=:0

say "a wrong address of the registry is told before the broker is asked"
# nobody listens at port 1: whoever asked there would wait and say so
for wrong in nonsense 127.0.0.1:99999 127.0.0.1 ::1:8081 https://127.0.0.1:8081; do
    expect_fail 2 "--listen" "$weir" registry --listen "$wrong" --bootstrap 127.0.0.1:1
    grep -q "127.0.0.1:1[^0-9]" "$stage/said" && fail "the broker was asked first: $(cat "$stage/said")"
    grep -qF -- "$wrong" "$stage/said" || fail "the address is not named: $(cat "$stage/said")"
done
expect_fail 2 "WEIR_LISTENERS.*nonsense" env WEIR_LISTENERS=nonsense "$weir" registry --bootstrap 127.0.0.1:1

say "flag over --set over environment over file"
cat >"$stage/server.properties" <<P
# as Kafka's
num.partitions=2
log.retention.ms: 1000
P
retention() { "$weir" topic create "$1" --bootstrap "$(address broker broker)" >/dev/null &&
    "$weir" topic describe "$1" --bootstrap "$(address broker broker)" >"$stage/said"; }
start broker env WEIR_LOG_RETENTION_MS=2000 "$weir" broker --config "$stage/server.properties" \
    --data "$stage/d1" --listen 127.0.0.1:0
ready broker
retention t1
grep -q "2 partitions" "$stage/said" || fail "num.partitions of the file is not obeyed: $(cat "$stage/said")"
grep -q "retention.ms=2000" "$stage/said" || fail "the environment does not win over the file"
stop broker
start broker env WEIR_LOG_RETENTION_MS=2000 "$weir" broker --config "$stage/server.properties" \
    --data "$stage/d1" --set listeners=PLAINTEXT://127.0.0.1:1 --set log.retention.ms=3000 --listen 127.0.0.1:0
ready broker
retention t2
grep -q "retention.ms=3000" "$stage/said" || fail "--set does not win over the environment"

say "a port in use is told"
expect_fail 1 "in use" "$weir" broker --data "$stage/d2" --listen "$(address broker broker)"
expect_fail 1 "--listen.*in use" "$weir" registry --bootstrap "$(address broker broker)" --listen "$(address broker broker)"
expect_fail 1 "--set.*in use" "$weir" registry --bootstrap "$(address broker broker)" --set listeners="$(address broker broker)"
stop broker

say "sd_notify"
python3 - "$stage/notify" "$stage/notified" <<'P' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(30)
text = s.recv(4096).decode()
open(sys.argv[2], "w").write(text)
P
listener=$!
has_socket() { [ -S "$stage/notify" ]; }
until_true 10 has_socket
start broker env NOTIFY_SOCKET="$stage/notify" "$weir" broker --data "$stage/d1" --listen 127.0.0.1:0
wait $listener
grep -q READY=1 "$stage/notified" || fail "no READY=1"
kill -INT "$(pid_of broker)"
wait "$(pid_of broker)" || fail "SIGINT gave status $?"

say "a worker waits for its broker; SIGTERM ends the wait"
start broker "$weir" broker --data "$stage/d1" --listen 127.0.0.1:0
ready broker
at=$(address broker broker)
stop broker
start worker "$weir" worker --data "$stage/w" --listen 127.0.0.1:0 --bootstrap "$at"
until_true 10 logged worker "the broker at $at does not answer"
stop worker
start worker "$weir" worker --data "$stage/w" --listen 127.0.0.1:0 --bootstrap "$at"
until_true 10 logged worker "the broker at $at does not answer"
start broker "$weir" broker --data "$stage/d1" --listen "$at"
ready worker
stop worker
stop broker
