#!/usr/bin/env bash
# The search of learning rates of docs/carry-over.md: search.sh NETWORK OUT [options]
set -euo pipefail
network=$1 out=$2
for lr in 0.001 0.003 0.01 0.03 0.1; do
    for lr_ix in 0.001 0.01 0.1 1; do
        for lr_ei in 0.0001 0.001 0.01; do
            folder=$out/$lr-$lr_ix-$lr_ei
            [ -e "$folder/comparison.csv" ] && continue
            target/release/luminosity --network "$network" --conditions none,inorm,inorm+full \
                --epochs 10 --seed 100 --seeds 1 \
                --lr $lr --lr-ix $lr_ix --lr-ei $lr_ei --out "$folder" "${@:3}"
        done
    done
done
