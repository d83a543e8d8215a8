//! The bootstrap interval of the median.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::median::{median, quantile_of_sorted};

/// Percentile bootstrap interval `(low, high)` of the median: the quantiles (1 − level) / 2 and
/// (1 + level) / 2, by linear interpolation, of the medians of `resamples` samples drawn from the
/// values with replacement. B. Efron & R. J. Tibshirani, "An Introduction to the Bootstrap"
/// (1993), chapter 13; `scipy.stats.bootstrap` with `method='percentile'`.
///
/// The draws come from ChaCha8 seeded with `seed`: a seed gives the same interval on every platform. The
/// draws depend on the order of the values, so keep the order fixed too.
///
/// One value, or equal values, give an interval of width zero. Below six values the interval is at most from
/// the smallest to the largest value; the median lies outside that range with a probability of 2 / 2ⁿ, more
/// than 5 %.
///
/// `None` for an empty sample, a NaN among the values, a `level` not strictly between 0 and 1, no resamples,
/// and if a median or an end falls between −∞ and ∞.
pub fn bootstrap_median_interval(
    values: &[f64],
    level: f64,
    resamples: usize,
    seed: u64,
) -> Option<(f64, f64)> {
    if values.is_empty() || !(level > 0.0 && level < 1.0) {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sample = vec![0.0; values.len()];
    let mut medians = Vec::new();
    for _ in 0..resamples {
        for slot in &mut sample {
            *slot = values[rng.random_range(0..values.len())];
        }
        medians.push(median(&sample)?);
    }
    medians.sort_unstable_by(f64::total_cmp);
    let low = quantile_of_sorted(&medians, (1.0 - level) / 2.0)?;
    let high = quantile_of_sorted(&medians, (1.0 + level) / 2.0)?;
    Some((low, high))
}
