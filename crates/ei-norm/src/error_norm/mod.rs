//! The normalizations of errors: as plain tensor operations, and as fused kernels that compute the statistics
//! of a row and its new error at once.
//!
//! A kernel supports one backend and some dtypes, and no graph. The tensor operations serve all other cases,
//! and as reference in the tests of the kernels.

#![cfg_attr(not(any(feature = "flex", feature = "cube")), allow(dead_code, unused))]
#![allow(clippy::result_large_err)] // `Err` hands the tensor back.

#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
mod mode;
#[cfg(feature = "flex")]
mod row;

use burn::backend::{
    Backend, BackendTensor, DispatchKindConversion, DispatchTensor, DispatchTensorKind,
    tensor::FloatTensor,
};
use burn::tensor::{DType, Tensor};

use crate::autodiff::{from_backend, to_backend};
use crate::context::with_strategy;
use crate::statistics::{Features, widened};

pub use mode::{GradNormMode, Offset};

/// A normalization of errors: a mode with its ε.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorNorm {
    pub mode: GradNormMode,
    pub epsilon: f64,
}

/// The inputs of a kernel besides the error, which is not empty:
///
/// - z, in the shape of the error, if the mode needs it;
/// - w, if the mode is lateral: one row for all rows of the error, or one row for each network; the rows of a
///   network are consecutive, and equally many for all networks;
/// - the number of existing features of each network; none if all exist in every network.
type Inputs<T> = [Option<T>; 3];

impl GradNormMode {
    pub(crate) fn with(self, epsilon: f64) -> ErrorNorm {
        let mode = self;
        ErrorNorm { mode, epsilon }
    }
}

impl ErrorNorm {
    /// δ' from `delta` at `z` over these features of the last axis. `weights` are w of each network,
    /// `[..., 1, features]`. `z` and `weights` are ignored if the mode does not use them; half precision is
    /// computed in f32 and cast back.
    pub(crate) fn apply<const D: usize>(
        self,
        features: &Features<D>,
        z: Option<&Tensor<D>>,
        weights: Option<&Tensor<D>>,
        delta: Tensor<D>,
    ) -> Tensor<D> {
        if delta.shape().num_elements() == 0 {
            return delta;
        }
        if self.mode == GradNormMode::Identity {
            return features.only(delta);
        }
        let z = z.filter(|_| self.mode.looks_at_activity());
        let weights = weights.filter(|_| self.mode.offset() == Offset::Weighted);
        let by_kernel = match features.have_gaps() {
            true => Err(delta),
            false => by_kernel(self, z, weights, features.counts().as_ref(), delta),
        };
        match by_kernel {
            Ok(delta) => delta,
            Err(delta) => by_operations(self, features, z, weights, features.only(delta)),
        }
    }
}

/// δ' by plain tensor operations, in f32 if the error has half precision; `weights` are a row.
fn by_operations<const D: usize>(
    ErrorNorm { mode, epsilon }: ErrorNorm,
    features: &Features<D>,
    z: Option<&Tensor<D>>,
    weights: Option<&Tensor<D>>,
    delta: Tensor<D>,
) -> Tensor<D> {
    let dtype = delta.dtype();
    let delta = widened(delta);
    let [z, weights] = [z, weights].map(|tensor| Some(tensor?.clone().cast(delta.dtype())));
    let features = features.cast(delta.dtype());
    let offset = match (mode.offset(), weights) {
        (Offset::Mean, _) => Some(features.mean(delta.clone())),
        (Offset::Weighted, Some(weights)) => Some((delta.clone() * weights).sum_dim(D - 1)),
        _ => None,
    };
    let along = match &z {
        Some(z) if mode.decorrelates() => {
            Some(z.clone() * features.mean(delta.clone() * z.clone()))
        }
        _ => None,
    };
    let delta = [offset, along]
        .into_iter()
        .flatten()
        .fold(delta, Tensor::sub);
    let delta = features.only(delta);
    let delta = match z {
        Some(z) if mode.scales() => delta / (features.variance(z) + epsilon).sqrt(),
        _ => delta,
    };
    delta.cast(dtype)
}

/// δ' by a kernel, or `delta` itself if no kernel supports it.
fn by_kernel<const D: usize>(
    norm: ErrorNorm,
    z: Option<&Tensor<D>>,
    weights: Option<&Tensor<D>>,
    counts: Option<&Tensor<1>>,
    delta: Tensor<D>,
) -> Result<Tensor<D>, Tensor<D>> {
    let (dims, dtype) = (delta.dims(), delta.dtype());
    let (features, rows) = (dims[D - 1], dims[..D - 1].iter().product::<usize>());
    // Whether the rows can be divided into this number of equal parts.
    let divides = |parts: usize| parts > 0 && rows.is_multiple_of(parts);
    let fits = z.is_none_or(|z| z.dims() == dims && z.dtype() == dtype)
        && weights.is_none_or(|w| {
            let (values, row) = (w.shape().num_elements(), w.dims()[D - 1]);
            w.dtype() == dtype && row == features && values.checked_div(row).is_none_or(divides)
        })
        // Half precision cannot represent every number of features.
        && counts.is_none_or(|counts| {
            let exact = matches!(dtype, DType::F32 | DType::F64);
            exact && counts.dtype() == dtype && divides(counts.dims()[0])
        });
    let tensors = || [Some(&delta), z, weights].into_iter().flatten();
    if !fits || tensors().any(Tensor::is_tracked) {
        return Err(delta);
    }
    // The computation is without autodiff; the result has autodiff again if an input has it.
    let strategy = tensors().find_map(Tensor::gradient_checkpointing_strategy);
    let wrap = |tensor| with_strategy(Tensor::from_dispatch(tensor), strategy);
    let inner = |tensor: &Tensor<D>| tensor.clone().inner().into_dispatch();
    let counts = counts.map(|counts| counts.clone().inner().into_dispatch());
    let inputs = [z.map(inner), weights.map(inner), counts];
    launch(norm, inputs, delta.inner().into_dispatch())
        .map(wrap)
        .map_err(wrap)
}

fn launch(
    norm: ErrorNorm,
    inputs: Inputs<DispatchTensor>,
    delta: DispatchTensor,
) -> Result<DispatchTensor, DispatchTensor> {
    match &delta.kind {
        #[cfg(feature = "flex")]
        DispatchTensorKind::Flex(BackendTensor::Float(_)) => {
            run::<burn::backend::Flex>(flex::apply, norm, inputs, delta)
        }
        #[cfg(feature = "cube")]
        DispatchTensorKind::Cube(BackendTensor::Float(_)) => {
            run::<burn::backend::Cube>(cube::apply, norm, inputs, delta)
        }
        #[allow(unreachable_patterns)]
        _ => Err(delta),
    }
}

type Kernel<B> =
    fn(ErrorNorm, Inputs<FloatTensor<B>>, FloatTensor<B>) -> Result<FloatTensor<B>, FloatTensor<B>>;

/// Runs the kernel of the backend of `delta`.
fn run<B: Backend>(
    kernel: Kernel<B>,
    norm: ErrorNorm,
    inputs: Inputs<DispatchTensor>,
    delta: DispatchTensor,
) -> Result<DispatchTensor, DispatchTensor>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    let inputs = inputs.map(|input| input.map(to_backend::<B>));
    kernel(norm, inputs, to_backend::<B>(delta))
        .map(from_backend::<B>)
        .map_err(from_backend::<B>)
}
