//! The memory of tensors.

use burn::backend::{BackendTensor, DispatchTensorKind, flex::FlexTensor};
use burn::tensor::Tensor;

/// The tensor of the Flex backend, if `tensor` is on Flex.
pub(crate) fn on_host<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    match tensor.clone().inner().into_dispatch().kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Some(tensor),
        _ => None,
    }
}
