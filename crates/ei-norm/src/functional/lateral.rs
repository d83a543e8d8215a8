//! A local rule by which lateral inhibition learns to center errors.

use burn::tensor::Tensor;

use super::statistics::mean;

/// One step of the rule by which the weights w of [`lateral`](super::lateral) learn to center errors:
/// a normalized delta rule (NLMS) on the rows δ_b of a batch.
///
// p_b = w·δ_b                                   the inhibition
// m_b = mean(δ_b − p_b)                         what is left of the mean, after inhibition
// w'  = max(w + η Σ_b m_b δ_b / Σ_b ‖δ_b‖², 0)  Dale's law: inhibition keeps its sign
#[doc = include_str!("../../equations/lateral_update.html")]
///
/// with p the inhibition and m what is left of the mean after it; Dale's law keeps the sign of
/// inhibition.
///
/// It descends ½ Σ_b m_b²: each synapse needs its own presynaptic error δ_j and one postsynaptic
/// number, m. With 0 < η < 2 the distance of w from 1/D never grows in a step, whatever the errors.
/// All w ≥ 0 with w·δ = mean δ for every error that occurs stay as they are; 1/D is one of them, the
/// only one where the errors span all D directions. The size of the errors does not matter; a batch
/// of zeros changes nothing. `docs/learned-lateral.md` derives this.
///
/// # Shapes
///
/// - `weights` and the result: `[features]`, without autodiff in the result
/// - `delta`: `[..., features]`, the errors before inhibition; cast to the dtype of the weights
///
/// # Panics
///
/// If the last axis of `delta` is not as long as `weights`.
pub fn lateral_update<const D: usize>(
    weights: Tensor<1>,
    delta: Tensor<D>,
    rate: f64,
) -> Tensor<1> {
    let weights = weights.inner();
    let shape = delta.dims();
    let [features] = weights.dims();
    assert!(
        D > 0 && shape[D - 1] == features,
        "lateral_update: errors of shape {shape:?} do not fit {features} weights"
    );
    let rows = shape[..D - 1].iter().product::<usize>();
    if rows * features == 0 {
        return weights;
    }
    let delta = delta.inner().cast(weights.dtype());
    let delta: Tensor<2> = delta.reshape([rows, features]);
    // By their largest value first: squares of small errors would vanish in f32.
    let delta = delta.clone() / nonzero(delta.abs().max()).unsqueeze();
    let inhibition = (delta.clone() * weights.clone().unsqueeze()).sum_dim(1);
    let residual = mean(delta.clone()) - inhibition;
    let change = (residual * delta.clone()).sum_dim(0).reshape([features]);
    let power = nonzero(delta.square().sum());
    (weights + change * rate / power).clamp_min(0.0)
}

/// A number that is ≥ 0, or 1 in place of 0. NaN stays.
fn nonzero(number: Tensor<1>) -> Tensor<1> {
    let zero = number.clone().equal_elem(0.0);
    number.mask_fill(zero, 1.0)
}
