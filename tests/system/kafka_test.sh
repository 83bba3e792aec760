#!/bin/sh
# The same worker and the same files on a real Apache Kafka: the result equals SQL to the row and digit.
# Needs Java and Maven, which fetch Kafka by its package coordinates.
. "$(dirname "$0")/stage.sh"
[ -n "${WEIR_TEST_ALL-}" ] || skip "needs Java and Maven; scripts/test --all installs and runs it"
command -v java >/dev/null || skip "no java; scripts/deps --all installs it"
command -v mvn >/dev/null || skip "no mvn; scripts/deps --all installs it"
"$top/tests/interop/apache-kafka" install >"$stage/install.log" 2>&1 ||
    skip "Apache Kafka cannot be fetched: $(grep -m1 ERROR "$stage/install.log" || tail -1 "$stage/install.log")"
postgres
connectors
start kafka "$top/tests/interop/apache-kafka" run "$stage/kafka"
bootstrap=
has_kafka() {
    running kafka || fail "Kafka ended by itself"
    [ -s "$stage/kafka/bootstrap" ] && bootstrap=$(cat "$stage/kafka/bootstrap") &&
        "$weir" topic list --bootstrap "$bootstrap" --timeout 2s >/dev/null 2>&1
}
until_true 90 has_kafka
say "Apache Kafka at $bootstrap"
start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready registry
start worker "$weir" worker --listen 127.0.0.1:0 --bootstrap "$bootstrap" \
    --registry "http://$(address registry registry)" --data "$stage/state" "$flights/delays.lua" $connector_args
ready worker
worker=http://$(address worker worker)
caught_up() {
    running worker || fail "the worker ended by itself"
    curl -fsS -m 10 "$worker/health" | grep -q '"caught_up": *true'
}
until_true 200 caught_up
verdict=$("$top/scripts/flights-compare" "$FLIGHTS_PG_URL") || fail "the result differs: $verdict"
say "$verdict"
