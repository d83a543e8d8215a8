#!/usr/bin/env python3
"""Draws docs/figures/first-steps.{png,svg} and writes first-steps.csv: deep networks in their first steps.

    cargo build --release
    python3 docs/results/when/first_steps.py target/release/luminosity

Trains the eight settings of depth-4.jsonl.gz with two, four and eight hidden layers for 0 steps (one step with
learning rates of 1e-12), and with four for 1 to 40 steps. Reads from each record λ_max, the largest eigenvalue of the
covariance of the errors that reach a layer, and the variance of its pre-activations. All values are medians over the
settings. A minute or two.
"""

import csv
import gzip
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIGURES = HERE.parent.parent / "figures"
STEPS = [1, 2, 3, 4, 5, 7, 10, 20, 40]
RATES = ["lr", "lr_ei", "lr_ix"]
COLOURS = {"none": "#999999", "ln+": "#000000", "inorm": "#0072B2", "inorm+full": "#D55E00"}


def settings():
    with gzip.open(HERE / "depth-4.jsonl.gz") as file:
        records = [json.loads(line) for line in file][1:]
    return [r for r in records if r["condition"] == "inorm"]


def train(luminosity, condition, depth, steps, setting):
    options = {"condition": condition, "depth": depth, "epsilon": 0.75, "steps": max(steps, 1)}
    options |= {name: setting[name] for name in ("seed", "width")}
    options |= {name.replace("_", "-"): setting[name] if steps else 1e-12 for name in RATES}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    output = subprocess.run([luminosity, "train", "--json", *arguments], check=True, capture_output=True, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def rows(luminosity):
    conditions = [*COLOURS, "inorm+center", "inorm+scale"]
    untrained = [(condition, depth, 0) for condition in conditions for depth in (2, 4, 8)]
    trained = [(condition, 4, steps) for condition in ("inorm", "inorm+full") for steps in STEPS]
    for condition, depth, steps in untrained + trained:
        runs = [train(luminosity, condition, depth, steps, setting) for setting in settings()]
        for layer in range(depth):
            yield {"condition": condition, "depth": depth, "steps": steps, "layer": layer + 1,
                   "lambda_max": statistics.median(run["lambda_max"][layer] for run in runs),
                   "mean": statistics.median(run["moments"][layer]["mean"] for run in runs),
                   "variance": statistics.median(run["moments"][layer]["variance"] for run in runs)}


def draw(rows):
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ei-norm"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.3), layout="constrained", width_ratios=[1, 1.1, 1.1])
    for condition, colour in COLOURS.items():
        own = [r for r in rows if (r["condition"], r["depth"], r["steps"]) == (condition, 8, 0)]
        style = "s--" if condition == "ln+" else "o-"
        axes[0].plot([r["layer"] for r in own], [r["lambda_max"] for r in own], style, color=colour, label=condition,
                     markersize=4)
    axes[0].set_title("before the first step: λ_max of the errors", fontsize=8, loc="left")
    axes[0].set_xlabel("hidden layer (of 8)")
    axes[0].set_xticks(range(1, 9))
    axes[0].legend(frameon=False, fontsize=8)
    for axis, condition in zip(axes[1:], ("inorm", "inorm+full")):
        for layer in range(4):
            own = [r for r in rows if (r["condition"], r["depth"], r["layer"]) == (condition, 4, layer + 1)]
            axis.plot([r["steps"] for r in own], [r["variance"] for r in own], "o-", markersize=4,
                      color=COLOURS[condition], alpha=1 - 0.22 * layer, label=f"layer {layer + 1}")
        axis.set_title(f"{condition}, 4 layers: variance of pre-activations", fontsize=8, loc="left")
        axis.set_xscale("symlog", linthresh=1)
        axis.set_xticks([0, 1, 2, 5, 10, 20, 40], ["0", "1", "2", "5", "10", "20", "40"])
        axis.set_ylim(0.3, 1e5)
        axis.set_xlabel("steps")
        axis.legend(frameon=False, fontsize=8, loc="upper left")
    for axis in axes:
        axis.set_yscale("log")
        axis.minorticks_off()
        axis.spines[["top", "right"]].set_visible(False)
    for ending in ("svg", "png"):
        figure.savefig(FIGURES / f"first-steps.{ending}", dpi=150)


def main():
    luminosity = sys.argv[1] if len(sys.argv) > 1 else "target/release/luminosity"
    table = list(rows(luminosity))
    with open(FIGURES / "first-steps.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        for row in table:
            numbers = {name: f"{row[name]:.4g}" for name in ("lambda_max", "mean", "variance")}
            writer.writerow(row | numbers)
    draw(table)


if __name__ == "__main__":
    main()
