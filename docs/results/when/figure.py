#!/usr/bin/env python3
"""Draws docs/figures/when.{png,svg} and writes when.csv from the packed stores beside this file.

    python3 docs/results/when/figure.py target/release/luminosity

The numbers are those of `luminosity report`: the median of the paired differences of the settings, its 95 %
interval and Wilcoxon's p, exact.
"""

import csv
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FIGURES = HERE.parent.parent / "figures"
FORWARD, FULL = "inorm", "inorm+full"
# Panels: title, then (label, store, ε) of each point.
PANELS = [
    ("hidden layers", [(str(d), f"depth-{d}", 0.75) for d in (1, 2, 4, 8)]),
    ("width", [(str(w), f"width-{w}", 0.75) for w in (50, 100, 200, 400)]),
    ("batch", [("8", "batch-8", 0.75), ("32", "depth-2", 0.75), ("128", "batch-128", 0.75)]),
    ("optimizer (ε = 0.75)", [("sgd", "depth-2", 0.75), ("adam", "adam", 0.75)]),
    ("luminosity, ε", [(str(e), "luminosity", e) for e in (0, 0.25, 0.5)] + [("0.75", "depth-2", 0.75)]),
    ("contrast, ε", [("0", "luminosity", 0)] + [(str(e), "contrast", e) for e in (0.25, 0.5, 0.75)]),
    ("slow drift of luminosity, ε", [("0", "luminosity", 0)] + [(str(e), "drift", e) for e in (0.25, 0.5, 0.75)]),
    ("8×8 digits, ε", [("0", "digits", 0), ("0.75", "digits", 0.75)]),
]


def report(luminosity, store, folder):
    """The rows of a table of the store's report, by name of the table."""
    out = Path(folder) / store
    if not out.exists():
        subprocess.run([luminosity, "report", HERE / f"{store}.jsonl.gz", "--out", out],
                       check=True, capture_output=True)
    tables = {}
    for name in ("effects", "statistics"):
        with open(out / f"{name}.csv", newline="") as file:
            tables[name] = list(csv.DictReader(file))
    return tables


def points(luminosity):
    with tempfile.TemporaryDirectory() as folder:
        for panel, places in PANELS:
            for label, store, epsilon in places:
                tables = report(luminosity, store, folder)
                at = [r for r in tables["effects"] if float(r["epsilon"]) == epsilon]
                effect = next(r for r in at if (r["condition"], r["against"]) == (FULL, FORWARD))
                medians = {r["condition"]: r for r in tables["statistics"] if float(r["epsilon"]) == epsilon}
                row = {"against": panel, "value": label, "store": store, "epsilon": epsilon,
                       "pairs": effect["pairs"], "higher": effect["higher"]}
                for name in ("difference", "difference_low_95", "difference_high_95"):
                    row[name] = round(float(effect[name]), 3)
                row["p"] = effect["p"]
                for condition in ("none", "ln+", FORWARD, FULL):
                    found = medians.get(condition)
                    row[f"median {condition}"] = found and round(float(found["median"]), 2)
                    row[f"diverged {condition}"] = found and found["diverged"]
                yield row


def draw(rows):
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ei-norm"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(10.5, 5.2), layout="constrained")
    panels = [(name, [r for r in rows if r["against"] == name]) for name, _ in PANELS]
    for axis, (name, own) in zip(axes.flat, panels):
        x = range(len(own))
        middle = [r["difference"] for r in own]
        errors = [[r["difference"] - r["difference_low_95"] for r in own],
                  [r["difference_high_95"] - r["difference"] for r in own]]
        axis.errorbar(x, middle, yerr=errors, fmt="o-", color="#D55E00", capsize=3, markersize=5)
        axis.axhline(0, color="#9ca3af", lw=0.8, ls=":")
        axis.set_xticks(x, [r["value"] for r in own])
        axis.set_xlim(-0.5, len(own) - 0.5)
        axis.set_title(name, fontsize=10, loc="left")
        if max(middle, default=0) > 20:
            axis.set_yscale("symlog", linthresh=10)
            axis.set_yticks([0, 5, 10, 50], ["0", "5", "10", "50"])
            axis.set_ylim(-2, 100)
        else:
            axis.set_ylim(-2, 16)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[:, 0]:
        axis.set_ylabel("gain of inorm+full over inorm (points)", fontsize=8)
    for ending in ("svg", "png"):
        figure.savefig(FIGURES / f"when.{ending}", dpi=150)


def main():
    luminosity = sys.argv[1] if len(sys.argv) > 1 else "target/release/luminosity"
    rows = list(points(luminosity))
    with open(FIGURES / "when.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    draw(rows)


if __name__ == "__main__":
    main()
