#!/bin/sh
# avro_test.sh AVRO_LINES: random schemas, readers and data, read by lib/serde as by Avro for Java.
. "$(dirname "$0")/../system/stage.sh"
[ "${WEIR_TEST_ALL:-}" = 1 ] || skip "needs Avro for Java from Maven Central: set WEIR_TEST_ALL=1"
for tool in java mvn python3; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
version=1.12.1
home=${XDG_CACHE_HOME:-$HOME/.cache}/weir/avro-$version
if [ ! -f "$home/complete" ]; then
    rm -rf -- "$home"
    mkdir -p "$home"
    cat >"$home/pom.xml" <<X
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weir</groupId><artifactId>avro</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.avro</groupId><artifactId>avro</artifactId><version>$version</version></dependency>
  </dependencies>
</project>
X
    timeout 300 mvn -q -B -Dstyle.color=never -f "$home/pom.xml" \
        org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
        -DoutputDirectory="$home/lib" >"$stage/mvn.log" 2>&1 || skip "Maven Central cannot be reached"
    : >"$home/complete"
fi
cases=$top/tests/interop/avro_cases.py
seed=${AVRO_SEED:-$(date +%j)}
say "10,000 cases of seed $seed"
python3 "$cases" make 10000 "$seed" >"$stage/cases" || fail "make"
"$1" <"$stage/cases" >"$stage/ours" || fail "avro_lines ended with $?"
timeout 300 java -cp "$home/lib/*" "$top/tests/interop/AvroLines.java" <"$stage/cases" >"$stage/theirs" 2>"$stage/java.log" ||
    fail "AvroLines.java"
python3 "$cases" compare "$stage/cases" "$stage/ours" "$stage/theirs" >"$stage/said" || fail "$(cut -c1-2000 "$stage/said")"
cat "$stage/said"
