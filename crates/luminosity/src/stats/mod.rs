//! Summaries and rank tests for comparing the accuracies of two sets of runs.
//!
//! Pure functions on slices of `f64`. None of them panics: if a quantity has no value (an empty sample, a NaN
//! in the input, pairs of unequal number) the result is `None`. Infinities are ordered like other numbers and
//! count as the largest or smallest value.
//!
//! The rank tests are exact for samples of up to some fifty values, with and without ties. They give the
//! numbers of scipy 1.17.1, the quantiles agree with numpy 2.4.6 and [`holm`] with statsmodels 0.15.0.
//! `fixtures.py` writes these numbers into `fixtures.json`; the tests compare with a relative tolerance of
//! 1e-9.
//!
//! Ties are equal `f64`. Differences of decimal fractions that are equal on paper may not be equal in `f64`
//! (0.83 − 0.82 ≠ 0.82 − 0.81), so a paired test should get the numbers of correct answers, which are
//! integers, instead of fractions.

mod bootstrap;
mod holm;
mod mann_whitney;
mod median;
mod normal;
mod ranks;
mod wilcoxon;

#[cfg(test)]
mod tests;

pub use bootstrap::bootstrap_median_interval;
pub use holm::holm;
pub use mann_whitney::{MannWhitney, mann_whitney_u};
pub use median::{mean, median, quartiles, sample_sd};
pub use wilcoxon::{Wilcoxon, wilcoxon_signed_rank};
