#!/bin/sh
# rdkafka_test.sh CASE: one case of interop_client (cases.h) against a broker of its own.
. "$(dirname "$0")/../system/stage.sh"
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
timeout 150 "$INTEROP_CLIENT" "$(address broker broker)" "$1" || fail "$1 with librdkafka"
stop broker
