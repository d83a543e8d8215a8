//! Wilcoxon signed-rank test: do paired differences centre on zero?
//!
//! F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945).

use serde::Serialize;

use super::normal::two_sided_p;
use super::ranks::midranks;

/// The largest number of differing pairs for which the test is exact.
const EXACT_UP_TO: usize = 50;

/// Result of [`wilcoxon_signed_rank`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Wilcoxon {
    /// The smaller of the rank sums of the positive and of the negative differences.
    pub w: f64,
    /// Two-sided p-value.
    pub p: f64,
    /// The number of pairs that differ; the other pairs are dropped.
    pub n_used: usize,
}

/// Two-sided Wilcoxon signed-rank test of the pairs `(a[i], b[i])`; pairs without a difference are
/// dropped (`zero_method='wilcox'` in scipy).
///
/// The differences a − b are ranked by absolute value, and equal absolute values share the mean of their
/// ranks. Up to 50 differing pairs, p is exact: among the 2ⁿ choices of signs for these ranks, the share
/// whose positive ranks sum to at most `w`, doubled. Without ties this is `scipy.stats.wilcoxon(a, b,
/// method='exact')`, and with ties `method=scipy.stats.PermutationMethod(n_resamples=numpy.inf)` on the
/// differing pairs. No p is below 2 / 2ⁿ.
///
/// With more pairs p comes from the normal approximation with the variance corrected for ties and no
/// continuity correction, `scipy.stats.wilcoxon(a, b, method='asymptotic', correction=False)`,
///
/// z = (n (n + 1) / 4 − w) / σ, σ² = n (n + 1) (2n + 1) / 24 − Σ(t³ − t) / 48.
///
/// p = 1 if no pair differs. `None` for no pairs, slices of unequal length, a NaN among the values, and a
/// pair of equal infinities, whose difference is not a number.
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
    let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    let ranked = midranks(&sizes);
    let sum = |positive: bool| -> f64 {
        let own = differences.iter().zip(&ranked.ranks);
        // Folded from 0, because the sum of no floats is −0.
        own.filter(|(d, _)| (**d > 0.0) == positive)
            .map(|(_, rank)| rank)
            .fold(0.0, |sum, rank| sum + rank)
    };
    let w = f64::min(sum(true), sum(false));
    let p = match n_used <= EXACT_UP_TO {
        true => ranked.exact_p(w, None),
        false => normal_p(w, n_used as f64, ranked.tie_term),
    };
    Some(Wilcoxon { w, p, n_used })
}

/// p from the normal approximation.
fn normal_p(w: f64, n: f64, tie_term: f64) -> f64 {
    let variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - tie_term / 48.0;
    two_sided_p((n * (n + 1.0) / 4.0 - w) / variance.sqrt())
}
