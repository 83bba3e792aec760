#!/bin/sh
# The client commands: topic, produce, consume, schema, connector.
. "$(dirname "$0")/stage.sh"
start dev "$weir" dev --data "$stage/data" $ports
ready dev
WEIR_BOOTSTRAP=$(address dev broker)
WEIR_REGISTRY_URL=http://$(address dev registry)
WEIR_WORKER_URL=http://$(address dev worker)
export WEIR_BOOTSTRAP WEIR_REGISTRY_URL WEIR_WORKER_URL
same() { [ "$1" = "$2" ] || fail "wanted '$2', got '$1'"; }

say "topic"
"$weir" topic create fruit --partitions 2 --config retention.ms=-1 >/dev/null
"$weir" topic create fruit --if-not-exists >/dev/null || fail "--if-not-exists failed"
expect_fail 1 "fruit.*exists" "$weir" topic create fruit
expect_fail 1 "'?no fruit'?: A topic's name is 1 to 249" "$weir" topic create 'no fruit'
"$weir" topic list | grep -q '^fruit.2 partitions$' || fail "topic list: $("$weir" topic list)"
"$weir" topic describe fruit >"$stage/describe" || fail "topic describe failed"
grep -q '^\* retention.ms=-1$' "$stage/describe" || fail "describe: $(cat "$stage/describe")"
expect_fail 1 "'nothing' does not exist" "$weir" topic describe nothing
expect_fail 2 "unknown verb 'creat'; did you mean 'create'" "$weir" topic creat x

say "produce and consume"
printf 'a=apple\nb=banana\na=avocado\n' | "$weir" produce fruit --key-separator = || fail "produce failed"
same "$("$weir" consume fruit --from beginning --until-end | sort | tr '\n' ' ')" "apple avocado banana "
same "$("$weir" consume fruit --from beginning --until-end --show key --key-separator : | grep ^a | tr '\n' ' ')" "a:apple a:avocado "
same "$("$weir" consume fruit --from beginning --until-end --format hex | sort | head -1)" 6170706c65
same "$("$weir" consume fruit --from beginning --until-end --group g | wc -l)" 3
same "$("$weir" consume fruit --from beginning --until-end --group g | wc -l)" 0
same "$("$weir" consume fruit --from @0 --until-end | wc -l)" 3
expect_fail 1 "does not exist" "$weir" consume nothing --until-end
printf 'x\n' | "$weir" produce nothing >"$stage/said" 2>&1 && fail "produce to a missing topic succeeded"
grep -q "does not exist" "$stage/said" || fail "produce says: $(cat "$stage/said")"
printf '{"a":1}\n{broken\n' >"$stage/in"
"$weir" produce fruit --format json <"$stage/in" >"$stage/said" 2>&1 && fail "broken JSON was taken"
grep -q "line 2" "$stage/said" || fail "produce does not name the line: $(cat "$stage/said")"

say "schema: an incompatible one is refused with 409 and the field's name, and stops a producer"
cat >"$stage/v1.avsc" <<J
{"type":"record","name":"Fruit","fields":[{"name":"name","type":"string"}]}
J
cat >"$stage/v2.avsc" <<J
{"type":"record","name":"Fruit","fields":[{"name":"name","type":"string"},{"name":"weight","type":"double"}]}
J
"$weir" topic create avro-fruit >/dev/null
echo '{"name":"pear"}' | "$weir" produce avro-fruit --format avro --schema "$stage/v1.avsc" || fail "produce avro failed"
same "$("$weir" consume avro-fruit --from beginning --until-end --format avro)" '{"name":"pear"}'
same "$("$weir" consume avro-fruit --from beginning --until-end --format avro-json)" '{"name":"pear"}'
same "$("$weir" schema list)" avro-fruit-value
same "$("$weir" schema list avro-fruit-value)" 1
"$weir" schema register avro-fruit-value "$stage/v1.avsc" | grep -q "has id 1" || fail "register says another id"
expect_fail 1 "weight" "$weir" schema register avro-fruit-value "$stage/v2.avsc"
grep -q 409 "$stage/said" || fail "no 409: $(cat "$stage/said")"
expect_fail 1 "weight" "$weir" schema check avro-fruit-value "$stage/v2.avsc"
echo '{"name":"plum","weight":1.5}' | "$weir" produce avro-fruit --format avro --schema "$stage/v2.avsc" >"$stage/said" 2>&1 &&
    fail "a producer with the incompatible schema went on"
grep -q weight "$stage/said" || fail "the producer does not name the field: $(cat "$stage/said")"
expect_fail 1 'not compatible with subject avro-fruit-value' "$weir" schema register avro-fruit-value "$stage/v2.avsc"
cp "$stage/said" "$stage/registered"
expect_fail 1 'v2.avsc is not registered .409.' "$weir" produce avro-fruit --format avro --schema "$stage/v2.avsc"
same "$(sed 's/^weir produce: /weir schema register: /' "$stage/said")" "$(cat "$stage/registered")"
same "$("$weir" consume avro-fruit --from beginning --until-end --format avro | wc -l)" 1
echo '{"nam":"pear"}' | "$weir" produce avro-fruit --format avro >"$stage/said" 2>&1 && fail "a wrong field was taken"
grep -q "nam" "$stage/said" || fail "the field is not named: $(cat "$stage/said")"

