//! Pure functions on tensors; the layers are thin over them.
//!
//! Normalization is always over the last axis, with the population variance (divisor n).

mod activation;
mod activity;
mod ei_recurrence;
mod error;
mod i_norm;
mod i_norm_recurrence;
mod lateral;
mod loss;
mod patches;
mod product;
mod recurrence;
mod shunting;
mod statistics;

pub use activation::NonNegativeActivation;
pub use activity::{BackwardRule, Normalization, normalize, normalize_backward};
pub(crate) use ei_recurrence::ei_recurrence;
pub use error::{center, decorrelate, full, lateral, scale};
pub(crate) use i_norm::{DivisiveOperands, INorm, INormOperands, i_norm};
pub(crate) use i_norm_recurrence::{INormStates, LocalLossOfSteps, i_norm_recurrence};
pub use lateral::lateral_update;
pub use loss::{inhibitory_loss, smoothed_cross_entropy};
pub use patches::ConvGeometry;
pub(crate) use patches::{flatten, patches, unflatten};
pub(crate) use product::{EiMatrices, rows};
pub use product::{ei_linear, excite, inhibit};
pub use shunting::{shunt, shunting_current};
pub use statistics::{mean, mean_square, row_std, variance};
