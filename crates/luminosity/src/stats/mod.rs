//! Summaries and rank tests for comparing the accuracies of two sets of runs.
//!
//! Pure functions on slices of `f64`. None of them panics: where a quantity has no value (an empty
//! sample, a NaN in the input, pairs of unequal number) the answer is `None`. Infinities are
//! ordered like any other number and count as the largest or smallest value.
//!
//! The rank tests are exact for samples of up to some fifty values, with and without ties. They give the
//! numbers of scipy 1.17.1, the quantiles those of numpy 2.4.6 and [`holm`] those of statsmodels 0.15.0.
//! `fixtures.py` writes those numbers into `fixtures.json`; the tests compare against them with a
//! relative tolerance of 1e-9.
//!
//! Ties are ties of the `f64`. Differences of decimal fractions that agree on paper may not
//! (0.83 − 0.82 ≠ 0.82 − 0.81), so a paired test is best given the numbers of correct answers,
//! which are whole, in place of their fractions.

mod bootstrap;
mod effect;
mod holm;
mod mann_whitney;
mod median;
mod normal;
mod ranks;
mod wilcoxon;

#[cfg(test)]
mod tests;

pub use bootstrap::bootstrap_median_interval;
pub use effect::cliffs_delta;
pub use holm::holm;
pub use mann_whitney::mann_whitney_u;
pub use median::{mean, median, quartiles, sample_sd};
pub use wilcoxon::{Wilcoxon, wilcoxon_signed_rank};
