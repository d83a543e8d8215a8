//! Mann–Whitney U test: do the values of one sample tend to exceed those of another?
//!
//! H. B. Mann & D. R. Whitney, "On a test of whether one of two random variables is stochastically
//! larger than the other", Annals of Mathematical Statistics 18 (1947).

use serde::Serialize;

use super::normal::two_sided_p;
use super::ranks::midranks;

/// The largest product of the number of all values and the number of values in the smaller sample for which
/// the test is exact. The work grows as the square of the product.
const EXACT_UP_TO: usize = 8000;

/// Result of [`mann_whitney_u`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MannWhitney {
    /// Cliff's delta, P(a > b) − P(a < b) over all pairs of a value of `a` with a value of `b`: 2U / (n₁ n₂) − 1.
    /// It is 1 if every value of `a` exceeds every value of `b`, −1 in the opposite case and 0 for evenly
    /// overlapping samples. N. Cliff, "Dominance statistics: ordinal analyses to answer ordinal questions",
    /// Psychological Bulletin 114 (1993).
    pub cliffs_delta: f64,
    /// U of the first sample: the number of pairs in which its value is larger; ties count half.
    pub u: f64,
    /// Two-sided p-value, by its name in records beside that of a paired test.
    #[serde(rename = "p_unpaired")]
    pub p: f64,
}

/// Two-sided Mann–Whitney U test of two independent samples.
///
/// U = R − n₁ (n₁ + 1) / 2, where R is the sum of the ranks of `a` in the joint sample. If (n₁ + n₂) ·
/// min(n₁, n₂) ≤ 8000, which holds up to 63 values against 63, p is exact: among all choices of n₁ values of
/// the joint sample, the smaller of the shares whose ranks sum to at most R and to at least R, doubled.
/// Without ties this is `scipy.stats.mannwhitneyu(a, b, method='exact')`, and with ties
/// `method=scipy.stats.PermutationMethod(n_resamples=numpy.inf)`.
///
/// Otherwise p is `scipy.stats.mannwhitneyu(a, b, method='asymptotic')`, the normal approximation with
/// the continuity correction and the variance corrected for ties,
///
/// z = (max(U, n₁ n₂ − U) − n₁ n₂ / 2 − 1/2) / σ,
/// σ² = n₁ n₂ / 12 · (n + 1 − Σ(t³ − t) / (n (n − 1))), n = n₁ + n₂.
///
/// p = 1 if all values tie. `None` for an empty sample or a NaN among the values.
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
        true => ranked.exact_p(smaller.iter().sum(), Some(smaller.len())),
        false => normal_p(u.min(n1 * n2 - u), n1, n2, ranked.tie_term),
    };
    let cliffs_delta = 2.0 * u / (n1 * n2) - 1.0;
    Some(MannWhitney { u, p, cliffs_delta })
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
