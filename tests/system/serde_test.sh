#!/bin/sh
# Options of Avro serializers, by Confluent's names, wherever Avro is written and read: produce and
# consume, a worker's pipelines and connectors, with a registry that asks for a password.
. "$(dirname "$0")/stage.sh"
same() { [ "$1" = "$2" ] || fail "wanted '$2', got '$1'"; }
hides() { grep -q secret "$@" && fail "the password is in $*: $(grep secret "$@")"; true; }

start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
export WEIR_BOOTSTRAP="$bootstrap"
echo 'se:secret' | "$weir" schema user add "$stage/users" me --grant 'Read=Subject:.*' --grant 'Write=Subject:.*' \
    --grant 'Read=Config:' >/dev/null || fail "user add"
echo 'other-secret' | "$weir" schema user add "$stage/users" reader --grant 'Read=Subject:.*' >/dev/null || fail "user add"
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap" --set authentication.method=BASIC \
    --set authentication.file="$stage/users"
ready registry
plain=$(address registry registry)
registry="http://me:se%3Asecret@$plain"
cat >"$stage/v1.avsc" <<J
{"type":"record","name":"shop.Fruit","fields":[{"name":"name","type":"string"}]}
J
cat >"$stage/v2.avsc" <<J
{"type":"record","name":"shop.Fruit","fields":[{"name":"name","type":"string"},{"name":"weight","type":["null","int"],"default":null}]}
J
cat >"$stage/odd.avsc" <<J
{"type":"record","name":"shop.Fruit","fields":[{"name":"name","type":"int"}]}
J
for topic in fruit named names headed gone out headed-out lines lines-named read letters; do "$weir" topic create $topic --partitions 1 >/dev/null; done
put() { # TOPIC LINE OPTION…
    topic=$1 line=$2
    shift 2
    printf '%s\n' "$line" | "$weir" produce "$topic" --format avro "$@"
}
refused() { # PATTERN TOPIC LINE OPTION…
    pattern=$1
    shift
    put "$@" >"$stage/said" 2>&1 && fail "'put $*' was done"
    tr '\n' ' ' <"$stage/said" | grep -qE -- "$pattern" || fail "'put $*' does not say /$pattern/ but: $(cat "$stage/said")"
}
get() { "$weir" consume "$1" --from beginning --until-end --registry "$registry" --format "${2:-avro}"; }

say "user and password"
WEIR_REGISTRY_URL=http://$plain
export WEIR_REGISTRY_URL
refused '401.*hint: name a user' fruit '{"name":"pear"}' --schema "$stage/v1.avsc"
refused 401 fruit '{"name":"pear"}' --schema "$stage/v1.avsc" --registry "http://me:wrong-secret@$plain"
hides "$stage/said"
expect_fail 1 'hint: the user may not' "$weir" schema register fruit-value "$stage/v1.avsc" --registry "http://reader:other-secret@$plain"
hides "$stage/said"
put fruit '{"name":"pear"}' --schema "$stage/v1.avsc" --serde basic.auth.credentials.source=USER_INFO \
    --serde basic.auth.user.info=me:se:secret || fail "USER_INFO"
refused 'USER_INFO' fruit '{"name":"pear"}' --serde basic.auth.credentials.source=USER_INFO
expect_fail 1 'connect' "$weir" schema list --registry http://me:se%3Asecret@127.0.0.1:1 --serde max.retries=1 --serde retries.wait.ms=1
hides "$stage/said"
"$weir" schema list --registry "http://127.0.0.1:1,$registry" | grep -q fruit-value || fail "the second URL is not tried"
WEIR_REGISTRY_URL=$registry

say "produce: which schema"
refused "auto.register.schemas is false" fruit '{"name":"plum"}' --schema "$stage/v2.avsc" --serde auto.register.schemas=false
put fruit '{"name":"plum"}' --schema "$stage/v1.avsc" --serde auto.register.schemas=false || fail "a known schema is looked up"
put fruit '{"name":"fig","weight":3}' --schema "$stage/v2.avsc" || fail "register v2"
put fruit '{"name":"kiwi"}' --schema "$stage/v1.avsc" --serde auto.register.schemas=false --serde use.latest.version=true ||
    fail "use.latest.version"
