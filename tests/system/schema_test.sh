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
"$weir" schema check "$stage/v1.avsc" --subject fruit-value | grep -q 'fruit-value: compatible' || fail "check, no subject"
"$weir" schema register fruit-value "$stage/v1.avsc" >/dev/null
"$weir" schema check "$stage/v2.avsc" --subject fruit-value || fail "check of a compatible one"
"$weir" schema check fruit-value "$stage/v2.avsc" || fail "check with two arguments"
expect_fail 1 "not compatible" "$weir" schema check "$stage/v3.avsc" --subject fruit-value
grep -q "'price' at path '/fields/1'" "$stage/said" || fail "check gives no reason: $(cat "$stage/said")"
expect_fail 1 "strin" "$weir" schema check "$stage/broken.avsc" --subject fruit-value
expect_fail 2 "--subject" "$weir" schema check "$stage/v1.avsc"

say "export, import"
"$weir" schema register fruit-value "$stage/v2.avsc" >/dev/null
"$weir" schema register 'a/b ü' "$stage/v3.avsc" >/dev/null
curl -fsS -o "$stage/answer" -H 'Content-Type: application/json' "$WEIR_REGISTRY_URL/subjects/basket/versions" -d '{
    "schema": "{\"type\":\"array\",\"items\":\"Fruit\"}", "metadata": {"properties": {"owner": "me"}},
    "references": [{"name": "Fruit", "subject": "fruit-value", "version": 1}]}' || fail "register with a reference"
"$weir" schema export "$stage/lines" || fail "export"
same "$(wc -l <"$stage/lines")" 4
"$weir" schema export >"$stage/stdout" && cmp "$stage/lines" "$stage/stdout" || fail "export to standard output"

start_registry two _other
"$weir" schema import "$stage/lines" | grep -q '4 versions' || fail "import"
"$weir" schema export "$stage/again" && cmp "$stage/lines" "$stage/again" || fail "the copy is another"
curl -fsS "$WEIR_REGISTRY_URL/mode/fruit-value?defaultToGlobal=true" | grep -q READWRITE || fail "the mode stayed"
expect_fail 1 "line 1.*existing" "$weir" schema import "$stage/lines"
"$weir" schema import --force "$stage/lines" || fail "import again with --force"
"$weir" schema export "$stage/again" && cmp "$stage/lines" "$stage/again" || fail "a second import changed something"
"$weir" schema register next "$stage/v1.avsc" | grep -q 'id 1$' || fail "an imported schema has another id"
schema other '"long"'
"$weir" schema register next-value "$stage/other.avsc" | grep -q 'id 5$' || fail "ids do not go on behind those imported"
printf '{"subject":"x"}\n' >"$stage/bad"
expect_fail 1 'bad line 1.*schema' "$weir" schema import "$stage/bad"
printf '\n{"subject"\n' >"$stage/bad"
expect_fail 1 'bad line 2' "$weir" schema import "$stage/bad"
printf '{"subject":"z","version":1,"id":2,"schema":"\\"bytes\\""}\n' >"$stage/bad"
expect_fail 1 'bad line 1.*Overwrite' "$weir" schema import "$stage/bad"
curl -sS "$WEIR_REGISTRY_URL/mode/z" | grep -q 40409 || fail "mode IMPORT stayed after an error"

start_registry three _third
"$weir" schema import --new-ids "$stage/lines" || fail "import with new ids"
same "$("$weir" schema list | tr '\n' ' ')" "a/b ü basket fruit-value "
for name in one two three broker; do stop $name; done
