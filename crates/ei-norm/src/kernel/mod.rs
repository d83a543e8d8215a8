//! The error normalizations as fused kernels: the statistics of a row and its new error in one go.
//!
//! Every rule is δ' = (δ − a − z b) c with numbers a, b, c for each row. What a kernel does not
//! support (another backend or dtype, autodiff) goes back to the caller and its tensor operations,
//! which are also what the kernels are tested against.

#![cfg_attr(not(any(feature = "flex", feature = "cube")), allow(dead_code, unused))]
#![allow(clippy::result_large_err)] // Not an error in Rust's sense: the tensor, handed back.

#[cfg(feature = "cube")]
mod cube;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod row;

use burn::backend::{
    Backend, BackendTensor, DispatchKindConversion, DispatchTensor, DispatchTensorKind,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

use crate::context::with_strategy;

/// Which numbers a, b, c a rule takes from a row of D elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Form {
    /// a.
    pub offset: Offset,
    /// b is (δ·z)/D if this is true, and 0 if not.
    pub decorrelates: bool,
    /// c is 1/sqrt(var(z) + ε) where there is an ε, and 1 where not.
    pub epsilon: Option<f64>,
}

/// The number a that every element of a row loses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offset {
    Zero,
    /// mean δ.
    Mean,
    /// w·δ.
    Weighted,
}

impl Form {
    /// δ itself: a = b = 0 and c = 1.
    pub const IDENTITY: Self = Self {
        offset: Offset::Zero,
        decorrelates: false,
        epsilon: None,
    };
}

/// What a kernel reads besides the error.
#[derive(Debug, Clone)]
pub(crate) struct Inputs<T> {
    /// z, of the shape of the error, if the form needs it.
    pub z: Option<T>,
    /// w, as long as a row, if the offset is weighted.
    pub weights: Option<T>,
}

/// δ' of `delta` over the last axis, or `delta` itself where no kernel can compute it.
pub(crate) fn apply<const D: usize>(
    form: Form,
    z: Option<&Tensor<D>>,
    weights: Option<&Tensor<1>>,
    delta: Tensor<D>,
) -> Result<Tensor<D>, Tensor<D>> {
    let fits = z.is_none_or(|z| z.dims() == delta.dims() && z.dtype() == delta.dtype())
        && weights.is_none_or(|w| w.dims()[0] == delta.dims()[D - 1] && w.dtype() == delta.dtype());
    let is_tracked = delta.is_tracked()
        || z.is_some_and(Tensor::is_tracked)
        || weights.is_some_and(Tensor::is_tracked);
    if !fits || is_tracked {
        return Err(delta);
    }
    // Tensors with autodiff but without a graph are computed without, and the result gets it again.
    let strategy = delta
        .gradient_checkpointing_strategy()
        .or_else(|| z?.gradient_checkpointing_strategy())
        .or_else(|| weights?.gradient_checkpointing_strategy());
    let wrap = |tensor| with_strategy(Tensor::from_dispatch(tensor), strategy);
    let inputs = Inputs {
        z: z.map(|z| z.clone().inner().into_dispatch()),
        weights: weights.map(|w| w.clone().inner().into_dispatch()),
    };
    launch(form, inputs, delta.inner().into_dispatch())
        .map(wrap)
        .map_err(wrap)
}

fn launch(
    form: Form,
    inputs: Inputs<DispatchTensor>,
    delta: DispatchTensor,
) -> Result<DispatchTensor, DispatchTensor> {
    match &delta.kind {
        #[cfg(feature = "flex")]
        DispatchTensorKind::Flex(BackendTensor::Float(_)) => {
            run::<burn::backend::Flex>(flex::apply, form, inputs, delta)
        }
        #[cfg(feature = "cube")]
        DispatchTensorKind::Cube(BackendTensor::Float(_)) => {
            run::<burn::backend::Cube>(cube::apply, form, inputs, delta)
        }
        #[allow(unreachable_patterns)]
        _ => Err(delta),
    }
}

type Kernel<B> =
    fn(Form, Inputs<FloatTensor<B>>, FloatTensor<B>) -> Result<FloatTensor<B>, FloatTensor<B>>;

/// Runs the kernel of the backend that has `delta`.
fn run<B: Backend>(
    kernel: Kernel<B>,
    form: Form,
    inputs: Inputs<DispatchTensor>,
    delta: DispatchTensor,
) -> Result<DispatchTensor, DispatchTensor>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    let wrap = |tensor| {
        <DispatchTensor as DispatchKindConversion<B>>::from_backend(BackendTensor::Float(tensor))
    };
    let Some(inputs) = inputs.try_map(unwrap::<B>) else {
        return Err(delta);
    };
    let delta = unwrap::<B>(delta).expect("the backend of delta was looked at");
    kernel(form, inputs, delta).map(wrap).map_err(wrap)
}

fn unwrap<B: Backend>(tensor: DispatchTensor) -> Option<FloatTensor<B>>
where
    DispatchTensor: DispatchKindConversion<B>,
{
    match <DispatchTensor as DispatchKindConversion<B>>::try_into_backend(tensor) {
        Ok(BackendTensor::Float(tensor)) => Some(tensor),
        _ => None,
    }
}

impl<T> Inputs<T> {
    /// All inputs mapped, if `map` takes every one of them.
    fn try_map<U>(self, map: impl Fn(T) -> Option<U>) -> Option<Inputs<U>> {
        let map = |input: Option<T>| input.map(&map).map_or(Some(None), |t| t.map(Some));
        Some(Inputs {
            z: map(self.z)?,
            weights: map(self.weights)?,
        })
    }
}