refused 'TYPE_MISMATCH.*latest.compatibility.strict=false' fruit '{"name":1}' --schema "$stage/odd.avsc" \
    --serde auto.register.schemas=false --serde use.latest.version=true
same "$(get fruit | tail -1)" '{"name":"kiwi","weight":null}'
put fruit '{"name":"lime"}' --serde use.schema.id=1 --serde auto.register.schemas=false || fail "use.schema.id"
same "$(get fruit | tail -1)" '{"name":"lime"}'
printf '%s\n' '{"name":"date","weight":{"int":4}}' | "$weir" produce fruit --format avro-json || fail "avro-json"
same "$(get fruit avro-json | tail -1)" '{"name":"date","weight":{"int":4}}'
printf '%s\n' '{"name":"date","weight":4}' >"$stage/in"
"$weir" produce fruit --format avro-json <"$stage/in" >"$stage/said" 2>&1 && fail "a value of a union without branch was taken"
grep -q 'line 1.*/weight.*branches are null, int' "$stage/said" || fail "it says: $(cat "$stage/said")"
put named '{"name":"pear"}' --schema "$stage/v1.avsc" --serde value.subject.name.strategy=TopicRecordNameStrategy || fail "strategy"
"$weir" schema list | grep -qx named-shop.Fruit || fail "the subject is another: $("$weir" schema list)"
refused 'is no subject name strategy' named '{"name":"pear"}' --serde value.subject.name.strategy=Mine
refused 'did you mean.*auto.register.schemas' named '{"name":"pear"}' --serde auto.register.schema=false
refused 'NAME=VALUE' named '{"name":"pear"}' --serde auto.register.schemas

say "consume: the reader's schema"
cat >"$stage/reader.avsc" <<J
{"type":"record","name":"shop.Fruit","fields":[{"name":"label","aliases":["name"],"type":"string"},
 {"name":"weight","type":["null","long"],"default":null},{"name":"origin","type":"string","default":"?"}]}
J
read_with() { "$weir" consume "$1" --from beginning --until-end --registry "$registry" --format avro "$2" "$3"; }
same "$(read_with fruit --schema "$stage/reader.avsc" | sed -n '1p;3p')" "$(printf '%s\n' '{"label":"pear","weight":null,"origin":"?"}' \
    '{"label":"fig","weight":3,"origin":"?"}')"
same "$(read_with fruit --serde use.latest.version=true | head -1)" '{"name":"pear","weight":null}'
expect_fail 1 'fruit\[0\]@0: written with schema 1, read with the reader.s schema: .*at /name: .*writer string, reader int' \
    "$weir" consume fruit --from beginning --until-end --registry "$registry" --format avro --schema "$stage/odd.avsc"
expect_fail 2 'specific.avro.reader: .*use.latest.version' "$weir" consume fruit --from beginning --until-end --registry "$registry" --format avro --serde specific.avro.reader=true
expect_fail 2 'schema goes with --format avro' "$weir" consume fruit --schema "$stage/reader.avsc"

say "the id in a header"
header=value.schema.id.serializer=io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer
put headed '{"name":"pear"}' --schema "$stage/v1.avsc" --serde $header || fail "header"
same "$(get headed hex)" 0870656172
same "$(get headed)" '{"name":"pear"}'
"$weir" consume headed --from beginning --until-end --show record | grep -q __value_schema_id || fail "no header"

put names '{"name":"Birne"}' --key pear --schema "$stage/v1.avsc" --serde $header || fail "names"

say "pipelines"
cat >"$stage/fruit.lua" <<L
local weir = require "weir"
local names = weir.global_table("names", { value = "avro" })
weir.stream("headed", { value = "avro" })
  :join(names, function(v) return v.name end, function(v, n) return { name = v.name .. " is " .. n.name } end)
  :to("out", { value = "avro", schema = "v1.avsc", ["value.subject.name.strategy"] = "RecordNameStrategy" })
weir.stream("fruit", { value = "avro" })
  :filter(function(v) return v.name == "fig" end)
  :to("headed-out", { value = "avro", schema = "v2.avsc", ["value.schema.id.serializer"] = "HeaderSchemaIdSerializer" })
