#!/bin/sh
# Every request in every version the broker offers, well formed and not: interop_sweep (sweep.c).
. "$(dirname "$0")/../system/stage.sh"
start broker "$weir" broker --data "$stage/data" --listen 127.0.0.1:0
ready broker
"$weir" topic create sweep --bootstrap "$(address broker broker)" >/dev/null
for seed in ${SWEEP_SEEDS:-1 2}; do
    timeout 150 "$INTEROP_SWEEP" "$(address broker broker)" "$seed" || fail "the sweep with seed $seed"
done
running broker || fail "the broker ended"
stop broker
