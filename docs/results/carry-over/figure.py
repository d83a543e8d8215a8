#!/usr/bin/env python3
"""Gathers the results of search.sh and best.sh, and draws docs/figures/carry-over.{png,svg}.

figure.py gather SEARCH BEST FULL   writes search.csv, best.csv and full.csv beside this file:
                                    SEARCH has the folders conv, rnn and rnn-unclipped
figure.py draw                      draws from them
"""

import csv
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).parent
FIGURE = HERE.parent.parent / "figures" / "carry-over"
# The colours of the figures that the program draws.
CONDITIONS = {
    "none": ("#999999", "no normalization"),
    "inorm": ("#0072B2", "forward only"),
    "inorm+full": ("#D55E00", "forward + error"),
}
NETWORKS = {"conv": "Convolutional", "rnn": "Recurrent"}
SEARCH_COLUMNS = ["network", "lr", "lr_ix", "lr_ei", "condition", "test_accuracy", "outcome"]


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write(name, columns, records):
    with open(HERE / name, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)


def gather(search, best, full):
    found = []
    for network in ["conv", "rnn", "rnn-unclipped"]:
        for folder in sorted(Path(search, network).iterdir()):
            lr, lr_ix, lr_ei = folder.name.split("-")
            last = {row["condition"]: row for row in rows(folder / "comparison.csv")}
            for condition in CONDITIONS:
                # A run that diverged in its first epoch has no row.
                row = last.get(condition, {"outcome": "diverged"})
                completed = row["outcome"] == "completed"
                found.append({
                    "network": network, "lr": lr, "lr_ix": lr_ix, "lr_ei": lr_ei,
                    "condition": condition, "outcome": row["outcome"],
                    "test_accuracy": row["test_accuracy"] if completed else 0.1,
                })
    write("search.csv", SEARCH_COLUMNS, found)
    for name, source in [("best.csv", best), ("full.csv", full)]:
        runs = []
        for network in NETWORKS:
            for condition in CONDITIONS:
                for row in rows(Path(source, f"{network}-{condition}", "comparison.csv")):
                    runs.append({"network": network, **row})
        write(name, list(runs[0]), runs)


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
    match sys.argv[1:]:
        case ["gather", search, best, full]:
            gather(search, best, full)
        case ["draw"]:
            draw()
        case _:
            sys.exit(__doc__)
