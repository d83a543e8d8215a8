use burn::tensor::Tensor;

use super::error::{center, decorrelate, scale};
use super::statistics::{mean, row_std};
use crate::grad::attach;
use crate::kernel::{self, Form, Offset};

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

/// LayerNorm as one node, by kernels where there are any.
fn layer_norm<const D: usize>(x: Tensor<D>, epsilon: f64) -> Tensor<D> {
    const CENTERED: Form = Form {
        offset: Offset::Mean,
        ..Form::IDENTITY
    };
    let divided = move |form| Form {
        epsilon: Some(epsilon),
        ..form
    };
    let source = x.clone().inner();
    let normalized = kernel::apply(divided(CENTERED), Some(&source), None, source.clone())
        .unwrap_or_else(|x| apply(x.clone(), x, Normalization::Layer, epsilon));
    let value = normalized.clone();
    attach(value, [Some(x.into_dispatch())], move |delta, _| {
        let decorrelated = Form {
            decorrelates: true,
            ..CENTERED
        };
        let dx = kernel::apply(decorrelated, Some(&normalized), None, delta)
            .unwrap_or_else(|delta| decorrelate(normalized.clone(), center(delta)));
        let dx = kernel::apply(divided(Form::IDENTITY), Some(&source), None, dx)
            .unwrap_or_else(|dx| scale(source.clone(), dx, epsilon));
        [Some(dx.into_dispatch())]
    })
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
