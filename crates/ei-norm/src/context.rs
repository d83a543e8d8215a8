//! A tensor's association with autodiff, carried to another tensor.

use burn::tensor::Tensor;

/// `tensor` with autodiff if `like` has it, and then with its gradient-checkpointing strategy:
/// tensors of two strategies must not meet in an operation. Not part of any graph.
pub(crate) fn associate<const D: usize, const E: usize>(
    tensor: Tensor<D>,
    like: &Tensor<E>,
) -> Tensor<D> {
    let tensor = tensor.inner();
    match like.gradient_checkpointing_strategy() {
        Some(strategy) => tensor
            .autodiff()
            .with_gradient_checkpointing_strategy(strategy),
        None => tensor,
    }
}
