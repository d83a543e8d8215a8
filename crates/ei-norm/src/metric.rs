//! Measures of activity and of errors, as in the figures of Eyono et al. (2026).

use burn::module::Module;
use burn::tensor::{Tensor, activation::relu};

use crate::check::{check_shape, or_panic};
use crate::dale::constrained_values;
use crate::functional::{
    BackwardRule, Normalization, mean, normalize, normalize_backward, variance,
};
use crate::matmul::product;
use crate::statistics::widened;
use crate::{EiLinear, GradNormMode, INormLinear, read};

/// Mean and variance over the features of one example, averaged over a batch.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Moments {
    /// The first moment: 0 after perfect normalization.
    pub mean: f64,
    /// The population variance: 1 after perfect normalization.
    pub variance: f64,
}

/// How close a layer comes to LayerNorm; 1 is the same direction.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Alignment {
    /// The cosine between ReLU(LayerNorm(z)) and ReLU(z) over a batch, where z is the layer's output.
    pub output: f64,
    /// The cosine between the gradients with respect to W_ex of the sums of ReLU(LayerNorm(z)) and ReLU(z);
    /// the latter gradient includes the layer's normalization of errors. With [`GradNormMode::Lateral`] the
    /// reference is [`GradNormMode::Center`] instead of LayerNorm, as in the paper.
    pub gradient: f64,
}

/// The moments of the rows of `z`; NaN if there are no rows. Half precision is computed in f32.
///
/// # Shapes
///
/// - `z`: `[..., features]`
pub fn moments<const D: usize>(z: Tensor<D>) -> Moments {
    let z = widened(z.inner());
    Moments {
        mean: read::scalar(mean(z.clone()).mean()),
        variance: read::scalar(variance(z).mean()),
    }
}

/// The cosine of the angle between two flattened tensors. NaN if one is zero, or so small that its squares
/// are. Half precision is computed in f32.
///
/// # Panics
///
/// If the shapes differ.
#[track_caller]
pub fn cosine<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f64 {
    or_panic(check_shape("b", b.dims(), a.dims()));
    let [a, b] = [a, b].map(|t| widened(t.inner()));
    let sum = |t: Tensor<D>| -> f64 { read::scalar(t.sum()) };
    sum(a.clone() * b.clone()) / (sum(a.square()) * sum(b.square())).sqrt()
}

/// The cosine of the angle between an optimizer's step and the same step after the projection onto Dale's
/// law, over all constrained parameters of a module. It is 1 if the projection changes nothing, and NaN if no
/// constrained parameter moved.
///
/// `before` is the module before the step, `after` the module after the step and before
/// [`dale::project`](crate::dale::project). Parameters that `after` lacks in the same place and shape are
/// left out.
pub fn projection_cosine<M: Module>(before: &M, after: &M) -> f64 {
    let (before, after) = (constrained_values(before), constrained_values(after));
    let pairs = before
        .iter()
        .filter_map(|(place, before)| Some((before, after.get(place)?)));
    let (mut inner, mut whole, mut left) = (0.0, 0.0, 0.0);
    for (before, after) in pairs.flat_map(|(before, after)| before.iter().zip(after)) {
        // NaN is not projected.
        let projected = if *after <= 0.0 { 0.0 } else { *after };
        let (step, kept) = (after - before, projected - before);
        inner += step * kept;
        whole += step * step;
        left += kept * kept;
    }
    inner / (whole.sqrt() * left.sqrt())
}

/// λ_max: the largest eigenvalue of the covariance of the rows of `delta` (divisor batch − 1), the variance
/// of errors in the direction of their largest variance. NaN for fewer than two rows, for no features, or for
/// values that are not finite. Half precision is computed in f32.
///
/// # Shapes
///
/// - `delta`: `[batch, features]`, the error that reaches a layer
pub fn largest_covariance_eigenvalue(delta: Tensor<2>) -> f64 {
    let delta = widened(delta.inner());
    let [batch, features] = delta.dims();
    if batch < 2 || features == 0 {
        return f64::NAN;
    }
    let centered = delta.clone() - delta.mean_dim(0);
    let size: f64 = read::scalar(centered.clone().abs().max());
    if !size.is_finite() {
        return f64::NAN;
    }
    if size == 0.0 {
        return 0.0;
    }
    // The covariance and the Gram matrix have the same nonzero eigenvalues.
    let centered = centered / size;
    let gram = match batch <= features {
        true => product(centered.clone(), centered.transpose()),
        false => product(centered.clone().transpose(), centered),
    };
    size.powi(2) * largest_eigenvalue(gram) / (batch - 1) as f64
}

/// The largest eigenvalue of a nonzero positive semidefinite matrix, by repeated squaring: with P = G^N,
/// tr(P² G)/tr(P²) is a mean of the eigenvalues with weights λ^2N. This needs no convergence, unlike a
/// decomposition, which can fail for errors of low rank.
fn largest_eigenvalue(gram: Tensor<2>) -> f64 {
    /// N = 2^32: the relative error is at most 1/(2 e N) for any second eigenvalue.
    const SQUARINGS: usize = 32;
    let normalized = |power: Tensor<2>| {
        let size = power.clone().abs().max();
        power / size.unsqueeze()
    };
    let power = (0..SQUARINGS).fold(normalized(gram.clone()), |power, _| {
        normalized(product(power.clone(), power))
    });
    let along: f64 = read::scalar((product(power.clone(), gram) * power.clone()).sum());
    let whole: f64 = read::scalar(power.square().sum());
    along / whole
}

