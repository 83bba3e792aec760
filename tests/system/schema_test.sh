#!/bin/sh
# weir schema: check for pipelines, canonical and decode without a server, export of one registry and
# import into another with ids, versions and references kept.
. "$(dirname "$0")/stage.sh"
same() { [ "$1" = "$2" ] || fail "wanted '$2', got '$1'"; }
schema() {
    file=$stage/$1.avsc
    shift
    printf '%s\n' "$*" >"$file"
}
start_registry() {
    start "$1" "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap" --set kafkastore.topic="$2"
    ready "$1"
    WEIR_REGISTRY_URL=http://$(address "$1" registry)
    export WEIR_REGISTRY_URL
}

say "canonical"
schema v1 '{ "name": "Fruit", "type": "record", "extra": 1.0,
    "fields": [{"type": {"type": "string"}, "name": "name"}] }'
schema v0 '{"type":"record","name":"Fruit","fields":[]}'
schema v2 '{"type":"record","name":"Fruit","fields":[{"name":"name","type":"string"},
    {"name":"weight","type":["null","double"],"default":null}]}'
schema v3 '{"type":"record","name":"Fruit","fields":[{"name":"name","type":"string"},{"name":"price","type":"int"}]}'
schema broken '{"type":"record","name":"Fruit","fields":[{"name":"name","type":"strin"}]}'
"$weir" schema canonical "$stage/v1.avsc" | grep -q '^{"type":"record","name":"Fruit","fields":\[' || fail "canonical"
expect_fail 1 'broken.avsc.*strin' "$weir" schema canonical "$stage/broken.avsc"
expect_fail 1 'none.avsc' "$weir" schema canonical "$stage/none.avsc"
expect_fail 2 'too few' "$weir" schema canonical

say "decode"
same "$("$weir" schema decode --writer "$stage/v1.avsc" --reader "$stage/v2.avsc" 0870656172)" '{"name":"pear","weight":null}'
same "$("$weir" schema decode --writer "$stage/v2.avsc" 087065617202000000000000f83f)" \
    '{"name":"pear","weight":{"double":1.5}}'
expect_fail 1 'price' "$weir" schema decode --writer "$stage/v1.avsc" --reader "$stage/v3.avsc" 0870656172
expect_fail 1 'name' "$weir" schema decode --writer "$stage/v1.avsc" 08706561
expect_fail 1 'hex' "$weir" schema decode --writer "$stage/v1.avsc" 0x
expect_fail 2 '--writer' "$weir" schema decode 00

start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
start_registry one _schemas

say "check"
expect_fail 0 'fruit-value has no versions; nothing was compared' "$weir" schema check "$stage/v1.avsc" --subject fruit-value
grep -q ': compatible' "$stage/said" && fail "check finds compatible what it compared with nothing"
expect_fail 1 'fruit-value has no versions; nothing was compared' "$weir" schema check "$stage/v1.avsc" --subject fruit-value --must-exist
"$weir" schema check --help | grep -q -- --must-exist || fail "check --help"
"$weir" schema register fruit-value "$stage/v1.avsc" >/dev/null
"$weir" schema check "$stage/v2.avsc" --subject fruit-value || fail "check of a compatible one"
"$weir" schema check "$stage/v2.avsc" --subject fruit-value --must-exist | grep -q '^fruit-value: compatible$' || fail "--must-exist"
"$weir" schema check fruit-value "$stage/v2.avsc" || fail "check with two arguments"
expect_fail 1 "not compatible" "$weir" schema check "$stage/v3.avsc" --subject fruit-value
grep -q "'price' at path '/fields/1'" "$stage/said" || fail "check gives no reason: $(cat "$stage/said")"
grep -q "READER_FIELD_MISSING_DEFAULT_VALUE: The field" "$stage/said" || fail "the reason is no sentence"
grep -q 'not compatible with version 1 (BACKWARD)' "$stage/said" || fail "check does not name version and level"
grep -q '^--- fruit-value version 1' "$stage/said" || fail "check shows no diff"
grep -q '^+.*{"name":"price","type":"int"}' "$stage/said" || fail "the diff has not the new field"
grep -q oldSchema "$stage/said" && fail "check shows raw messages"
expect_fail 1 "broken.avsc cannot be compared with subject fruit-value" "$weir" schema check "$stage/broken.avsc" --subject fruit-value
grep -q "strin" "$stage/said" || fail "check does not say what is wrong with the schema: $(cat "$stage/said")"
grep -q 'not compatible' "$stage/said" && fail "what is no schema is called not compatible"
schema nojson 'syntax = "proto3"'
expect_fail 1 'nojson.avsc cannot be compared with' "$weir" schema check "$stage/nojson.avsc" --subject fruit-value
grep -q 'line 1' "$stage/said" || fail "check does not say where: $(cat "$stage/said")"
schema v4 '{"type":"record","name":"Fruit","fields":[{"name":"name","type":"int"}]}'
expect_fail 1 'not compatible' "$weir" schema check "$stage/v4.avsc" --subject fruit-value
grep -q 'TYPE_MISMATCH: .*(reader type: INT not compatible with writer type: STRING)$' "$stage/said" ||
    fail "check drops what the types are: $(cat "$stage/said")"
