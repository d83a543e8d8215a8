//! Pure functions on tensors; the layers are thin over them.
//!
//! Normalization is always over the last axis, with the population variance (divisor n).

mod activity;
mod error;
mod i_norm;
mod lateral;
mod loss;
mod patches;
mod product;
mod statistics;

pub use activity::{BackwardRule, Normalization, normalize, normalize_backward};
pub use error::{center, decorrelate, full, lateral, scale};
pub(crate) use i_norm::{DivisiveOperands, INorm, INormOperands, i_norm};
pub use lateral::lateral_update;
pub use loss::{inhibitory_loss, smoothed_cross_entropy};
pub use patches::ConvGeometry;
pub(crate) use patches::{flatten, patches, unflatten};
pub use product::{ei_linear, excite, inhibit};
pub use statistics::{mean, mean_square, row_std, variance};
