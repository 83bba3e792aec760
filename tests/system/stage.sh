# Stage: where a system test plays; sourced by each of them. A temporary folder, processes that end
# with the test whatever happens, and waiting for conditions.
#
#   $weir, $top, $stage            the program, the tree, this test's folder
#   start NAME CMD…                runs it in the background; its stderr is $stage/NAME.log
#   ready NAME                     waits until it says so; then `address NAME ROLE` gives HOST:PORT
#   until_true SECONDS CMD…        polls; fails the test when it does not come true
#   stop NAME / kill_hard NAME     SIGTERM and status 0 wanted / SIGKILL
#   fail TEXT, skip TEXT, say TEXT
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
weir=${WEIR:-$top/build/release/weir}
flights=$top/examples/flights
unset WEIR # it would be taken for an option by what is started
stage=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX")
chmod 755 "$stage"
names=

say() { echo "--- $*"; }
fail() {
    echo "FAILED: $*" >&2
    for log in "$stage"/*.log; do
        [ -f "$log" ] && {
            echo "== ${log##*/}" >&2
            tail -25 "$log" >&2
        }
    done
    exit 1
}
skip() {
    echo "SKIP: $*"
    exit 77
}

pid_of() { cat "$stage/$1.pid"; }
running() { [ -f "$stage/$1.pid" ] && kill -0 "$(pid_of "$1")" 2>/dev/null; }

clean_stage() {
    status=$?
    trap '' INT TERM HUP EXIT
    for name in $names; do
        if running "$name"; then kill -KILL "$(pid_of "$name")" 2>/dev/null || true; fi
    done
    "$top/scripts/private-postgres" stop "$stage/postgres" 2>/dev/null || true
    umount "$stage/small" 2>/dev/null || true
    rm -rf -- "$stage"
    exit $status
}
trap clean_stage EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

start() {
    name=$1
    shift
    case " $names " in *" $name "*) ;; *) names="$names $name" ;; esac
    : >"$stage/$name.log"
    # Ends with this script even when ctest kills it.
    setpriv --pdeathsig KILL "$@" 2>>"$stage/$name.log" >"$stage/$name.out" &
    echo $! >"$stage/$name.pid"
}

until_true() {
    limit=$1
    shift
    end=$(($(date +%s) + limit))
    until "$@"; do
        [ "$(date +%s)" -lt $end ] || fail "not within $limit s: $*"
        sleep 0.05
    done
}

is_ready() {
    grep -q ' weir\.ready ' "$stage/$1.log" && return 0
    running "$1" || fail "$1 ended before it was ready"
    return 1
}
ready() { until_true "${2:-60}" is_ready "$1"; }
address() { sed -n "s/.* weir\\.ready .*$2 \\([^, ]*\\).*/\\1/p" "$stage/$1.log" | tail -1; }
logged() { grep -qE -- "$2" "$stage/$1.log"; }

stop() {
    kill -TERM "$(pid_of "$1")"
    wait "$(pid_of "$1")" || fail "$1 ended with status $? on SIGTERM"
}
kill_hard() {
    kill -KILL "$(pid_of "$1")"
    wait "$(pid_of "$1")" 2>/dev/null || true
}

# What a command must say when it must fail: expect_fail STATUS PATTERN CMD…
expect_fail() {
    want=$1 pattern=$2
    shift 2
    got=0
    timeout 60 "$@" >"$stage/said" 2>&1 </dev/null || got=$?
    [ "$got" = "$want" ] || fail "'$*' gave status $got instead of $want and said: $(cat "$stage/said")"
    grep -qE -- "$pattern" "$stage/said" || fail "'$*' does not say /$pattern/ but: $(cat "$stage/said")"
}

postgres() {
    FLIGHTS_PG_URL=$("$top/scripts/private-postgres" start "$stage/postgres") || skip "no PostgreSQL server"
    export FLIGHTS_PG_URL
}
query() { psql -X -q -A -t -F' ' "$FLIGHTS_PG_URL" -c "$1" 2>/dev/null; }
# Late flights counted so far in PostgreSQL.
counted() { query "SELECT coalesce(sum(late), 0)::bigint FROM delays_by_airport" || echo 0; }

# The example's connectors with another flights file: writes them to $stage and names them.
connectors() {
    sed "s|\"flights.csv\"|\"${1:-$flights/flights.csv}\"|; s|\"flights.avsc\"|\"$flights/flights.avsc\"|" \
        "$flights/flights-source.json" >"$stage/flights-source.json"
    sed "s|\"airports\\.|\"$flights/airports.|" "$flights/airports-source.json" >"$stage/airports-source.json"
    FLIGHTS_OUT=$stage/delays.jsonl
    export FLIGHTS_OUT
    connector_args="--connector $stage/airports-source.json --connector $stage/flights-source.json
        --connector $flights/delays-postgres.json --connector $flights/delays-file.json"
}
ports="--listen 127.0.0.1:0 --registry 127.0.0.1:0 --worker 127.0.0.1:0 --http 127.0.0.1:0"
