use burn::tensor::Tensor;

use super::map_grad;
use crate::check::{check_not_negative, or_panic};
use crate::statistics::widened;

/// Returns `x`; in the backward pass the error of each example is scaled down to the Euclidean norm
/// `max_norm` if its norm is larger (Pascanu et al. 2013).
///
/// An example is everything at one index of the first axis: a row of `[batch, features]`, an image of
/// `[batch, channels, height, width]`, a single value of `[batch]`. The direction of its error is kept.
/// [`clip_grad_total_norm`] takes the norm of the whole tensor.
///
/// Zero errors stay zero. An error with a NaN or infinite value stays unchanged, so that a
/// [`GradSentinel`](super::GradSentinel) further back can find it. The norm neither overflows nor underflows;
/// half precision is computed in f32 and cast back.
///
/// # Shapes
///
/// - `x` and the result: `[batch, ...]`
///
/// # Panics
///
/// If `max_norm` is negative or not finite.
#[track_caller]
#[must_use]
pub fn clip_grad_norm<const D: usize>(x: Tensor<D>, max_norm: f64) -> Tensor<D> {
    or_panic(check_not_negative("max_norm of clip_grad_norm", max_norm));
    map_grad(x, move |error| {
        let examples = error.dims()[0];
        clip_norm(error, examples, max_norm)
    })
}

/// Returns `x`; in the backward pass its error is scaled down to the Euclidean norm `max_norm`, over
/// all axes together, if its norm is larger (Pascanu et al. 2013).
///
/// Otherwise as [`clip_grad_norm`]: if one value is not finite, the whole error stays unchanged.
///
/// # Shapes
///
/// - `x` and the result: the same shape
///
/// # Panics
///
/// If `max_norm` is negative or not finite.
#[track_caller]
#[must_use]
pub fn clip_grad_total_norm<const D: usize>(x: Tensor<D>, max_norm: f64) -> Tensor<D> {
    or_panic(check_not_negative(
        "max_norm of clip_grad_total_norm",
        max_norm,
    ));
    map_grad(x, move |error| clip_norm(error, 1, max_norm))
}

/// Returns `x`; in the backward pass each value of its error is limited to −`limit`..`limit`.
///
/// Infinite values become ±`limit`; NaN stays NaN.
///
/// # Shapes
///
/// - `x` and the result: the same shape
///
/// # Panics
///
/// If `limit` is negative or not finite.
#[track_caller]
#[must_use]
pub fn clip_grad_value<const D: usize>(x: Tensor<D>, limit: f64) -> Tensor<D> {
    or_panic(check_not_negative("limit of clip_grad_value", limit));
    // Masks are used because backends differ in how their clamp treats NaN.
    map_grad(x, move |error| {
        let above = error.clone().greater_scalar(limit);
        let below = error.clone().lower_scalar(-limit);
        error.mask_fill(above, limit).mask_fill(below, -limit)
    })
}

/// Clips the norm of each of `rows` equal parts.
fn clip_norm<const D: usize>(error: Tensor<D>, rows: usize, max_norm: f64) -> Tensor<D> {
    let (shape, dtype) = (error.dims(), error.dtype());
    let values: usize = shape.iter().product();
    if values == 0 {
        return error;
    }
    let error = error.reshape([rows, values / rows]);
    let error = widened(error);
    // The norm is largest · relative; the factors are separate because squares of large or small errors leave
    // the range of f32. Rows of zeros and rows that are not finite give NaN, which compares as not above.
    let largest = error.clone().abs().max_dim(1);
    let direction = error.clone() / largest.clone();
    let relative = direction.clone().square().sum_dim(1).sqrt();
    let above = (largest * relative.clone()).greater_scalar(max_norm);
    let clipped = direction * (relative.recip() * max_norm);
    let above = above.expand(error.dims());
    error.mask_where(above, clipped).cast(dtype).reshape(shape)
}
