use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use crate::dale::is_constrained;

/// Any of Burn's optimizers, with Dale's law kept within the step: for a [`Weight`](crate::dale::Weight) that
/// must be non-negative, the optimizer's result is projected to ≥ 0.
///
/// The parameters are bit for bit the same as with the optimizer followed by
/// [`dale::project`](crate::dale::project); the optimizer's state (momentum, for example) is not projected.
/// Use it where no projection can follow the step, as in burn-train's `Learner`. For plain gradient descent,
/// [`ProjectedSgd`](super::ProjectedSgd) needs only one pass. NaN stays NaN.
///
/// It wraps the bare optimizer, which a configuration's `build` returns; set gradient clipping on the result
/// of [`init`](Self::init).
///
/// ```
/// use burn::optim::{AdamConfig, GradientsParams};
/// use burn::prelude::*;
/// use ei_norm::optim::Projected;
/// use ei_norm::{EiLinearConfig, dale};
///
/// let device = Device::flex().autodiff();
/// let mut layer = EiLinearConfig::new(8, 4).init(&device);
/// let mut optimizer = Projected::new(AdamConfig::new().build()).init();
/// let grads = layer.forward(Tensor::<2>::ones([2, 8], &device)).sum().backward();
/// let grads = GradientsParams::from_grads(grads, &layer);
/// layer = optimizer.step(10.0, layer, grads);
/// assert!(dale::check(&layer).is_ok());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Projected<O> {
    optimizer: O,
}

impl<O: Optimizer> Projected<O> {
    /// This optimizer with the projection.
    pub fn new(optimizer: O) -> Self {
        Self { optimizer }
    }

    /// The optimizer of a module.
    pub fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(self)
    }
}

impl<O: Optimizer> Optimizer for Projected<O> {
    type State<const D: usize> = O::State<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (tensor, state) = self.optimizer.step(lr, tensor, grad, state);
        match is_constrained() {
            true => (tensor.clamp_min(0.0), state),
            false => (tensor, state),
        }
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        O::to_device(state, device)
    }
}
