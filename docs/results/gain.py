#!/usr/bin/env python3
"""Draws docs/figures/gain.{png,svg} and writes gain.csv: the gain of inorm+full over inorm in three units.

    python3 docs/results/gain.py docs/results/lite/report "8 settings, 10 epochs"

Further pairs of a report's folder and its name are drawn beside it. The gain of a setting is the difference of the
test accuracies of its two runs: in points, in percent of the accuracy of inorm, and in percent of its error.
"""

import csv
import statistics
import sys
from pathlib import Path

FIGURES = Path(__file__).parent.parent / "figures"
UNITS = {
    "points": lambda forward, full: 100 * (full - forward),
    "% of the accuracy": lambda forward, full: 100 * (full - forward) / forward,
    "% of the error": lambda forward, full: 100 * (full - forward) / (1 - forward),
}
COLOURS = ["#D55E00", "#0072B2"]


def gains(report):
    """The gain of each setting in each unit, by ε and unit."""
    with open(Path(report) / "runs.csv", newline="") as file:
        runs = {(r["condition"], float(r["epsilon"]), r["setting"]): float(r["test_accuracy"])
                for r in csv.DictReader(file)}
    found = {}
    for (condition, epsilon, setting), forward in sorted(runs.items()):
        full = runs.get(("inorm+full", epsilon, setting))
        if condition == "inorm" and full is not None:
            for unit, gain in UNITS.items():
                found.setdefault((epsilon, unit), []).append(gain(forward, full))
    return found


def draw(series):
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ei-norm"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
    epsilons = sorted({epsilon for _, found in series for epsilon, _ in found})
    for axis, unit in zip(axes, UNITS):
        for i, (name, found) in enumerate(series):
            for place, epsilon in enumerate(epsilons):
                own = found.get((epsilon, unit), [])
                if own:
                    x = place + 0.28 * (i - (len(series) - 1) / 2)
                    spread = [x + 0.16 * ((k + 0.5) / len(own) - 0.5) for k in range(len(own))]
                    axis.plot(spread, own, "o", color=COLOURS[i], alpha=0.4, markersize=4, markeredgewidth=0)
                    axis.hlines(statistics.median(own), x - 0.12, x + 0.12, color=COLOURS[i], lw=2.5)
            axis.plot([], [], "o", color=COLOURS[i], label=name)
        axis.axhline(0, color="#9ca3af", lw=0.8, ls=":")
        axis.set_xticks(range(len(epsilons)), [f"{e:g}" for e in epsilons])
        axis.set_xlim(-0.5, len(epsilons) - 0.5)
        axis.set_xlabel("ε")
        axis.set_title(unit, fontsize=10, loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("gain of inorm+full over inorm", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    for ending in ("svg", "png"):
        figure.savefig(FIGURES / f"gain.{ending}", dpi=150)


def main():
    reports, names = sys.argv[1::2], sys.argv[2::2]
    if not reports or len(reports) != len(names):
        sys.exit(__doc__)
    series = [(name, gains(report)) for report, name in zip(reports, names)]
    with open(FIGURES / "gain.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["runs", "epsilon", "unit", "settings", "lowest", "median", "highest"])
        for name, found in series:
            for (epsilon, unit), own in found.items():
                three = [min(own), statistics.median(own), max(own)]
                writer.writerow([name, epsilon, unit, len(own), *[f"{value:.2f}" for value in three]])
    draw(series)


if __name__ == "__main__":
    main()