say "bytes, fixed and decimals go through avro and avro-json and come back as they were"
cat >"$stage/binary.avsc" <<J
{"type":"record","name":"Binary","fields":[
 {"name":"bytes","type":"bytes"},{"name":"fixed","type":{"type":"fixed","name":"F3","size":3}},
 {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
 {"name":"exact","type":["null",{"type":"fixed","name":"D4","size":4,"logicalType":"decimal","precision":9,"scale":2}]},
 {"name":"maybe","type":["null","bytes"]},{"name":"list","type":{"type":"array","items":["null","F3"]}},
 {"name":"map","type":{"type":"map","values":{"type":"record","name":"In","fields":[{"name":"b","type":["null","bytes"]}]}}}]}
J
cat >"$stage/binary.json" <<'J'
{"bytes":"\u0000\u00ff\u0080","fixed":"abc","price":"\u0004\u00e2","exact":{"D4":"\u00ff\u00ff\u00fb\u001e"},"maybe":{"bytes":"YQ=="},"list":[null,{"F3":"\u0001\u0002\u00fe"}],"map":{"k":{"b":{"bytes":"\u00fc"}}}}
{"bytes":"","fixed":"\u0000\u0000\u0000","price":"\u0000","exact":null,"maybe":null,"list":[],"map":{}}
J
for topic in binary binary-plain binary-back; do "$weir" topic create $topic --partitions 1 >/dev/null; done
every() { "$weir" consume "$1" --from beginning --until-end --format "$2"; }
"$weir" produce binary --format avro-json --schema "$stage/binary.avsc" <"$stage/binary.json" || fail "produce avro-json"
every binary avro >"$stage/plain"
same "$(head -1 "$stage/plain")" '{"bytes":"AP+A","fixed":"YWJj","price":"BOI=","exact":"///7Hg==","maybe":"WVE9PQ==","list":[null,"AQL+"],"map":{"k":{"b":"/A=="}}}'
"$weir" produce binary-plain --format avro --schema "$stage/binary.avsc" <"$stage/plain" || fail "produce what consume printed"
same "$(every binary-plain hex | cut -c11-)" "$(every binary hex | cut -c11-)"
same "$(every binary-plain avro)" "$(cat "$stage/plain")"
every binary-plain avro-json | "$weir" produce binary-back --format avro-json --schema "$stage/binary.avsc" || fail "avro-json back"
same "$(every binary-back hex | cut -c11-)" "$(every binary hex | cut -c11-)"
typed() { printf '%s\n' "$1" >"$stage/in"; }
takes_in() { "$weir" produce "$@" <"$stage/in"; } # what was typed
not_taken() { # FROM TO WHY: a field's text
    typed "$(sed -n "1s|\"$1\"|\"$2\"|p" "$stage/plain")"
    takes_in binary-plain --format avro --schema "$stage/binary.avsc" >"$stage/said" 2>&1 && fail "$2 is taken"
    grep -q "line 1: .*$3" "$stage/said" && grep -q 'hint: .*--format avro-json' "$stage/said" || fail "it says: $(cat "$stage/said")"
}
not_taken BOI= 12.50 'at /price: "12.50" is not base64'
not_taken YWJj YWI= 'at /fixed: F3 has 3 bytes, the base64 text 2'
not_taken AQL+ abc 'at /list/1: "abc" is not base64'
not_taken /A== /A 'at /map/k/b: "/A" is not base64'
same "$(every binary-plain avro | wc -l)" 2
echo '{"type":"record","name":"Either","fields":[{"name":"e","type":["string","bytes"]}]}' >"$stage/either.avsc"
"$weir" topic create either --partitions 1 >/dev/null
typed '{"e":"abcd"}'
takes_in either --format avro --schema "$stage/either.avsc" >"$stage/said" 2>&1 && fail "a branch is guessed"
grep -q 'at /e: the union takes text' "$stage/said" || fail "it says: $(cat "$stage/said")"
printf '%s\n' '{"e":{"string":"abcd"}}' '{"e":{"bytes":"abcd"}}' | "$weir" produce either --format avro-json --schema "$stage/either.avsc" ||
    fail "a union's branch is named"

say "a hint comes from where the error does"
no_hint() { # NOT_IN_IT: of what was said last
    grep -q "$1" "$stage/said" && fail "the hint is of another part: $(cat "$stage/said")"
    true
}
expect_fail 1 'hint: weir topic create' "$weir" consume nothing
for verb in "consume avro-fruit" "produce avro-fruit"; do
    # shellcheck disable=SC2086 # words
    expect_fail 2 "unknown option 'frob'" "$weir" $verb --format avro --serde frob=1
    no_hint hint:
    # shellcheck disable=SC2086 # words
    expect_fail 2 'is no subject name strategy' "$weir" $verb --format avro --serde value.subject.name.strategy=Mine
