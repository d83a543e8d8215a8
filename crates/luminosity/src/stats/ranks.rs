//! Midranks and the tie term of a rank test.

/// Ranks of a sample and its tie term.
pub(super) struct Ranks {
    /// The rank of each value, from 1, in input order; tied values share the mean of their ranks.
    pub(super) ranks: Vec<f64>,
    /// Σ (t³ − t) over the groups of t tied values; 0 without ties.
    pub(super) tie_term: f64,
}

impl Ranks {
    /// Each rank doubled, an integer.
    pub(super) fn doubled(&self) -> Vec<usize> {
        self.ranks
            .iter()
            .map(|rank| (2.0 * rank) as usize)
            .collect()
    }
}

/// Midranks (`scipy.stats.rankdata` with its default method). The values must not contain a NaN.
pub(super) fn midranks(values: &[f64]) -> Ranks {
    let mut sorted: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
    sorted.sort_unstable_by(|(_, a), (_, b)| a.total_cmp(b));

    let mut ranks = vec![0.0; values.len()];
    let mut tie_term = 0.0;
    let mut before = 0;
    for group in sorted.chunk_by(|(_, a), (_, b)| a == b) {
        let ties = group.len();
        let rank = before as f64 + (ties as f64 + 1.0) / 2.0;
        for &(index, _) in group {
            ranks[index] = rank;
        }
        let ties_f = ties as f64;
        tie_term += ties_f.powi(3) - ties_f;
        before += ties;
    }
    Ranks { ranks, tie_term }
}
