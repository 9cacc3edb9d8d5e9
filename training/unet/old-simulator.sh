#!/bin/sh
# Simulates tomograms on the simulator of commit 0e89387, on which the first network was trained.
#
#     sh training/unet/old-simulator.sh CHECKOUT make-data.ts DIR --simulator old [--workers 2]
#     sh training/unet/old-simulator.sh CHECKOUT simulate-seeds.ts DIR --first 980000 --count 6 [--noise 1] [--shape 184,256,256]
#
# CHECKOUT is the folder to keep that commit in; it is made where it is missing, and needs no installation of its own. The programs
# are those of today and take the same options, so that they make the same projects on either simulator.
set -eu
commit=0e89387
[ $# -ge 3 ] || { echo 'expected: old-simulator.sh CHECKOUT make-data.ts|simulate-seeds.ts DIR [options of the program]' >&2; exit 1; }
root=$(cd "$(dirname "$0")/../.." && pwd)
checkout=$1
program=$2
mkdir -p "$3"
data=$(cd "$3" && pwd)
shift 3
if [ ! -e "$checkout/package.json" ]; then
  git -C "$root" cat-file -e "$commit^{commit}" 2>/dev/null ||
    { echo "commit $commit is not in this clone; get it with: git fetch --unshallow" >&2; exit 1; }
  mkdir -p "$checkout"
  git -C "$root" archive "$commit" | tar -x -C "$checkout"
  ln -s "$root/node_modules" "$checkout/node_modules"
fi
for file in make-data.ts simulate-seeds.ts splits.ts; do cp "$root/training/unet/$file" "$checkout/training/unet/"; done
cd "$checkout"
exec node_modules/.bin/tsx "training/unet/$program" "$data" "$@"
