#!/bin/sh
# A full disk: the broker says so, refuses what it cannot keep, and goes on when there is room again.
# Everything it acknowledged is there.
. "$(dirname "$0")/stage.sh"
[ "$(id -u)" = 0 ] || skip "needs root, to mount a small file system"
mkdir "$stage/small"
mount -t tmpfs -o size=24m tmpfs "$stage/small" 2>/dev/null || skip "cannot mount a tmpfs here"
head -c 8M /dev/zero >"$stage/small/ballast"
start broker "$weir" broker --data "$stage/small/data" --listen 127.0.0.1:0
ready broker
WEIR_BOOTSTRAP=$(address broker broker)
export WEIR_BOOTSTRAP
"$weir" topic create big --partitions 1 >/dev/null

say "produce until the disk is full"
awk 'BEGIN { pad = sprintf("%01000d", 0); for (i = 0; i < 40000; i++) print i, pad }' >"$stage/in"
"$weir" produce big --timeout 5s --kafka message.timeout.ms=5000 --kafka compression.type=none <"$stage/in" >"$stage/said" 2>&1 &&
    fail "40 MB went onto a disk of 24 MB"
cat "$stage/said"
acked=$(sed -n 's/.*: \([0-9]*\) records were delivered.*/\1/p' "$stage/said")
[ "${acked:-0}" -gt 0 ] || fail "nothing was delivered before the disk was full"
grep -qiE 'no space|space left|disk|storage' "$stage/broker.log" || fail "the broker does not say that the disk is full"
running broker || fail "the broker ended"
"$weir" consume big --from beginning --until-end >"$stage/out" || fail "cannot read on a full disk"
[ "$(wc -l <"$stage/out")" -ge "$acked" ] || fail "$acked acknowledged, $(wc -l <"$stage/out") there"

say "room again"
rm "$stage/small/ballast"
takes_again() { echo again | "$weir" produce big --kafka message.timeout.ms=3000 2>/dev/null; }
until_true 30 takes_again
stop broker
start broker "$weir" broker --data "$stage/small/data" --listen 127.0.0.1:0
ready broker
WEIR_BOOTSTRAP=$(address broker broker)
"$weir" consume big --from beginning --until-end >"$stage/out" || fail "cannot read after a restart"
head -n "$acked" "$stage/out" | cmp -s - "$(head -n "$acked" "$stage/in" >"$stage/want"; echo "$stage/want")" ||
    fail "what was acknowledged is not there in order after a restart"
[ "$(tail -1 "$stage/out")" = again ] || fail "the last record is not there"
stop broker

say "schemas on a full disk: refused, told by /health, and accepted again; those that were answered are there"
rm -rf "$stage/small/data"
head -c 16M /dev/zero >"$stage/small/ballast"
start broker "$weir" broker --data "$stage/small/data" --listen 127.0.0.1:0
ready broker
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$(address broker broker)" --set kafkastore.timeout.ms=2000
ready registry
registry=http://$(address registry registry)
wide_schema() { # N: about 200 KB
    awk -v n="$1" 'BEGIN { printf "{\"schema\":\"{\\\"type\\\":\\\"enum\\\",\\\"name\\\":\\\"E%d\\\",\\\"symbols\\\":[", n
        for (i = 0; i < 5000; i++) printf "%s\\\"symbol_with_a_long_name_%012d\\\"", i ? "," : "", i
        print "]}\"}" }' >"$stage/schema.json"
}
register_wide() {
    wide_schema "$1"
    curl -sS -m 60 -X POST -H 'Content-Type: application/json' --data-binary "@$stage/schema.json" "$registry/subjects/s$1/versions" >"$stage/answer"
    grep -q '^{"id":' "$stage/answer"
}
n=1
while register_wide $n; do
    n=$((n + 1))
    [ $n -lt 200 ] || fail "200 schemas of 200 KB went onto 8 MB"
done
[ $n -gt 3 ] || fail "schema $n: $(cat "$stage/answer")"
grep -q '"error_code":50002.*not acknowledged in 2000 ms' "$stage/answer" || fail "$(head -c 500 "$stage/answer")"
curl -sS -m 60 "$registry/subjects" | grep -q "\"s$((n - 1))\"" || fail "a full disk ends reading"
rm "$stage/small/ballast"
until_true 60 register_wide $n
is_well() { curl -sS -m 60 "$registry/health" | grep -q '"status":"ok".*"owed":0'; }
until_true 30 is_well
kill_hard registry
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$(address broker broker)"
ready registry
registry=http://$(address registry registry)
curl -sS -m 60 "$registry/subjects" >"$stage/subjects"
for i in $(seq "$n"); do grep -q "\"s$i\"" "$stage/subjects" || fail "s$i was acknowledged and is not there"; done
stop registry
stop broker

say "the worker's state on a full disk: an error that says so, at whatever write, and the same result with room"
rm -rf "$stage/small/data"
FLIGHTS_OUT=$stage/delays.jsonl
export FLIGHTS_OUT
mkdir "$stage/flights"
ln -s "$stage/small" "$stage/flights/worker"
run_flights() {
    (cd "$flights" && exec timeout 60 "$weir" dev --data "$stage/flights" $ports --until-caught-up delays.lua \
        --connector airports-source.json --connector flights-source.json --connector delays-file.json)
}
for free in 4 40 160 300; do
    rm -f "$stage/small/ballast"
    dd if=/dev/zero of="$stage/small/ballast" bs=1k 2>/dev/null || true
    truncate -s "-${free}k" "$stage/small/ballast"
    got=0
    run_flights >"$stage/said" 2>&1 || got=$?
    [ $got = 1 ] && grep -q "weir dev: worker.*No space left" "$stage/said" ||
        fail "with $free KiB free: status $got: $(tail -3 "$stage/said")"
done
rm "$stage/small/ballast"
run_flights >"$stage/said" 2>&1 || fail "with room again: $(tail -5 "$stage/said")"
[ "$(sort "$FLIGHTS_OUT" | uniq | wc -l)" = 4551 ] && [ "$(wc -l <"$FLIGHTS_OUT")" = 4551 ] ||
    fail "$(wc -l <"$FLIGHTS_OUT") results instead of 4551"
