#!/usr/bin/env bash
# The sweeps of docs/when.md, into a folder: docs/results/when/run.sh FOLDER
# From the root of the repository, after `cargo build --release`. What was interrupted goes on when it is called again.
# FOLDER/digits.npz is the second data set; without it that is left out. With scikit-learn these lines make it:
#   mkdir -p FOLDER && sed -n '/^import sys/,/y_test=/p;/y_test=/q' tests/digits.sh | python3 - FOLDER/digits.npz
set -euo pipefail
out=${1:?a folder}
pair=inorm,inorm+full
all=none,ln+,inorm,inorm+full
when=docs/results/when

epochs=10
sweep() {
    local name=$1 conditions=$2
    shift 2
    target/release/luminosity sweep --conditions $conditions --settings 8 --epochs $epochs "$@" --out "$out/$name"
    target/release/luminosity pack "$out/$name" $when/"$name.jsonl.gz"
}

for depth in 1 2; do sweep depth-$depth $pair --epsilons 0.75 --depth $depth; done
for depth in 4 8; do sweep depth-$depth $all --epsilons 0.75 --depth $depth; done
sweep depth-4-clipped $pair --epsilons 0.75 --depth 4 --clip-errors 0.02
for width in 50 100 200 400; do sweep width-$width $pair --epsilons 0.75 --width $width; done
for batch in 8 128; do sweep batch-$batch $pair --epsilons 0.75 --batch-size $batch; done
sweep luminosity $pair --epsilons 0,0.25,0.5
sweep contrast $pair --stimulus contrast --epsilons 0.25,0.5,0.75
sweep drift $pair --stimulus drift --epsilons 0.25,0.5,0.75
mkdir -p "$out"
printf '[ranges]\nlr = [1e-4, 1e-2]\nlr_ei = [1e-4, 1e-2]\nlr_ix = [1e-4, 1e-2]\n' >"$out/adam.toml"
sweep adam $pair --config "$out/adam.toml" --optimizer adam --epsilons 0,0.75

epochs=40
[ ! -e "$out/digits.npz" ] || sweep digits $all --epsilons 0,0.75 --data "$out/digits.npz"
