#!/bin/sh
# Builds the image and runs the flights through the compose topology: broker, registry, two workers,
# PostgreSQL. Needs a Docker engine and base images; says why it skips.
. "$(dirname "$0")/stage.sh"
[ -n "${WEIR_TEST_ALL-}" ] || skip "needs Docker; scripts/test --all installs and runs it"
command -v docker >/dev/null || skip "no docker command; scripts/deps --all installs it"
compose="docker compose"
docker compose version >/dev/null 2>&1 || compose=docker-compose
command -v ${compose%% *} >/dev/null || skip "no docker compose; scripts/deps --all installs it"

project=
# What docker made goes before the engine, the engine before its folder and its mounts.
clean_engine() {
    result=$?
    trap '' INT TERM HUP EXIT
    [ -z "$project" ] || {
        [ $result = 0 ] || $project logs --tail 15 2>&1 || true
        $project down -v >/dev/null 2>&1 || true
    }
    if [ -f "$stage/dockerd.pid" ]; then
        kill -TERM "$(pid_of dockerd)" 2>/dev/null || true
        wait "$(pid_of dockerd)" || true
        awk -v under="$stage/docker/" 'index($2, under) == 1 { print $2 }' /proc/mounts | sort -r |
            xargs -r umount -l || true
    else
        docker rmi -f weir-test weir-base weir-postgres >/dev/null 2>&1 || true
    fi
    rm -rf -- "$stage"
    exit $result
}
trap clean_engine EXIT

engine=
if ! docker info >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] || skip "no Docker engine answers, and only root could start one"
    command -v dockerd >/dev/null || skip "no Docker engine answers and there is no dockerd to start"
    mkdir -p "$stage/docker"
    DOCKER_HOST=unix://$stage/docker/socket
    export DOCKER_HOST
    start dockerd dockerd -H "$DOCKER_HOST" --data-root "$stage/docker/data" \
        --exec-root "$stage/docker/exec" --pidfile "$stage/docker/pid"
    up() { docker info >/dev/null 2>&1 || ! running dockerd; }
    until_true 60 up
    running dockerd || skip "dockerd cannot run on this machine: $(grep -i 'fail\|error' "$stage/dockerd.log" | tail -1)"
    engine=own
fi

# A base image from a registry, or one made here from Debian's packages.
base=debian:12-slim
if ! docker pull -q $base >/dev/null 2>&1; then
    command -v debootstrap >/dev/null || skip "cannot pull $base, and no debootstrap to make one"
    say "cannot pull $base; making a base image by debootstrap"
    debootstrap --variant=minbase bookworm "$stage/base" >"$stage/debootstrap.log" 2>&1 ||
        skip "debootstrap failed: $(tail -1 "$stage/debootstrap.log")"
    tar -C "$stage/base" -c . | docker import - weir-base >/dev/null
    base=weir-base
fi
postgres=postgres:15
if ! docker pull -q $postgres >/dev/null 2>&1; then
    say "cannot pull $postgres; making one"
    mkdir "$stage/pg"
    cat >"$stage/pg/Dockerfile" <<D
FROM $base
RUN apt-get update -q && apt-get install -y -q --no-install-recommends postgresql-15
ENV PATH=/usr/lib/postgresql/15/bin:\$PATH
USER postgres
RUN initdb -D /tmp/pg -U weir -A trust >/dev/null && echo "host all all all trust" >>/tmp/pg/pg_hba.conf \
    && echo "listen_addresses='*'" >>/tmp/pg/postgresql.conf \
    && pg_ctl -D /tmp/pg -w start && createdb -U weir -h /var/run/postgresql weir && pg_ctl -D /tmp/pg -w stop
CMD ["postgres", "-D", "/tmp/pg"]
D
    DOCKER_BUILDKIT=0 docker build --network host -t weir-postgres "$stage/pg" >"$stage/pg-image.log" 2>&1 ||
        fail "the PostgreSQL image cannot be built"
    postgres=weir-postgres
fi

say "the image"
DOCKER_BUILDKIT=0 docker build --network host --build-arg BASE=$base -t weir-test -f "$top/deploy/Dockerfile" "$top" \
    >"$stage/image.log" 2>&1 || fail "the image cannot be built"
docker run --rm weir-test version || fail "the image does not run"
[ "$(docker run --rm --entrypoint id weir-test -u)" != 0 ] || fail "the image runs as root"

say "the topology"
WEIR_IMAGE=weir-test POSTGRES_IMAGE=$postgres
export WEIR_IMAGE POSTGRES_IMAGE
project="$compose -p weirtest$$ -f $top/deploy/compose.yaml"
$project up -d --no-build >"$stage/up.log" 2>&1 || fail "compose up failed"
total=$(awk -F, 'NR > 1 && $2 >= 15' "$flights/flights.csv" | wc -l)
all_counted() {
    [ "$($project exec -T postgres psql -X -q -A -t -U weir -d weir -c \
        'SELECT sum(late) FROM delays_by_airport' 2>/dev/null)" = "$total" ]
}
until_true 180 all_counted
say "$total late flights counted in PostgreSQL"
[ "$engine" != own ] || say "by an engine of this test's own"
