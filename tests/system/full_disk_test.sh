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
