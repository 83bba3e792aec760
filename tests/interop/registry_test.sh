#!/bin/sh
# registry_test.sh python|kcat: clients of Confluent's registry against the broker and the registry.
. "$(dirname "$0")/../system/stage.sh"

# Confluent's Python client in a virtual environment that is kept for the next time.
python_client() {
    [ "${WEIR_TEST_ALL:-}" = 1 ] || skip "needs confluent-kafka from PyPI: set WEIR_TEST_ALL=1"
    command -v python3 >/dev/null || skip "python3 is not installed"
    cache=${XDG_CACHE_HOME:-$HOME/.cache}/weir
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

case $1 in
python) python_client ;;
kcat)
    command -v kcat >/dev/null || skip "kcat is not installed; scripts/deps --test installs it"
    kcat -V | grep -q Avro || skip "this kcat is built without Avro"
    ;;
*) fail "which client? python or kcat" ;;
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
