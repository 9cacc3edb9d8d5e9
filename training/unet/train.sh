#!/bin/sh
# From nothing to a network with its card: simulates the data, trains, exports, chooses thresholds and scores.
#
#     npm run train -- DATA_DIR OUT_DIR [options of train.py]
#
# PYTHON names the interpreter that has requirements.txt. Stopped, it goes on where it was when it is called again.
set -eu
here=$(dirname "$0")
[ $# -ge 2 ] || { echo 'expected: npm run train -- DATA_DIR OUT_DIR [options of train.py]' >&2; exit 1; }
data=$1 out=$2
shift 2
python=${PYTHON:-python3}
# Memory of one step serves the next: fresh pages cost a fifth of the time. Threads that wait leave the core to the crops.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456 OMP_WAIT_POLICY=passive
bfloat16=
grep -qs avx512_bf16 /proc/cpuinfo && bfloat16=--bfloat16
old="$data/old-simulator"
tsx "$here/make-data.ts" "$data" --workers "${WORKERS:-2}" --size "${SIZE:-full}"
sh "$here/old-simulator.sh" "${OLD:-$data/checkout}" make-data.ts "$old" --simulator old \
  --workers "${WORKERS:-2}" --size "${SIZE:-full}"

train() {
  "$python" "$here/train.py" --data "$data" "$old" --resume $bfloat16 "$@"
}
mine() {
  [ -e "$1/false-picks.json" ] ||
    "$python" "$here/mine.py" --data "$data" "$old" --network "$1/best.pt" --out "$1/false-picks.json" $bfloat16
}
# Particles first; then, twice, the peaks at their centres, with the false picks of the network so far.
train --out "$out/ball" "$@"
mine "$out/ball"
train --out "$out/first" "$@" --target peak --start "$out/ball/best.pt" --negatives "$out/ball/false-picks.json" \
  --steps "${LAST_STEPS:-1200}" --rate 1e-3 --seed 20241107
mine "$out/first"
train --out "$out" "$@" --target peak --start "$out/first/best.pt" --negatives "$out/first/false-picks.json" \
  --steps "${LAST_STEPS:-5000}" --rate 2e-3 --seed 20241108 --validate-on 4 --keep-last
"$python" "$here/export.py" --out "$out"
tsup --silent --no-dts
tsx --tsconfig bench/tsconfig.json "$here/evaluate.ts" "$data" --model "$out/default.onnx" --fill
