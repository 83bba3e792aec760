#!/bin/sh
# Basic authentication and rights at the registry: the users file as `weir schema user` makes it, 401 and
# 403, lists that show what may be read, a file that changes while the registry runs.
. "$(dirname "$0")/stage.sh"
users=$stage/users.json
registry_args="--listen 127.0.0.1:0 --set authentication.method=BASIC --set authentication.file=$users"

user() {
    name=$1
    shift
    echo "$name-secret" | "$weir" schema user add "$users" "$name" "$@" >/dev/null || fail "user add $name"
}
# ask USER METHOD PATH [BODY]: the status to stdout, the body to $stage/body, headers to $stage/headers
ask() {
    asker=$1 method=$2 path=$3
    shift 3
    curl -sS -o "$stage/body" -D "$stage/headers" -w '%{http_code}' -X "$method" ${asker:+-u "$asker"} \
        -H 'Content-Type: application/json' ${1:+-d "$1"} "http://$registry$path"
}
# expect USER STATUS PATTERN METHOD PATH [BODY]
expect() {
    by=$1 status=$2 pattern=$3
    shift 3
    got=$(ask "${by:+$by:$by-secret}" "$@")
    [ "$got" = "$status" ] || fail "$by $*: status $got instead of $status: $(cat "$stage/body")"
    grep -qE -- "$pattern" "$stage/body" || fail "$by $*: no /$pattern/ in $(cat "$stage/body")"
}

say "the users file"
expect_fail 1 'empty' "$weir" schema user add "$users" nobody
[ ! -e "$users" ] || fail "a user without a password was written"
user root --grant 'Admin=.*'
[ "$(stat -c %a "$users")" = 600 ] || fail "the file of passwords can be read by others"
user reader --grant 'Read=Subject:orders-.*'
user writer --grant 'Read=Subject:.*' --grant 'Write=Subject:(orders|bills)-value'
user nobody
user backup --grant 'Read=Subject:.*' --grant 'Read=Config:.*'
user restore --grant 'Admin=Subject:.*' --grant 'Write=Config:.*'
echo outsider-secret >"$stage/outsider"
grep -q 'secret' "$users" && fail "a password stands in the file"
"$weir" schema user grant "$users" nobody 'Read=Subject:x' && "$weir" schema user revoke "$users" nobody 'Read=Subject:x'
"$weir" schema user list "$users" >"$stage/list"
grep -A1 '^reader$' "$stage/list" | grep -q '  Read=Subject:orders-\.\*' || fail "list: $(cat "$stage/list")"
cp "$users" "$stage/before"
expect_fail 1 'POSIX extended' "$weir" schema user grant "$users" reader 'Read=Subject:('
expect_fail 1 'Read, Write and Admin' "$weir" schema user grant "$users" reader 'Delete=Subject:a'
expect_fail 2 'OPERATION=RESOURCE' "$weir" schema user grant "$users" reader 'Read'
expect_fail 2 'OPERATION=RESOURCE' "$weir" schema user add "$users" reader --grant 'Read'
expect_fail 1 'did you mean Read=Subject:orders-\.\*\?' "$weir" schema user grant "$users" reader 'Read=orders-.*'
expect_fail 1 'did you mean Read=Subject:a\?' "$weir" schema user grant "$users" reader 'Read=subject:a'
expect_fail 1 'did you mean Admin=Config:\?' "$weir" schema user grant "$users" reader 'Admin=config:'
expect_fail 1 'did you mean Read=Subject:Subject\?' "$weir" schema user grant "$users" reader 'Read=Subject'
expect_fail 1 'no user "eve"' "$weir" schema user delete "$users" eve
expect_fail 1 'no permission' "$weir" schema user revoke "$users" reader 'Read=Subject:x'
expect_fail 2 'too few' "$weir" schema user add "$users"
expect_fail 2 'unknown verb' "$weir" schema user ad
"$weir" schema user add --help | grep -q 'standard input' || fail "add --help"
cmp "$users" "$stage/before" || fail "a refused change changed the file"

start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)

say "what is refused at the start"
refused() {
    status=$1 pattern=$2
    shift 2
    expect_fail "$status" "$pattern" "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap" "$@"
}
refused 2 'needs authentication.file' --set authentication.method=BASIC
refused 2 'authentication.method is NONE' --set authentication.file="$users"
refused 1 'nowhere.json' --set authentication.method=BASIC --set authentication.file="$stage/nowhere.json"
refused 2 'NONE.BASIC' --set authentication.method=TOKEN
refused 2 'authentication.roles' --set authentication.roles=admin
refused 1 'skip.paths.*"/metricz"' --set authentication.skip.paths=/health,/metricz
sed 's/scrypt/md5/' "$users" >"$stage/md5.json"
refused 1 'md5.json: users, entry 1.*md5' --set authentication.method=BASIC --set authentication.file="$stage/md5.json"

