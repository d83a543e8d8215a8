"""Reference values for the tests of this module, written to fixtures.json beside this file.

    pip install numpy scipy statsmodels
    python fixtures.py                  # three minutes

Every entry records the call that gave its numbers; the versions stand at the top of the JSON.
Inputs have at most six decimals, so a JSON reader of any care gives back the same f64 (ties stay
ties). Infinities are written as the strings "inf" and "-inf".
"""

import json
import math
import platform
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests

RNG = np.random.default_rng(20240607)


def accuracies(n, centre, spread, decimals):
    return [float(v) for v in np.round(RNG.normal(centre, spread, n), decimals)]


def inputs():
    """(name, a, b): two samples each; those of one length are also read as pairs."""
    # Cases without ties take distinct values and, for the pairs, distinct |differences|.
    ramp = [round(0.80 + 0.001 * i, 6) for i in range(30)]
    squares = [round(0.5 + 0.0001 * (i + 1) ** 2, 6) for i in range(50)]
    base30 = accuracies(30, 0.8, 0.01, 3)
    cases = [
        ("one value each", [0.8], [0.7]),
        ("one value each, tied", [0.8], [0.8]),
        ("one value against five", [0.95], [0.81, 0.82, 0.83, 0.84, 0.85]),
        ("two against two", [0.1, 0.4], [0.2, 0.3]),
        ("three against three, separated", [0.91, 0.92, 0.94], [0.80, 0.83, 0.87]),
        ("five against four", [0.19, 0.22, 0.16, 0.29, 0.24], [0.20, 0.11, 0.17, 0.12]),
        ("four against five", [0.20, 0.11, 0.17, 0.12], [0.19, 0.22, 0.16, 0.29, 0.24]),
        ("eight against eight, no ties", accuracies(8, 0.80, 0.02, 6), accuracies(8, 0.82, 0.02, 6)),
        ("eight against thirty, no ties", accuracies(8, 0.81, 0.02, 6), accuracies(30, 0.80, 0.02, 6)),
        ("thirty against three, no ties", accuracies(30, 0.81, 0.02, 6), accuracies(3, 0.85, 0.02, 6)),
        ("eight against thirty, separated", [round(0.5 + 0.01 * i, 6) for i in range(8)], ramp),
        ("nine against nine, no ties", accuracies(9, 0.80, 0.02, 6), accuracies(9, 0.81, 0.02, 6)),
        ("five against five with one tie", [0.80, 0.81, 0.83, 0.85, 0.88], [0.79, 0.81, 0.82, 0.84, 0.86]),
        ("thirty, two decimals", accuracies(30, 0.80, 0.01, 2), accuracies(30, 0.81, 0.01, 2)),
        ("thirty, three decimals", base30, accuracies(30, 0.803, 0.01, 3)),
        ("thirty, four decimals", accuracies(30, 0.80, 0.01, 4), accuracies(30, 0.80, 0.01, 4)),
        ("thirty, six decimals", accuracies(30, 0.80, 0.01, 6), accuracies(30, 0.79, 0.01, 6)),
        ("thirty, all tied", [0.8] * 30, [0.8] * 30),
        ("thirty tied against thirty tied higher", [0.8] * 30, [0.9] * 30),
        ("thirty, separated below", [round(v - 0.5, 6) for v in ramp], ramp),
        ("thirty, separated above", ramp, [round(v - 0.5, 6) for v in ramp]),
        ("diverged runs at 0.1", [0.1] * 12 + accuracies(18, 0.8, 0.01, 3), accuracies(30, 0.79, 0.01, 3)),
        ("diverged runs on both sides", [0.1] * 5 + accuracies(25, 0.8, 0.01, 3), [0.1] * 20 + accuracies(10, 0.8, 0.01, 3)),
        ("all diverged against none", [0.1] * 30, accuracies(30, 0.8, 0.01, 3)),
        ("pairs with zeros", base30, [v if i % 3 == 0 else round(v + RNG.normal(0.004, 0.005), 3) for i, v in enumerate(base30)]),
        ("six pairs with zeros", [0.80, 0.81, 0.82, 0.83, 0.84, 0.85], [0.80, 0.80, 0.85, 0.83, 0.79, 0.80]),
        ("one pair differs", [0.8, 0.8, 0.8, 0.85], [0.8, 0.8, 0.8, 0.8]),
        ("ten pairs, whole counts with ties", [810.0, 820, 805, 799, 830, 815, 802, 808, 811, 822], [808.0, 822, 801, 799, 828, 810, 804, 801, 814, 820]),
        ("fifty pairs, no ties, all above", [round(v + 0.000001 * (i + 1) ** 2, 6) for i, v in enumerate(squares)], squares),
        ("fifty pairs, no ties, all below", squares, [round(v + 0.000001 * (i + 1) ** 2, 6) for i, v in enumerate(squares)]),
        ("fifty-one pairs", accuracies(51, 0.80, 0.02, 6), accuracies(51, 0.79, 0.02, 6)),
        ("forty pairs, one lucky", accuracies(40, 0.80, 0.02, 6), accuracies(40, 0.81, 0.02, 6)),
        ("two hundred, separated", [float(i) for i in range(200)], [float(1000 + 2 * i) for i in range(200)]),
        ("six hundred, separated", [float(i) for i in range(600)], [float(1000 + 2 * i) for i in range(600)]),
        ("nine hundred and ten, separated", [float(i) for i in range(910)], [float(1000 + 2 * i) for i in range(910)]),
        ("five pairs, two of one size", [5.0, 7.0, 4.0, 9.0, 6.0], [3.0, 4.0, 2.0, 5.0, 1.0]),
        ("eight pairs, all of one size", [8.0] * 8, [7.0] * 8),
        ("eight against twelve with ties", accuracies(8, 0.80, 0.01, 2), accuracies(12, 0.81, 0.01, 2)),
        ("three against nine, skewed ties", [0.1, 0.1, 0.8], [0.1, 0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]),
        ("fifty pairs with ties", accuracies(50, 0.80, 0.02, 2), accuracies(50, 0.81, 0.02, 2)),
        ("sixty-three, three decimals", accuracies(63, 0.80, 0.01, 3), accuracies(63, 0.803, 0.01, 3)),
        ("sixty-four, two decimals", accuracies(64, 0.80, 0.01, 2), accuracies(64, 0.803, 0.01, 2)),
        ("a hundred, three decimals", accuracies(100, 0.80, 0.01, 3), accuracies(100, 0.803, 0.01, 3)),
        ("eight against a thousand", accuracies(8, 0.81, 0.01, 3), accuracies(993, 0.8, 0.01, 3)),
        ("negative zero ties zero", [-0.0, 0.5, 0.7], [0.0, 0.6, 0.8]),
        ("infinities", [math.inf, 0.5, 0.6, 0.7], [-math.inf, 0.4, 0.55, 0.65]),
    ]
    for trial in range(12):
        n1, n2 = (int(v) for v in RNG.integers(2, 40, 2))
        if trial % 2:
            n2 = n1
        decimals = int(RNG.integers(2, 7))
        cases.append((f"random {trial}", accuracies(n1, 0.8, 0.02, decimals), accuracies(n2, 0.81, 0.03, decimals)))
    for name, a, b in cases:
        for v in a + b:
            assert math.isinf(v) or round(v, 6) == v, (name, v)
    return cases