/// The alignment of an I-Norm layer for a batch.
///
/// # Shapes
///
/// - `x`: `[batch, d_input]`
///
/// # Panics
///
/// If the last axis of `x` is not `d_input`.
#[track_caller]
pub fn i_norm_alignment(layer: &INormLinear, x: Tensor<2>) -> Alignment {
    let errors = |error, z| layer.grad_norm.apply(z, error);
    i_norm(layer, x, layer.grad_norm.mode(), errors)
}

/// The alignment of an I-Norm layer for a batch, with `errors` in place of the layer's normalization of
/// errors: a function from the error at the output z, and z, to the normalized error. The reference is
/// LayerNorm.
///
/// # Shapes
///
/// - `x`: `[batch, d_input]`; the error, z and the result of `errors`: `[batch, d_output]`
///
/// # Panics
///
/// If the last axis of `x` is not `d_input`, or `errors` returns another shape.
#[track_caller]
pub fn i_norm_alignment_with(
    layer: &INormLinear,
    x: Tensor<2>,
    errors: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2>,
) -> Alignment {
    i_norm(layer, x, GradNormMode::Identity, errors)
}

fn i_norm(
    layer: &INormLinear,
    x: Tensor<2>,
    mode: GradNormMode,
    errors: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2>,
) -> Alignment {
    let x = x.inner();
    let currents = layer.currents(x.clone());
    let divisive = currents.divisive.clone().map(Tensor::inner);
    let z = layer.output(&currents).inner();
    let to_drive = |error: Tensor<2>| match &divisive {
        Some(q) => error / q.clone(),
        None => error,
    };
    alignment(x, z, mode, errors, layer.epsilon(), to_drive)
}

/// The alignment of an EI layer for a batch, optionally followed by a fixed normalization. `epsilon` is the ε of
/// this normalization and of the LayerNorm that is compared.
///
/// # Shapes
///
/// - `x`: `[batch, d_input]`
///
/// # Panics
///
/// If the last axis of `x` is not `d_input`.
#[track_caller]
pub fn ei_alignment(
    layer: &EiLinear,
    normalization: Option<(Normalization, BackwardRule)>,
    epsilon: f64,
    x: Tensor<2>,
) -> Alignment {
    let x = x.inner();
    let drive = layer.forward(x.clone()).inner();
    let z = match normalization {
        Some((kind, rule)) => normalize(drive.clone(), kind, rule, epsilon),
        None => drive.clone(),
    };
    let to_drive = |error: Tensor<2>| match normalization {
        Some((kind, rule)) => normalize_backward(drive.clone(), error, kind, rule, epsilon),
        None => error,
    };
    alignment(
        x,
        z,
        GradNormMode::Identity,
        |error, _| error,
        epsilon,
        to_drive,
    )
}

/// The alignment of a layer with output `z`. `errors` normalizes the error at z in this mode; `to_drive`
/// computes the error at the excitatory drive x W_ex from it.
fn alignment(
    x: Tensor<2>,
    z: Tensor<2>,
    mode: GradNormMode,
    errors: impl Fn(Tensor<2>, Tensor<2>) -> Tensor<2>,
    epsilon: f64,
    to_drive: impl Fn(Tensor<2>) -> Tensor<2>,
) -> Alignment {
    const LAYER: Normalization = Normalization::Layer;
    const EXACT: BackwardRule = BackwardRule::Exact;
    let normalized = normalize(z.clone(), LAYER, EXACT, epsilon);
    // The derivative of the sum of ReLU(z).
    let active = |z: &Tensor<2>| z.zeros_like().mask_fill(z.clone().greater_elem(0.0), 1.0);
    let reference = match mode {
        GradNormMode::Lateral => GradNormMode::Center.apply(z.clone(), active(&z), None, epsilon),
        _ => normalize_backward(z.clone(), active(&normalized), LAYER, EXACT, epsilon),
    };
    let actual = errors(active(&z), z.clone());
    or_panic(check_shape("the normalized error", actual.dims(), z.dims()));
    Alignment {
        output: cosine(relu(normalized), relu(z)),
        gradient: cosine_of_gradients(x, to_drive(actual), to_drive(reference)),
    }
}

/// The cosine of the angle between xᵀ a and xᵀ b, the gradients of weights for the errors a and b. The
/// gradients are not computed: (xᵀ a)·(xᵀ b) = Σ (x xᵀ) ∘ (a bᵀ), a sum over pairs of examples.
///
/// # Shapes
///
/// - `x`: `[batch, d_input]`; `a`, `b`: `[batch, d_output]`
fn cosine_of_gradients(x: Tensor<2>, a: Tensor<2>, b: Tensor<2>) -> f64 {
    let [x, a, b] = [x, a, b].map(widened);
    let gram = |a: &Tensor<2>, b: &Tensor<2>| product(a.clone(), b.clone().transpose());
    let of_inputs = gram(&x, &x);
    let inner = |a: &Tensor<2>, b: &Tensor<2>| -> f64 {
        read::scalar((of_inputs.clone() * gram(a, b)).sum())
    };
    inner(&a, &b) / (inner(&a, &a) * inner(&b, &b)).sqrt()
}
