#!/bin/sh
# The schema registry on the broker, each as a process: the REST interface as its clients use it, the
# record format of its topic, kill -9 after an answer, a broker that comes later and goes away.
. "$(dirname "$0")/stage.sh"

# ask STATUS PATTERN METHOD PATH [BODY]: the answer must have that status and match.
ask() {
    want=$1 pattern=$2 method=$3 path=$4
    shift 4
    status=$(curl -sS -m 60 -o "$stage/answer" -w '%{http_code}' -X "$method" \
        -H 'Content-Type: application/vnd.schemaregistry.v1+json' ${1:+--data-binary "$1"} \
        "$registry$path") || fail "$method $path: no answer"
    [ "$status" = "$want" ] || fail "$method $path: $status $(cat "$stage/answer"), not $want"
    grep -qE -- "$pattern" "$stage/answer" ||
        fail "$method $path: $(cat "$stage/answer") does not match /$pattern/"
}
start_registry() {
    start registry "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
    ready registry
    registry=http://$(address registry registry)
}
start_broker() {
    start broker "$weir" broker --data "$stage/data" --listen "$1"
    ready broker
    bootstrap=$(address broker broker)
}
record() { printf '{"schema":"{\\"type\\":\\"record\\",\\"name\\":\\"R\\",\\"fields\\":[%s]}"}' "$1"; }
field() { printf '{\\"name\\":\\"%s\\",\\"type\\":\\"%s\\"%s}' "$1" "$2" "${3:+,\\\"default\\\":$3}"; }

start_broker 127.0.0.1:0
start_registry

say "register, look up, read"
ask 200 '^\{"id":1,"version":1' POST /subjects/flights-value/versions "$(record "$(field id int)")"
ask 200 '^\{"id":1,"version":1' POST /subjects/flights-value/versions "$(record "$(field id int)")"
ask 200 '"version":1,"id":1' POST /subjects/flights-value "$(record "$(field id int)")"
ask 200 '"schema":' GET /schemas/ids/1
ask 200 '^\["flights-value"\]$' GET /subjects
ask 404 '"error_code":40401' GET /subjects/none/versions
ask 404 '"error_code":40402' GET /subjects/flights-value/versions/2
ask 404 '"error_code":40403' GET /schemas/ids/2
ask 422 '"error_code":42201' POST /subjects/flights-value/versions '{"schema":"{"}'
ask 422 '"error_code":42202' GET /subjects/flights-value/versions/zero
ask 422 '"error_code":42203' PUT /config '{"compatibility":"most"}'

say "an incompatible schema is refused by name of the field"
ask 409 "\"error_code\":409.*'delay' at path '/fields/1'.*has no default value" \
    POST /subjects/flights-value/versions "$(record "$(field id int),$(field delay int)")"
ask 200 '"is_compatible":false' POST /compatibility/subjects/flights-value/versions/latest \
    "$(record "$(field id int),$(field delay int)")"
ask 200 '^\{"id":2,"version":2' POST /subjects/flights-value/versions \
    "$(record "$(field id int),$(field delay int 0)")"
ask 200 'FORWARD' PUT /config/flights-value '{"compatibility":"forward"}'

say "kill -9 after an answer: it is there after the restart"
ask 200 '^\{"id":3,"version":1' POST /subjects/last/versions '{"schema":"\"long\""}'
kill_hard registry
start_registry
ask 200 '"id":3' GET /subjects/last/versions/latest
ask 200 'FORWARD' GET /config/flights-value

say "an id is never given twice"
ask 200 '^\[1\]$' DELETE /subjects/last
ask 200 '^\[1\]$' DELETE '/subjects/last?permanent=true'
ask 404 '"error_code":40403' GET /schemas/ids/3
stop registry
start_registry
ask 200 '^\{"id":4,"version":1' POST /subjects/last/versions '{"schema":"\"long\""}'

say "16 clients at the same time"
if command -v python3 >/dev/null; then
    timeout 60 python3 "$top/tests/system/registry_writers.py" "${registry#http://}" 2>"$stage/writers.log" ||
        fail "16 clients"
    kill_hard registry
    start_registry
    ask 200 '"is_compatible":true' POST /compatibility/subjects/line3/versions/latest "$(record "$(field a int 0)" | sed s/R/Line/)"
fi

say "the broker goes away and comes back, and /health says so"
health() { # STATUS PATTERN
    [ "$(curl -sS -m 30 -o "$stage/health" -w '%{http_code}' "$registry/health")" = "$1" ] && grep -qE -- "$2" "$stage/health"
}
ready_metric() { curl -sS -m 30 "$registry/metrics" | grep -q "^weir_registry_ready $1\$"; }
until_true 20 health 200 '"status":"ok".*"lag":0'
until_true 20 ready_metric 1
stop broker
until_true 20 health 503 '"status":"no-broker".*"lag":null.*"message":"no broker of [^"]*refused'
until_true 20 ready_metric 0
logged registry 'warn +registry\.no-broker .*refused' || fail "the log does not say that no broker answers"
ask 200 '"id":1' GET /subjects/flights-value/versions/1
ask 500 '"error_code":50002.*not acknowledged in 5000 ms: .*refused' POST /subjects/away/versions '{"schema":"\"bytes\""}'
start_broker "$bootstrap"
until_true 30 health 200 '"status":"ok".*"lag":[0-9]'
logged registry 'registry\.broker-again' || fail "the log does not say that a broker answers again"
registered() {
    curl -sS -m 30 -X POST -H 'Content-Type: application/json' -d '{"schema":"\"bytes\""}' \
        "$registry/subjects/away/versions" | grep -q '^{"id":'
}
until_true 60 registered
say "it ends without its broker too"
stop broker
stop registry

say "it ends when its topic has been deleted and the broker is gone, too"
start_broker "$bootstrap"
start orphan "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap" --set kafkastore.topic=_orphans
ready orphan
"$weir" topic delete _orphans --bootstrap "$bootstrap"
registry=http://$(address orphan registry)
until_true 20 health 503 '"status":"no-topic".*"message":"topic _orphans is not there any more'
logged orphan 'registry.no-topic topic _orphans is not there any more' || fail "the log does not name the lost topic"
logged orphan 'registry.no-broker' && fail "a lost topic is called a lost broker"
kill_hard broker
stop orphan

say "a registry that is started before its broker"
start early "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
until_true 20 logged early 'registry\.waiting'
start_broker "$bootstrap"
ready early
registry=http://$(address early registry)
ask 200 '"id":4' GET /subjects/last/versions/latest
stop early
stop broker
