//! The object that a run trains: one network or a population.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{Learner, NetworkPopulation, Task};
use crate::RunConfig;
use crate::optimizer::{Optimizer, PopulationOptimizer};
use crate::random::{Purpose, generator};
use crate::stimulus::Batch;

/// One network, or several that are trained together, each from its own images. A batch has the rows of the
/// first network, then the rows of the second, and so on, the same number for each.
pub(crate) trait Trainee: Sized + 'static {
    /// The type of the networks.
    type Network: Learner;
    /// The module with the parameters of all networks.
    type Module: Module;
    /// [`Learner::RECORDABLE`].
    const RECORDABLE: bool;

    /// New networks for these configurations; the first configuration has the common settings.
    ///
    /// # Errors
    ///
    /// If a setting of a configuration, or the shape of the images, is not allowed.
    fn create(configs: &[&RunConfig], task: Task, device: &Device) -> Result<Self, ei_norm::Error>;

    /// One step; also returns each network's loss of the task before the step, `[networks]`, without a graph.
    fn step(self, batch: Batch) -> (Self, Tensor<1>);

    /// The networks as one module.
    fn module(&self) -> &Self::Module;

    /// Changes the parameters.
    fn map(self, f: impl FnOnce(Self::Module) -> Self::Module) -> Self;

    /// Each network as a separate module, without autodiff.
    fn networks(&self) -> Vec<Self::Network>;

    /// A function that computes the logits `[rows, classes]` of a batch `[rows, pixels]` with the current
    /// weights, without autodiff.
    fn logits(&self) -> Box<dyn Fn(Tensor<2>) -> Tensor<2>>;
}

/// One network.
pub(crate) struct Alone<N> {
    network: N,
    optimizer: Optimizer,
}

impl<N: Learner> Trainee for Alone<N> {
    type Network = N;
    type Module = N;
    const RECORDABLE: bool = N::RECORDABLE;

    fn create(configs: &[&RunConfig], task: Task, device: &Device) -> Result<Self, ei_norm::Error> {
        let config = configs[0];
        let network = fresh::<N>(config, task, device)?;
        let rates = config.learning_rates();
        Ok(Self {
            optimizer: Optimizer::new(config.optimizer, &network, rates, config.lambda),
            network,
        })
    }

    fn step(mut self, batch: Batch) -> (Self, Tensor<1>) {
        let (x, labels) = (batch.x.autodiff(), batch.labels.autodiff());
        let (network, loss) = self.optimizer.step(self.network, x, labels);
        self.network = network;
        (self, loss)
    }

    fn module(&self) -> &N {
        &self.network
    }

    fn map(mut self, f: impl FnOnce(N) -> N) -> Self {
        self.network = f(self.network);
        self
    }

    fn networks(&self) -> Vec<N> {
        vec![self.network.valid()]
    }

    fn logits(&self) -> Box<dyn Fn(Tensor<2>) -> Tensor<2>> {
        let network = self.network.valid();
        Box::new(move |x| network.logits(x))
    }
}

/// A population of networks.
pub(crate) struct Together<P> {
    population: P,
    optimizer: PopulationOptimizer,
}

impl<P: NetworkPopulation> Trainee for Together<P> {
    type Network = P::Network;
    type Module = P;
    const RECORDABLE: bool = true;

    fn create(configs: &[&RunConfig], task: Task, device: &Device) -> Result<Self, ei_norm::Error> {
        let networks = configs.iter().map(|config| fresh(config, task, device));
        Ok(Self {
            population: P::stack(networks.collect::<Result<_, _>>()?)?,
            optimizer: PopulationOptimizer::new(configs, device),
        })
    }

    fn step(mut self, batch: Batch) -> (Self, Tensor<1>) {
        let (x, labels) = (batch.x.autodiff(), batch.labels.autodiff());
        let (population, losses) = self.optimizer.step(self.population, x, labels);
        self.population = population;
        (self, losses)
    }

    fn module(&self) -> &P {
        &self.population
    }

    fn map(mut self, f: impl FnOnce(P) -> P) -> Self {
        self.population = f(self.population);
        self
    }

    fn networks(&self) -> Vec<P::Network> {
        let networks = self.population.unstack();
        networks.iter().map(|network| network.valid()).collect()
    }

    fn logits(&self) -> Box<dyn Fn(Tensor<2>) -> Tensor<2>> {
        let population = self.population.valid();
        Box::new(move |x| population.logits_with_local_losses(x).0)
    }
}

/// A network with initial weights from its seed.
pub(super) fn fresh<N: Learner>(
    config: &RunConfig,
    task: Task,
    device: &Device,
) -> Result<N, ei_norm::Error> {
    let mut weights = generator(config.seed, Purpose::Weights);
    N::create(config, task, device, &mut weights)
}
