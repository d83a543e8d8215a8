#!/usr/bin/env python3
"""Draws docs/figures/carry-over.{png,svg} and prints the tables of docs/carry-over.md from the packed stores
conv.jsonl.gz and rnn.jsonl.gz beside this file."""

import gzip
import itertools
import json
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from pairs import effect, paired, rounded  # noqa: E402
FIGURE = HERE.parent.parent / "figures" / "carry-over"
CONDITIONS = {
    "none": ("#999999", "no normalization"),
    "ln+": ("#000000", "LayerNorm"),
    "inorm": ("#0072B2", "forward only"),
    "inorm+full": ("#D55E00", "forward + error"),
}
NETWORKS = {"conv": "Convolutional", "rnn": "Recurrent"}


def records(network):
    """The records of a network's sweep: by condition, by setting."""
    found = {condition: {} for condition in CONDITIONS}
    with gzip.open(HERE / f"{network}.jsonl.gz", "rt") as lines:
        next(lines)  # The request.
        for line in lines:
            record = json.loads(line)
            found[record["condition"]][record["setting"]] = record
    return found


def percent(record):
    return 100 * record["test_accuracy"]


def after(epoch, record):
    """The accuracy after an epoch; that of chance from the epoch on in which the run diverged."""
    history = record["history"]
    return 100 * history[epoch - 1]["test_accuracy"] if epoch <= len(history) else percent(record)


def tables():
    for network in NETWORKS:
        found = records(network)
        print(f"\n{network}: median, best, diverged")
        for condition, runs in found.items():
            values = [percent(record) for record in runs.values()]
            diverged = sum(record["outcome"] == "diverged" for record in runs.values())
            middle, best = rounded(statistics.median(values), 1), rounded(max(values), 1)
            print(f"| `{condition}` | {middle} | {best} | {diverged} |")
        for of, over in itertools.combinations(reversed(CONDITIONS), 2):
            of_each, over_each = ({s: percent(r) for s, r in found[c].items()} for c in (of, over))
            print(f"{of} over {over}: {effect(paired(of_each, over_each))}")


def draw():
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "ei-norm"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(8.6, 6.4), layout="constrained")
    for (network, title), (left, right) in zip(NETWORKS.items(), axes):
        for place, (condition, runs) in enumerate(records(network).items()):
            colour, label = CONDITIONS[condition]
            values = sorted(percent(record) for record in runs.values())
            spread = [place + 0.5 * (i / max(len(values) - 1, 1) - 0.5) for i in range(len(values))]
            left.scatter(spread, values, s=12, color=colour, alpha=0.8, linewidths=0)
            left.hlines(statistics.median(values), place - 0.35, place + 0.35, color=colour, lw=2)
            x = range(1, 1 + max(len(record["history"]) for record in runs.values()))
            quartiles = [
                statistics.quantiles([after(epoch, r) for r in runs.values()], n=4, method="inclusive") for epoch in x
            ]
            low, middle, high = zip(*quartiles)
            right.plot(x, middle, color=colour, label=f"{condition}: {label}")
            right.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
        left.set_xticks(range(len(CONDITIONS)), CONDITIONS)
        left.set_title(f"{title}: {len(runs)} settings of the rates", fontsize=10, loc="left")
        right.set_title("Median and quartiles over the settings", fontsize=10, loc="left")
        right.set_xlabel("epoch")
        for axis in (left, right):
            axis.set_ylim(0, 90)
            axis.set_ylabel("test accuracy (%)")
            axis.axhline(10, color="#9ca3af", lw=0.8, ls=":")
            axis.spines[["top", "right"]].set_visible(False)
    axes[1][1].legend(frameon=False, fontsize=8, loc="upper left")
    figure.savefig(FIGURE.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(FIGURE.with_suffix(".png"), dpi=150)


if __name__ == "__main__":
    tables()
    draw()
