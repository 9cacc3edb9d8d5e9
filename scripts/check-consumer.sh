#!/usr/bin/env bash
# Installs the packed package into an empty folder, as a user would, and uses it: types, library, command line.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$1
mkdir -p "$folder"
cp "$root"/scripts/consumer/* "$folder"/
package=$(cd "$root" && npm pack --silent --ignore-scripts --pack-destination "$folder" | tail -n 1)
size=$(stat -c %s "$folder/$package")
echo "packed: $package, $size bytes"
[ "$size" -le $((5 * 1024 * 1024)) ] || { echo "the package is larger than 5 MiB"; exit 1; }

cd "$folder"
# onnxruntime-node downloads GPU libraries after installing; the setting keeps it from that, as the README tells users.
npm install --no-audit --no-fund "./$package" onnxruntime-node@1.30.0 typescript@6.0.3 @types/node@20
npx tsc -p tsconfig.json
# A page's program: the library of browsers alone, no types of Node, declarations checked.
npx tsc -p tsconfig.web.json
node consumer.mjs
npx cryoet-picks --version
npx cryoet-picks simulate project --runs 1 --seed 7 --shape 48,96,96
npx cryoet-picks view --export site --json
grep -q '"isExport": true' site/session.json && test -s site/main.js
npx cryoet-picks detect project/copick.json --submission submission.csv --json >detect.json
npx cryoet-picks score --truth project/copick.json --submission submission.csv
