use burn::tensor::Tensor;

use crate::autodiff::{attach, is_listed};
use crate::check::{check_not_negative, check_shape, or_panic};
use crate::error_norm::GradNormMode;
use crate::statistics::{Features, mean, row_std, widened};

/// The normalization of the forward activity; all variants are without gain and bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Normalization {
    /// LayerNorm: (x − mean x) / sqrt(var x + ε).
    Layer,
    /// Centering: x − mean x.
    Mean,
    /// Scaling: x / sqrt(var x + ε).
    Divisive,
}

/// The backward pass of a [`Normalization`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BackwardRule {
    /// The exact Jacobian.
    Exact,
    /// The Jacobian with the mean and the scale as constants.
    Detached,
    /// The identity: the error passes as if nothing had been normalized.
    StraightThrough,
}

/// Normalizes the rows of `x` (over the last axis); f16 and bf16 in f32.
///
/// # Shapes
///
/// - `x`: `[..., features]`
/// - result: `[..., features]`
///
/// # Panics
///
/// If ε is negative or not finite.
#[track_caller]
#[must_use]
pub fn normalize<const D: usize>(
    x: Tensor<D>,
    normalization: Normalization,
    backward: BackwardRule,
    epsilon: f64,
) -> Tensor<D> {
    or_panic(check_not_negative("epsilon", epsilon));
    let (dtype, x) = (x.dtype(), widened(x));
    normalize_features(&Features::All, x, normalization, backward, epsilon).cast(dtype)
}

/// [`normalize`] over these features of the last axis; other features are 0 in the result.
pub(crate) fn normalize_features<const D: usize>(
    features: &Features<D>,
    x: Tensor<D>,
    normalization: Normalization,
    backward: BackwardRule,
    epsilon: f64,
) -> Tensor<D> {
    let normalized = |x: Tensor<D>, source| apply(features, x, source, normalization, epsilon);
    match backward {
        BackwardRule::Exact if normalization == Normalization::Layer => {
            layer_norm(features, x, epsilon)
        }
        BackwardRule::Exact => normalized(x.clone(), x),
        BackwardRule::Detached => normalized(x.clone(), x.detach()),
        BackwardRule::StraightThrough => {
            let (value, exact) = (x.clone().detach(), BackwardRule::Exact);
            let normalized =
                normalize_features(features, value.clone(), normalization, exact, epsilon);
            // x − x is exactly 0: the result has the normalized value and the gradient of x.
            features.only(x - value) + normalized
        }
    }
}

/// The backward pass of [`normalize`] as a function: the error at `x` from the error `delta` at the result. ε
/// is not checked.
///
/// # Shapes
///
/// - `x`, `delta`, result: `[..., features]`
///
/// # Panics
///
/// If `x` and `delta` have different shapes.
#[track_caller]
#[must_use]
pub fn normalize_backward<const D: usize>(
    x: Tensor<D>,
    delta: Tensor<D>,
    normalization: Normalization,
    backward: BackwardRule,
    epsilon: f64,
) -> Tensor<D> {
    or_panic(check_shape("delta", delta.dims(), x.dims()));
    let (dtype, x, delta) = (delta.dtype(), widened(x), widened(delta));
    let sigma = || row_std(x.clone(), epsilon);
    let error = match (backward, normalization) {
        (BackwardRule::StraightThrough, _) | (BackwardRule::Detached, Normalization::Mean) => delta,
        (BackwardRule::Detached, _) => delta / sigma(),
        (BackwardRule::Exact, Normalization::Mean) => {
            GradNormMode::Center.apply(x, delta, None, epsilon)
        }
        (BackwardRule::Exact, Normalization::Layer) => {
            let normalized = (x.clone() - mean(x.clone())) / sigma();
            layer_norm_backward(&Features::All, &x, &normalized, delta, epsilon)
        }
        (BackwardRule::Exact, Normalization::Divisive) => {
            // d(x_i/σ)/dx_j = δ_ij/σ − x_i (x_j − mean x)/(D σ³)
            let along = mean(delta.clone() * x.clone()) / sigma().square();
            (delta - (x.clone() - mean(x.clone())) * along) / sigma()
        }
    };
    error.cast(dtype)
}

/// LayerNorm as one autodiff node, by kernels where they exist.
fn layer_norm<const D: usize>(features: &Features<D>, x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    if !is_listed(&x) {
        return apply(features, x.clone(), x, Normalization::Layer, epsilon);
    }
    let source = x.clone().inner();
    // The function that centers and scales errors also does so for activities.
    let center_scale = GradNormMode::CenterScale.with(epsilon);
    let normalized = center_scale.apply(features, Some(&source), None, source.clone());
    let (value, features) = (normalized.clone(), features.clone());
    attach(value, vec![x.into_dispatch()], move |delta, _| {
        let dx = layer_norm_backward(&features, &source, &normalized, delta, epsilon);
        vec![Some(dx.into_dispatch())]
    })
}

/// (δ − mean δ − ẑ (δ·ẑ)/D)/σ with the normalized ẑ and the σ of `x`.
fn layer_norm_backward<const D: usize>(
    features: &Features<D>,
    x: &Tensor<D>,
    normalized: &Tensor<D>,
    delta: Tensor<D>,
    epsilon: f64,
) -> Tensor<D> {
    let inner = GradNormMode::CenterDecorrelate.with(epsilon);
    let delta = inner.apply(features, Some(normalized), None, delta);
    let scale = GradNormMode::Scale.with(epsilon);
    scale.apply(features, Some(x), None, delta)
}

/// Normalizes `x` by the statistics of `source`; both have the same values.
fn apply<const D: usize>(
    features: &Features<D>,
    x: Tensor<D>,
    source: Tensor<D>,
    normalization: Normalization,
    epsilon: f64,
) -> Tensor<D> {
    // No error may reach a feature that does not exist, not even through a mean.
    let source = features.only(source);
    let std = |source| (features.variance(source) + epsilon).sqrt();
    let normalized = match normalization {
        Normalization::Layer => (x - features.mean(source.clone())) / std(source),
        Normalization::Mean => x - features.mean(source),
        Normalization::Divisive => x / std(source),
    };
    features.only(normalized)
}
