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
tsx "$here/make-data.ts" "$data" --workers "${WORKERS:-2}" --size "${SIZE:-full}"
"$python" "$here/train.py" --data "$data" --out "$out" --resume "$@"
"$python" "$here/export.py" --out "$out"
tsup --silent --no-dts
tsx --tsconfig bench/tsconfig.json "$here/evaluate.ts" "$data" --model "$out/unet.onnx" --fill
