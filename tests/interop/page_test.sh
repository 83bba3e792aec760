#!/bin/sh
# page_test.sh [FOLDER]: the registry's page in Chromium: its list, versions, differences and verdicts,
# hostile names, signing in. Pictures of it go to FOLDER.
. "$(dirname "$0")/../system/stage.sh"
[ "${WEIR_TEST_ALL:-}" = 1 ] || skip "needs Chromium: set WEIR_TEST_ALL=1"
command -v python3 >/dev/null || skip "python3 is not installed"
command -v chromium >/dev/null && command -v chromedriver >/dev/null ||
    skip "chromium and chromium-driver are not installed; scripts/deps --all installs them"

size=$(cat "$top"/schema-registry/page/*.html "$top"/schema-registry/page/*.css "$top"/schema-registry/page/*.js \
    "$top"/schema-registry/page/*.svg | wc -c)
[ "$size" -le 30720 ] || fail "the page has grown to $size bytes"

users=$stage/users.json
for name in ann root; do
    [ $name = ann ] && grant='Read=Subject:open.*' || grant='Admin=.*'
    echo secret | "$weir" schema user add "$users" $name --grant "$grant" >/dev/null
done
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
bootstrap=$(address broker broker)
start open "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap"
ready open
start closed "$weir" registry --listen 127.0.0.1:0 --bootstrap "$bootstrap" --set kafkastore.topic=_closed \
    --set authentication.method=BASIC --set authentication.file="$users"
ready closed
closed=$(address closed registry)
for subject in open-value closed-value; do
    curl -fsS -o "$stage/answer" -u root:secret -H 'Content-Type: application/json' \
        "http://$closed/subjects/$subject/versions" -d '{"schema": "\"int\""}' || fail "register $subject"
done
HOME=$stage timeout 240 python3 "$top/tests/interop/page.py" "$(address open registry)" "$closed" "$stage/profile" \
    ${1:+"$1"} || fail "the page"
for name in open closed broker; do stop $name; done
