//! Transfers a tensor's autodiff association to another tensor.

use burn::tensor::{GradientCheckpointingStrategy, Tensor};

/// `tensor` with autodiff if `like` has autodiff, and with the gradient-checkpointing strategy of `like`:
/// tensors with different strategies must not meet in an operation. The result is not part of any graph.
pub(crate) fn associate<const D: usize, const E: usize>(
    tensor: Tensor<D>,
    like: &Tensor<E>,
) -> Tensor<D> {
    with_strategy(tensor.inner(), like.gradient_checkpointing_strategy())
}

/// The tensors, all with autodiff if at least one has autodiff.
pub(crate) fn together<const D: usize, const N: usize>(tensors: [Tensor<D>; N]) -> [Tensor<D>; N] {
    let strategy = tensors
        .iter()
        .find_map(Tensor::gradient_checkpointing_strategy);
    tensors.map(|tensor| match tensor.is_autodiff() {
        true => tensor,
        false => with_strategy(tensor, strategy),
    })
}

/// A tensor without autodiff; with autodiff if there is a strategy.
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
