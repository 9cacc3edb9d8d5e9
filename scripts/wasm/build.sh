#!/usr/bin/env bash
# Compiles scripts/wasm/blosc.ts and writes its bytes as src/codecs/blosc-kernel-bytes.ts.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npx --yes --package assemblyscript@0.28.20 asc "$here/blosc.ts" --outFile "$work/blosc.wasm" \
  --runtime stub --enable simd --optimizeLevel 3 --shrinkLevel 1 --noAssert --importMemory --initialMemory 1
{
  echo '/** The module of scripts/wasm/blosc.ts, compiled by scripts/wasm/build.sh; base64. */'
  echo 'export const BLOSC_KERNEL: string ='
  echo "  '$(base64 -w 0 "$work/blosc.wasm")';"
} >"$here/../../src/codecs/blosc-kernel-bytes.ts"
wc -c "$work/blosc.wasm"
