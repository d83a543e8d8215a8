//! The normalizations of a back-propagated error (Eyono et al. 2026).
//!
//! `delta` is the error δ = dL/dz that arrives at a layer's output z, a row an example; D is the
//! length of a row and σ = sqrt(var(z) + ε). All tensors are `[..., D]`.

use burn::tensor::Tensor;

use super::statistics::{mean, row_std};

/// δ − mean δ.
pub fn center<const D: usize>(delta: Tensor<D>) -> Tensor<D> {
    let offset = mean(delta.clone());
    delta - offset
}

/// δ / σ.
pub fn scale<const D: usize>(z: Tensor<D>, delta: Tensor<D>, epsilon: f64) -> Tensor<D> {
    delta / row_std(z, epsilon)
}

/// δ − z (δ·z)/D: the part of the error along the activity is taken out.
pub fn decorrelate<const D: usize>(z: Tensor<D>, delta: Tensor<D>) -> Tensor<D> {
    let along = mean(delta.clone() * z.clone());
    delta - z * along
}

/// (δ − mean δ − z (δ·z)/D) / σ: LayerNorm's Jacobian where z has mean 0 and variance 1.
pub fn full<const D: usize>(z: Tensor<D>, delta: Tensor<D>, epsilon: f64) -> Tensor<D> {
    let along = mean(delta.clone() * z.clone());
    (center(delta) - z.clone() * along) / row_std(z, epsilon)
}

/// δ − Σ_j w_j δ_j: every neuron is inhibited by the same weighted sum of errors.
///
/// # Shapes
///
/// - `weights`: `[D]`, summing to 1.
pub fn lateral<const D: usize>(delta: Tensor<D>, weights: Tensor<1>) -> Tensor<D> {
    let inhibition = (delta.clone() * weights.unsqueeze()).sum_dim(D - 1);
    delta - inhibition
}
