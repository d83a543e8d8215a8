#!/usr/bin/env bash
# Several processes beside each other: bash tests/processes.sh target/release/examples/luminosity
# Over one store, by xargs and by GNU parallel (where there is one), with some of them killed; and in parts
# that share no folder and are put together. Every store must be that of one process.
set -euo pipefail
luminosity=$(realpath "$1")
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export sweep="$luminosity sweep --conditions ln+,inorm --settings 3 --width 50 --epochs 2 --jobs 1"

fail() { echo "processes: FAILED: $*"; exit 1; }
same() { python3 tests/same_store.py "$scratch/alone" "$scratch/$1" || fail "$1"; }
$sweep --out "$scratch/alone" &>/dev/null

echo "four processes over one store, by xargs"
seq 4 | xargs -P 4 -I{} $sweep --out "$scratch/xargs" &>/dev/null
same xargs

echo "four processes over one store, two of them killed: the others make their runs"
for _ in 1 2 3 4; do
    $sweep --out "$scratch/killed" >>"$scratch/log" 2>&1 &
    process+=($!)
done
until [ "$(find "$scratch/killed/runs" -name "*.json" 2>/dev/null | wc -l)" -ge 1 ]; do sleep 0.1; done
kill -9 "${process[0]}" "${process[1]}"
wait "${process[2]}" "${process[3]}"
! wait "${process[0]}" "${process[1]}" 2>/dev/null || fail "a process ended before it was killed"
[ "$(grep -c "complete: 12 of 12" "$scratch/log")" = 2 ] || fail "not two that say that all is done"
$sweep --out "$scratch/killed" &>/dev/null # Clears away what they left, such as half a record.
same killed

if parallel --version 2>/dev/null | grep -q GNU; then
    echo "parts 1 to 4 of 4 over one store, by GNU parallel"
    parallel --will-cite -j 4 "$sweep --out $scratch/parallel --shard {}/4" ::: 1 2 3 4 &>/dev/null
    same parallel
fi

echo "parts 1 to 3 of 3, each in a folder of its own, and one folder made of them"
for part in 1 2 3; do $sweep --out "$scratch/part-$part" --shard $part/3 &>/dev/null; done
for part in 1 2 3; do "$luminosity" unpack "$scratch/part-$part" "$scratch/whole" 2>/dev/null; done
same whole
$sweep --out "$scratch/whole" &>/dev/null # Finds nothing left to do.
same whole
