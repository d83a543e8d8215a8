//! Midranks, the tie term of a rank test, and the exact p of a sum of ranks.

/// Ranks of a sample and its tie term.
pub(super) struct Ranks {
    /// The rank of each value, from 1, in input order; tied values share the mean of their ranks.
    pub(super) ranks: Vec<f64>,
    /// Σ (t³ − t) over the groups of t tied values; 0 without ties.
    pub(super) tie_term: f64,
}

impl Ranks {
    /// The exact two-sided p of a sum of ranks: among all subsets of the ranks, or among the subsets of `size`
    /// ranks, the smaller of the shares that sum to at most `sum` and to at least `sum`, doubled.
    ///
    /// Computed with doubled ranks, which are integers: the number of subsets that sum to k is the coefficient
    /// of xᵏ in ∏ᵢ (1 + x^rᵢ). The numbers are sums of positive floats, which lose no significant digits.
    pub(super) fn exact_p(&self, sum: f64, size: Option<usize>) -> f64 {
        let n = self.ranks.len();
        let columns = 2 * n * size.unwrap_or(n) + 1;
        // With a size, each rank that is chosen leads to the next row of columns. A step back
        // from the start of a row reads the end of an earlier row, which is 0: no sum of fewer ranks is so large.
        let (rows, row) = size.map_or((0, 0), |size| (size, columns));
        let mut counts = vec![0_f64; (rows + 1) * columns];
        counts[0] = 1.0;
        for rank in &self.ranks {
            let step = row + (2.0 * rank) as usize;
            for k in (step..counts.len()).rev() {
                counts[k] += counts[k - step];
            }
        }
        let counts = &counts[rows * columns..];
        let sum = (2.0 * sum) as usize;
        let all: f64 = counts.iter().sum();
        let lower: f64 = counts.iter().take(sum + 1).sum();
        let upper: f64 = counts.iter().skip(sum).sum();
        (2.0 * lower.min(upper) / all).min(1.0)
    }
}

/// Midranks (`scipy.stats.rankdata` with its default method). The values must not contain a NaN.
pub(super) fn midranks(values: &[f64]) -> Ranks {
    let mut sorted: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    sorted.sort_unstable_by(|(_, a), (_, b)| a.total_cmp(b));

    let mut ranks = vec![0.0; values.len()];
    let mut tie_term = 0.0;
    let mut before = 0.0;
    for group in sorted.chunk_by(|(_, a), (_, b)| a == b) {
        let ties = group.len() as f64;
        for &(index, _) in group {
            ranks[index] = before + (ties + 1.0) / 2.0;
        }
        tie_term += ties.powi(3) - ties;
        before += ties;
    }
    Ranks { ranks, tie_term }
}
