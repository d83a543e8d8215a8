//! The memory behind tensors.

use burn::backend::{BackendTensor, DispatchTensorKind, flex::FlexTensor};
use burn::tensor::Tensor;

/// The tensor as the Flex backend has it in memory, if it is there.
pub(crate) fn on_host<const D: usize>(tensor: &Tensor<D>) -> Option<FlexTensor> {
    match tensor.clone().inner().into_dispatch().kind {
        DispatchTensorKind::Flex(BackendTensor::Float(tensor)) => Some(tensor),
        _ => None,
    }
}
