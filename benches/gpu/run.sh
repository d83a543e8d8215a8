#!/bin/bash
# Measures luminosity on the GPU of this machine, beside PyTorch and JAX: see README.md here.
#   benches/gpu/run.sh FOLDER [PART...]
# FOLDER has the programs luminosity, parity and grad_norm, built for the device, as they are or as programs.tar.xz.
# What fails, or takes too long, is skipped and said; the rest goes on. Everything is printed.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(cd "${1:?the folder with the programs}" && pwd)
shift
parts=${*:-parity single population vmap gradnorm lite}
device=${DEVICE:-cuda}
out=${OUT:-$PWD/gpu-results}
python=${PYTHON:-python3}
mkdir -p "$out"
work=$(mktemp -d)
if [ -f "$folder/programs.tar.xz" ]; then tar xJf "$folder/programs.tar.xz" -C "$work"; else cp "$folder"/{luminosity,parity,grad_norm} "$work"; fi
cd "$work" || exit 1
start=$SECONDS

# try SECONDS NAME COMMAND...: its output, or why there is none.
try() {
    local limit=$1 name=$2 began=$SECONDS
    shift 2
    timeout -k 5 "$limit" "$@" 2>"$out/stderr"
    local code=$?
    case $code in
        0) ;;
        124 | 137) echo "SKIPPED $name: longer than $limit s" ;;
        *) echo "SKIPPED $name: exit status $code: $(grep -v '^ *[0-9]*:\|^ *at ' "$out/stderr" | tail -3 | cut -c1-300)" ;;
    esac
    echo "# $name took $((SECONDS - began)) s, $((SECONDS - start)) s since the start"
}

# What a sweep of so many runs of one setting says of its first record.
sweep() {
    local networks=$1 condition=$2 steps=$3
    rm -rf store
    printf 'conditions = ["%s"]\nepsilons = [0.75]\nsettings = 0\nseeds = %s\nsteps = %s\nwidth = 500\n' \
        "$condition" "$networks" "$steps" >request.toml
    ./luminosity sweep --config request.toml --device "$device" --population "$networks" --out store >/dev/null || return
    "$python" - "$networks" "$condition" <<'P'
import glob, json, sys
records = [json.load(open(path)) for path in glob.glob("store/runs/*.json")]
runs = [record.get("record", record) for record in records]
timing = runs[0]["timing"]
ms, networks = timing["ms_per_step"], int(sys.argv[1])
print(json.dumps({"who": "ei_norm", "condition": sys.argv[2], "population": networks, "made": len(runs),
                  "together": timing.get("population"), "replayed": timing.get("replayed"), "ms_per_step": round(ms, 4),
                  "network_steps_per_second": round(1e3 * networks / ms), "seconds": round(timing["seconds"], 1)}))
P
}

single() {
    local condition=$1
    ./luminosity train --device "$device" --condition "$condition" --width 500 --steps 300 --json >record.json || return
    "$python" -c 'import json; r = json.load(open("record.json")); print(json.dumps({"who": "ei_norm", "condition": r["condition"], "ms_per_step": r["timing"]["ms_per_step"], "replayed": r["timing"].get("replayed"), "test_accuracy": r["test_accuracy"], "seconds": r["timing"]["seconds"]}))'
}

peer() {
    "$python" "$root/benches/peers/$@"
}

export -f sweep single peer
export root python device

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null
grep -m1 'model name' /proc/cpuinfo
for part in $parts; do
    echo "== $part"
    case $part in
        parity) try 150 parity ./parity "$root/tests/golden" --device "$device" | tail -12 ;;
        single)
            for condition in none ln+ inorm inorm+full; do
                try 60 "one run, $condition" bash -c "single $condition"
                [ "$condition" = inorm ] && continue
                try 40 "PyTorch, $condition" bash -c "peer twin.py --device cuda --condition $condition --steps 1500"
                try 40 "PyTorch, CUDA graphs, $condition" bash -c "peer twin.py --device cuda --graphs --condition $condition --steps 1500"
                try 40 "JAX, $condition" bash -c "peer jax_twin.py --condition $condition --steps 1500"
            done
            ;;
        population)
            for condition in ${CONDITIONS:-inorm+full ln+}; do
                for networks in ${POPULATIONS:-1 8 30 120 480}; do
                    try 90 "population of $networks, $condition" bash -c "sweep $networks $condition ${STEPS:-300}"
                done
            done
            ;;
        vmap)
            for networks in ${POPULATIONS:-1 8 30 120 480}; do
                for precision in default highest; do
                    try 60 "JAX vmap of $networks, $precision" bash -c "peer jax_twin.py --condition inorm+full --population $networks --steps 600 --precision $precision --cores \$(seq -s, 0 \$((\$(nproc) - 1)))"
                done
            done
            ;;
        gradnorm) try 60 gradnorm ./grad_norm --bench "on a GPU" --warm-up-time 1 --measurement-time 2 --noplot ;;
        lite)
            try "${LITE_SECONDS:-300}" lite ./luminosity sweep --preset lite --device "$device" --out lite
            ./luminosity pack lite "$out/lite.json" 2>/dev/null
            ;;
    esac
done
