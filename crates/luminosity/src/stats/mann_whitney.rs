//! Mann–Whitney U test: do the values of one sample tend to exceed those of another?
//!
//! H. B. Mann & D. R. Whitney, "On a test of whether one of two random variables is stochastically
//! larger than the other", Annals of Mathematical Statistics 18 (1947).

// Own code, as statrs 0.19.1 falls short: its exact two-sided p doubles the complement of the tail
// where the first sample is not the larger, and its normal p is 1 − cdf, which is off by 0.1 % at
// p = 1e-14 and 0 below about 1e-16.

use super::normal::two_sided_p;
use super::ranks::midranks;

/// Up to this product of all values and those of the smaller sample the test is exact. The work grows
/// as its square.
const EXACT_UP_TO: usize = 8000;

/// Result of [`mann_whitney_u`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// U of the first sample: the pairs in which its value is the larger one, ties counted half.
    pub u: f64,
    /// Two-sided p-value.
    pub p: f64,
}

/// Two-sided Mann–Whitney U test of two independent samples.
///
/// U = R − n₁ (n₁ + 1) / 2, where R is the sum of the ranks of `a` in the joint sample. As long as
/// (n₁ + n₂) · min(n₁, n₂) ≤ 8000, which 63 values against 63 are, p is exact: of all choices of n₁
/// values of the joint sample, the share whose ranks sum to at most R or to at least R, the smaller of
/// the two, twice. That is `scipy.stats.mannwhitneyu(a, b, method='exact')` without ties, and with ties
/// `method=scipy.stats.PermutationMethod(n_resamples=numpy.inf)`.
///
/// Otherwise p is `scipy.stats.mannwhitneyu(a, b, method='asymptotic')`, the normal approximation with
/// the continuity correction and the variance corrected for ties,
///
/// z = (max(U, n₁ n₂ − U) − n₁ n₂ / 2 − 1/2) / σ,
/// σ² = n₁ n₂ / 12 · (n + 1 − Σ(t³ − t) / (n (n − 1))), n = n₁ + n₂.
///
/// p = 1 where all values tie. `None` for an empty sample and with a NaN among the values.
pub fn mann_whitney_u(a: &[f64], b: &[f64]) -> Option<MannWhitney> {
    let joint = [a, b].concat();
    if a.is_empty() || b.is_empty() || joint.iter().any(|v| v.is_nan()) {
        return None;
    }
    let (n1, n2) = (a.len() as f64, b.len() as f64);
    let ranked = midranks(&joint);
    let (own, other) = ranked.ranks.split_at(a.len());
    let u = own.iter().sum::<f64>() - n1 * (n1 + 1.0) / 2.0;
    let smaller = if own.len() <= other.len() { own } else { other };
    let p = match joint.len() * smaller.len() <= EXACT_UP_TO {
        true => exact_p(smaller, &ranked.doubled()),
        false => normal_p(u.min(n1 * n2 - u), n1, n2, ranked.tie_term),
    };
    Some(MannWhitney { u, p })
}

/// p from the normal approximation.
fn normal_p(smaller_u: f64, n1: f64, n2: f64, tie_term: f64) -> f64 {
    let n = n1 + n2;
    let variance = n1 * n2 / 12.0 * (n + 1.0 - tie_term / (n * (n - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let above_centre = n1 * n2 / 2.0 - smaller_u;
    two_sided_p((above_centre - 0.5) / variance.sqrt())
}

/// p from the exact distribution of the rank sum of the smaller sample, by twice the ranks, which are
/// whole numbers. The numbers of subsets are sums of positive floats, which lose no digits that matter.
fn exact_p(smaller: &[f64], doubled: &[usize]) -> f64 {
    let size = smaller.len();
    let sum = (2.0 * smaller.iter().sum::<f64>()) as usize;
    // Rows by number of values, columns by the sum of their doubled ranks.
    let columns = 2 * doubled.len() * size + 1;
    let mut counts = vec![vec![0_f64; columns]; size + 1];
    counts[0][0] = 1.0;
    for &rank in doubled {
        for chosen in (1..=size).rev() {
            let (fewer, more) = counts.split_at_mut(chosen);
            let (before, after) = (&fewer[chosen - 1], &mut more[0]);
            for (to, from) in after.iter_mut().skip(rank).zip(before) {
                *to += from;
            }
        }
    }
    let counts = &counts[size];
    let all: f64 = counts.iter().sum();
    let lower: f64 = counts.iter().take(sum + 1).sum();
    let upper: f64 = counts.iter().skip(sum).sum();
    (2.0 * lower.min(upper) / all).min(1.0)
}
