#!/usr/bin/env python3
"""Draws docs/figures/carry-over.{png,svg} from search.csv and best.csv beside this file."""

import csv
import statistics
from pathlib import Path

HERE = Path(__file__).parent
FIGURE = HERE.parent.parent / "figures" / "carry-over"
CONDITIONS = {
    "none": ("#999999", "no normalization"),
    "inorm": ("#0072B2", "forward only"),
    "inorm+full": ("#D55E00", "forward + error"),
}
NETWORKS = {"conv": "Convolutional", "rnn": "Recurrent"}


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def draw():
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ei-norm"
    import matplotlib.pyplot as plt

    search, best = rows(HERE / "search.csv"), rows(HERE / "best.csv")
    figure, axes = plt.subplots(2, 2, figsize=(8.6, 6.4), layout="constrained")
    for (network, title), (left, right) in zip(NETWORKS.items(), axes):
        for place, (condition, (colour, label)) in enumerate(CONDITIONS.items()):
            values = sorted(
                100 * float(row["test_accuracy"]) for row in search
                if (row["network"], row["condition"]) == (network, condition)
            )
            spread = [place + 0.5 * (i / max(len(values) - 1, 1) - 0.5) for i in range(len(values))]
            left.scatter(spread, values, s=12, color=colour, alpha=0.8, linewidths=0)
            left.hlines(statistics.median(values), place - 0.35, place + 0.35, color=colour, lw=2)
            epochs = {}
            for row in best:
                if (row["network"], row["condition"]) == (network, condition):
                    epochs.setdefault(int(row["epoch"]), []).append(100 * float(row["test_accuracy"]))
            x = sorted(epochs)
            mean = [statistics.mean(epochs[e]) for e in x]
            sd = [statistics.stdev(epochs[e]) for e in x]
            low, high = ([m + s * d for m, d in zip(mean, sd)] for s in (-1, 1))
            right.plot(x, mean, color=colour, label=f"{condition}: {label}")
            right.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
        left.set_xticks(range(len(CONDITIONS)), CONDITIONS)
        left.set_title(f"{title}: 60 settings of the rates, one seed", fontsize=10, loc="left")
        right.set_title("At each condition's best setting, 5 other seeds", fontsize=10, loc="left")
        right.set_xlabel("epoch")
        for axis in (left, right):
            axis.set_ylim(0, 90)
            axis.set_ylabel("test accuracy (%)")
            axis.axhline(10, color="#9ca3af", lw=0.8, ls=":")
            axis.spines[["top", "right"]].set_visible(False)
    axes[0][1].legend(frameon=False, fontsize=8, loc="lower right")
    figure.savefig(FIGURE.with_suffix(".png"), dpi=150)
    figure.savefig(FIGURE.with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    draw()
