//! The memory behind tensors.

#[cfg(feature = "flex")]
use burn::backend::{BackendTensor, DispatchTensorKind, flex::FlexTensor};
use burn::tensor::Tensor;

/// True only if `a` and `b` share storage and layout, so that their values are equal, which is known
/// at no cost. False where that is not known: the caller then has to look at the values.
pub(crate) fn is_shared<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> bool {
    #[cfg(feature = "flex")]
    if let (Some(a), Some(b)) = (on_host(a), on_host(b)) {
        return a.bytes().as_ptr() == b.bytes().as_ptr() && a.layout() == b.layout();
    }
    let _ = (a, b);
    false
}

/// The tensor as the Flex backend has it in memory, if it is there.
#[cfg(feature = "flex")]
pub(crate) fn on_host<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    match tensor.clone().inner().into_dispatch().kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Some(tensor),
        _ => None,
    }
}