say "rights"
start registry "$weir" registry $registry_args --bootstrap "$bootstrap"
ready registry
registry=$(address registry registry)
int='{"schema":"\"int\""}' long='{"schema":"\"long\""}' text='{"schema":"\"string\""}'
expect "" 200 '^\{\}$' GET /
expect "" 200 '"authentication":\{"users":6\}' GET /health
expect "" 401 '"error_code":401' GET /subjects
grep -qi '^WWW-Authenticate: Basic realm="Weir schema registry"' "$stage/headers" || fail "no challenge"
grep -qi '^Content-Type: application/vnd.schemaregistry.v1+json' "$stage/headers" || fail "type of 401"
expect "" 401 '"error_code":401' GET /metrics
expect eve 401 'unknown or the password wrong' GET /subjects
[ "$(ask reader:wrong GET /subjects)" = 401 ] || fail "a wrong password"
expect "" 401 401 POST /subjects/orders-value/versions "$int"
expect writer 200 '"id":1' POST /subjects/orders-value/versions "$int"
expect root 200 '"id":2' POST /subjects/stock-value/versions "$long"
expect reader 403 "40301.*User 'reader' is denied operation Write on Subject:orders-value" \
    POST /subjects/orders-value/versions "$int"
expect writer 403 'Write on Subject:stock-value' POST /subjects/stock-value/versions "$long"
expect writer 403 'Write on Subject:stock-value' DELETE /subjects/stock-value
expect writer 403 'Write on Subject:stock-value' DELETE /subjects/stock-value/versions/1
expect writer 403 'Admin on Subject:orders-value' PUT /config/orders-value '{"compatibility":"NONE"}'
expect writer 403 'Admin on Subject:orders-value' PUT /mode/orders-value '{"mode":"READONLY"}'
expect writer 403 'Write on Config:' PUT /config '{"compatibility":"NONE"}'
expect writer 403 'Read on Config:' GET /mode
expect root 200 NONE PUT /config '{"compatibility":"NONE"}'
expect root 200 FULL PUT /config/orders-value '{"compatibility":"FULL"}'
expect reader 200 FULL GET /config/orders-value
expect reader 403 'Read on Subject:stock-value' GET /config/stock-value
expect reader 200 is_compatible POST /compatibility/subjects/orders-value/versions/latest "$int"
expect reader 403 'Read on Subject:stock-value' POST /compatibility/subjects/stock-value/versions/latest "$int"
expect reader 200 '"version":1' POST /subjects/orders-value "$int"
expect reader 403 'Read on Subject:none' GET /subjects/none/versions
expect reader 200 '^\["orders-value"\]$' GET /subjects
expect writer 200 'stock-value' GET /subjects
expect nobody 200 '^\[\]$' GET /subjects
expect reader 200 '^\[\{"subject":"orders-value"[^{]*\}\]$' GET /schemas
expect reader 200 int GET /schemas/ids/1
expect reader 404 "40403.*Schema 2 not found among the subjects that user 'reader' may read" GET /schemas/ids/2
expect reader 404 40403 GET /schemas/ids/2/versions
expect reader 404 "40403.*Schema 99 not found among the subjects that user 'reader' may read" GET /schemas/ids/99
expect root 200 '^\["orders-value"\]$' GET /schemas/ids/1/subjects
expect root 200 '"id":3' POST /subjects/bills-value/versions "$text"
expect writer 200 weir_registry_requests_forbidden_total GET /metrics
curl -fsS "http://reader:reader-secret@$registry/subjects" >/dev/null || fail "credentials in the URL"
"$weir" schema list --registry "http://reader:reader-secret@$registry" | grep -qx orders-value || fail "weir schema list"
expect_fail 1 'denied operation Write' "$weir" schema delete orders-value --registry "http://reader:reader-secret@$registry"

say "references"
item='{"schema":"{\"type\":\"record\",\"name\":\"Item\",\"fields\":[{\"name\":\"hidden\",\"type\":\"int\"}]}"}'
order='{"schema":"{\"type\":\"record\",\"name\":\"Order\",\"fields\":[{\"name\":\"item\",\"type\":\"Item\"}]}",'
order=$order'"references":[{"name":"Item","subject":"items-value","version":1}]}'
holder='{"schema":"{\"type\":\"record\",\"name\":\"Page\",\"fields\":[{\"name\":\"order\",\"type\":\"Order\"}]}",'
holder=$holder'"references":[{"name":"Order","subject":"orders-ref","version":1}]}'
"$weir" schema user add "$users" outsider --grant 'Admin=Subject:out-.*' --grant 'Read=Subject:orders-.*' \
    <"$stage/outsider" >/dev/null || fail "user add outsider"
