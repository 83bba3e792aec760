#!/bin/sh
# registry_test.sh python|go|javascript|java|kcat: clients of Confluent's registry against the broker and the registry.
. "$(dirname "$0")/../system/stage.sh"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir
# Clients that are downloaded are kept there for the next time, each in the version that is pinned.
downloads() {
    [ "${WEIR_TEST_ALL:-}" = 1 ] || skip "needs $1: set WEIR_TEST_ALL=1"
    command -v "$2" >/dev/null || skip "$2 is not installed"
}
python_client() {
    downloads "confluent-kafka from PyPI" python3
    venv=$cache/confluent-kafka-2.16.0
    if [ ! -f "$venv/complete" ]; then
        mkdir -p "$cache"
        rm -rf -- "$venv"
        python3 -m venv "$venv" >"$stage/venv.log" 2>&1 || skip "python3 -m venv does not work"
        timeout 300 "$venv/bin/pip" install -q 'confluent-kafka[avro,schemaregistry]==2.16.0' \
            >"$stage/pip.log" 2>&1 || skip "confluent-kafka cannot be had from PyPI"
        : >"$venv/complete"
    fi
    python=$venv/bin/python
}
# go.mod and go.sum beside the program pin what it is built of.
go_client() {
    downloads "modules of confluent-kafka-go and franz-go" go
    (cd "$top/tests/interop/registry_go" && GOFLAGS=-mod=mod GOTOOLCHAIN=local timeout 400 \
        go build -o "$stage/client" . >"$stage/go.log" 2>&1) && return
    ! grep -qE 'dial tcp|no such host|requires go' "$stage/go.log" ||
        skip "it cannot be built here: $(tail -1 "$stage/go.log")"
    fail "go build"
}
javascript_client() {
    downloads "@confluentinc/schemaregistry and @kafkajs/confluent-schema-registry from npm" npm
    modules=$cache/registry-javascript-1.10.1-4.1.0
    if [ ! -f "$modules/complete" ]; then
        rm -rf -- "$modules"
        mkdir -p "$modules"
        echo '{"private":true}' >"$modules/package.json"
        timeout 400 npm install --prefix "$modules" --no-audit --no-fund --ignore-scripts \
            @confluentinc/schemaregistry@1.10.1 @kafkajs/confluent-schema-registry@4.1.0 \
            >"$stage/npm.log" 2>&1 || skip "its packages cannot be had from npm"
        : >"$modules/complete"
    fi
}
# Confluent's own packages are not on Maven Central; Flink's Avro format carries its client.
java_client() {
    downloads "flink-sql-avro-confluent-registry from Maven Central" mvn
    jars=$cache/registry-java-2.0.0
    [ ! -f "$jars/complete" ] || return 0
    rm -rf -- "$jars"
    mkdir -p "$jars"
    cat >"$jars/pom.xml" <<X
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir</groupId><artifactId>registry-client</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.flink</groupId><artifactId>flink-sql-avro-confluent-registry</artifactId><version>2.0.0</version></dependency>
    <dependency><groupId>com.google.guava</groupId><artifactId>guava</artifactId><version>33.4.0-jre</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
X
    timeout 400 mvn -q -B -Dstyle.color=never -f "$jars/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DoutputDirectory="$jars" -DincludeScope=runtime >"$stage/mvn.log" 2>&1 ||
        skip "its packages cannot be had from Maven Central"
    : >"$jars/complete"
}

case $1 in
python) python_client ;;
go) go_client ;;
javascript) javascript_client ;;
java) java_client ;;
kcat)
    command -v kcat >/dev/null || skip "kcat is not installed; scripts/deps --test installs it"
    kcat -V | grep -q Avro || skip "this kcat is built without Avro"
    ;;
*) fail "which client? python, go, javascript, java or kcat" ;;
esac

start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready registry
registry=http://$(address registry registry)

case $1 in
python)
    timeout 200 "$python" "$top/tests/interop/registry_client.py" "$bootstrap" "$registry" \
        2>"$stage/python.log" || fail "Confluent's Python client"
    ;;
go)
    timeout 60 "$stage/client" "$registry" 2>"$stage/client.log" || fail "the Go clients"
    ;;
javascript)
    NODE_PATH=$modules/node_modules timeout 60 node "$top/tests/interop/registry_client.js" "$registry" \
        2>"$stage/client.log" || fail "the JavaScript clients"
    ;;
java)
    timeout 100 java -cp "$jars/*" "$top/tests/interop/RegistryClient.java" "$registry" \
        2>"$stage/client.log" || fail "Confluent's Java client"
    ;;
kcat)
    "$weir" topic create flights --partitions 1 --bootstrap "$bootstrap" >/dev/null
    printf '%s' '{"type":"record","name":"Flight","fields":[{"name":"id","type":"int"},
        {"name":"gate","type":["null","string"]},{"name":"at","type":{"type":"map","values":"long"}}]}' \
        >"$stage/flight.avsc"
    "$weir" schema register flights-value "$stage/flight.avsc" --registry "$registry" >/dev/null
    echo '{"id":7,"gate":"B4","at":{"x":1}}' | "$weir" produce flights --format avro \
        --registry "$registry" --bootstrap "$bootstrap" || fail "weir produce"
    timeout 60 kcat -b "$bootstrap" -C -t flights -e -q -s value=avro -r "$registry" >"$stage/read" ||
        fail "kcat cannot read Avro"
    grep -q '"id": *7' "$stage/read" && grep -q '"B4"' "$stage/read" ||
        fail "kcat read $(cat "$stage/read")"
    ;;
esac
stop registry
stop broker