grep -q '^-    {"name":"name","type":"string"}' "$stage/said" || fail "a field has no line of its own: $(cat "$stage/said")"
expect_fail 2 "--subject" "$weir" schema check "$stage/v1.avsc"

say "register says what check says"
expect_fail 1 'v3.avsc is not registered .409.: not compatible' "$weir" schema register fruit-value "$stage/v3.avsc"
grep -q 'not compatible with version 1 (BACKWARD)' "$stage/said" || fail "register does not name version and level"
grep -q '^+.*{"name":"price","type":"int"}' "$stage/said" || fail "register shows no diff"
grep -q oldSchema "$stage/said" && fail "register shows raw messages"
expect_fail 1 'broken.avsc: .*strin' "$weir" schema register fruit-value "$stage/broken.avsc"
: >"$stage/empty.avsc"
printf ' \n\t\n' >"$stage/blank.avsc"
for file in empty blank; do
    expect_fail 1 "$file.avsc is empty" "$weir" schema register fruit-value "$stage/$file.avsc"
    expect_fail 1 "$file.avsc is empty" "$weir" schema check "$stage/$file.avsc" --subject fruit-value
done
expect_fail 2 'argument is empty' "$weir" schema register '' "$stage/v1.avsc"
expect_fail 2 'argument is empty' "$weir" schema check "$stage/v1.avsc" --subject ''
expect_fail 2 'argument is empty' "$weir" schema delete ''
same "$("$weir" schema list)" fruit-value

say "level, show"
same "$("$weir" schema level --global)" 'global: BACKWARD'
same "$("$weir" schema level --global FULL)" 'global: FULL'
same "$("$weir" schema level fruit-value)" 'fruit-value: FULL'
same "$("$weir" schema level fruit-value BACKWARD)" 'fruit-value: BACKWARD'
same "$("$weir" schema level --global backward)" 'global: BACKWARD'
same "$("$weir" schema level fruit-value)" 'fruit-value: BACKWARD'
same "$("$weir" schema level --global)" 'global: BACKWARD'
expect_fail 1 'SOMETIMES|Valid values' "$weir" schema level --global SOMETIMES
expect_fail 2 'FULL is a level.*--global FULL' "$weir" schema level FULL
same "$("$weir" schema level :.:FULL)" ':.:FULL: BACKWARD'
expect_fail 2 'usage.*--global' "$weir" schema level
expect_fail 2 'usage.*--global' "$weir" schema level --global fruit-value FULL
curl -fsS -o "$stage/answer" -X DELETE "$WEIR_REGISTRY_URL/config/fruit-value"
curl -fsS -o "$stage/answer" -X DELETE "$WEIR_REGISTRY_URL/config"
same "$("$weir" schema show --id 1)" "$("$weir" schema show fruit-value)"
same "$("$weir" schema show --id 1 fruit-value)" "$("$weir" schema show fruit-value 1)"
expect_fail 1 'not found' "$weir" schema show --id 999
expect_fail 2 'takes a number' "$weir" schema show --id one
expect_fail 2 'usage.*--id' "$weir" schema show
"$weir" schema list --help | grep -q 'WEIR_REGISTRY_URL=http://NAME:PASSWORD@' || fail "help names no place for a password"

