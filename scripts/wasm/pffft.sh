#!/usr/bin/env bash
# Writes the bytes of PFFFT's WebAssembly module, as its package has them, into the sources: bash scripts/wasm/pffft.sh
# The package's own JavaScript asks for a file beside it and for modules of Node, which bundlers for browsers refuse.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=0.4.2

npm pack --silent --pack-destination "$work" "@echogarden/pffft-wasm@$version" >"$work/name"
tar -xzf "$work/$(cat "$work/name")" -C "$work"
{
  echo "/** PFFFT (Julien Pommier; see NOTICE), as @echogarden/pffft-wasm $version compiled it with SIMD; scripts/wasm/pffft.sh; base64. */"
  echo "export const PFFFT_MODULE: string ="
  echo "  '$(base64 -w 0 "$work/package/dist/simd/pffft.wasm")';"
} >"$here/../../src/wasm/pffft.ts"
wc -c "$work/package/dist/simd/pffft.wasm"
