use burn::optim::{LearningRate, ModuleOptimizer, Optimizer};
use burn::tensor::{Device, Tensor};

use super::PopulationSgd;

/// Any of Burn's optimizers for a [`Population`](crate::circuit::Population), with separate learning rates
/// for each network: the optimizer sets the direction of a step and the rates its length. Dale's law is kept.
///
/// The optimizer's step must be proportional to its learning rate and must not depend on the parameter, as
/// with momentum and Adam; weight decay has no effect. A network learns as it would alone with
/// [`Projected`](super::Projected), up to the order of two products.
///
/// ```
/// use burn::optim::{AdamConfig, GradientsParams};
/// use burn::prelude::*;
/// use ei_norm::dale::{self, Role};
/// use ei_norm::optim::{PerNetwork, PopulationSgd};
/// use ei_norm::{EiLinearConfig, circuit::Population};
///
/// let device = Device::flex().autodiff();
/// let layer = || EiLinearConfig::new(8, 4).init(&device).circuit;
/// let population = Population::stack(vec![layer(), layer()])?;
/// let roles = [Role::Excitatory, Role::Bias, Role::InhibitoryIn, Role::InhibitoryOut];
/// let rates = PopulationSgd::new().with_rates(&roles, &[0.001, 0.01], &device);
/// let mut optimizer = PerNetwork::new(AdamConfig::new().build(), rates).init();
/// let loss = population.forward(Tensor::<3>::ones([2, 3, 8], &device)).sum();
/// let grads = GradientsParams::from_grads(loss.backward(), &population);
/// let population = optimizer.step(1.0, population, grads);
/// assert!(dale::check(&population).is_ok());
/// # Ok::<(), ei_norm::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PerNetwork<O> {
    optimizer: O,
    rates: PopulationSgd,
}

impl<O: Optimizer> PerNetwork<O> {
    /// This optimizer with the rates of each network.
    pub fn new(optimizer: O, rates: PopulationSgd) -> Self {
        Self { optimizer, rates }
    }

    /// The optimizer of a module whose parameters all have a leading axis of networks.
    pub fn init(self) -> ModuleOptimizer {
        ModuleOptimizer::from(self)
    }
}

impl<O: Optimizer> Optimizer for PerNetwork<O> {
    type State<const D: usize> = O::State<D>;

    /// # Panics
    ///
    /// If the number of rates is not the number of networks.
    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let origin = grad.zeros_like();
        let (moved, state) = self.optimizer.step(1.0, origin, grad, state);
        let (tensor, _) = self.rates.step(lr, tensor, moved.neg(), None);
        (tensor, state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        O::to_device(state, device)
    }
}