L
sed 's/value.subject.name.strategy/value.subject.name.strateg/' "$stage/fruit.lua" >"$stage/unknown.lua"
expect_fail 1 'unknown.lua:[0-9]*:.*did you mean.*value.subject.name.strategy' "$weir" pipeline "$stage/unknown.lua"
sed 's/"value.subject.name.strategy"/"max.retries"/; s/"RecordNameStrategy"/1/' "$stage/fruit.lua" >"$stage/retries.lua"
expect_fail 1 'retries.lua:[0-9]*:.*options of the worker' "$weir" pipeline "$stage/retries.lua"
sed 's/value = "avro", schema = "v1.avsc", /value = "json", /' "$stage/fruit.lua" >"$stage/json.lua"
expect_fail 1 "json.lua:[0-9]*:.*goes with key or value = 'avro'" "$weir" pipeline "$stage/json.lua"
expect_fail 2 'did you mean.*auto.register.schemas' "$weir" pipeline --serde auto.register.schema=false "$stage/fruit.lua"
expect_fail 2 'no registry is asked here' "$weir" test --serde "schema.registry.url=http://$plain" "$stage/fruit.lua"
cat >"$stage/lines.json" <<J
{"name": "lines", "config": {"connector.class": "file-source", "file": "$stage/lines.txt", "topic": "lines-named", "format": "jsonl",
 "schema.file": "$stage/v1.avsc", "value.converter": "io.confluent.connect.avro.AvroConverter",
 "value.converter.schema.registry.url": "http://$plain", "value.converter.basic.auth.credentials.source": "USER_INFO",
 "value.converter.basic.auth.user.info": "me:se:secret", "value.converter.enhanced.avro.schema.support": "true",
 "value.converter.value.subject.name.strategy": "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"}}
J
printf '{"name":"melon"}\n' >"$stage/lines.txt"
cat >"$stage/sink.json" <<J
{"name": "sink", "config": {"connector.class": "file-sink", "file": "$stage/sink.txt", "topics": "headed-out", "format": "jsonl",
 "value.converter": "io.confluent.connect.avro.AvroConverter"}}
J
cat >"$stage/latest.json" <<J
{"name": "latest", "config": {"connector.class": "file-sink", "file": "$stage/latest.txt", "topics": "fruit", "format": "jsonl",
 "value.converter": "io.confluent.connect.avro.AvroConverter", "value.converter.use.latest.version": "true",
 "errors.tolerance": "all"}}
J
cat >"$stage/narrow.json" <<J
{"name": "narrow", "config": {"connector.class": "file-sink", "file": "$stage/narrow.txt", "topics": "fruit", "format": "jsonl",
 "value.converter": "avro", "value.converter.reader.schema.file": "$stage/reader.avsc", "errors.tolerance": "all"}}
J
cat >"$stage/reader.lua" <<L
local weir = require "weir"
weir.app { on_error = { dead_letter = "letters" } }
local names = weir.global_table("names", { value = "avro", schema = "reader.avsc" })
weir.stream("fruit", { value = "avro", schema = "reader.avsc" })
  :left_join(names, function() return "pear" end, function(v, n) return weir.with(v, { origin = n.label }) end)
  :to("read", { value = "json" })
L
put fruit '{"name":1}' --schema "$stage/odd.avsc" --serde value.subject.name.strategy=TopicRecordNameStrategy || fail "odd"
put fruit '{"name":"last"}' --schema "$stage/v2.avsc" --serde $header || fail "last"
start worker "$weir" worker --listen 127.0.0.1:0 --bootstrap "$bootstrap" --registry "http://127.0.0.1:1,http://$plain" \
    --set basic.auth.user.info=me:se:secret --data "$stage/state" "$stage/fruit.lua" "$stage/reader.lua" --connector "$stage/lines.json" --connector "$stage/sink.json" \
    --connector "$stage/latest.json" --connector "$stage/narrow.json"
ready worker
has() { [ "$(get "$1")" = "$2" ]; }
until_true 60 has out '{"name":"pear is Birne"}'
until_true 60 has headed-out '{"name":"fig","weight":3}'
until_true 60 has lines-named '{"name":"melon"}'
in_sink() { grep -q '"fig"' "$stage/sink.txt"; }
until_true 60 in_sink
read_end() { [ "$(get read json | tail -1)" = '{"label":"last","weight":null,"origin":"Birne"}' ]; }
until_true 60 read_end
same "$(get read json | sed -n '1p;3p')" "$(printf '%s\n' '{"label":"pear","weight":null,"origin":"Birne"}' \
    '{"label":"fig","weight":3,"origin":"Birne"}')"
