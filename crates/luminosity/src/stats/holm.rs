//! Correction of p-values for the number of tests.

/// Holm–Bonferroni adjusted p-values, in input order.
///
/// With the m p-values in ascending order, p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎);
/// rejecting where p̃ ≤ α keeps the family-wise error rate at α under any dependence. S. Holm, "A
/// simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
/// (1979); `statsmodels.stats.multitest.multipletests(p, method='holm')`.
///
/// An entry that is not a p-value (NaN or outside [0, 1]) becomes NaN and does not count as a test, like
/// missing values in R's `p.adjust`.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut tests: Vec<(usize, f64)> = p
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, p)| (0.0..=1.0).contains(p))
        .collect();
    tests.sort_unstable_by(|(_, a), (_, b)| a.total_cmp(b));

    let mut adjusted = vec![f64::NAN; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, &(index, p)) in tests.iter().enumerate() {
        let remaining = (tests.len() - rank) as f64;
        largest = largest.max((remaining * p).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}