say "export, import"
"$weir" schema register fruit-value "$stage/v2.avsc" >/dev/null
"$weir" schema register 'a/b ü' "$stage/v3.avsc" >/dev/null
curl -fsS -o "$stage/answer" -H 'Content-Type: application/json' "$WEIR_REGISTRY_URL/subjects/basket/versions" -d '{
    "schema": "{\"type\":\"array\",\"items\":\"Fruit\"}", "metadata": {"properties": {"owner": "me"}},
    "references": [{"name": "Fruit", "subject": "fruit-value", "version": 1}]}' || fail "register with a reference"
"$weir" schema level basket FULL >/dev/null
curl -fsS -o "$stage/answer" -X PUT -H 'Content-Type: application/json' "$WEIR_REGISTRY_URL/mode/a%2Fb%20%C3%BC" -d '{"mode":"READONLY"}'
"$weir" schema register :.lab:fruit-value "$stage/v1.avsc" >/dev/null || fail "register in a context"
curl -fsS -o "$stage/answer" -X PUT -H 'Content-Type: application/json' "$WEIR_REGISTRY_URL/config/:.lab:" -d '{"compatibility":"NONE"}'
"$weir" schema delete fruit-value 2 >/dev/null || fail "delete a version"
"$weir" schema export "$stage/lines" || fail "export"
grep -q '"subject":"fruit-value","version":2.*"deleted":true' "$stage/lines" || fail "the deleted version is not in it"
grep -q '"subject":":.lab:fruit-value"' "$stage/lines" || fail "the context is not in it"
grep -q '"mode":"READONLY"' "$stage/lines" || fail "the mode is not in it"
same "$(wc -l <"$stage/lines")" 9
"$weir" schema export >"$stage/stdout" && cmp "$stage/lines" "$stage/stdout" || fail "export to standard output"

start_registry two _other
"$weir" schema import "$stage/lines" | grep -q '^5 versions imported, 0 were there, 4 settings' || fail "import"
"$weir" schema export "$stage/again" && cmp "$stage/lines" "$stage/again" || fail "the copy is another"
curl -fsS "$WEIR_REGISTRY_URL/mode/fruit-value?defaultToGlobal=true" | grep -q READWRITE || fail "the mode stayed"
"$weir" schema import "$stage/lines" | grep -q '^0 versions imported, 5 were there' || fail "import again"
"$weir" schema export "$stage/again" && cmp "$stage/lines" "$stage/again" || fail "a second import changed something"
"$weir" schema register next "$stage/v1.avsc" | grep -q 'id 1$' || fail "an imported schema has another id"
schema other '"long"'
"$weir" schema register next-value "$stage/other.avsc" | grep -q 'id 5$' || fail "ids do not go on behind those imported"
# a subject that has more than the file, and a version that is another
"$weir" schema register fruit-value "$stage/v0.avsc" >/dev/null || fail "register one more"
sed 's/"id":2/"id":7/; s/"version":2/"version":9/' "$stage/lines" | grep '"id":7' >"$stage/more"
expect_fail 1 'more line 1.*existing.*--force' "$weir" schema import "$stage/more"
"$weir" schema import --force "$stage/more" | grep -q '^1 version imported, 0 were there, 0 settings$' || fail "import by force"
sed 's/Fruit/Fruta/g' "$stage/lines" >"$stage/bad"
expect_fail 1 'bad line 1.*another schema' "$weir" schema import "$stage/bad"
printf '{"subject":"x"}\n' >"$stage/bad"
expect_fail 1 'bad line 1.*schema' "$weir" schema import "$stage/bad"
printf '\n{"subject"\n' >"$stage/bad"
expect_fail 1 'bad line 2' "$weir" schema import "$stage/bad"
printf '{"subject":"z","version":1,"id":2,"schema":"\\"bytes\\""}\n' >"$stage/bad"
expect_fail 1 'bad line 1.*Overwrite' "$weir" schema import "$stage/bad"
curl -sS "$WEIR_REGISTRY_URL/mode/z" | grep -q 40409 || fail "mode IMPORT stayed after an error"

start_registry three _third
"$weir" schema import --new-ids "$stage/lines" | grep -q '^4 versions imported, 0 were there, 4 settings$' || fail "import with new ids"
"$weir" schema import --new-ids "$stage/lines" | grep -q '^0 versions imported, 4 were there' || fail "a second import with new ids adds"
same "$("$weir" schema list | tr '\n' ' ')" ":.lab:fruit-value a/b ü basket fruit-value "
for name in one two three broker; do stop $name; done