"$weir" consume letters --from beginning --until-end --show record >"$stage/letter"
grep -q 'written with schema 3, read with .reader.avsc.*at /name: .*writer int, reader string.*record fruit\[0\]@[0-9]' "$stage/letter" ||
    fail "the dead letter is $(cat "$stage/letter")"
same "$(curl -sS "$registry/subjects/fruit-value/versions")" '[1,2]' # the reader's schema is none of them
grep -q 'value 00 00 00 00 03 [0-9a-f ]*([0-9]* bytes)' "$stage/letter" || fail "the bytes are not shown: $(cat "$stage/letter")"
say "a mistake in a pipeline ends its worker at once, with its line: waiting heals none"
refuses() { # PATTERN OPTIONS: of the source on line 2
    printf 'local weir = require "weir"\nweir.stream("fruit", { value = "avro", %s }):to("none")\n' "$2" >"$stage/mistake.lua"
    expect_fail 1 "mistake.lua:2: .*$1" "$weir" worker --listen 127.0.0.1:0 --bootstrap "$bootstrap" \
        --registry "http://me:se:secret@$plain" --data "$stage/state4" "$stage/mistake.lua"
    grep -q 'schema to write' "$stage/said" && fail "a source writes nothing: $(cat "$stage/said")"
    true
}
refuses "unknown option 'use.frob'" '["use.frob"] = true'
refuses 'missing.avsc: No such file' 'schema = "missing.avsc"'
say "a reader's schema that cannot read what the subject has is refused at start; where there is nothing yet it is the first"
echo '{"type":"record","name":"shop.Fruit","fields":[{"name":"name","type":"int"}]}' >"$stage/cannot.avsc"
echo 'require "weir".stream("fruit", { value = "avro", schema = "cannot.avsc" }):to("none")' >"$stage/cannot.lua"
expect_fail 1 'cannot.lua:1: schema of topic .fruit.: version 2 of subject .fruit-value. cannot be read with it: TYPE_MISMATCH at /fields/0/type' \
    "$weir" worker --listen 127.0.0.1:0 --bootstrap "$bootstrap" --registry "http://me:se:secret@$plain" --data "$stage/state2" "$stage/cannot.lua"
echo 'require "weir".stream("first", { value = "avro", schema = "cannot.avsc" }):to("none")' >"$stage/first.lua"
start first "$weir" worker --listen 127.0.0.1:0 --bootstrap "$bootstrap" --registry "http://$plain" \
    --set basic.auth.user.info=me:se:secret --data "$stage/state3" "$stage/first.lua"
first_there() { curl -sS -u me:se:secret "http://$plain/subjects/first-value/versions" | grep -qx '\[1\]'; }
until_true 60 first_there
stop first
narrow_sink() { grep -q '"label":"fig","weight":3,"origin":"?"' "$stage/narrow.txt"; }
until_true 60 narrow_sink
latest_sink() { grep -q '"name":"pear","weight":null' "$stage/latest.txt"; }
until_true 60 latest_sink
"$weir" schema list | grep -qx shop.Fruit || fail "the pipeline's subject is another"
"$weir" schema list | grep -qx lines-named-shop.Fruit || fail "the converter's subject is another"
"$weir" consume out --from beginning --until-end --show record | grep -q __value_schema_id && fail "the source's header went on"
"$weir" consume headed-out --from beginning --until-end --show record | grep -q __value_schema_id || fail "no header"
worker=http://$(address worker worker)
sed 's/subject.name.strategy"/subject.name.strateg"/' "$stage/lines.json" >"$stage/bad.json"
code=$(curl -sS -o "$stage/answer" -w '%{http_code}' -X PUT -H 'Content-Type: application/json' \
    "$worker/connectors/bad/config" -d "$(sed -n 's/^{"name": "lines", "config": //p; 2,$p' "$stage/bad.json" | sed '$s/}}$/}/')")
same "$code" 400
grep -q 'did you mean' "$stage/answer" || fail "an unknown option of a converter: $(cat "$stage/answer")"
hides "$stage/worker.log" "$stage/registry.log"
for name in worker registry broker; do stop $name; done
