//! Pure functions on tensors; the layers are thin over them.
//!
//! Normalization is always over the last axis, with the population variance (divisor n).

mod activity;
mod error;
mod i_norm;
mod loss;
mod product;
mod shunting;
mod statistics;

pub use activity::{BackwardRule, Normalization, normalize, normalize_backward};
pub use error::{center, decorrelate, full, lateral, scale};
pub(crate) use i_norm::{DivisiveOperands, INorm, INormOperands, i_norm};
pub use loss::{inhibitory_loss, smoothed_cross_entropy};
pub use product::{ei_linear, excite, inhibit};
pub use shunting::{shunt, shunting_current};
pub use statistics::{mean, mean_square, row_std, variance};
