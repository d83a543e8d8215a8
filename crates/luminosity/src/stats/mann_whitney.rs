//! Mann–Whitney U test: do the values of one sample tend to exceed those of another?
//!
//! H. B. Mann & D. R. Whitney, "On a test of whether one of two random variables is stochastically
//! larger than the other", Annals of Mathematical Statistics 18 (1947).

// Own code, as statrs 0.19.1 falls short: its exact two-sided p doubles the complement of the tail
// where the first sample is not the larger, takes time proportional to the number of arrangements,
// and its normal p is 1 − cdf, which is off by 0.1 % at p = 1e-14 and 0 below about 1e-16.

use super::normal::two_sided_p;
use super::ranks::midranks;

/// Up to this size of the smaller sample the test is exact, unless values tie.
const EXACT_UP_TO: usize = 8;

/// Result of [`mann_whitney_u`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// U of the first sample: the pairs in which its value is the larger one, ties counted half.
    pub u: f64,
    /// Two-sided p-value.
    pub p: f64,
}

/// Two-sided Mann–Whitney U test of two independent samples,
/// `scipy.stats.mannwhitneyu(a, b, alternative='two-sided', method='auto')`.
///
/// U = R − n₁ (n₁ + 1) / 2, where R is the sum of the ranks of `a` in the joint sample. Without
/// ties, and with one sample of at most 8 values, p is exact. Otherwise it comes from the normal
/// approximation with the continuity correction and the variance corrected for ties,
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
    let rank_sum: f64 = ranked.ranks.iter().take(a.len()).sum();
    let u = rank_sum - n1 * (n1 + 1.0) / 2.0;
    let smaller_u = u.min(n1 * n2 - u);

    let small = a.len().min(b.len()) <= EXACT_UP_TO;
    let exact = if small && ranked.tie_term == 0.0 {
        exact_p(smaller_u, a.len(), b.len())
    } else {
        None
    };
    let p = exact.unwrap_or_else(|| normal_p(smaller_u, n1, n2, ranked.tie_term));
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

/// p from the exact distribution of U without ties, or `None` where the number of arrangements is
/// beyond `u128` (8 values against 100 000 still fit).
///
/// The number of arrangements with U = k is the coefficient of xᵏ in the Gaussian binomial
/// coefficient ∏ᵢ (1 − xⁿ⁺ⁱ) / (1 − xⁱ), i = 1 … m, with m the smaller and n the larger size,
/// which is the recurrence of Mann & Whitney in the form of a generating function. Dividing before
/// multiplying keeps every step a whole number that is not negative.
fn exact_p(smaller_u: f64, n1: usize, n2: usize) -> Option<f64> {
    let (m, n) = (n1.min(n2), n1.max(n2));
    let mut arrangements: u128 = 1;
    for i in 1..=m {
        arrangements = arrangements.checked_mul((n + i) as u128)? / i as u128;
    }

    let mut counts = vec![0_u128; smaller_u as usize + 1];
    counts[0] = 1;
    for i in 1..=m {
        for k in i..counts.len() {
            counts[k] += counts[k - i];
        }
        for k in (n + i..counts.len()).rev() {
            counts[k] -= counts[k - n - i];
        }
    }
    let tail: u128 = counts.iter().sum();
    Some((2.0 * (tail as f64 / arrangements as f64)).min(1.0))
}
