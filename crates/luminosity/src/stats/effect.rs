//! Effect sizes that accompany the p-values.

use super::mann_whitney::mann_whitney_u;

/// Cliff's delta, P(a > b) − P(a < b) over all pairs of a value of `a` with a value of `b`: 2U / (n₁ n₂) − 1
/// with U of [`mann_whitney_u`]. It is 1 if every value of `a` exceeds every value of `b`, −1 in the opposite
/// case and 0 for evenly overlapping samples. N. Cliff, "Dominance statistics: ordinal analyses to answer
/// ordinal questions", Psychological Bulletin 114 (1993).
///
/// `None` for an empty sample or a NaN among the values.
pub fn cliffs_delta(a: &[f64], b: &[f64]) -> Option<f64> {
    let u = mann_whitney_u(a, b)?.u;
    Some(2.0 * u / (a.len() as f64 * b.len() as f64) - 1.0)
}
