//! Tensors of the Flex backend in host memory, for kernels.

use std::ops::{Add, AddAssign, Mul, Sub};

use burn::backend::{BackendTensor, DispatchTensorKind, flex::FlexTensor};
use burn::tensor::{Element, Tensor};

/// The element types of the kernels.
pub(crate) trait Real:
    Element
    + bytemuck::Pod
    + Default
    + PartialOrd
    + Into<f64>
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
{
    /// The nearest number of this type.
    #[inline(always)]
    fn narrow(value: f64) -> Self {
        Self::from_elem(value)
    }
}

impl Real for f32 {}
impl Real for f64 {}

/// The tensor of the Flex backend, if `tensor` is on Flex.
pub(crate) fn on_host<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    match tensor.clone().inner().into_dispatch().kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Some(tensor),
        _ => None,
    }
}

/// The tensor after `change`; the unchanged tensor if it is not on Flex or `change` returns none.
#[allow(clippy::result_large_err)] // `Err` hands the tensor back.
pub(crate) fn in_place<const D: usize>(
    tensor: Tensor<D>,
    change: impl FnOnce(&mut FlexTensor) -> Option<()>,
) -> Result<Tensor<D>, Tensor<D>> {
    let mut tensor = tensor.into_dispatch();
    let changed = match &mut tensor.kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => change(tensor),
        _ => None,
    };
    let tensor = Tensor::from_dispatch(tensor);
    match changed {
        Some(()) => Ok(tensor),
        None => Err(tensor),
    }
}

/// The values; none if the memory is shared or not contiguous.
///
/// # Panics
///
/// If the tensor has another element type.
pub(crate) fn values_mut<T: Real>(tensor: &mut FlexTensor) -> Option<&mut [T]> {
    let (start, end) = tensor.layout().contiguous_offsets()?;
    tensor.try_storage_mut()?.get_mut(start..end)
}
