#!/bin/sh
# Kafka's Java client: producer, consumer groups, admin, transactions.
. "$(dirname "$0")/../system/stage.sh"
[ "${WEIR_TEST_ALL:-}" = 1 ] || skip "needs the Java client from Maven Central: set WEIR_TEST_ALL=1"
for tool in java mvn; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
"$top/tests/interop/apache-kafka" install >"$stage/install.log" 2>&1 || skip "Maven Central cannot be reached"
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
timeout 300 java -cp "${XDG_CACHE_HOME:-$HOME/.cache}/weir/kafka-4.3.1/lib/*" \
    "$top/tests/interop/JavaClient.java" "$(address broker broker)" 2>"$stage/java.log" || fail "the Java client"
stop broker
