//! Whether two tensors are the same memory, which tells at no cost that a value did not change.

#[cfg(feature = "flex")]
use burn::backend::{BackendTensor, DispatchTensorKind};
use burn::tensor::Tensor;

/// True only if `a` and `b` share storage and layout, so that their values are equal. False where
/// that is not known: the caller then has to look at the values.
pub(crate) fn is_shared<const D: usize>(a: &Tensor<D>, b: &Tensor<D>) -> bool {
    let kind = |t: &Tensor<D>| t.clone().inner().into_dispatch().kind;
    match (kind(a), kind(b)) {
        #[cfg(feature = "flex")]
        (
            DispatchTensorKind::Flex(BackendTensor::Float(a)),
            DispatchTensorKind::Flex(BackendTensor::Float(b)),
        ) => a.bytes().as_ptr() == b.bytes().as_ptr() && a.layout() == b.layout(),
        #[allow(unreachable_patterns)]
        _ => false,
    }
}
