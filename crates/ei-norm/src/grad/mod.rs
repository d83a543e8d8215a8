//! Control over back-propagated errors: [`map_grad`], [`GradNorm`] and other tools built on it.
//!
//! Each tool takes a tensor and returns it unchanged; the tool acts in the backward pass, on the error dL/dx
//! that arrives from the loss. If two tools are applied one after the other, the later one acts first:
//!
//! | tool | backward |
//! |---|---|
//! | [`clip_grad_norm`], [`clip_grad_total_norm`] | scales the error of each example, or of all, down to a norm |
//! | [`clip_grad_value`] | limits each value |
//! | [`scale_grad`] | times a factor |
//! | [`reverse_grad`] | times −λ |
//! | [`noise_grad`] | plus Gaussian noise from a [`GradNoise`] |
//! | [`normalize_grad`], [`GradNorm`] | normalizes the error over the features of each example |
//! | [`LearnedLateral`] | minus a weighted sum, whose weights learn to center the error |
//! | [`GradProbe`] | keeps the error for inspection |
//! | [`GradSentinel`], [`check_grad`] | finds the first error that is not finite |
//!
//! ```
//! use burn::prelude::*;
//! use ei_norm::grad::{GradProbe, clip_grad_norm, scale_grad};
//!
//! let device = Device::flex().autodiff();
//! let x = Tensor::<2>::zeros([1, 2], &device).require_grad();
//! let probe = GradProbe::new();
//! let z = clip_grad_norm(x.clone(), 1.0); // last: the length becomes 1
//! let z = scale_grad(z, 0.5); // then halved
//! let z = probe.attach(z); // first: sees the error as it comes from the loss
//! let grads = (z * Tensor::from_floats([[6.0, 8.0]], &device)).sum().backward();
//!
//! let dx: Vec<f32> = x.grad(&grads).unwrap().into_data().iter().collect();
//! assert!((dx[0] - 0.6).abs() < 1e-6 && (dx[1] - 0.8).abs() < 1e-6);
//! assert_eq!(probe.take().unwrap().max().into_scalar::<f32>(), 8.0);
//! ```

mod clip;
mod learned_lateral;
mod noise;
mod norm;
mod probe;
mod scale;
mod sentinel;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use crate::autodiff::is_listed;
pub use crate::error_norm::GradNormMode;
pub use crate::map_grad::map_grad;
pub use clip::{clip_grad_norm, clip_grad_total_norm, clip_grad_value};
pub use learned_lateral::{LearnedLateral, LearnedLateralConfig};
pub use noise::{GradNoise, noise_grad};
pub use norm::{GradNorm, GradNormConfig, normalize_grad};
pub use probe::GradProbe;
pub use scale::{reverse_grad, scale_grad};
pub use sentinel::{GradSentinel, check_grad};

/// Locks even after a panic elsewhere: no code that can panic runs while a shared value is changed in part.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