done
expect_fail 2 "unknown option 'frob'" "$weir" schema list --serde frob=1
away="--registry http://127.0.0.1:1 --serde max.retries=0"
# shellcheck disable=SC2086 # words
expect_fail 1 'hint: is a registry running there' "$weir" produce avro-fruit --format avro $away
no_hint broker
# shellcheck disable=SC2086 # words
expect_fail 1 'hint: is a registry running there' "$weir" consume avro-fruit --from beginning --max 1 --format avro $away
no_hint broker
expect_fail 1 'hint: is a broker running there' "$weir" consume avro-fruit --bootstrap 127.0.0.1:1
expect_fail 1 'no/such.avsc: No such file' "$weir" produce avro-fruit --format avro --schema /no/such.avsc
no_hint hint:
expect_fail 1 'has no partition 7; it has 0 to' "$weir" consume avro-fruit --partition 7
no_hint hint:

say "a record that cannot be printed: NaN has a hint; --skip-message-on-error goes on behind it"
echo '{"type":"record","name":"Real","fields":[{"name":"r","type":"double"}]}' >"$stage/real.avsc"
"$weir" topic create real --partitions 1 >/dev/null
printf '%s\n' '{"r":1.5}' '{"r":"NaN"}' '{"r":2.5}' | "$weir" produce real --format avro-json --schema "$stage/real.avsc" || fail "NaN"
echo poison | "$weir" produce real || fail "poison"
echo '{"r":3.5}' | "$weir" produce real --format avro || fail "the last"
expect_fail 1 'real.0.@1: .*at /r: NaN' "$weir" consume real --from beginning --until-end --format avro
grep -q 'hint: --format avro-json prints NaN' "$stage/said" || fail "no hint: $(cat "$stage/said")"
got=0
"$weir" consume real --from beginning --until-end --format avro --skip-message-on-error >"$stage/out" 2>"$stage/said" || got=$?
same "$got" 3
same "$(tr '\n' ' ' <"$stage/out")" '{"r":1.5} {"r":2.5} {"r":3.5} '
same "$(grep -c 'skipped real.0.@[13]: ' "$stage/said")" 2
"$weir" consume real --from 0 --max 1 --format avro --skip-message-on-error >/dev/null || fail "nothing was skipped: status 0"
# shellcheck disable=SC2086 # words
expect_fail 1 'hint: is a registry' "$weir" consume real --from beginning --until-end --format avro --skip-message-on-error $away

"$weir" topic create torn --partitions 1 >/dev/null
echo 000000000102ff | "$weir" produce torn --format hex || fail "produce hex"
expect_fail 1 'torn.0.@0: a string in it is not UTF-8' "$weir" consume torn --from beginning --until-end --format avro

say "headers that are no text"
echo '{"name":"fig"}' | "$weir" produce avro-fruit --format avro --header note=fig --header "odd=$(printf '\377')" \
    --serde value.schema.id.serializer=HeaderSchemaIdSerializer || fail "produce with headers"
guid=$(curl -sS "$WEIR_REGISTRY_URL/schemas/ids/1" | sed 's/.*"guid":"\([^"]*\)".*/\1/')
"$weir" consume avro-fruit --from beginning --until-end --show record | tail -1 >"$stage/record"
grep -qF "\"headers\":[[\"note\",\"fig\"],[\"odd\",{\"base64\":\"/w==\"}],[\"__value_schema_id\",{\"guid\":\"$guid\"}]]" "$stage/record" ||
    fail "the record is $(cat "$stage/record"), the GUID $guid"

say "connector"
printf 'one\ntwo\n' >"$stage/lines.txt"
cat >"$stage/lines.json" <<J
{"name": "lines", "config": {"connector.class": "file-source", "file": "$stage/lines.txt", "topic": "lines",
 "format": "lines", "topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}}
J
"$weir" connector create "$stage/lines.json" || fail "connector create failed"
same "$("$weir" connector list)" lines
has_lines() { [ "$("$weir" consume lines --from beginning --until-end 2>/dev/null | tr '\n' ' ')" = "one two " ]; }
until_true 30 has_lines
is_state() { "$weir" connector status lines | grep -q "\"state\": \"$1\""; }
until_true 20 is_state RUNNING
"$weir" connector pause lines
until_true 20 is_state PAUSED
"$weir" connector resume lines
until_true 20 is_state RUNNING
expect_fail 1 "nothing" "$weir" connector status nothing
"$weir" connector delete lines
same "$("$weir" connector list)" ""
"$weir" connector plugins | grep -qi file || fail "plugins: $("$weir" connector plugins)"
stop dev
