use burn::tensor::Tensor;

use super::error::{center, decorrelate};
use super::statistics::{mean, row_std};

/// Which normalization of the forward activity, all without gain or bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// LayerNorm: (x − mean x) / sqrt(var x + ε).
    Layer,
    /// Only the mean is removed: x − mean x.
    Mean,
    /// Only the scale: x / sqrt(var x + ε).
    Divisive,
}

/// What the backward pass of a [`Normalization`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackwardRule {
    /// The exact Jacobian.
    Exact,
    /// The mean and the scale count as constants.
    Detached,
    /// The identity: the error passes as if nothing had been normalized.
    StraightThrough,
}

/// Normalizes the rows of `x` (over the last axis).
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., features]`
pub fn normalize<const D: usize>(
    x: Tensor<D>,
    normalization: Normalization,
    backward: BackwardRule,
    epsilon: f64,
) -> Tensor<D> {
    match backward {
        BackwardRule::Exact => apply(x.clone(), x, normalization, epsilon),
        BackwardRule::Detached => apply(x.clone(), x.detach(), normalization, epsilon),
        BackwardRule::StraightThrough => {
            let value = x.clone().detach();
            let normalized = apply(value.clone(), value.clone(), normalization, epsilon);
            // x − x is exactly zero, so the value is the normalized one and the gradient is x's.
            (x - value) + normalized
        }
    }
}

/// The backward pass of [`normalize`] as a plain computation: the error at `x` from the error
/// `delta` at the result.
///
/// # Shapes
///
/// - `x`, `delta`, result: `[..., features]`
pub fn normalize_backward<const D: usize>(
    x: Tensor<D>,
    delta: Tensor<D>,
    normalization: Normalization,
    backward: BackwardRule,
    epsilon: f64,
) -> Tensor<D> {
    let sigma = || row_std(x.clone(), epsilon);
    match (backward, normalization) {
        (BackwardRule::StraightThrough, _) => delta,
        (BackwardRule::Detached, Normalization::Mean) => delta,
        (BackwardRule::Detached, _) => delta / sigma(),
        (BackwardRule::Exact, Normalization::Mean) => center(delta),
        (BackwardRule::Exact, Normalization::Layer) => {
            let normalized = (x.clone() - mean(x.clone())) / sigma();
            decorrelate(normalized, center(delta)) / sigma()
        }
        (BackwardRule::Exact, Normalization::Divisive) => {
            // d(x_i/σ)/dx_j = δ_ij/σ − x_i (x_j − mean x)/(D σ³)
            let along = mean(delta.clone() * x.clone()) / sigma().square();
            (delta - (x.clone() - mean(x.clone())) * along) / sigma()
        }
    }
}

/// Normalizes `x` by the statistics of `source`, which has the same values.
fn apply<const D: usize>(
    x: Tensor<D>,
    source: Tensor<D>,
    normalization: Normalization,
    epsilon: f64,
) -> Tensor<D> {
    match normalization {
        Normalization::Layer => (x - mean(source.clone())) / row_std(source, epsilon),
        Normalization::Mean => x - mean(source),
        Normalization::Divisive => x / row_std(source, epsilon),
    }
}
