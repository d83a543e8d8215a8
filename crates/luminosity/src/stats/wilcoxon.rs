//! Wilcoxon signed-rank test: do paired differences centre on zero?
//!
//! F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945).

use super::normal::two_sided_p;
use super::ranks::midranks;

/// Up to this number of pairs the test is exact, unless differences are zero or tie in size.
const EXACT_UP_TO: usize = 50;

/// Result of [`wilcoxon_signed_rank`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wilcoxon {
    /// The smaller of the rank sums of the positive and of the negative differences.
    pub w: f64,
    /// Two-sided p-value.
    pub p: f64,
    /// Number of pairs that differ; the others are dropped.
    pub n_used: usize,
}

/// Two-sided Wilcoxon signed-rank test of the pairs `(a[i], b[i])`; pairs without a difference are
/// dropped (`zero_method='wilcox'` in scipy).
///
/// The differences a − b are ranked by size. Up to 50 pairs, with no difference zero and no two of
/// one size, p is exact as in `scipy.stats.wilcoxon(a, b)`. Otherwise it comes from the normal
/// approximation with the variance corrected for ties and no continuity correction, as in
/// `scipy.stats.wilcoxon(a, b, method='asymptotic', correction=False)`,
///
/// z = (n (n + 1) / 4 − w) / σ, σ² = n (n + 1) (2n + 1) / 24 − Σ(t³ − t) / 48.
///
/// Two departures from scipy 1.17.1. With zeros or ties in at most 13 pairs its automatic choice
/// permutes the signs; here the normal approximation serves. And the exact p-value here is the sum
/// of the lower tail whichever way the pairs lean, where scipy takes 1 − cdf if positive
/// differences prevail, which rounds p-values below about 1e-16 away.
///
/// p = 1 where no pair differs. `None` for no pairs, slices of unequal length, a NaN among the
/// values, and a pair of equal infinities, whose difference is not a number.
pub fn wilcoxon_signed_rank(a: &[f64], b: &[f64]) -> Option<Wilcoxon> {
    if a.len() != b.len() || a.is_empty() {
        return None;
    }
    let mut differences: Vec<f64> = a.iter().zip(b).map(|(x, y)| x - y).collect();
    if differences.iter().any(|d| d.is_nan()) {
        return None;
    }
    differences.retain(|d| *d != 0.0);
    let n_used = differences.len();
    if n_used == 0 {
        return Some(Wilcoxon {
            w: 0.0,
            p: 1.0,
            n_used,
        });
    }

    let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let ranked = midranks(&sizes);
    let (mut positive, mut negative) = (0.0, 0.0);
    for (difference, rank) in differences.iter().zip(&ranked.ranks) {
        if *difference > 0.0 {
            positive += rank;
        } else {
            negative += rank;
        }
    }
    let w = f64::min(positive, negative);
    let p = if n_used == a.len() && n_used <= EXACT_UP_TO && ranked.tie_term == 0.0 {
        exact_p(w, n_used)
    } else {
        normal_p(w, n_used as f64, ranked.tie_term)
    };
    Some(Wilcoxon { w, p, n_used })
}

/// p from the normal approximation.
fn normal_p(w: f64, n: f64, tie_term: f64) -> f64 {
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - tie_term / 48.0;
    two_sided_p((n * (n + 1.0) / 4.0 - w) / variance.sqrt())
}

/// p from the exact distribution: of the 2ⁿ choices of signs, those whose positive ranks sum to at
/// most `w`, twice. The number that sum to k is the coefficient of xᵏ in ∏ᵢ (1 + xⁱ), i = 1 … n.
fn exact_p(w: f64, n: usize) -> f64 {
    let mut counts = vec![0_u64; w as usize + 1];
    counts[0] = 1;
    for i in 1..=n {
        for k in (i..counts.len()).rev() {
            counts[k] += counts[k - i];
        }
    }
    let tail: u64 = counts.iter().sum();
    (2.0 * tail as f64 / 2_f64.powi(n as i32)).min(1.0)
}
