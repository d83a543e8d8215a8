#!/usr/bin/env python3
"""Which rate makes accuracy jump from epoch to epoch? For forward only (`inorm`) in 30 settings, the rank correlation
of a run's jumps (the standard deviation of its test accuracy over the last ten epochs) with each learning rate, and p
of a permutation test.

    python3 docs/results/jumps.py
"""

import gzip
import json
import random
import statistics
from pathlib import Path


def ranks(values):
    order = sorted(values)
    return [order.index(value) + (order.count(value) - 1) / 2 for value in values]


with gzip.open(Path(__file__).parent / "paper/store.jsonl.gz", "rt") as lines:
    next(lines)  # The request.
    runs = [run for run in map(json.loads, lines) if run["condition"] == "inorm"]
print("epsilon  rate   correlation  p")
for epsilon in sorted({run["epsilon"] for run in runs}):
    own = [run for run in runs if run["epsilon"] == epsilon]
    jumps = [statistics.stdev(after["test_accuracy"] for after in run["history"][-10:]) for run in own]
    jumps = ranks(jumps)
    for rate in ("lr", "lr_ix"):
        rates, generator = ranks([run[rate] for run in own]), random.Random(0)
        found = statistics.correlation(jumps, rates)
        shuffled = [statistics.correlation(jumps, generator.sample(rates, len(rates))) for _ in range(10_000)]
        p = (1 + sum(abs(other) >= abs(found) - 1e-12 for other in shuffled)) / 10_001
        print(f"{epsilon:<8} {rate:<6} {found:+.2f}        {p:.4f}")
