//! Pure functions on tensors, as building blocks for other circuits and losses.
//!
//! Normalization is always over the last axis, with the population variance (divisor n).

mod lateral;
mod loss;
mod normalize;
mod product;

pub use crate::statistics::{mean, mean_square, row_std, variance};
pub use lateral::{lateral, lateral_update};
pub use loss::{inhibitory_loss, smoothed_cross_entropies, smoothed_cross_entropy};
pub(crate) use normalize::normalize_features;
pub use normalize::{BackwardRule, Normalization, normalize, normalize_backward};
pub use product::{ei_linear, excite, inhibit};
