//! Lateral inhibition between errors, and a local rule by which it learns to center them.

use burn::tensor::Tensor;

use crate::check::{check_last, check_not_negative, or_panic};
use crate::error_norm::GradNormMode;
use crate::row_function::as_row;
use crate::statistics::{Features, mean, widened};

/// δ − Σ_j w_j δ_j: every neuron is inhibited by the same weighted sum of errors.
///
/// # Shapes
///
/// - `delta` and the result: `[..., D]`; `weights`: `[D]`
///
/// # Panics
///
/// If the last axis of `delta` is not as long as `weights`.
#[track_caller]
#[must_use]
pub fn lateral<const D: usize>(delta: Tensor<D>, weights: Tensor<1>) -> Tensor<D> {
    or_panic(check_last("delta", delta.dims(), weights.dims()[0]));
    let norm = GradNormMode::Lateral.with(0.0);
    norm.apply(&Features::All, None, Some(&as_row(weights)), delta)
}

/// One step of a local rule by which the weights w of [`lateral`](super::lateral) learn to center errors: a
/// normalized delta rule (NLMS) on the rows δ_b of a batch.
///
/// ```text
/// p_b = w·δ_b                                   the inhibition
/// m_b = mean(δ_b − p_b)                         the mean that remains after inhibition
/// w'  = max(w + η Σ_b m_b δ_b / Σ_b ‖δ_b‖², 0)  Dale's law: inhibition keeps its sign
/// ```
///
/// It descends ½ Σ_b m_b²: each synapse needs only its presynaptic error δ_j and one postsynaptic number, m.
/// With 0 < η < 2 the distance of w from 1/D never grows in a step, whatever the errors. Every w ≥ 0 with w·δ
/// = mean δ for all occurring errors is a fixed point; 1/D is one, and the only one if the errors span all D
/// directions. The size of the errors does not matter; a batch of zeros changes nothing.
/// `docs/learned-lateral.md` derives this.
///
/// # Shapes
///
/// - `weights` and the result: `[features]`, without autodiff in the result
/// - `delta`: `[..., features]`, the errors before inhibition; cast to the dtype of the weights, or to f32
///   if that has half precision
///
/// # Panics
///
/// If the last axis of `delta` is not as long as `weights`, or the rate is negative or not finite.
#[track_caller]
#[must_use]
pub fn lateral_update<const D: usize>(
    weights: Tensor<1>,
    delta: Tensor<D>,
    rate: f64,
) -> Tensor<1> {
    let weights = weights.inner();
    let shape = delta.dims();
    let [features] = weights.dims();
    or_panic(check_last("delta", shape, features));
    or_panic(check_not_negative("rate", rate));
    let rows = shape[..D - 1].iter().product::<usize>();
    if rows * features == 0 {
        return weights;
    }
    // In half precision the sum of many squares would be infinite, and nothing would be learned.
    let (dtype, weights) = (weights.dtype(), widened(weights));
    let delta = delta.inner().cast(weights.dtype());
    let delta: Tensor<2> = delta.reshape([rows, features]);
    // Divided by the largest value first: squares of small errors would vanish in f32.
    let delta = delta.clone() / nonzero(delta.abs().max()).unsqueeze();
    let inhibition = (delta.clone() * weights.clone().unsqueeze()).sum_dim(1);
    let residual = mean(delta.clone()) - inhibition;
    let change = (residual * delta.clone()).sum_dim(0).reshape([features]);
    let power = nonzero(delta.square().sum());
    (weights + change * rate / power).clamp_min(0.0).cast(dtype)
}

/// The number (≥ 0), with 1 in place of 0. NaN stays NaN.
fn nonzero(number: Tensor<1>) -> Tensor<1> {
    let zero = number.clone().equal_elem(0.0);
    number.mask_fill(zero, 1.0)
}
