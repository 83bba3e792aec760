#!/bin/sh
# The topic of a registry that runs is deleted and created anew: it says so and writes no more, whether the new one is
# empty, or has more records than the old one had.
. "$(dirname "$0")/stage.sh"

start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)

registry() {
    name=$1
    shift
    start "$name" "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap" --set leader.wait.ms=1000 "$@"
    ready "$name"
}
status_of() { curl -sS -m 30 "http://$(address "$1" registry)/health" >"$stage/health" && grep -q "\"status\":\"$2\"" "$stage/health"; }
# register NAME SUBJECT SIZE: the status
register() {
    curl -sS -m 30 -o "$stage/answer" -w '%{http_code}' -H 'Content-Type: application/json' \
        -d "{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":\\\"F\\\",\\\"size\\\":$3}\"}" \
        "http://$(address "$1" registry)/subjects/$2/versions"
}
expect() { [ "$1" = "$2" ] || fail "$3: $1, not $2: $(cat "$stage/answer")"; }
lost() {
    until_true 40 status_of "$1" topic-lost
    grep -q 'was deleted and created anew, or has lost records. Restore it, or start' "$stage/health" || fail "$(cat "$stage/health")"
    logged "$1" registry.topic-lost || fail "nothing in the log of $1"
    expect "$(register "$1" late 99)" 503 "a write to $1"
    grep -q 'created anew' "$stage/answer" || fail "$(cat "$stage/answer")"
    curl -sS -m 30 "http://$(address "$1" registry)/schemas/ids/1" | grep -q fixed || fail "$1 has forgotten what it read"
}

say "the new topic is empty"
registry first
for n in 1 2 3; do expect "$(register first "s$n" "$n")" 200 "a write"; done
"$weir" topic delete _schemas --bootstrap "$bootstrap" >/dev/null
until_true 20 status_of first no-topic
"$weir" topic create _schemas --partitions 1 --config cleanup.policy=compact --bootstrap "$bootstrap" >/dev/null
lost first
stop first
registry first
expect "$(register first again 5)" 200 "a write after a new start"

say "the new topic has more records already"
registry other --set kafkastore.topic=_other --set schema.registry.group.id=other
expect "$(register other s1 1)" 200 "a write"
"$weir" topic delete _other --bootstrap "$bootstrap" >/dev/null
registry newer --set kafkastore.topic=_other --set schema.registry.group.id=newer
for n in 1 2 3 4 5 6; do expect "$(register newer "n$n" "1$n")" 200 "a write"; done
lost other
for name in other newer first broker; do stop $name; done
