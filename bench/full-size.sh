#!/usr/bin/env bash
# Time, peak memory and score of `detect` on full-size simulated tomograms: 184×630×630 with particles at known positions,
# and one twice as long. Needs the built package (npm run build) and GNU time.
# Usage: bash bench/full-size.sh POSITIONS.csv RUN [FOLDER]      (columns: experiment, particle_type, x, y, z in Å)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
positions=$1 run=$2 folder=${3:-$(mktemp -d)}
cli="node $root/dist/cli.js"
mkdir -p "$folder"
head -n 1 "$positions" >"$folder/truth.csv"
grep "^$run," "$positions" >>"$folder/truth.csv"

measured() {
  /usr/bin/time -f "$1: %e s wall, %U s user, %M kB peak" "${@:2}" >/dev/null
}

measured 'simulate 184×630×630' $cli simulate "$folder/single" --positions "$folder/truth.csv" --seed 1
measured 'detect   184×630×630' $cli detect "$folder/single/copick.json" --submission "$folder/submission.csv"
$cli score --truth "$folder/truth.csv" --submission "$folder/submission.csv"
measured 'simulate 184×1260×630' $cli simulate "$folder/double" --runs 1 --seed 1 --shape 184,1260,630
measured 'detect   184×1260×630' $cli detect "$folder/double/copick.json"
