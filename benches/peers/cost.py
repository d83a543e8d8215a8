#!/usr/bin/env python3
"""Measures what a training step costs against the batch and the width, here and in PyTorch, and draws it.

One run alone with one thread on each side, the sides in turn for every point; the other options are
those of compare.py. Writes cost.csv, cost.svg and cost.png into the folder of --out.
"""

import argparse
import csv
import statistics
import sys
from pathlib import Path

from compare import ALONE, EMBEDDED, RUST, TORCH, Bench, binary_or_build, machine

CONDITIONS = ("none", "ln+", "inorm+full")
WIDTHS, BATCHES = (50, 100, 250, 500, 1000), (8, 32, 128, 512)
WIDTH, BATCH = 500, 32
SIDES = {RUST: "ei_norm", TORCH: "PyTorch"}


def steps(width, batch):
    """Enough for a second or more, and no more."""
    work = (width / WIDTH) * (784 + width) / (784 + WIDTH) * (batch / BATCH)
    return int(min(4000, max(100, 1500 / work)))


def measure(options, binary):
    points = {(WIDTH, b) for b in BATCHES} | {(w, BATCH) for w in WIDTHS}
    for width, batch in sorted(points):
        for condition in CONDITIONS:
            options.width, options.batch, options.steps = width, batch, steps(width, batch)
            bench = Bench(options, binary)
            for repeat in range(options.repeats):
                for side in (RUST, TORCH)[:: -1 if repeat % 2 else 1]:
                    bench.measure(condition, ALONE, side, 1, repeat)
            for side in SIDES:
                ms = [m.ms_per_step for m in bench.of(condition, ALONE, side, 1)]
                yield {"condition": condition, "width": width, "batch": batch, "side": SIDES[side],
                       "ms_per_step": round(statistics.median(ms), 4),
                       "fastest": round(min(ms), 4), "slowest": round(max(ms), 4)}
            print(f"width {width}, batch {batch}, {condition}", file=sys.stderr)


def draw(rows, title, out):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    # The colours of the figures that the program draws.
    colours = dict(zip(CONDITIONS, ("#999999", "#000000", "#D55E00")))
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
    for panel, (across, fixed) in zip(panels, (("width", ("batch", BATCH)), ("batch", ("width", WIDTH)))):
        for condition in CONDITIONS:
            for side, line in zip(SIDES.values(), ("o-", "s--")):
                chosen = sorted((r[across], r["ms_per_step"]) for r in rows
                                if (r["condition"], r["side"], r[fixed[0]]) == (condition, side, fixed[1]))
                panel.plot(*zip(*chosen), line, color=colours[condition], markersize=4,
                           fillstyle="full" if line == "o-" else "none", label=f"{condition}, {side}")
        panel.set(xscale="log", yscale="log", xlabel=across, title=f"{fixed[0]} {fixed[1]}")
        panel.set_xticks(WIDTHS if across == "width" else BATCHES)
        panel.get_xaxis().set_major_formatter(matplotlib.ticker.ScalarFormatter())
        panel.minorticks_off()
        panel.grid(alpha=0.3)
    panels[0].set_ylabel("ms a step")
    panels[0].set_yticks([0.1, 0.3, 1, 3, 10, 30])
    panels[0].get_yaxis().set_major_formatter(matplotlib.ticker.ScalarFormatter())
    panels[0].legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    for ending in ("svg", "png"):
        figure.savefig(out / f"cost.{ending}", dpi=150)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("."))
    parser.add_argument("--binary", type=Path, help="a built luminosity; none given = build it")
    parser.set_defaults(epsilon=0.75, data=EMBEDDED.resolve(), precision="highest", fused=False, quick=False)
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("at least 1 repeat")
    options.out.mkdir(parents=True, exist_ok=True)
    rows = list(measure(options, binary_or_build(options.binary)))
    with open(options.out / "cost.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, f"Training step, 784-width-width-10, f32, one thread; {machine()}", options.out)


if __name__ == "__main__":
    main()
