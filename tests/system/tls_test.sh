#!/bin/sh
# A registry behind TLS: whose certificate is trusted, a certificate of one's own, a token; for the command line, a
# worker's pipelines and connectors. Nothing secret is shown.
. "$(dirname "$0")/stage.sh"
command -v openssl >/dev/null && command -v python3 >/dev/null || skip "no openssl, or no python3"
same() { [ "$1" = "$2" ] || fail "wanted '$2', got '$1'"; }

say "certificates"
cd "$stage"
new="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
{
    openssl req -x509 $new -nodes -days 2 -subj /CN=authority -keyout authority.key -out authority.pem
    openssl req -x509 $new -nodes -days 2 -subj /CN=stranger -keyout stranger.key -out stranger.pem
    for name in server client; do
        openssl req $new -nodes -subj /CN=$name -keyout $name.key -out $name.csr
        echo "subjectAltName=DNS:localhost" >$name.ext
        openssl x509 -req -in $name.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile $name.ext -out $name.pem
    done
    openssl ec -aes128 -passout pass:key-secret -in client.key -out locked.key
    cat client.pem locked.key >client-both.pem
    openssl pkcs12 -export -in client.pem -inkey client.key -passout pass:key-secret -out client.p12
} >openssl.out 2>&1 || fail "openssl: $(cat openssl.out)"

start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
WEIR_BOOTSTRAP=$(address broker broker)
export WEIR_BOOTSTRAP
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$WEIR_BOOTSTRAP"
ready registry
plain=$(address registry registry)
start front python3 "$top/tests/system/tls_front.py" "$stage/front.port" "$plain" server.pem server.key token-secret
start strict python3 "$top/tests/system/tls_front.py" "$stage/strict.port" "$plain" server.pem server.key token-secret authority.pem
until_true 30 test -s "$stage/front.port"
until_true 30 test -s "$stage/strict.port"
front=https://localhost:$(cat "$stage/front.port") strict=https://localhost:$(cat "$stage/strict.port")
echo '{"type":"record","name":"shop.Fruit","fields":[{"name":"name","type":"string"}]}' >v1.avsc
for topic in fruit out; do "$weir" topic create $topic --partitions 1 >/dev/null; done
ca=ssl.ca.location=authority.pem token=bearer.auth.token=token-secret
once="--serde max.retries=1 --serde retries.wait.ms=1"

say "whom to trust, and a token"
WEIR_REGISTRY_URL=$front
export WEIR_REGISTRY_URL
"$weir" schema register fruit-value v1.avsc --serde $ca --serde $token || fail "register"
same "$("$weir" schema list --serde $ca --serde $token)" fruit-value
same "$("$weir" schema list --serde schema.registry.ssl.truststore.location=authority.pem --serde schema.registry.ssl.truststore.type=PEM \
    --serde bearer.auth.credentials.source=STATIC_TOKEN --serde $token)" fruit-value
same "$("$weir" schema list --serde "schema.registry.ssl.truststore.certificates=$(cat authority.pem)" --serde $token)" fruit-value
expect_fail 1 'certificate' "$weir" schema list --serde $token
grep -q 'hint: .*ssl.ca.location' "$stage/said" || fail "what to do? $(cat "$stage/said")"
expect_fail 1 'certificate' "$weir" schema list --serde ssl.ca.location=stranger.pem --serde $token
expect_fail 1 'localhost|127.0.0.1|host name' "$weir" schema list --registry "https://127.0.0.1:$(cat "$stage/front.port")" --serde $ca --serde $token
expect_fail 1 '401.*Unauthorized' "$weir" schema list --serde $ca
expect_fail 1 '401' "$weir" schema list --serde $ca --serde bearer.auth.token=other-secret
grep -q secret "$stage/said" && fail "the token is shown: $(cat "$stage/said")"
expect_fail 2 'PKCS #12.*' "$weir" schema list --serde ssl.ca.location=client.p12 --serde $token

say "a certificate of one's own"
WEIR_REGISTRY_URL=$strict
expect_fail 1 'registry GET localhost' "$weir" schema list --serde $ca --serde $token $once
mine="--serde $ca --serde $token --serde ssl.certificate.location=client.pem --serde ssl.key.location=client.key"
same "$("$weir" schema list $mine)" fruit-value
grep -q 'GET /subjects.* client$' strict.out || fail "the certificate was not shown: $(cat strict.out)"
same "$("$weir" schema list --serde $ca --serde $token --serde schema.registry.ssl.keystore.location=client-both.pem \
    --serde schema.registry.ssl.key.password=key-secret)" fruit-value
same "$("$weir" schema list --serde $ca --serde $token --serde "schema.registry.ssl.keystore.certificate.chain=$(cat client.pem)" \
    --serde "schema.registry.ssl.keystore.key=$(cat client.key)")" fruit-value
expect_fail 1 'registry GET localhost' "$weir" schema list --serde $ca --serde $token --serde schema.registry.ssl.keystore.location=client-both.pem \
    --serde schema.registry.ssl.key.password=wrong-secret $once
grep -q secret "$stage/said" && fail "the password is shown: $(cat "$stage/said")"

say "a worker"
cat >fruit.lua <<L
local weir = require "weir"
weir.stream("fruit", { value = "avro" }):to("out", { value = "avro", schema = "v1.avsc" })
L
cat >sink.json <<J
{"name": "sink", "config": {"connector.class": "file-sink", "file": "$stage/sink.txt", "topics": "out", "format": "jsonl",
 "value.converter": "io.confluent.connect.avro.AvroConverter", "value.converter.schema.registry.url": "$front",
 "value.converter.ssl.ca.location": "$stage/authority.pem", "value.converter.bearer.auth.token": "\${file:$stage/tokens:registry}"}}
J
echo "registry = token-secret" >tokens
cat >worker.properties <<P
schema.registry.url=$strict
ssl.ca.location=$stage/authority.pem
ssl.certificate.location=$stage/client.pem
ssl.key.location=$stage/client.key
bearer.auth.token=token-secret
P
sed 's/, schema = "v1.avsc"//; s/"out"/"fruit"/' fruit.lua >latest.lua
"$weir" pipeline --registry "$strict" $mine latest.lua >/dev/null || fail "a pipeline asks for the latest version"
expect_fail 1 'latest.lua:2.*certificate' "$weir" pipeline --registry "$front" --serde $token latest.lua
start worker "$weir" worker --listen 127.0.0.1:0 --bootstrap "$WEIR_BOOTSTRAP" --config "$stage/worker.properties" --data "$stage/state" \
    "$stage/fruit.lua" --connector "$stage/sink.json"
ready worker
echo '{"name":"pear"}' | "$weir" produce fruit --format avro $mine || fail "produce"
in_sink() { grep -q pear "$stage/sink.txt"; }
until_true 60 in_sink
same "$("$weir" consume out --from beginning --until-end --format avro $mine)" '{"name":"pear"}'
"$weir" schema list $mine | grep -qx out-value || fail "the pipeline has not registered its schema"
grep -l secret "$stage/worker.log" "$stage/registry.log" && fail "a secret is in a log"
stop worker
kill_hard front
kill_hard strict
for name in registry broker; do stop $name; done
