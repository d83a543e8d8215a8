use burn::tensor::Tensor;

use crate::autodiff::{attach, is_listed};
use crate::error_norm::{self, GradNormMode};
use crate::statistics::{mean, row_std};

/// Which normalization of the forward activity, all without gain or bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
#[non_exhaustive]
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
        BackwardRule::Exact if normalization == Normalization::Layer => layer_norm(x, epsilon),
        BackwardRule::Exact => apply(x.clone(), x, normalization, epsilon),
        BackwardRule::Detached => apply(x.clone(), x.detach(), normalization, epsilon),
        BackwardRule::StraightThrough => {
            let value = x.clone().detach();
            let normalized = match normalization {
                Normalization::Layer => layer_norm(value.clone(), epsilon),
                _ => apply(value.clone(), value.clone(), normalization, epsilon),
            };
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
        (BackwardRule::Exact, Normalization::Mean) => {
            error_norm::apply(GradNormMode::Center, epsilon, None, None, delta)
        }
        (BackwardRule::Exact, Normalization::Layer) => {
            let normalized = (x.clone() - mean(x.clone())) / sigma();
            layer_norm_backward(&x, &normalized, delta, epsilon)
        }
        (BackwardRule::Exact, Normalization::Divisive) => {
            // d(x_i/σ)/dx_j = δ_ij/σ − x_i (x_j − mean x)/(D σ³)
            let along = mean(delta.clone() * x.clone()) / sigma().square();
            (delta - (x.clone() - mean(x.clone())) * along) / sigma()
        }
    }
}

/// LayerNorm as one node, by kernels where there are any.
fn layer_norm<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    if !is_listed(&x) {
        return apply(x.clone(), x, Normalization::Layer, epsilon);
    }
    let source = x.clone().inner();
    // What centers and scales an error does so to an activity.
    let mode = GradNormMode::CenterScale;
    let normalized = error_norm::apply(mode, epsilon, Some(&source), None, source.clone());
    let value = normalized.clone();
    attach(value, vec![x.into_dispatch()], move |delta, _| {
        let dx = layer_norm_backward(&source, &normalized, delta, epsilon);
        vec![Some(dx.into_dispatch())]
    })
}

/// (δ − mean δ − ẑ (δ·ẑ)/D)/σ with the normalized ẑ and the σ of `x`.
fn layer_norm_backward<const D: usize>(
    x: &Tensor<D>,
    normalized: &Tensor<D>,
    delta: Tensor<D>,
    epsilon: f64,
) -> Tensor<D> {
    let mode = GradNormMode::CenterDecorrelate;
    let delta = error_norm::apply(mode, epsilon, Some(normalized), None, delta);
    error_norm::apply(GradNormMode::Scale, epsilon, Some(x), None, delta)
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
