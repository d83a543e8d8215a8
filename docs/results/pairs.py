#!/usr/bin/env python3
"""Compares two conditions within settings, from the packed stores beside this file.

    python3 docs/results/pairs.py paper/store,inorm+full,0.75 paper/store,inorm,0.75

A condition is STORE,CONDITION,ε or STORE,CONDITION,ε,EPOCH: the accuracy after the last epoch, or after that one
(`best`: the best one). It prints the medians, the median difference in points with its 95 % interval (bootstrap), in how
many settings the first is higher, and p of the exact tests of Wilcoxon (paired) and of Mann and Whitney (unpaired). Of
four conditions A B C D it compares the differences A - B and C - D. A run that diverged counts as chance, 10 %.

    --lr LOW HIGH    only settings with LOW <= lr < HIGH
    --top N          only the N best settings of each condition, without the paired numbers
    --redraw U       how often Mann and Whitney's U of the first condition reaches U, if each condition draws as many
                     settings of its own from these (with replacement, 20,000 times)
"""

import argparse
import decimal
import gzip
import json
import random
import statistics
from pathlib import Path

HERE = Path(__file__).parent


def accuracies(term, lr):
    """The test accuracy in percent, by setting."""
    store, condition, epsilon, *epoch = term.split(",")
    found = {}
    with gzip.open(HERE / f"{store}.jsonl.gz", "rt") as lines:
        next(lines)  # The request.
        for record in map(json.loads, lines):
            if (record["condition"], record["epsilon"]) != (condition, float(epsilon)) or not lr[0] <= record["lr"] < lr[1]:
                continue
            history = [after["test_accuracy"] for after in record["history"]]
            if not epoch or record["outcome"] == "diverged":
                accuracy = record["test_accuracy"]
            else:
                accuracy = max(history) if epoch == ["best"] else history[int(epoch[0]) - 1]
            found[record["setting"]] = 100 * accuracy
    if not found:
        raise SystemExit(f"{term}: no such run in {store}.jsonl.gz")
    return found


def doubled_ranks(values):
    """Twice the ranks, the mean rank for equal values; whole numbers."""
    ordered = sorted(values)
    return [2 * ordered.index(v) + ordered.count(v) + 1 for v in values]


def signed_rank(differences):
    """The exact two-sided p of Wilcoxon's signed-rank test, zeros left out, ties with mean ranks."""
    differences = [d for d in differences if d]
    ranks = doubled_ranks([abs(d) for d in differences])
    positive = sum(rank for rank, d in zip(ranks, differences) if d > 0)
    least = min(positive, sum(ranks) - positive)
    ways = [1] + [0] * sum(ranks)
    for rank in ranks:
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    return min(1.0, 2 * sum(ways[: least + 1]) / 2 ** len(ranks))


def rank_sum(first, second):
    """The exact two-sided p of Mann and Whitney's test, ties with mean ranks."""
    ranks = doubled_ranks(first + second)
    ways = [{0: 1}] + [{} for _ in first]  # By number of values and sum of their ranks.
    for rank in ranks:
        for count in range(len(first), 0, -1):
            for total, number in ways[count - 1].items():
                ways[count][total + rank] = ways[count].get(total + rank, 0) + number
    expected = len(first) * sum(ranks) / len(ranks)
    distance = abs(sum(ranks[: len(first)]) - expected)
    extreme = sum(number for total, number in ways[-1].items() if abs(total - expected) >= distance)
    return extreme / sum(ways[-1].values())


def redrawn(first, second, least):
    """The share of 20,000 redraws of both samples in which U of the first, of n m pairs, is at least this."""
    rng = random.Random(0)
    doubled = [[(a > b) + (a >= b) for b in second] for a in first]
    reached = 0
    for _ in range(20_000):
        rows = rng.choices(doubled, k=len(first))
        columns = rng.choices(range(len(second)), k=len(second))
        reached += sum(row[column] for row in rows for column in columns) >= 2 * least
    return reached / 20_000


def interval(differences):
    """The 95 % interval of the median by the bootstrap: the percentiles of 20,000 resamples."""
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(differences, k=len(differences))) for _ in range(20_000))
    return medians[500], medians[-501]


def rounded(percent, digits):
    """The number with so many digits; halves away from 0, also those that binary numbers miss."""
    exact = decimal.Decimal(str(round(percent, 6)))
    return exact.quantize(decimal.Decimal(1).scaleb(-digits), decimal.ROUND_HALF_UP)


def effect(differences):
    """A line on differences within settings."""
    middle, low, high = (rounded(value, 2) for value in (statistics.median(differences), *interval(differences)))
    higher = sum(d > 0 for d in differences)
    return (f"{middle:+} ({low:+} to {high:+}), above 0 in {higher} of "
            f"{len(differences)}, p = {signed_rank(differences):.2g}")


def paired(first, second):
    """The differences of the settings that both have; rounded, so that equal ones are ties."""
    return [round(first[setting] - second[setting], 6) for setting in first if setting in second]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("terms", nargs="+")
    parser.add_argument("--lr", nargs=2, type=float, default=(0, float("inf")))
    parser.add_argument("--top", type=int)
    parser.add_argument("--redraw", type=float)
    options = parser.parse_args()
    runs = [accuracies(term, options.lr) for term in options.terms]
    if len(runs) == 4:
        a, b, c, d = runs
        first, second = ({s: x[s] - y[s] for s in x if s in y} for x, y in ((a, b), (c, d)))
    elif len(runs) == 2:
        first, second = runs
    else:
        parser.error(f"{len(runs)} conditions; allowed: 2 or 4")
    values = [sorted(found.values(), reverse=True)[: options.top] for found in (first, second)]
    print("medians", " and ".join(f"{rounded(statistics.median(own), 2)}" for own in values))
    if options.top is None:
        print(effect(paired(first, second)))
    print(f"Mann-Whitney: p = {rank_sum(*values):.2g}")
    if options.redraw is not None:
        print(f"U of at least {options.redraw:g} in {redrawn(*values, options.redraw):.2%} of the redraws")


if __name__ == "__main__":
    main()
