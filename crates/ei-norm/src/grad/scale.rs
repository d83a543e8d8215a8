use burn::tensor::Tensor;

use super::map_grad;
use crate::init::{check_finite, check_not_negative, or_panic};

/// Returns `x`; in the backward pass its error is multiplied by `factor`.
///
/// What lies below `x` then learns at another rate than what lies above. A factor of 0 lets nothing
/// through, but leaves the gradients below in place, as zeros.
///
/// # Shapes
///
/// - `x` and the result: the same shape
///
/// # Panics
///
/// If `factor` is not finite.
#[track_caller]
#[must_use]
pub fn scale_grad<const D: usize>(x: Tensor<D>, factor: f64) -> Tensor<D> {
    or_panic(check_finite("factor of scale_grad", factor));
    map_grad(x, move |error| error * factor)
}

/// Returns `x`; in the backward pass its error δ is replaced by −λ δ: the gradient reversal layer of
/// domain adaptation (Ganin & Lempitsky 2015, section 3.1).
///
/// Put between features and a classifier of the domain, it makes the features learn what the
/// classifier cannot tell apart.
///
/// # Shapes
///
/// - `x` and the result: the same shape
///
/// # Panics
///
/// If `lambda` is negative or not finite.
#[track_caller]
#[must_use]
pub fn reverse_grad<const D: usize>(x: Tensor<D>, lambda: f64) -> Tensor<D> {
    or_panic(check_not_negative("lambda of reverse_grad", lambda));
    scale_grad(x, -lambda)
}