def is_exact(a, b):
    return (len(a) + len(b)) * min(len(a), len(b)) <= 8000


def subsets(ranks, size=None):
    """How many subsets (of that size) have which sum of twice their ranks, in whole numbers."""
    counts = {(0, 0): 1}
    for rank in ranks:
        grown = dict(counts)
        for (n, total), count in counts.items():
            key = (n + (size is not None), total + round(2 * rank))
            if size is None or key[0] <= size:
                grown[key] = grown.get(key, 0) + count
        counts = grown
    return {total: count for (n, total), count in counts.items() if n == (size or 0)}


def two_sided(counts, total):
    lower = sum(count for t, count in counts.items() if t <= total)
    upper = sum(count for t, count in counts.items() if t >= total)
    return float(min(Fraction(1), 2 * Fraction(min(lower, upper), sum(counts.values()))))


def all_of(n):
    return stats.PermutationMethod(n_resamples=np.inf) if n <= 20000 else None


def mann_whitney(a, b):
    ties = len(set(a + b)) < len(a) + len(b)
    call = "scipy.stats.mannwhitneyu(a, b, method='asymptotic')"
    result = stats.mannwhitneyu(a, b, method="asymptotic")
    u, p = float(result.statistic), float(result.pvalue)
    if is_exact(a, b):
        ranks = stats.rankdata(a + b)
        first, rest = (a, ranks[: len(a)]) if len(a) <= len(b) else (b, ranks[len(a) :])
        p = two_sided(subsets(ranks, len(first)), round(2 * sum(rest)))
        call = "fixtures.subsets(scipy.stats.rankdata(a + b), n)"
        arrangements = math.comb(len(a) + len(b), len(a)) if len(first) > 1 else math.inf
        method = "exact" if not ties else all_of(arrangements)
        if method is not None:
            call = "scipy.stats.mannwhitneyu(a, b, method='exact')"
            if ties:
                call = "scipy.stats.mannwhitneyu(a, b, method=PermutationMethod(n_resamples=inf))"
            expected = float(stats.mannwhitneyu(a, b, method=method).pvalue)
            assert math.isclose(p, expected, rel_tol=1e-9, abs_tol=1e-15), (a, b, p, expected)
    above = sum(x > y for x in a for y in b)
    below = sum(x < y for x in a for y in b)
    return {"call": call, "u": u, "p": p, "delta": (above - below) / (len(a) * len(b))}


