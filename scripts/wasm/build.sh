#!/usr/bin/env bash
# Compiles the modules of this folder and writes their bytes into the sources: bash scripts/wasm/build.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile MODULE TARGET CONSTANT
compile() {
  npx --yes --package assemblyscript@0.28.20 asc "$here/$1.ts" --outFile "$work/$1.wasm" \
    --runtime stub --enable simd --optimizeLevel 3 --shrinkLevel 1 --noAssert --importMemory --initialMemory 1
  {
    echo "/** The module of scripts/wasm/$1.ts, compiled by scripts/wasm/build.sh; base64. */"
    echo "export const $3: string ="
    echo "  '$(base64 -w 0 "$work/$1.wasm")';"
  } >"$here/../../src/$2"
  wc -c "$work/$1.wasm"
}

compile blosc codecs/blosc-kernel-bytes.ts BLOSC_KERNEL
compile softmax inference/softmax-kernel-bytes.ts SOFTMAX_KERNEL
compile maxima peaks/maxima-kernel-bytes.ts MAXIMA_KERNEL
