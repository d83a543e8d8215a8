use std::sync::{Arc, Mutex};

use burn::tensor::Tensor;

use super::{lock, map_grad};

/// Gives access to the error of an intermediate tensor after the backward pass.
///
/// ```
/// use burn::prelude::*;
/// use ei_norm::grad::GradProbe;
///
/// let device = Device::flex().autodiff();
/// let x = Tensor::<1>::from_floats([1.0, 2.0], &device).require_grad();
///
/// let probe = GradProbe::new();
/// let z = probe.attach(x * 10.0);
/// z.square().sum().backward();
/// let error = probe.take().unwrap();
/// assert_eq!(error.into_data(), burn::tensor::TensorData::from([20.0f32, 40.0]));
/// ```
///
/// It keeps one error, the last that arrived. For a tensor used several times in a pass this is the sum of
/// its errors; after several passes it is the error of the last pass. For several tensors, or the steps of a
/// recurrent network, use a probe for each.
///
/// Clones share the error. As a field of a module with `#[module(skip)]`, a probe is part of neither
/// record nor parameters, and stays attached through training steps and `valid`.
///
/// The error is kept without a copy, until it is taken or replaced; a probe holds no graph.
#[derive(Debug, Clone, Default)]
pub struct GradProbe<const D: usize> {
    error: Arc<Mutex<Option<Tensor<D>>>>,
}

impl<const D: usize> GradProbe<D> {
    /// A probe without an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns `x`; in the backward pass its error is passed on unchanged and kept in the probe.
    ///
    /// If `x` is not part of an autodiff graph, nothing changes.
    ///
    /// # Shapes
    ///
    /// - `x` and the result: the same shape
    #[must_use]
    pub fn attach(&self, x: Tensor<D>) -> Tensor<D> {
        let kept = self.error.clone();
        map_grad(x, move |error| {
            *lock(&kept) = Some(error.clone());
            error
        })
    }

    /// The last error that arrived, without autodiff and in the shape of the attached tensor; none if no
    /// error arrived since the last call.
    pub fn take(&self) -> Option<Tensor<D>> {
        lock(&self.error).take()
    }
}