def wilcoxon(a, b):
    with np.errstate(invalid="ignore"):
        d = np.asarray(a) - np.asarray(b)
    used = d[d != 0]
    if np.isnan(d).any():
        return None
    if used.size == 0:
        # scipy gives NaN for the normal approximation; the module defines p = 1.
        return {"call": "by definition", "w": 0.0, "p": 1.0, "n_used": 0}
    ties = len(set(np.abs(used))) < used.size
    ranks = stats.rankdata(np.abs(used))
    above, below = ranks[used > 0].sum(), ranks[used < 0].sum()
    w = float(min(above, below))
    if used.size > 50:
        call = "scipy.stats.wilcoxon(a, b, correction=False, method='asymptotic')"
        result = stats.wilcoxon(a, b, correction=False, method="asymptotic")
        assert result.statistic == w
        return {"call": call, "w": w, "p": float(result.pvalue), "n_used": int(used.size)}
    p = two_sided(subsets(ranks), round(2 * w))
    call = "fixtures.subsets(scipy.stats.rankdata(abs(used)))"
    method = "exact" if not ties else all_of(2**used.size)
    if method is not None:
        call = "scipy.stats.wilcoxon(used, method='exact')"
        if ties:
            call = "scipy.stats.wilcoxon(used, method=PermutationMethod(n_resamples=inf))"
        # The two-sided test is symmetric, but scipy's exact upper tail is 1 - cdf, good to 1e-16
        # only in absolute terms; its lower tail is a plain sum.
        result = stats.wilcoxon(-used if above > below else used, method=method)
        assert result.statistic == w
        assert math.isclose(p, float(result.pvalue), rel_tol=1e-9), (p, result.pvalue)
    return {"call": call, "w": w, "p": p, "n_used": int(used.size)}


