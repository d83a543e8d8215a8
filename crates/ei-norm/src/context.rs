//! A tensor's association with autodiff, carried to another tensor.

use burn::{backend::GradientCheckpointingStrategy, tensor::Tensor};

/// `tensor` with autodiff if `like` has it, and then with its gradient-checkpointing strategy:
/// tensors of two strategies must not meet in an operation. Not part of any graph.
pub(crate) fn associate<const D: usize, const E: usize>(
    tensor: Tensor<D>,
    like: &Tensor<E>,
) -> Tensor<D> {
    with_strategy(tensor.inner(), like.gradient_checkpointing_strategy())
}

/// `tensor`, which has no autodiff, with it if there is a strategy.
pub(crate) fn with_strategy<const D: usize>(
    tensor: Tensor<D>,
    strategy: Option<GradientCheckpointingStrategy>,
) -> Tensor<D> {
    match strategy {
        Some(strategy) => tensor
            .autodiff()
            .with_gradient_checkpointing_strategy(strategy),
        None => tensor,
    }
}
