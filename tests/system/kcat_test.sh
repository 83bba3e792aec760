#!/bin/sh
# kcat against the broker: list, produce with each codec, consume by a group, the idempotent producer.
. "$(dirname "$0")/stage.sh"
command -v kcat >/dev/null || skip "kcat is not installed; scripts/deps --test installs it"
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
"$weir" topic create lines --partitions 3 --bootstrap "$bootstrap" >/dev/null

kcat -b "$bootstrap" -L | grep -q 'topic "lines" with 3 partitions' || fail "kcat -L does not show the topic"
for codec in none gzip snappy lz4 zstd; do
    seq 1000 | sed "s/^/$codec /" | kcat -b "$bootstrap" -P -t lines -z $codec -X enable.idempotence=true ||
        fail "kcat cannot produce with $codec"
done
kcat -b "$bootstrap" -C -t lines -e -q >"$stage/all" || fail "kcat cannot consume"
[ "$(sort -u "$stage/all" | wc -l)" = 5000 ] && [ "$(wc -l <"$stage/all")" = 5000 ] ||
    fail "$(wc -l <"$stage/all") records came back instead of 5000"
timeout 60 kcat -b "$bootstrap" -G readers -X auto.offset.reset=earliest -e -q lines >"$stage/group" ||
    fail "kcat cannot consume by a group"
[ "$(sort -u "$stage/group" | wc -l)" = 5000 ] || fail "the group read $(sort -u "$stage/group" | wc -l) records"
echo more | kcat -b "$bootstrap" -P -t lines
timeout 60 kcat -b "$bootstrap" -G readers -X auto.offset.reset=earliest -e -q lines >"$stage/group2"
[ "$(cat "$stage/group2")" = more ] || fail "the group did not go on from its position: $(wc -l <"$stage/group2") records"
stop broker
