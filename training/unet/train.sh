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
grep -qs avx512_bf16 /proc/cpuinfo && set -- --bfloat16 "$@"
tsx "$here/make-data.ts" "$data" --workers "${WORKERS:-2}" --size "${SIZE:-full}"
"$python" "$here/train.py" --data "$data" --out "$out/ball" --resume "$@"
"$python" "$here/train.py" --data "$data" --out "$out" --resume "$@" \
  --target peak --start "$out/ball/best.pt" --steps "${LAST_STEPS:-1200}" --rate 1e-3
"$python" "$here/export.py" --out "$out"
tsup --silent --no-dts
tsx --tsconfig bench/tsconfig.json "$here/evaluate.ts" "$data" --model "$out/default.onnx" --fill
