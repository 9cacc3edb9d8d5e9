#!/usr/bin/env bash
# Compiles the modules of this folder and writes their bytes into the sources: bash scripts/wasm/build.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

modules="$here/../../src/wasm/modules.ts"

# compile MODULE CONSTANT
compile() {
  npx --yes --package assemblyscript@0.28.20 asc "$here/$1.ts" --outFile "$work/$1.wasm" \
    --runtime stub --enable simd --optimizeLevel 3 --shrinkLevel 1 --noAssert --importMemory --initialMemory 1
  {
    echo "/** The module of scripts/wasm/$1.ts, compiled by scripts/wasm/build.sh; base64. */"
    echo "export const $2: string ="
    echo "  '$(base64 -w 0 "$work/$1.wasm")';"
  } >>"$work/modules.ts"
  wc -c "$work/$1.wasm"
}

compile softmax SOFTMAX_KERNEL
echo >>"$work/modules.ts"
compile maxima MAXIMA_KERNEL
echo >>"$work/modules.ts"
compile blosc BLOSC_KERNEL
echo >>"$work/modules.ts"
compile fft FFT_KERNEL
mv "$work/modules.ts" "$modules"
