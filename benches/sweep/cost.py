#!/usr/bin/env python3
"""Measures what a sweep costs beside its training, against the number of its records, and draws it.

The networks are tiny (8 units, 64 images of 8×8 pixels), so that a store of 10,000 real runs takes
minutes. Then, on the full store: `sweep` once more, which finds nothing to do, and `report`. Runs a
minute are of the paper's networks on the embedded images, with one and with two jobs. Writes
sweep-cost.csv, sweep-cost.svg and sweep-cost.png into the folder of --out.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

CONDITIONS, EPSILONS = ("none", "ln+", "inorm", "inorm+full"), (0, 0.75)
RECORDS = (100, 1000, 10000)
JOBS = (1, 2)


def seconds(binary, *arguments):
    begin = time.monotonic()
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.monotonic() - begin


def tiny_data(folder):
    rng = numpy.random.default_rng(0)
    file = folder / "tiny.npz"
    arrays = {f"x_{part}": rng.integers(0, 256, (64, 8, 8), dtype=numpy.uint8) for part in ("train", "test")}
    arrays |= {f"y_{part}": numpy.arange(64) % 10 for part in ("train", "test")}
    numpy.savez(file, **arrays)
    return file


def measure(binary, largest, folder):
    """Rows of (what, count, seconds)."""
    base = ["sweep", "--conditions", ",".join(CONDITIONS)]
    tiny = [*base, "--epsilons", ",".join(map(str, EPSILONS)), "--data", tiny_data(folder), "--epochs", 1]
    for records in (n for n in RECORDS if n <= largest):
        settings = -(-records // (len(CONDITIONS) * len(EPSILONS)))
        store = folder / f"store-{records}"
        sweep = [*tiny, "--width", 8, "--settings", settings, "--out", store]
        yield "sweep", records, seconds(binary, *sweep)
        yield "sweep once more", records, seconds(binary, *sweep)
        yield "report", records, seconds(binary, "report", store, "--out", folder / f"report-{records}")
        packed = folder / f"{records}.jsonl.gz"
        yield "pack", records, seconds(binary, "pack", store, packed)
        yield "report of the packed store", records, seconds(
            binary, "report", packed, "--out", folder / f"packed-{records}")
    for jobs in JOBS:
        sweep = [*base, "--epsilons", 0.75, "--settings", 4, "--epochs", 4, "--jobs", jobs]
        yield f"runs with --jobs {jobs}", 16, seconds(binary, *sweep, "--out", folder / f"jobs-{jobs}")


def draw(rows, out):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=(2, 1))
    named = {"sweep once more": "#0072B2", "report": "#D55E00", "report of the packed store": "#009E73",
             "pack": "#999999"}
    for what, colour in named.items():
        points = [(count, value) for name, count, value in rows if name == what]
        left.plot(*zip(*points), "o-", color=colour, markersize=4, label=what)
    left.set(xscale="log", yscale="log", xlabel="records in the store", ylabel="seconds")
    left.grid(alpha=0.3)
    left.legend(frameon=False, fontsize=8)
    minute = [60 * count / value for name, count, value in rows if name.startswith("runs with")]
    right.bar([f"--jobs {jobs}" for jobs in JOBS], minute, color="#0072B2", width=0.5)
    right.set_ylabel("runs of 4 epochs a minute")
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    for ending in ("svg", "png"):
        figure.savefig(out / f"sweep-cost.{ending}", dpi=150)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--binary", type=Path, default=Path("target/release/luminosity"))
    parser.add_argument("--largest", type=int, default=max(RECORDS), help="the most records of a store")
    parser.add_argument("--out", type=Path, default=Path("."))
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in measure(options.binary.resolve(), options.largest, Path(folder)):
            rows.append(row)
            print(f"{row[0]}, {row[1]}: {row[2]:.2f} s", file=sys.stderr)
    options.out.mkdir(parents=True, exist_ok=True)
    with open(options.out / "sweep-cost.csv", "w", newline="") as file:
        csv.writer(file).writerows([("what", "count", "seconds"),
                                    *((what, count, f"{value:.3f}") for what, count, value in rows)])
    draw(rows, options.out)


if __name__ == "__main__":
    main()
