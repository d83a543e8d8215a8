use burn::tensor::Tensor;

use super::map_grad;
use crate::check::{check_finite, check_not_negative, or_panic};

/// Returns `x`; in the backward pass its error is multiplied by `factor`.
///
/// Layers before `x` then learn at another rate than layers after it. With a factor of 0 the gradients before
/// `x` still exist, as zeros.
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
/// Between features and a domain classifier, it trains the features to make the domains indistinguishable to
/// the classifier.
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