def summary(values):
    lower, middle, upper = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "call": "numpy.quantile(v, [0.25, 0.5, 0.75]), numpy.median(v), numpy.mean(v), numpy.std(v, ddof=1)",
        "values": values,
        "quartiles": [float(lower), float(middle), float(upper)],
        "median": float(np.median(values)),
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
    }


def bootstrap(values, level):
    """Ends of the ideal (infinitely many resamples) percentile interval of the median.

    For odd n a resample's median is one of the values, and it is at most the k-th smallest when
    at least (n + 1) / 2 of n draws are, each with probability k / n. Only cases whose ends stand
    at least 0.004 away from the next value in probability are kept, so that twenty thousand
    resamples must find the same ends.
    """
    n = len(values)
    assert n % 2 == 1 and len(set(values)) == n
    cdf = stats.binom.sf((n + 1) // 2 - 1, n, np.arange(n + 1) / n)
    tail = (1 - level) / 2
    ordered = sorted(values)
    ends = []
    for q in (tail, 1 - tail):
        assert np.abs(cdf - q).min() > 0.004, (n, level, q)
        ends.append(ordered[int(np.searchsorted(cdf, q)) - 1])
    return {
        "call": "scipy.stats.binom.sf((n + 1) // 2 - 1, n, k / n) against (1 - level) / 2",
        "values": values,
        "level": level,
        "low": ends[0],
        "high": ends[1],
    }


def bootstraps():
    found = []
    for n in (5, 9, 15, 21, 25, 29, 31):
        for level in (0.8, 0.9, 0.95):
            values = accuracies(n, 0.8, 0.02, 6)
            try:
                found.append(bootstrap(values, level))
            except AssertionError:
                pass
    assert len(found) >= 8
    return found


def holm(p):
    return {
        "call": "statsmodels.stats.multitest.multipletests(p, method='holm')[1]",
        "p": p,
        "adjusted": [float(v) for v in multipletests(p, method="holm")[1]],
    }


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def one_entry_a_line(fixtures):
    def dump(value):
        return json.dumps(value, allow_nan=False)

    parts = []
    for key, value in fixtures.items():
        if isinstance(value, list):
            value = "[\n" + ",\n".join(dump(entry) for entry in value) + "\n]"
        else:
            value = dump(value)
        parts.append(f"{dump(key)}: {value}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    cases = []
    for name, a, b in inputs():
        case = {"name": name, "a": a, "b": b, "mann_whitney": mann_whitney(a, b)}
        if len(a) == len(b):
            case["wilcoxon"] = wilcoxon(a, b)
        cases.append(case)
    fixtures = {
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "statsmodels": statsmodels.__version__,
        },
        "two_samples": cases,
        "summary": [
            summary(values)
            for values in (
                [0.8],
                [0.8, 0.9],
                [0.3, 0.1, 0.2],
                [4.0, 1.0, 3.0, 2.0],
                [0.8] * 7,
                accuracies(30, 0.8, 0.01, 3),
                accuracies(31, 0.8, 0.01, 6),
                [0.1] * 12 + accuracies(18, 0.8, 0.01, 4),
                accuracies(101, -3.0, 20.0, 2),
            )
        ],
        "bootstrap": bootstraps(),
        "holm": [
            holm(p)
            for p in (
                [0.03],
                [0.01, 0.04, 0.03, 0.005],
                [0.5, 0.5, 0.5],
                [0.0, 1.0, 0.2],
                [1e-300, 1e-17, 0.049, 0.9, 0.02],
                [float(v) for v in np.round(RNG.uniform(0, 1, 12) ** 3, 6)],
                [float(v) for v in np.round(RNG.uniform(0, 0.1, 40), 2)],
            )
        ],
    }
    path = Path(__file__).with_name("fixtures.json")
    path.write_text(one_entry_a_line(plain(fixtures)))
    print(f"{len(cases)} two-sample cases, versions {fixtures['versions']} -> {path.name}")


if __name__ == "__main__":
    main()
