#!/usr/bin/env bash
# Each condition of docs/carry-over.md at the rates that its search found: best.sh OUT [options]
set -euo pipefail
out=$1
compare() {
    target/release/luminosity --network "$1" --conditions "$2" --lr "$3" --lr-ix "$4" --lr-ei "$5" \
        --epochs 10 --out "$out/$1-$2" "${@:6}"
}
compare conv none 0.1 0.001 0.001 "${@:2}"
compare conv inorm 0.01 0.001 0.0001 "${@:2}"
compare conv inorm+full 0.01 0.01 0.0001 "${@:2}"
compare rnn none 0.03 0.01 0.0001 "${@:2}"
compare rnn inorm 0.03 0.001 0.001 "${@:2}"
compare rnn inorm+full 0.003 0.1 0.01 "${@:2}"
