#!/bin/sh
# Simulates tomograms on the simulator of commit 0e89387, on which the first network was trained.
#
#     sh training/unet/old-simulator.sh CHECKOUT DIR --first 980000 --count 6 [--noise 1] [--shape 184,256,256]
#
# CHECKOUT is the folder to keep that commit in; it is made where it is missing, and needs no installation of its own. DIR gets a
# copick project, for evaluate-projects.ts. The seeds and noise are those of simulate-seeds.ts, which makes the same project on the
# simulator of today.
set -eu
commit=0e89387
[ $# -ge 2 ] || { echo 'expected: old-simulator.sh CHECKOUT DIR --first SEED [--count N] [--noise N] [--shape Z,Y,X]' >&2; exit 1; }
root=$(cd "$(dirname "$0")/../.." && pwd)
checkout=$1
mkdir -p "$2"
data=$(cd "$2" && pwd)
shift 2
if [ ! -e "$checkout/package.json" ]; then
  git -C "$root" cat-file -e "$commit^{commit}" 2>/dev/null ||
    { echo "commit $commit is not in this clone; get it with: git fetch --unshallow" >&2; exit 1; }
  mkdir -p "$checkout"
  git -C "$root" archive "$commit" | tar -x -C "$checkout"
  ln -s "$root/node_modules" "$checkout/node_modules"
fi
cp "$root/training/unet/simulate-seeds.ts" "$checkout/training/unet/"
cd "$checkout"
exec node_modules/.bin/tsx training/unet/simulate-seeds.ts "$data" "$@"
