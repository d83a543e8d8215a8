//! Correction of p-values for the number of tests.

/// Holm–Bonferroni adjusted p-values, in input order.
///
/// With the m p-values in ascending order, p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎);
/// rejecting where p̃ ≤ α keeps the family-wise error rate at α under any dependence. S. Holm, "A
/// simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
/// (1979); `statsmodels.stats.multitest.multipletests(p, method='holm')`.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_unstable_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let remaining = (p.len() - rank) as f64;
        largest = largest.max((remaining * p[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}