known() { [ "$(ask outsider:outsider-secret GET /subjects)" = 200 ]; }
until_true 10 known
expect root 200 '"id":' POST /subjects/items-value/versions "$item"
expect root 200 '"id":' POST /subjects/orders-ref/versions "$order"
expect outsider 403 'Read on Subject:items-value' POST /subjects/out-value/versions "$order"
expect outsider 403 'Read on Subject:items-value' POST /subjects/out-value "$order"
expect outsider 403 'Read on Subject:items-value' POST /compatibility/subjects/out-value/versions?verbose=true "$order"
expect outsider 404 40401 GET /subjects/out-value/versions
expect outsider 200 '"id":' POST /subjects/out-value/versions "$holder"
expect outsider 200 items-value GET /subjects/orders-ref/versions/1
id=$(sed -E 's/.*"id":([0-9]+).*/\1/' "$stage/body")
expect outsider 200 'name..:..Order' GET "/schemas/ids/$id"
for path in /subjects/orders-ref/versions/1 /subjects/orders-ref/versions/1/schema /subjects/out-value/versions/1 \
    /subjects/out-value/versions/latest/schema "/schemas/ids/$id" "/schemas/ids/$id/schema"; do
    expect outsider 403 'Read on Subject:items-value' GET "$path?format=resolved"
    grep -q hidden "$stage/body" && fail "$path shows what may not be read"
    expect root 200 hidden GET "$path?format=resolved"
done

say "backup and restore"
expect root 200 FORWARD PUT /config/:.lab: '{"compatibility":"FORWARD"}'
expect root 200 '"id":' POST /subjects/:.lab:orders-value/versions "$int"
expect root 200 READONLY PUT /mode/:.lab: '{"mode":"READONLY"}'
"$weir" schema export "$stage/by-backup" --registry "http://backup:backup-secret@$registry" || fail "export by backup"
"$weir" schema export "$stage/by-root" --registry "http://root:root-secret@$registry" || fail "export by root"
cmp "$stage/by-root" "$stage/by-backup" || fail "the backup is not the whole"
grep -q '":.lab:","config"\|"config":{"compatibilityLevel":"FORWARD"},"subject":":.lab:"' "$stage/by-backup" ||
    fail "the context's settings are not in the backup: $(cat "$stage/by-backup")"
expect_fail 1 'Config:' "$weir" schema export "$stage/part" --registry "http://outsider:outsider-secret@$registry"
leader=$registry
start copy "$weir" registry $registry_args --bootstrap "$bootstrap" --set kafkastore.topic=_copy
ready copy
registry=$(address copy registry)
expect_fail 1 'denied operation' "$weir" schema import "$stage/by-backup" --registry "http://backup:backup-secret@$registry"
"$weir" schema import "$stage/by-backup" --registry "http://restore:restore-secret@$registry" || fail "import by restore"
"$weir" schema export "$stage/again" --registry "http://backup:backup-secret@$registry" && cmp "$stage/by-backup" "$stage/again" ||
    fail "the copy is another"
stop copy
registry=$leader

say "a write that goes to the leader"
start follower "$weir" registry $registry_args --bootstrap "$bootstrap"
ready follower
leader=$registry
registry=$(address follower registry)
expect writer 200 '"version":2' POST /subjects/bills-value/versions '{"schema":"\"bytes\""}'
expect reader 403 'Write on Subject:bills-value' POST /subjects/bills-value/versions "$int"
expect "" 401 401 POST /subjects/bills-value/versions "$int"
expect writer 200 '^weir_registry_forwarded_total 1$' GET /metrics
stop follower
start follower "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap" # asks nobody who he is
ready follower
registry=$(address follower registry)
expect "" 401 401 POST /subjects/bills-value/versions "$int"
grep -qi '^WWW-Authenticate: Basic realm="' "$stage/headers" || fail "no challenge from the leader"
stop follower
registry=$leader

say "a file that changes"
"$weir" schema user delete "$users" writer
gone() { [ "$(ask writer:writer-secret GET /subjects)" = 401 ]; }
until_true 10 gone
echo '{"users":[' >"$users"
told() { ask "" GET /health >/dev/null && grep -q '"users":6,"error":"[^"]*users.json' "$stage/body"; }
until_true 10 told
logged registry 'registry.users-refused .*users.json.*6 users stay' || fail "the log does not tell"
expect reader 200 orders GET /subjects
mv "$stage/before" "$users"
back() { [ "$(ask writer:writer-secret GET /subjects)" = 200 ]; }
until_true 10 back
stop registry

say "open paths, and a listener that others reach"
start registry "$weir" registry $registry_args --bootstrap "$bootstrap" --set authentication.skip.paths=/metrics,/schemas/types
ready registry
registry=$(address registry registry)
expect "" 200 weir_registry GET /metrics
expect "" 200 AVRO GET /schemas/types
expect "" 401 401 GET /subjects
logged registry 'registry.open-to-all' && fail "a warning without reason"
stop registry
start registry "$weir" registry --listen 0.0.0.0:0 --bootstrap "$bootstrap"
ready registry
logged registry 'registry.open-to-all' || fail "no warning"
stop registry
stop broker
